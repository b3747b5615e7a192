// OpenCombine publishers over the session's broadcasts: adapters, nothing more.
//
// The broadcast's mailbox does the work: an element is taken from it only when the subscriber has
// asked for one, and what comes meanwhile is merged there. So demand is honoured without a buffer.

public import Eddy
@preconcurrency public import OpenCombine
import Synchronization

extension LearningSession {
    /// Windows of losses. See ``LearningSession/losses``.
    ///
    ///     let subscription = session.lossPublisher.sink { print($0.mean) }
    public nonisolated var lossPublisher: SequencePublisher<Broadcast<LossWindow>> { SequencePublisher(losses) }

    /// Every sample's loss. See ``LearningSession/everyLoss``.
    public nonisolated var everyLossPublisher: SequencePublisher<Broadcast<LossSeries>> { SequencePublisher(everyLoss) }

    /// Snapshots, taken when there is demand for one.
    public nonisolated var snapshotPublisher: SequencePublisher<SnapshotSequence> { SequencePublisher(snapshots) }
}

/// Publishes an asynchronous sequence, as fast as its subscriber asks. Each subscriber iterates by itself.
public struct SequencePublisher<Base: AsyncSequence & Sendable>: Publisher
where Base.Element: Sendable, Base.Failure == Never, Base.AsyncIterator: Sendable {
    public typealias Output = Base.Element
    public typealias Failure = Never

    private let base: Base

    public init(_ base: Base) { self.base = base }

    public func receive<S: Subscriber>(subscriber: S) where S.Input == Output, S.Failure == Never {
        // The iterator is made here, so that nothing published after subscribing is missed.
        let iterator = base.makeAsyncIterator()
        let pump = Pump(subscriber: AnySubscriber(subscriber))
        subscriber.receive(subscription: pump)
        pump.start(iterator)
    }
}

/// Moves elements from an iterator to a subscriber while there is demand.
private final class Pump<Input: Sendable>: Subscription, @unchecked Sendable {
    private struct State {
        var demand = Subscribers.Demand.none
        var waiter: CheckedContinuation<Bool, Never>?
        var task: Task<Void, Never>?
        var isCancelled = false
    }

    private let state = Mutex<State>(State())
    private let subscriber: AnySubscriber<Input, Never>  // called from one task only

    init(subscriber: AnySubscriber<Input, Never>) { self.subscriber = subscriber }

    func start<Iterator: AsyncIteratorProtocol & Sendable>(_ iterator: Iterator)
    where Iterator.Element == Input, Iterator.Failure == Never {
        let task = Task {
            var iterator = iterator
            while await takeDemand() {
                guard let element = await iterator.next(isolation: nil) else {
                    if !isCancelled { subscriber.receive(completion: .finished) }
                    return
                }
                if isCancelled { return }
                add(subscriber.receive(element))
            }
        }
        let cancelledBefore = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if cancelledBefore { task.cancel() }
    }

    func request(_ demand: Subscribers.Demand) { add(demand) }

    func cancel() {
        let (waiter, task) = state.withLock { state in
            state.isCancelled = true
            return (state.waiter.take(), state.task.take())
        }
        task?.cancel()
        waiter?.resume(returning: false)
    }

    private var isCancelled: Bool { state.withLock { $0.isCancelled } }

    private func add(_ demand: Subscribers.Demand) {
        let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            state.demand += demand
            guard state.demand > .none, let waiter = state.waiter.take() else { return nil }
            state.demand -= 1
            return waiter
        }
        waiter?.resume(returning: true)
    }

    /// Waits for demand and takes one from it; false when cancelled.
    private func takeDemand() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Bool? in
                if state.isCancelled { return false }
                if state.demand > .none {
                    state.demand -= 1
                    return true
                }
                state.waiter = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }
}
