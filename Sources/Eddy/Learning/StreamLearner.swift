// The core: everything that the meaning of a stream depends on, in one place, synchronous and without a clock.
//
//     DecodedChunk ─▶ schema ─▶ late labels ─▶ learner ─▶ counts ─▶ LearnedChunk
//
// A session (an actor), `eddy train`, `eddy evaluate` and `eddy predict` are thin shells around it. Time is told by the
// caller, so that a stream can be learned again with the same result. Any split of a stream into chunks gives the same
// bits.
//
// Deliberately not here: decoding, concurrency, publishing, files.

/// Learns a stream of decoded chunks, and finds out what it is: columns, outputs, tasks, classes and scales.
///
///     let learner = try StreamLearner()
///     var decoder = SampleDecoder(schema: learner.schema)
///     var bytes = Array("x,y,label\n0.5,1,yes\n2,3,no\n".utf8)[...]
///     let learned = learner.learn(decoder.decode(&bytes))
///     learned.steps.learned  // 2
///
/// A class, because it holds megabytes and is changed in place; not `Sendable`. ``LearningSession`` shares one.
public final class StreamLearner {
    /// The stream's columns, for its decoders; decided by the first sample that is taken.
    public let schema: SchemaClaim
    /// What learns, of all outputs.
    public let learner: Learner
    /// Samples since this learner was made or loaded, by what became of them.
    public private(set) var counts = SampleCounts()
    var late: LateSamples
    /// The names of the label columns; empty before the first sample was taken.
    private var labels: [String] = []

    /// - Parameters:
    ///   - schema: the columns, where they are known beforehand.
    ///   - lateLabels: how much may wait for labels, and how long.
    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public convenience init(
        _ configuration: Configuration = Configuration(), schema: Schema? = nil,
        lateLabels: LateLabelLimits = LateLabelLimits()
    ) throws(ArchitectureError) {
        self.init(
            try Learner(configuration), schema: SchemaClaim(schema), late: LateSamples(limits: lateLabels))
    }

    /// One of several learners of the same stream. They share its schema.
    package convenience init(
        _ configuration: Configuration, schema: SchemaClaim, lateLabels: LateLabelLimits
    ) throws(ArchitectureError) {
        self.init(try Learner(configuration), schema: schema, late: LateSamples(limits: lateLabels))
    }

    init(_ learner: Learner, schema: SchemaClaim, late: LateSamples) {
        (self.learner, self.schema, self.late) = (learner, schema, late)
        labels = schema.current?.labels ?? []
    }

    /// Samples learned since the model began, also before it was loaded.
    public var step: UInt64 { learner.step }
    /// Samples that wait for their labels now, and what became of the others.
    public var lateLabels: (counts: LateLabelCounts, waiting: Int) { (late.counts, late.waiting) }

    // MARK: Learning

    /// Predicts, scores and learns every sample of a chunk, in order.
    ///
    /// A sample with an id and no label waits for a ``LateLabel``, also before anything was learned. A sample that does
    /// not fit is rejected and changes nothing.
    ///
    /// - Parameters:
    ///   - source: who sent it, for the list of rejections.
    ///   - seconds: the time, by which samples that wait for labels expire; 0 where only samples count.
    public func learn(
        _ chunk: DecodedChunk, from source: String? = nil, at seconds: @autoclosure () -> Double = 0
    ) -> LearnedChunk {
        guard let fitted = fitted(chunk) else { return count(refused(chunk), from: source) }
        var rest = late.begin(fitted)
        var whole: LearnedChunk?
        while let piece = late.next(of: &rest, seconds: seconds()) {
            let learned = LearnedChunk(piece, step(piece.samples, chunk.proposal))
            if whole == nil { whole = learned } else { whole!.append(contentsOf: learned) }
        }
        var learned = whole!  // there is always a piece
        (learned.endsBuffer, learned.arrived) = (chunk.endsBuffer, chunk.arrived)
        return count(learned, from: source)
    }

    /// The same for samples that were made one at a time.
    public func learn(_ samples: SampleChunk) -> LearnedChunk { learn(DecodedChunk(samples: samples)) }

    private func step(_ samples: SampleChunk, _ proposal: SchemaProposal?) -> StepChunk {
        if learner.inputs == nil { learner.expectedSchema = expected(proposal) }
        var steps = learner.learn(samples)
        late.settle(&steps)
        if steps.count > steps.rejections.count { accept(proposal, samples) }
        return steps
    }

    /// The schema that samples have: the accepted one, or the proposal where there is none, or its labels are open.
    private func expected(_ proposal: SchemaProposal?) -> Schema? {
        guard let accepted = schema.accepted else { return proposal?.schema }
        guard accepted.isLabelOpen, let proposal, !proposal.isLabelOpen,
            proposal.schema.columns == accepted.schema.columns
        else { return accepted.schema }
        return proposal.schema
    }

    /// Accepts the columns of samples of which one was taken.
    private func accept(_ proposal: SchemaProposal?, _ samples: SampleChunk) {
        if let proposal {
            // A label that was rejected does not say how many there are.
            let isOpen = proposal.isLabelOpen || learner.step == 0
            labels = schema.accept(SchemaProposal(proposal.schema, isLabelOpen: isOpen)).labels
        } else if labels.isEmpty || schema.accepted?.isLabelOpen == true, learner.step > 0 || labels.isEmpty {
            var own = schema.current ?? Schema(inputs: samples.inputs)
            if !learner.isAlone {
                (own.label, own.furtherLabels) = (learner.names[0], Array(learner.names[1...]))
            }
            labels = schema.accept(SchemaProposal(own, isLabelOpen: learner.step == 0)).labels
        }
    }

    // MARK: The schema

    /// A chunk with its columns as in the accepted schema; nil where that cannot be had.
    ///
    /// Two connections may send their first samples at once, each decoded before either was accepted. The second is
    /// decoded again.
    private func fitted(_ chunk: DecodedChunk) -> DecodedChunk? {
        guard let own = chunk.proposal?.schema, let accepted = schema.current, own.columns != accepted.columns else {
            return chunk
        }
        guard var fitted = chunk.decodedAgain?() else { return nil }
        (fitted.endsBuffer, fitted.arrived) = (chunk.endsBuffer, chunk.arrived)
        return fitted
    }

    /// A chunk all of whose samples are rejected: their columns are not those of the stream.
    private func refused(_ chunk: DecodedChunk) -> LearnedChunk {
        var steps = StepChunk(stepsBefore: step, count: chunk.samples.count)
        for index in 0..<chunk.samples.count {
            steps.reject(
                index,
                SampleError(
                    .schema, line: index + 1,
                    expected: "\(SchemaProposal.columns(schema.current)), as the stream's first sample had",
                    got: SchemaProposal.columns(chunk.proposal?.schema)))
        }
        var kept = chunk
        kept.events = chunk.events.map { event in
            guard case .lateLabel(let label) = event.kind else { return event }
            let error = SampleError(
                .schema, line: event.line, field: "id", expected: "a label behind samples that were taken",
                got: label.id)
            return DecodedEvent(index: event.index, line: event.line, kind: .rejected(error))
        }
        return LearnedChunk(kept, steps)
    }

    // MARK: Counting

    private func count(_ chunk: LearnedChunk, from source: String?) -> LearnedChunk {
        var learned = chunk
        learned.labels = labels
        counts.learned += UInt64(learned.steps.learned)
        counts.predicted += UInt64(learned.steps.predicted)
        if !learned.events.isEmpty || !learned.steps.rejections.isEmpty {
            let rejections = learned.rejections
            counts.rejected += UInt64(rejections.count)
            for error in rejections.suffix(SampleCounts.latest) { counts.note(error, source: source) }
        }
        return learned
    }

    // MARK: Predicting

    /// What the learner says of samples, changing nothing: no weight, count, name or clock. Labels and ids are ignored.
    ///
    /// - Returns: a prediction for each sample, or a rejection; late labels and directives are rejections too.
    public func predict(_ chunk: DecodedChunk) -> LearnedChunk {
        var asked = chunk
        asked.events = chunk.events.map { event in
            let got: String
            switch event.kind {
            case .lateLabel(let label): got = "a label for \(label.id)"
            case .directive(let directive): got = "!" + directive
            case .foreign(let why): got = why
            case .rejected: return event
            case .refusedDirective(let error):
                return DecodedEvent(index: event.index, line: event.line, kind: .rejected(error))
            }
            let error = SampleError(.notASample, line: event.line, expected: "samples", got: got)
            return DecodedEvent(index: event.index, line: event.line, kind: .rejected(error))
        }
        guard var fitted = fitted(asked) else { return refused(asked) }
        let names = fitted.samples.terms.names
        fitted.samples = fitted.samples.withoutLabels()
        fitted.samples.terms.names = [:]  // a name that is told is remembered
        var answered = LearnedChunk(fitted, learner.learn(fitted.samples))
        answered.samples.terms.names = names
        return answered
    }

    /// The same for samples that were made one at a time.
    public func predict(_ samples: SampleChunk) -> LearnedChunk { predict(DecodedChunk(samples: samples)) }

    /// How much a chunk may hold so that learning it takes some milliseconds at most, unless one sample alone does, and
    /// others do not wait longer.
    public var chunkLimit: ChunkLimit {
        var limit = ChunkLimit.unknown
        if let columns = learner.columns, learner.inputs != nil {
            limit.samples = max(1, min(1024, 2_000_000 / (learner.work + 200)))
            limit.numbers = max(1, limit.samples * columns + 2_000_000 / max(1, learner.workOfTerm))
        }
        limit.lateLabel = late.longest
        return limit
    }

    // MARK: Files

    /// Writes everything that affects the future to a file, whole or not at all.
    ///
    /// - Throws: ``ModelFileError`` with the reason; a file that was there before is then unchanged.
    public func save(to path: String) throws { try learner.save(schema: schema.current, waiting: late, to: path) }

    /// A learner that goes on where a saved one stopped, to the bit.
    ///
    /// - Throws: ``ModelFileError`` where the file cannot be read, with its reason.
    public static func load(_ path: String) throws -> StreamLearner {
        let (learner, schema, late) = try Learner.loadAll(path)
        let known = schema ?? learner.columns.map { Schema(inputs: $0) }
        return StreamLearner(learner, schema: SchemaClaim(known), late: late)
    }
}

/// Samples, by what became of them.
public struct SampleCounts: Sendable, Hashable, Codable {
    /// The most rejections that are kept.
    static let latest = 10

    public var learned: UInt64 = 0
    public var predicted: UInt64 = 0
    public var rejected: UInt64 = 0
    /// The newest rejections, at most 10.
    public private(set) var latestRejections: [RejectedSample] = []

    public init() {}

    public var accepted: UInt64 { learned + predicted }

    mutating func note(_ error: SampleError, source: String?) {
        if latestRejections.count == SampleCounts.latest { latestRejections.removeFirst() }
        latestRejections.append(RejectedSample(error: error, source: source))
    }
}

/// A sample that was not taken, and where it came from.
public struct RejectedSample: Sendable, Hashable, Codable {
    public var error: SampleError
    public var source: String?
}
