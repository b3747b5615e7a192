// The operators of the pipeline for publishers: samples in, what was learned out.
//
//     readings.map { Sample([$0.hour], label: .number($0.load)) }.learned(by: session).sink { print($0.meanLoss ?? 0) }
//
// They are the asynchronous sequences' operators (LearnedSequence.swift) between an Intake and a Pump. One element is
// under way at a time: the next is asked for when the subscriber has taken what the last one taught. A publisher that
// cannot wait (a timer, a `PassthroughSubject`) drops what comes meanwhile; put `buffer(size:prefetch:whenFull:)` in
// between to keep it, or `collect` it into arrays.

public import Eddy
@preconcurrency public import OpenCombine

/// What can be learned by itself: ``Eddy/Sample``, arrays of them, ``Eddy/SampleChunk`` and ``Eddy/DecodedChunk``.
///
/// Other types are learned as `Encodable` values, with `label:`.
public protocol SampleElement: Sendable {
    /// The element as a chunk.
    ///
    /// - Parameter schema: the session's, which says how many features a sample has.
    func chunk(for schema: SchemaClaim) -> DecodedChunk
}

extension Sample: SampleElement {
    public func chunk(for schema: SchemaClaim) -> DecodedChunk { DecodedChunk([self], schema: schema) }
}

extension Array: SampleElement where Element == Sample {
    public func chunk(for schema: SchemaClaim) -> DecodedChunk { DecodedChunk(self, schema: schema) }
}

extension SampleChunk: SampleElement {
    public func chunk(for schema: SchemaClaim) -> DecodedChunk { DecodedChunk(samples: self) }
}

extension DecodedChunk: SampleElement {
    public func chunk(for schema: SchemaClaim) -> DecodedChunk { self }
}

extension Publisher where Output: SampleElement {
    /// Learns each element when what it taught is asked for; delivers on the actor that calls this, else on the main queue.
    ///
    ///     Timer.publish(every: 1, on: runLoop, in: .default).autoconnect().map { _ in [sample()] }
    ///         .learned(by: session).sink { print($0.learned) }
    ///
    /// (`Timer` is OpenCombineFoundation's. On Linux nothing runs `RunLoop.main` where `main` is asynchronous, so the run
    /// loop must be one that a thread of yours runs.)
    ///
    /// - Parameter source: who sent it, for the list of rejections.
    public func learned(
        by session: LearningSession, from source: String? = nil, isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> {
        learned(by: session, from: source, .here(isolation))
    }

    /// The same, delivered where `scheduler` says.
    public func learned(
        by session: LearningSession, from source: String? = nil, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> {
        learned(by: session, from: source, Delivery(scheduler))
    }

    private func learned(
        by session: LearningSession, from source: String?, _ delivery: Delivery
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(delivery) { $0.chunks(for: session).learned(by: session, from: source) }
    }

    /// Predicts each element's samples when the answer is asked for; delivers on the actor that calls this, else on the main
    /// queue. Nothing is learned.
    public func predicted(
        by session: LearningSession, isolation: (any Actor)? = #isolation
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(.here(isolation)) { $0.chunks(for: session).predicted(by: session) }
    }

    /// The same, delivered where `scheduler` says.
    public func predicted(
        by session: LearningSession, scheduling scheduler: some Scheduler
    ) -> SequencePublisher<LearnedChunk, Failure> {
        through(Delivery(scheduler)) { $0.chunks(for: session).predicted(by: session) }
    }
}

extension Publisher where Output: Sendable {
    /// A publisher of what a pipeline of asynchronous sequences makes of this one's elements.
    func through<Pipeline: AsyncSequence>(
        _ delivery: Delivery, _ pipeline: @escaping (Intake<Output, Failure>) -> Pipeline
    ) -> SequencePublisher<Pipeline.Element, Failure>
    where Pipeline.Failure == Failure, Pipeline.Element: Sendable, Pipeline.AsyncIterator: Sendable {
        SequencePublisher(delivery) { subscriber, delivery in
            let intake = Intake<Output, Failure>()
            let pump = Pump(subscriber: subscriber, delivery: delivery, source: intake)
            intake.whenEnded { [weak pump] in pump?.sourceEnded() }
            self.subscribe(intake)
            subscriber.receive(subscription: pump)
            pump.start(pipeline(intake).makeAsyncIterator())
        }
    }
}

extension Intake where Input: SampleElement {
    /// The elements as chunks.
    func chunks(for session: LearningSession) -> AsyncMapSequence<Intake, DecodedChunk> {
        let schema = session.schema
        return map { $0.chunk(for: schema) }
    }
}
