// A session: one learner that many tasks may share.
//
// An actor, so that chunks from any number of connections are learned one after another. Its host
// may choose the executor: a server that learns on its feed's own event loop answers a lone
// sample without a hop between threads. What can be asked without waiting (the schema, the
// broadcasts) is outside the actor.

import Backprop
import Foundation
import Logging

/// Learns from samples, tells its losses, and answers questions.
///
///     let session = try LearningSession()
///     for try await steps in samples.learned(by: session) { print(steps.meanLoss ?? 0) }
///     try await session.predict([5.1, 3.5, 1.4, 0.2])
public actor LearningSession {
    /// Windows of losses, for any number of subscribers; none of them slows learning.
    public nonisolated let losses = Broadcast<LossWindow>()
    /// Every sample's loss.
    public nonisolated let everyLoss = Broadcast<LossSeries>()
    /// Changes found in the stream, each once.
    public nonisolated let drifts = Broadcast<DriftSeries>()
    /// Who decides what the inputs are.
    public nonisolated let schema: SchemaClaim

    private let learners: MultiOutputLearner
    private var counts = SampleCounts()
    private var late: LateSamples
    private var observations: Observations?
    private var clock: @Sendable () -> Double = { Date().timeIntervalSince1970 }
    private let logger: Logger
    private let executor: any SerialExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Whether code on an executor is in this session's isolation already.
    package nonisolated func runs(on other: any SerialExecutor) -> Bool { executor === other }

    /// - Parameters:
    ///   - schema: the inputs, where they are known beforehand.
    ///   - executor: where the session runs; nil for one of its own.
    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public init(
        _ configuration: Configuration = Configuration(), schema: Schema? = nil, executor: (any SerialExecutor)? = nil,
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws(ArchitectureError) {
        self.init(
            learners: try MultiOutputLearner(configuration), schema: SchemaClaim(schema), executor: executor,
            logger: logger)
    }

    /// A session with a network given whole.
    ///
    ///     try LearningSession(inputs: 4, layers: [.dense(16, .relu), .dense(3)], loss: .crossEntropy,
    ///                         optimizer: .sgd(0.05))
    public init(
        inputs: Int, layers: [Layer], loss: Loss, optimizer: Optimizer = .sgd(0.05), scaling: Bool = true,
        seed: UInt64 = 1
    ) throws(ArchitectureError) {
        try Network.validate(inputs: inputs, layers: layers, loss: loss)
        var configuration = Configuration(layers: layers, loss: loss, optimizer: optimizer, seed: seed)
        configuration.scaling = scaling
        try self.init(configuration, schema: Schema(inputs: inputs))
    }

    init(
        learners: sending MultiOutputLearner, schema: SchemaClaim, late: LateSamples = LateSamples(),
        executor: (any SerialExecutor)? = nil,
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.learners = learners
        self.late = late
        self.schema = schema
        self.executor = executor ?? SessionExecutor()
        self.logger = logger
        learners.onDiscovery = { logger.info("\($0)") }
    }

    // MARK: Learning

    /// Predicts, scores and learns every sample of a chunk, in order.
    ///
    /// A sample with an id and no label waits for a ``LateLabel``, also before anything was learned.
    ///
    /// - Parameters:
    ///   - lines: where each sample stood in its source, for the list of rejections; by its place in the chunk if empty.
    ///   - source: who sent it, for the same.
    @discardableResult
    public func learn(_ chunk: SampleChunk, lines: [Int] = [], source: String? = nil) -> StepChunk {
        var decoded = DecodedChunk(samples: chunk, lines: lines)
        return learn(&decoded, source: source)
    }

    /// The same for what a decoder found, with late labels in their places.
    ///
    /// A sample waits until a label fits: one that does not is a rejection, as any sample's.
    ///
    /// - Parameter chunk: becomes what was learned: each late label is now its sample, or an error where none waits by
    ///   its id. Errors are not counted here; see ``note(rejected:source:)``.
    @discardableResult
    public func learn(_ chunk: inout DecodedChunk, source: String? = nil) -> StepChunk {
        var rest = late.begin(chunk)
        var learned: (chunk: DecodedChunk, steps: StepChunk)?
        while let piece = late.next(of: &rest, seconds: clock()) {
            let steps = step(piece.samples, lines: piece.lines, source: source)
            if learned == nil {
                learned = (piece, steps)
            } else {
                learned!.chunk.append(contentsOf: piece)
                learned!.steps.append(contentsOf: steps)
            }
        }
        chunk = learned!.chunk  // there is always a piece
        return learned!.steps
    }

    /// Learns the sample that waits for a label.
    ///
    /// - Throws: ``SampleError`` where none waits by the id, or the label does not fit; the sample then waits on.
    @discardableResult
    public func learn(_ label: LateLabel) throws(SampleError) -> StepChunk {
        var decoded = DecodedChunk(samples: SampleChunk(inputs: 0))
        decoded.events.append(DecodedEvent(index: 0, line: 1, kind: .lateLabel(label)))
        let steps = learn(&decoded)
        if let error = decoded.events.first?.error ?? steps.rejections.first?.error { throw error }
        return steps
    }

    private func step(_ chunk: SampleChunk, lines: [Int], source: String?) -> StepChunk {
        if learner.network == nil {
            let known = schema.current
            learners.expectedSchema = known
            learners.expectedNames = known?.labels ?? []
        }
        var steps = learners.learn(chunk)
        late.settle(&steps)
        if steps.stepsBefore == 0, steps.learned > 0 { claim(chunk) }
        counts.learned += UInt64(steps.learned)
        counts.predicted += UInt64(steps.predicted)
        counts.rejected += UInt64(steps.rejections.count)
        for (index, error) in steps.rejections {
            var error = error
            if !lines.isEmpty { error.line = lines[index] }
            counts.note(error, source: source)
        }
        observations?.update(chunk, steps, learners, time: clock())
        publish(steps)
        return steps
    }

    /// Claims the schema of samples that came without a decoder, if none was claimed.
    private func claim(_ chunk: SampleChunk) {
        var proposal = Schema(inputs: chunk.inputs)
        if !learners.isAlone {
            (proposal.label, proposal.furtherLabels) = (learners.names[0], Array(learners.names[1...]))
        }
        _ = schema.claim(proposal)
    }

    /// Predicts, scores and learns one sample.
    ///
    /// - Throws: ``SampleError`` where it does not fit; it then changed nothing.
    @discardableResult
    public func learn(_ sample: Sample) throws(SampleError) -> StepChunk {
        let steps = learn(try SampleChunk([sample]))
        if let rejection = steps.rejections.first { throw rejection.error }
        return steps
    }

    /// What the learner says of features, changing nothing; of several outputs, the first. Shape: (inputs).
    ///
    /// - Throws: ``SampleError`` where they do not fit, or nothing has been learned yet.
    public func predict(_ features: [Float]) throws(SampleError) -> Prediction { try learner.predict(features) }

    /// Counts samples that a decoder could not take, so that they are seen where the losses are.
    public func note(rejected errors: some Sequence<SampleError>, source: String) {
        for error in errors {
            counts.rejected += 1
            counts.note(error, source: source)
            observations?.count(rejected: error)
        }
        if losses.hasSubscribers, let window = presentWindow() { losses.publish(window) }
    }

    /// Where things stand, as a window without samples; nil before the task is known.
    public func presentWindow() -> LossWindow? {
        learners.summary.map { metrics in
            LossWindow(
                step: learners.step, count: 0, last: 0, mean: 0, min: 0, max: 0, missed: 0, metrics: metrics,
                task: task, rejected: counts.rejected, outputs: summaries)
        }
    }

    private var task: LearningTask { learners.outputs.lazy.compactMap(\.task).first ?? .regression }
    /// Each output's figures; nil for one.
    private var summaries: [OutputSummary]? { learners.isAlone ? nil : learners.summaries }

    private func publish(_ steps: StepChunk) {
        if !steps.drifts.isEmpty { drifts.publish(DriftSeries(steps.drifts)) }
        guard steps.learned > 0, losses.hasSubscribers || everyLoss.hasSubscribers, let metrics = learners.summary
        else { return }
        let values = steps.losses.filter { !$0.isNaN }
        if losses.hasSubscribers {
            let parts = LossSpan.spans(of: values, before: steps.stepsBefore, limit: LossWindow.partLimit)
            let whole = parts.dropFirst().reduce(parts[0]) { $0.merged(with: $1) }
            losses.publish(
                LossWindow(
                    step: learners.step, count: whole.count, last: Double(values[values.count - 1]), mean: whole.mean,
                    min: whole.min, max: whole.max, parts: parts, missed: 0, metrics: metrics, task: task,
                    rejected: counts.rejected, outputs: summaries))
        }
        everyLoss.publish(LossSeries(first: steps.stepsBefore + 1, values: values, missed: 0))
    }

    /// Ends every subscription.
    public func finish() {
        losses.finish()
        everyLoss.finish()
        drifts.finish()
    }

    // MARK: Looking

    /// Samples learned since the model began, also before it was loaded.
    public var step: UInt64 { learners.step }

    /// All metrics at this moment: a copy, whose figures are worked out where it is. Of several outputs, the first's.
    public var metrics: Metrics { learner.metrics }

    /// The same of each output, by name.
    public var outputMetrics: [(name: String, metrics: Metrics)] {
        zip(learners.names, learners.outputs).map { ($0, $1.metrics) }
    }

    /// Samples since this session began, by what became of them.
    public var sampleCounts: SampleCounts { counts }

    /// Weights, norms and metrics at this moment: a copy, made when asked for.
    ///
    /// - Parameter withWeights: whether to copy them; the rest costs little, however large the network.
    public func snapshot(withWeights: Bool = true) -> Snapshot {
        late.expire(seconds: clock())
        var snapshot = Snapshot(learner, schema: schema.current, counts: counts, withWeights: withWeights)
        if !learners.isAlone { snapshot.add(learners) }
        (snapshot.lateLabels, snapshot.waiting) = (late.counts, late.waiting)
        return snapshot
    }

    /// A snapshot now and after each change, as often as the subscriber asks for the next; what it has no time for is
    /// never copied.
    public nonisolated var snapshots: SnapshotSequence { SnapshotSequence(session: self) }

    /// Everything that affects the future, for a file.
    public func save(to path: String) throws { try learners.save(schema: schema.current, waiting: late, to: path) }

    /// Begins to keep what a page shows of the samples learned from now on; see ``Observations``. Some nanoseconds a
    /// sample, and no bit of the weights.
    public func observe() {
        if observations == nil { observations = Observations() }
    }

    /// The same with a clock, in seconds since 1970.
    func observe(clock: @escaping @Sendable () -> Double) {
        self.clock = clock
        observe()
    }

    /// Calls `body` with what was observed, on the session's executor; nil where nothing was (see ``observe()``).
    ///
    /// Take parts rather than the whole: a copy that is kept makes the next chunk copy what it changes.
    public func withObservations<Result: Sendable>(
        _ body: @Sendable (Observations) throws -> Result
    ) rethrows -> Result? {
        guard let observations else { return nil }
        return try body(observations)
    }

    /// A copy of the learner to ask questions of, wherever that suits; nil before the first sample.
    ///
    /// - Parameters:
    ///   - output: which, of several outputs; nil where there is none of the name.
    ///   - answers: whether it is to predict and explain (see ``Learner/frozen(schema:answers:)``).
    public func frozen(output: String? = nil, answers: Bool = true) -> FrozenLearner? {
        guard let output else { return learner.frozen(schema: schema.current, answers: answers) }
        return learners.names.firstIndex(of: output).flatMap {
            learners.outputs[$0].frozen(schema: schema.current, answers: answers)
        }
    }

    /// What the outputs are called; empty for one.
    public var outputNames: [String] { learners.isAlone ? [] : learners.names }

    /// The first output's learner.
    private var learner: Learner { learners.first }

    /// Calls `body` with the learner, of several outputs the first's, on the session's executor.
    public func withLearner<Result: Sendable>(_ body: @Sendable (Learner) throws -> Result) rethrows -> Result {
        try body(learner)
    }

    /// A session that goes on where a saved one stopped, to the bit.
    ///
    /// - Throws: ``ModelFileError`` where the file cannot be read, with its reason.
    public static func load(
        _ path: String, executor: (any SerialExecutor)? = nil,
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws -> LearningSession {
        let (learners, schema, late) = try MultiOutputLearner.loadAll(path)
        let known = schema ?? learners.first.columns.map { Schema(inputs: $0) }
        return LearningSession(
            learners: learners, schema: SchemaClaim(known), late: late, executor: executor, logger: logger)
    }

    /// How much a chunk may hold so that learning it takes some milliseconds at most, unless one sample alone does, and
    /// nobody waits longer.
    public var chunkLimit: ChunkLimit {
        var limit = ChunkLimit.unknown
        if let columns = learner.columns, learner.head != nil {
            limit.samples = max(1, min(1024, 2_000_000 / (learners.work + 200)))
            limit.numbers = limit.samples * columns + 2_000_000 / max(1, learners.workOfTerm)
        }
        limit.lateLabel = late.longest
        return limit
    }
}

/// Samples, by what became of them.
public struct SampleCounts: Sendable, Hashable, Codable {
    public var learned: UInt64 = 0
    public var predicted: UInt64 = 0
    public var rejected: UInt64 = 0
    /// The newest rejections, at most 10.
    public private(set) var latestRejections: [RejectedSample] = []

    public init() {}

    public var accepted: UInt64 { learned + predicted }

    mutating func note(_ error: SampleError, source: String?) {
        if latestRejections.count == 10 { latestRejections.removeFirst() }
        latestRejections.append(RejectedSample(error: error, source: source))
    }
}

/// A sample that was not taken, and where it came from.
public struct RejectedSample: Sendable, Hashable, Codable {
    public var error: SampleError
    public var source: String?
}
