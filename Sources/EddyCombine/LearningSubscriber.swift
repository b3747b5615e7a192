// The end of a chain that only feeds a session: a subscriber.

public import Eddy
@preconcurrency public import OpenCombine
import Synchronization

/// Feeds a session with what a publisher gives, one element at a time: the next is asked for when the last is learned.
///
///     let feeding = LearningSubscriber<Sample, Never>(session)
///     samples.publisher.subscribe(feeding)
///     let counts = try await feeding.finished()
///     print(counts.learned, counts.rejected)
///
/// The publisher is asked on the actor that makes the subscriber, else on the main queue, unless `scheduling:` says
/// otherwise. So closures between publisher and subscriber are called where they belong.
public final class LearningSubscriber<Input: Sendable, Failure: Error>: Subscriber, Cancellable, Sendable {
    private let intake: Intake<Input, Failure>
    private let pump: Pump<LearnedChunk, Failure>
    private let tally: Tally<Failure>

    init<Pipeline: AsyncSequence>(_ delivery: Delivery, _ pipeline: (Intake<Input, Failure>) -> Pipeline)
    where Pipeline.Element == LearnedChunk, Pipeline.Failure == Failure, Pipeline.AsyncIterator: Sendable {
        let (intake, tally) = (Intake<Input, Failure>(), Tally<Failure>())
        let subscriber = AnySubscriber<LearnedChunk, Failure>(
            receiveSubscription: { _ in },
            receiveValue: { learned in
                tally.add(learned)
                return .max(1)
            },
            receiveCompletion: { tally.end($0) })
        let pump = Pump(subscriber: subscriber, delivery: delivery, source: intake)
        intake.whenEnded { [weak pump] in pump?.sourceEnded() }
        pump.start(pipeline(intake).makeAsyncIterator())
        (self.intake, self.pump, self.tally) = (intake, pump, tally)
    }

    /// Samples so far, by what became of them.
    public var counts: SampleCounts { tally.counts }

    /// Waits until the publisher has ended and its last element is learned, or until this is cancelled. Cancelling the task
    /// that waits cancels the subscriber.
    ///
    /// - Throws: the publisher's failure.
    @discardableResult
    public func finished() async throws(Failure) -> SampleCounts {
        let end = await withTaskCancellationHandler {
            await tally.awaitEnd()
        } onCancel: {
            cancel()
        }
        if case .failure(let error) = end { throw error }
        return tally.counts
    }

    public func cancel() {
        pump.cancel()
        tally.end(.finished)
    }

    public func receive(subscription: any Subscription) {
        intake.receive(subscription: subscription)
        pump.request(.max(1))
    }

    public func receive(_ input: Input) -> Subscribers.Demand { intake.receive(input) }

    public func receive(completion: Subscribers.Completion<Failure>) { intake.receive(completion: completion) }
}

extension LearningSubscriber where Input: SampleElement {
    /// - Parameters:
    ///   - session: which learns.
    ///   - source: who sends, for the list of rejections.
    public convenience init(
        _ session: LearningSession, from source: String? = nil, isolation: (any Actor)? = #isolation
    ) {
        self.init(.here(isolation)) { $0.chunks(for: session).learned(by: session, from: source) }
    }

    /// The same, asking where `scheduler` says.
    public convenience init(
        _ session: LearningSession, from source: String? = nil, scheduling scheduler: some Scheduler
    ) {
        self.init(Delivery(scheduler)) { $0.chunks(for: session).learned(by: session, from: source) }
    }
}

/// Counts what was learned, and keeps those who wait for the end.
private final class Tally<Failure: Error>: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var counts = SampleCounts()
        var end: Subscribers.Completion<Failure>?
        var waiters: [Waiter] = []
    }

    private let state = Mutex<State>(State())

    var counts: SampleCounts { state.withLock { $0.counts } }

    func add(_ learned: LearnedChunk) {
        let rejected = learned.rejections.count
        state.withLock { state in
            state.counts.learned += UInt64(learned.learned)
            state.counts.predicted += UInt64(learned.predicted)
            state.counts.rejected += UInt64(rejected)
        }
    }

    func end(_ completion: Subscribers.Completion<Failure>) {
        let waiters = state.withLock { state in
            if state.end == nil { state.end = completion }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func awaitEnd() async -> Subscribers.Completion<Failure> {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.end == nil { state.waiters.append(continuation) }
                return state.end != nil
            }
            if isReady { continuation.resume() }
        }
        return state.withLock { $0.end! }
    }
}
