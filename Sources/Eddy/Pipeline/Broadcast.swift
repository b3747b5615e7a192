// One producer, any number of subscribers, none of whom can slow it.
//
// Each subscriber has a mailbox of one element. What arrives while it is still unread is merged into
// it (Mergeable): newest wins, and the element itself says what was folded or lost. So memory
// is bounded by the number of subscribers, whatever their speed, and a subscriber that takes an element every
// 33 ms gets 30 windows a second that together cover everything.
//
// Publishing never waits: it locks, moves a value, and resumes waiting subscribers after unlocking.
// (Resuming under a lock that a cancellation handler also takes would deadlock.)

import Synchronization

/// An element that can take in a newer one which its subscriber has not had time for.
public protocol Mergeable: Sendable {
    /// Folds `newer` into this unread element. Its size must stay bounded however often this is called.
    mutating func merge(_ newer: Self)
}

/// Elements for whoever subscribes, from now on. An asynchronous sequence: each iterator is a subscription of its own.
///
///     for await window in session.losses { print(window.mean) }
public final class Broadcast<Element: Mergeable>: AsyncSequence, Sendable {
    public typealias Failure = Never

    private struct State {
        var subscribers: [ObjectIdentifier: Mailbox<Element>] = [:]
        var isFinished = false
    }

    private let state = Mutex(State())
    private let subscriberCount = Atomic<Int>(0)

    public init() {}

    /// Whether anyone listens; nothing needs to be made for nobody.
    public var hasSubscribers: Bool { subscriberCount.load(ordering: .relaxed) > 0 }

    /// Gives an element to every subscriber.
    public func publish(_ element: @autoclosure () -> Element) {
        guard hasSubscribers else { return }
        let element = element()
        for mailbox in state.withLock({ Array($0.subscribers.values) }) { mailbox.put(element) }
    }

    /// Ends every subscription once it has read what is in its mailbox.
    public func finish() {
        let subscribers = state.withLock { state in
            state.isFinished = true
            return Array(state.subscribers.values)
        }
        for mailbox in subscribers { mailbox.finish() }
    }

    public func makeAsyncIterator() -> Iterator {
        let mailbox = Mailbox<Element>()
        let isFinished = state.withLock { state in
            if !state.isFinished {
                state.subscribers[ObjectIdentifier(mailbox)] = mailbox
                subscriberCount.store(state.subscribers.count, ordering: .relaxed)
            }
            return state.isFinished
        }
        if isFinished { mailbox.finish() }
        return Iterator(subscription: Subscription(mailbox: mailbox, broadcast: self))
    }

    fileprivate func remove(_ mailbox: Mailbox<Element>) {
        state.withLock { state in
            state.subscribers[ObjectIdentifier(mailbox)] = nil
            subscriberCount.store(state.subscribers.count, ordering: .relaxed)
        }
    }

    /// One subscription. It ends with the broadcast, with the task that waits for it, or when it is dropped.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let subscription: Subscription

        /// The next element, or nil at the end. At once where something is in the mailbox.
        public mutating func next() async -> Element? { await subscription.mailbox.take() }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Element? {
            await subscription.mailbox.take(isolation: actor)
        }
    }

    /// Leaves the broadcast when the last copy of its iterator goes.
    fileprivate final class Subscription: Sendable {
        let mailbox: Mailbox<Element>
        private let broadcast: Broadcast<Element>

        init(mailbox: Mailbox<Element>, broadcast: Broadcast<Element>) {
            self.mailbox = mailbox
            self.broadcast = broadcast
        }

        deinit { broadcast.remove(mailbox) }
    }
}

/// Room for one unread element, and for one reader that waits.
private final class Mailbox<Element: Mergeable>: Sendable {
    private struct State {
        var unread: Element?
        var reader: CheckedContinuation<Element?, Never>?
        var isFinished = false
    }

    private let state = Mutex(State())

    func put(_ element: Element) {
        let reader = state.withLock { state -> CheckedContinuation<Element?, Never>? in
            guard !state.isFinished else { return nil }
            if let reader = state.reader {
                state.reader = nil
                return reader
            }
            if state.unread == nil { state.unread = element } else { state.unread!.merge(element) }
            return nil
        }
        reader?.resume(returning: element)
    }

    func finish() {
        let reader = state.withLock { state in
            state.isFinished = true
            return state.reader.take()
        }
        reader?.resume(returning: nil)
    }

    func take(isolation: isolated (any Actor)? = #isolation) async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Element?? in
                    if let unread = state.unread.take() { return .some(unread) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    precondition(state.reader == nil, "an iterator is used by one task at a time")
                    state.reader = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let reader = state.withLock { $0.reader.take() }
            reader?.resume(returning: nil)
        }
    }
}
