// An asynchronous sequence as a publisher: an adapter, nothing more.
//
// An element is taken from the sequence only when the subscriber has asked for one. So demand is honoured without a
// buffer: a broadcast merges what comes meanwhile, and an operator leaves it to its source.

@preconcurrency public import OpenCombine
import Synchronization

/// Publishes an asynchronous sequence, as fast as its subscriber asks. Each subscriber iterates by itself.
///
///     let watching = SequencePublisher(session.losses).sink { print($0.mean) }
///
/// Elements and the end are delivered on the main queue unless another scheduler is given.
public struct SequencePublisher<Output: Sendable, Failure: Error>: Publisher {
    /// Subscribes, with the subscriber and where it is called.
    private let connect: (AnySubscriber<Output, Failure>, Delivery) -> Void
    /// Nil where it was not said.
    private let delivery: Delivery?

    init(_ delivery: Delivery?, connect: @escaping (AnySubscriber<Output, Failure>, Delivery) -> Void) {
        self.connect = connect
        self.delivery = delivery
    }

    init<Base: AsyncSequence>(_ base: Base, _ delivery: Delivery?)
    where Base.Element == Output, Base.Failure == Failure, Base.AsyncIterator: Sendable {
        self.init(delivery) { subscriber, delivery in
            // The iterator is made here, so that nothing published after subscribing is missed.
            let iterator = base.makeAsyncIterator()
            let pump = Pump(subscriber: subscriber, delivery: delivery)
            subscriber.receive(subscription: pump)
            pump.start(iterator)
        }
    }

    /// Delivers on the main queue.
    public init<Base: AsyncSequence>(_ base: Base)
    where Base.Element == Output, Base.Failure == Failure, Base.AsyncIterator: Sendable {
        self.init(base, nil)
    }

    /// Delivers where `scheduler` says.
    public init<Base: AsyncSequence>(_ base: Base, scheduling scheduler: some Scheduler)
    where Base.Element == Output, Base.Failure == Failure, Base.AsyncIterator: Sendable {
        self.init(base, Delivery(scheduler))
    }

    public func receive<S: Subscriber>(subscriber: S) where S.Input == Output, S.Failure == Failure {
        connect(AnySubscriber(subscriber), delivery ?? .mainQueue)
    }

    // MARK: Closures that belong to an actor

    /// Calls `receiveValue` with each element: where `scheduling:` said, else on the actor that calls this, else on the main
    /// queue.
    ///
    ///     actor Watcher {
    ///         var seen = 0
    ///         var watching: AnyCancellable?
    ///         func watch(_ session: LearningSession) {
    ///             watching = session.lossPublisher.sink { self.seen += $0.count }  // called on the actor
    ///         }
    ///     }
    ///
    /// After an operator it is OpenCombine's own `sink`, which does not know the actor. Then say where everything is
    /// delivered: `lossPublisher(scheduling: .actor(self))`.
    public func sink(
        isolation: (any Actor)? = #isolation, receiveValue: @escaping (Output) -> Void
    ) -> AnyCancellable where Failure == Never {
        sink(isolation: isolation, receiveCompletion: { _ in }, receiveValue: receiveValue)
    }

    /// The same, with the end.
    public func sink(
        isolation: (any Actor)? = #isolation,
        receiveCompletion: @escaping (Subscribers.Completion<Failure>) -> Void,
        receiveValue: @escaping (Output) -> Void
    ) -> AnyCancellable {
        let sink = Subscribers.Sink<Output, Failure>(
            receiveCompletion: receiveCompletion, receiveValue: receiveValue)
        connect(AnySubscriber(sink), delivery ?? .here(isolation))
        return AnyCancellable(sink)
    }
}

/// A publisher before the sequence.
protocol PumpSource: Sendable {
    /// Called for each element that is wanted, by whoever wants it: the subscriber when it requests, else where elements
    /// are delivered.
    func ask()
    func cancel()
}

/// An iterator that is let go of before the subscriber hears of the end. Used by one task.
private final class Held<Iterator: Sendable>: @unchecked Sendable {
    var iterator: Iterator?

    init(_ iterator: Iterator) { self.iterator = iterator }
}

/// Moves elements from an iterator to a subscriber while there is demand.
final class Pump<Input: Sendable, Failure: Error>: Subscription, @unchecked Sendable {
    private struct State {
        var demand = Subscribers.Demand.none
        /// Whether an element is on its way: asked for, and not delivered yet.
        var isBusy = false
        /// Whether the source has ended, which the subscriber is told without asking.
        var isSourceEnded = false
        /// The task, where it waits for demand.
        var waiter: CheckedContinuation<Void, Never>?
        var task: Task<Void, Never>?
        /// Nil once it has been told the end, or has cancelled.
        var subscriber: Unchecked<AnySubscriber<Input, Failure>>?
    }

    private let state: Mutex<State>
    private let delivery: Delivery
    private let source: (any PumpSource)?

    /// - Parameter source: what stands before the sequence, where that is a publisher.
    init(subscriber: AnySubscriber<Input, Failure>, delivery: Delivery, source: (any PumpSource)? = nil) {
        state = Mutex(State(subscriber: Unchecked(subscriber)))
        self.delivery = delivery
        self.source = source
    }

    func start<Iterator: AsyncIteratorProtocol & Sendable>(_ iterator: Iterator)
    where Iterator.Element == Input, Iterator.Failure == Failure {
        let held = Held(iterator)
        let task = Task {
            while await takeTurn() {
                do throws(Failure) {
                    if let element = try await held.iterator!.next(isolation: nil) {
                        await deliver(element)
                        continue
                    }
                    held.iterator = nil
                    await end(.finished)
                } catch {
                    held.iterator = nil
                    await end(.failure(error))
                }
                return
            }
        }
        let cancelledBefore = state.withLock { state in
            state.task = task
            return state.subscriber == nil
        }
        if cancelledBefore { task.cancel() }
    }

    // MARK: The subscriber's side

    func request(_ demand: Subscribers.Demand) { advance { $0.demand += demand } }

    func cancel() {
        let (waiter, task, subscriber) = state.withLock { state in
            (state.waiter.take(), state.task.take(), state.subscriber.take())
        }
        task?.cancel()
        waiter?.resume()
        if subscriber != nil { source?.cancel() }  // the subscriber is let go of here, outside the lock
    }

    /// The source has no more than what is on its way.
    func sourceEnded() { advance { $0.isSourceEnded = true } }

    /// Changes the state, and sets the next element on its way where there is none and one is wanted.
    private func advance(_ change: (inout State) -> Void) {
        let (asks, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            change(&state)
            guard !state.isBusy, state.subscriber != nil, state.demand > .none || state.isSourceEnded else {
                return (false, nil)
            }
            state.isBusy = true
            let asks = state.demand > .none
            if asks { state.demand -= 1 }
            return (asks, state.waiter.take())
        }
        if asks { source?.ask() }
        waiter?.resume()
    }

    // MARK: The task's side

    /// Waits until an element is wanted; false when cancelled.
    private func takeTurn() async -> Bool {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.isBusy || state.subscriber == nil { return true }
                state.waiter = continuation
                return false
            }
            if isReady { continuation.resume() }
        }
        return state.withLock { $0.subscriber != nil }
    }

    private func deliver(_ element: Input) async {
        await performed {
            guard let subscriber = self.state.withLock({ $0.subscriber }) else { return }
            let more = subscriber.value.receive(element)
            self.advance { state in
                state.demand += more
                state.isBusy = false
            }
        }
    }

    private func end(_ completion: Subscribers.Completion<Failure>) async {
        await performed {
            let subscriber = self.state.withLock { state in
                state.task = nil
                return state.subscriber.take()
            }
            subscriber?.value.receive(completion: completion)
        }
    }

    private func performed(_ action: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            delivery.perform {
                action()
                continuation.resume()
            }
        }
    }
}
