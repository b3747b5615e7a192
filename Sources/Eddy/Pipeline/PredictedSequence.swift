// The same pipeline for questions: samples become predictions, and the learner does not change.

/// What a session says of a sequence of samples. See ``AsyncSequence/predicted(by:)``.
public struct PredictedSequence<Base: AsyncSequence>: AsyncSequence {
    public typealias Element = LearnedChunk
    public typealias Failure = Base.Failure

    let base: Base
    let session: LearningSession
    let chunk: @Sendable (Base.Element) -> DecodedChunk

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), session: session, chunk: chunk)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let session: LearningSession
        let chunk: @Sendable (Base.Element) -> DecodedChunk

        public mutating func next() async throws(Failure) -> LearnedChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> LearnedChunk? {
            guard let element = try await base.next(isolation: actor) else { return nil }
            return await session.predictInTurn(chunk(element))
        }
    }
}

extension PredictedSequence: Sendable where Base: Sendable, Base.Element: Sendable {}
extension PredictedSequence.Iterator: Sendable where Base.AsyncIterator: Sendable, Base.Element: Sendable {}

extension AsyncSequence where Element == DecodedChunk {
    /// Predicts each chunk's samples when the answer is asked for. Nothing is learned; labels and ids are ignored.
    ///
    ///     for try await answer in bytes.samples(for: session).predicted(by: session) { … }
    public func predicted(by session: LearningSession) -> PredictedSequence<Self> {
        PredictedSequence(base: self, session: session) { $0 }
    }
}

extension AsyncSequence where Element == SampleChunk {
    /// Predicts each chunk's samples when the answer is asked for.
    public func predicted(by session: LearningSession) -> PredictedSequence<Self> {
        PredictedSequence(base: self, session: session) { DecodedChunk(samples: $0) }
    }
}

extension AsyncSequence where Element == Sample {
    /// Predicts each sample when the answer is asked for.
    public func predicted(by session: LearningSession) -> PredictedSequence<Self> {
        let schema = session.schema
        return PredictedSequence(base: self, session: session) { DecodedChunk([$0], schema: schema) }
    }
}

extension AsyncSequence where Element == [Sample] {
    /// Predicts each array's samples when the answer is asked for.
    public func predicted(by session: LearningSession) -> PredictedSequence<Self> {
        let schema = session.schema
        return PredictedSequence(base: self, session: session) { DecodedChunk($0, schema: schema) }
    }
}
