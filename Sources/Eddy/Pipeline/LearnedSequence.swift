// The operator at the heart of every door: an asynchronous sequence of samples becomes one of what was learned.
//
//     for try await learned in bytes.samples(for: session).learned(by: session) { … }
//
// Pull all the way: the next chunk is asked for when what the last one taught has been taken, so a fast source waits
// for the learner, and memory holds one chunk. Single samples are learned one a call, for the lowest latency;
// `chunks(ofCount:)` and `chunks(ofCount:or:)` of AsyncAlgorithms gather them where throughput counts more.
//
// A sample that is not taken is a rejection in its chunk. It neither ends the sequence nor takes its neighbours with it.
// The sequence fails only where its base does, with the base's error.

/// What a sequence of samples teaches a session. See ``AsyncSequence/learned(by:from:)``.
public struct LearnedSequence<Base: AsyncSequence>: AsyncSequence {
    public typealias Element = LearnedChunk
    public typealias Failure = Base.Failure

    let base: Base
    let session: LearningSession
    let source: String?
    let chunk: @Sendable (Base.Element) -> DecodedChunk

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), session: session, source: source, chunk: chunk)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let session: LearningSession
        let source: String?
        let chunk: @Sendable (Base.Element) -> DecodedChunk

        public mutating func next() async throws(Failure) -> LearnedChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> LearnedChunk? {
            guard let element = try await base.next(isolation: actor) else { return nil }
            let chunk = chunk(element)
            // A directive does not wait for the learner.
            guard chunk.concernsLearner else {
                return LearnedChunk(chunk, StepChunk(stepsBefore: session.progress.step, count: 0))
            }
            return await session.learnInTurn(chunk, from: source)
        }
    }
}

extension LearnedSequence: Sendable where Base: Sendable, Base.Element: Sendable {}
extension LearnedSequence.Iterator: Sendable where Base.AsyncIterator: Sendable, Base.Element: Sendable {}

extension AsyncSequence where Element == DecodedChunk {
    /// Learns each chunk when what it taught is asked for: samples, late labels and rejections in their order.
    ///
    /// - Parameter source: who sent it, for the list of rejections.
    public func learned(by session: LearningSession, from source: String? = nil) -> LearnedSequence<Self> {
        LearnedSequence(base: self, session: session, source: source) { $0 }
    }
}

extension AsyncSequence where Self: Sendable, Element == DecodedChunk {
    /// Learns each chunk by several sessions, one after another: the same stream, learned by several configurations.
    ///
    /// - Returns: for each chunk what it taught each session, in their order.
    package func learned(by sessions: [LearningSession]) -> AsyncMapSequence<Self, [LearnedChunk]> {
        map { chunk in
            var learned: [LearnedChunk] = []
            for session in sessions { learned.append(await session.learnInTurn(chunk, from: nil)) }
            return learned
        }
    }
}

extension AsyncSequence where Element == SampleChunk {
    /// Learns each chunk when what it taught is asked for.
    public func learned(by session: LearningSession, from source: String? = nil) -> LearnedSequence<Self> {
        LearnedSequence(base: self, session: session, source: source) { DecodedChunk(samples: $0) }
    }
}

extension AsyncSequence where Element == Sample {
    /// Learns each sample when what it taught is asked for.
    public func learned(by session: LearningSession, from source: String? = nil) -> LearnedSequence<Self> {
        let schema = session.schema
        return LearnedSequence(base: self, session: session, source: source) { DecodedChunk([$0], schema: schema) }
    }
}

extension AsyncSequence where Element == [Sample] {
    /// Learns each array of samples, one after another, when what they taught is asked for.
    public func learned(by session: LearningSession, from source: String? = nil) -> LearnedSequence<Self> {
        let schema = session.schema
        return LearnedSequence(base: self, session: session, source: source) { DecodedChunk($0, schema: schema) }
    }
}

extension DecodedChunk {
    /// Samples that were made one at a time. One that does not fit is a rejection in its place; its line is its number.
    ///
    /// - Parameter schema: says how many features a sample has; where nothing is known yet, the first valid one does.
    public init(_ samples: some Collection<Sample>, schema: SchemaClaim) {
        let known = schema.current?.inputs.count
        self.init(samples: SampleChunk(inputs: known ?? samples.first?.features.count ?? 0))
        for (number, sample) in samples.enumerated() {
            if known == nil, self.samples.isEmpty { self.samples.restart(inputs: sample.features.count) }
            do throws(SampleError) {
                try self.samples.append(sample)
                lines.append(number + 1)
            } catch {
                var error = error
                error.line = number + 1
                events.append(DecodedEvent(index: self.samples.count, line: number + 1, kind: .rejected(error)))
            }
        }
    }

    /// Whether there is anything for a learner, or for its counts.
    var concernsLearner: Bool {
        if !samples.isEmpty { return true }
        return events.contains { event in
            switch event.kind {
            case .rejected, .lateLabel: true
            case .directive, .refusedDirective, .foreign: false
            }
        }
    }
}
