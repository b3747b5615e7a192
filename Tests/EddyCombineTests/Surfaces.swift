// Both ways of listening to a broadcast, behind one protocol, so that one suite of claims can be run over them.

import Eddy
import EddyCombine
@preconcurrency import OpenCombine
import Synchronization

/// A subscription that is asked for one element at a time.
protocol Listener<Element>: Sendable {
    associatedtype Element: Sendable
    /// Asks for one element; nil at the end, or when cancelled.
    func next() async -> Element?
    func cancel()
}

/// A way of listening.
enum Surface: String, CaseIterable {
    case sequence, publisher, immediatePublisher

    func listen<Element: Mergeable>(to broadcast: Broadcast<Element>) -> any Listener<Element> {
        switch self {
        case .sequence: SequenceListener(broadcast.makeAsyncIterator())
        case .publisher: SubscriberListener(SequencePublisher(broadcast))
        case .immediatePublisher: SubscriberListener(SequencePublisher(broadcast, scheduling: .immediate))
        }
    }
}

/// An iterator, each of whose elements is awaited in a task that can be cancelled.
final class SequenceListener<Iterator: AsyncIteratorProtocol & Sendable>: Listener
where Iterator.Element: Sendable, Iterator.Failure == Never {
    private let state: Mutex<(iterator: Iterator?, task: Task<Iterator.Element?, Never>?)>

    init(_ iterator: Iterator) { state = Mutex((iterator, nil)) }

    func next() async -> Iterator.Element? {
        let task = state.withLock { state -> Task<Iterator.Element?, Never>? in
            guard let iterator = state.iterator else { return nil }
            let task = Task {
                var iterator = iterator
                let element = await iterator.next(isolation: nil)
                self.state.withLock { state in if state.iterator != nil { state.iterator = iterator } }
                return element
            }
            state.task = task
            return task
        }
        return await task?.value
    }

    func cancel() {
        let task = state.withLock { state in
            state.iterator = nil
            return state.task.take()
        }
        task?.cancel()
    }
}

/// A subscriber whose demand is one element for each that is asked for.
final class SubscriberListener<Element: Sendable>: Listener {
    private let inbox = Inbox<Element>()

    init<P: Publisher>(_ publisher: P) where P.Output == Element, P.Failure == Never {
        publisher.subscribe(AnySubscriber(inbox))
    }

    func next() async -> Element? { await inbox.next() }
    func cancel() { inbox.cancel() }
}

/// Receives elements, and counts what it was given and what it asked for.
final class Inbox<Input: Sendable>: Subscriber, @unchecked Sendable {
    typealias Failure = Never

    private struct State {
        var subscription: (any Subscription)?
        var received: [Input] = []
        var count = 0
        var waiting: CheckedContinuation<Input?, Never>?
        var hasEnded = false
    }

    // Not a Mutex of a Sendable: a subscription is none.
    private let state = Mutex<State>(State())
    let combineIdentifier = CombineIdentifier()

    func receive(subscription: any Subscription) { state.withLock { $0.subscription = subscription } }

    func receive(_ input: Input) -> Subscribers.Demand {
        let waiting = state.withLock { state -> CheckedContinuation<Input?, Never>? in
            state.count += 1
            if state.waiting == nil { state.received.append(input) }
            return state.waiting.take()
        }
        waiting?.resume(returning: input)
        return .none
    }

    func receive(completion: Subscribers.Completion<Never>) { end() }

    func request(_ demand: Subscribers.Demand) { subscription?.request(demand) }

    func next() async -> Input? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Input?? in
                if !state.received.isEmpty { return .some(state.received.removeFirst()) }
                if state.hasEnded { return .some(nil) }
                state.waiting = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) } else { request(.max(1)) }
        }
    }

    func cancel() {
        let subscription = state.withLock { $0.subscription.take() }
        subscription?.cancel()
        end()
    }

    private func end() {
        let waiting = state.withLock { state in
            state.hasEnded = true
            return state.waiting.take()
        }
        waiting?.resume(returning: nil)
    }

    private var subscription: (any Subscription)? { state.withLock { $0.subscription } }
    /// Elements given so far.
    var count: Int { state.withLock { $0.count } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }
}
