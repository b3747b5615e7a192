// The operator: an asynchronous sequence of samples becomes one of steps.
//
//     for try await steps in chunks.learned(by: session) { … }
//
// Pull all the way: the next chunk is asked for when the last one's steps have been taken, so a fast
// source waits for the learner, and memory holds one chunk. Single samples are learned one a call, for
// the lowest latency; `chunks(ofCount:)` and `chunks(ofCount:or:)` of AsyncAlgorithms gather them where
// throughput counts more.

/// Steps of a sequence of chunks. See ``AsyncSequence/learned(by:)``.
public struct LearnedSequence<Base: AsyncSequence>: AsyncSequence {
    public typealias Element = StepChunk

    let base: Base
    let session: LearningSession
    let chunk: @Sendable (Base.Element) throws(SampleError) -> SampleChunk

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), session: session, chunk: chunk)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let session: LearningSession
        let chunk: @Sendable (Base.Element) throws(SampleError) -> SampleChunk

        public mutating func next() async throws -> StepChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> StepChunk? {
            guard let element = try await base.next(isolation: actor) else { return nil }
            return await session.learn(try chunk(element))
        }
    }
}

extension LearnedSequence: Sendable where Base: Sendable {}

extension AsyncSequence where Element == SampleChunk {
    /// Learns each chunk when its steps are asked for, and yields them.
    public func learned(by session: LearningSession) -> LearnedSequence<Self> {
        LearnedSequence(base: self, session: session) { $0 }
    }
}

extension AsyncSequence where Element == Sample {
    /// Learns each sample when its step is asked for. Throws ``SampleError`` for a sample that is not finite.
    public func learned(by session: LearningSession) -> LearnedSequence<Self> {
        LearnedSequence(base: self, session: session) { sample throws(SampleError) in try SampleChunk([sample]) }
    }
}

extension AsyncSequence where Element == [Sample] {
    /// Learns each array of samples, one after another, when their steps are asked for.
    public func learned(by session: LearningSession) -> LearnedSequence<Self> {
        LearnedSequence(base: self, session: session) { samples throws(SampleError) in try SampleChunk(samples) }
    }
}

/// Chunks of the samples in a sequence of buffers of bytes. See ``AsyncSequence/samples(of:label:for:)``.
public struct DecodedSequence<Base: AsyncSequence>: AsyncSequence where Base.Element: Collection<UInt8> {
    public typealias Element = DecodedChunk

    let base: Base
    let decoder: SampleDecoder

    public func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), decoder: decoder) }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        var decoder: SampleDecoder
        var rest: ArraySlice<UInt8> = []
        var isAtEnd = false

        init(base: Base.AsyncIterator, decoder: SampleDecoder) {
            self.base = base
            self.decoder = decoder
        }

        public mutating func next() async throws -> DecodedChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws -> DecodedChunk? {
            while !isAtEnd {
                if rest.isEmpty {
                    guard let buffer = try await base.next(isolation: actor) else {
                        isAtEnd = true
                        let last = decoder.finish()
                        return last.isEmpty ? nil : last
                    }
                    rest = Array(buffer)[...]
                }
                let chunk = decoder.decode(&rest, limit: 256)
                if case .foreign = chunk.events.last?.kind { isAtEnd = true }
                if !chunk.isEmpty { return chunk }
            }
            return nil
        }
    }
}

extension DecodedSequence: Sendable where Base: Sendable {}

extension AsyncSequence where Element: Collection<UInt8> {
    /// The samples in a stream of bytes, and the events between them, as chunks.
    ///
    ///     for try await steps in bytes.samples(for: session).map(\.samples).learned(by: session) { … }
    public func samples(
        of format: SampleFormat? = nil, label: LabelColumn = .automatic, for session: LearningSession
    ) -> DecodedSequence<Self> {
        DecodedSequence(base: self, decoder: SampleDecoder(format: format, label: label, schema: session.schema))
    }
}
