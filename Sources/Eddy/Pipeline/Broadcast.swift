// One producer, any number of subscribers, none of whom can slow it.
//
// Each subscriber has a slot for one element. What arrives while it is still unread is merged into it (Mergeable):
// newest wins, and the element itself says what was folded or lost. So memory is bounded by the number of
// subscribers, whatever their speed, and a subscriber that takes an element every 33 ms gets 30 windows a second
// that together cover everything.
//
// While nobody waits, what is published is merged once, into `pending`, however many subscribers there are; it
// reaches their slots when one of them asks. So subscribers that have stalled cost nothing.
//
// One lock guards it all. Readers are resumed after it is released: resuming under a lock that a
// cancellation handler also takes would deadlock.

import Synchronization

/// An element that can take in a newer one which its subscriber has not had time for.
public protocol Mergeable: Sendable {
    /// Folds `newer` into this unread element. Its size must stay bounded however often this is called, and folding
    /// must be associative: (a, b), c is a, (b, c).
    mutating func merge(_ newer: Self)
}

/// Elements for whoever subscribes, from now on. An asynchronous sequence: each iterator is a subscription of its own.
///
///     for await window in session.losses { print(window.mean) }
public final class Broadcast<Element: Mergeable>: AsyncSequence, Sendable {
    public typealias Failure = Never
    fileprivate typealias Reader = CheckedContinuation<Element?, Never>

    /// What one subscriber has not read, or its reader that waits; never both.
    private struct Slot {
        var unread: Element?
        var reader: Reader?
    }

    private struct State {
        var slots: [UInt64: Slot] = [:]
        var nextID: UInt64 = 0
        var waiting = 0
        /// Published, and in no slot yet. Nobody waits while there is something here.
        var pending: Element?
        var isFinished = false

        /// Moves what is pending into every slot.
        mutating func settle() {
            guard let element = pending.take() else { return }
            for id in slots.keys { slots[id]!.unread.merge(element) }
        }
    }

    private let state = Mutex<State>(State())
    private let subscriberCount = Atomic<Int>(0)

    public init() {}

    /// Whether anyone listens; nothing needs to be made for nobody.
    public var hasSubscribers: Bool { subscriberCount.load(ordering: .relaxed) > 0 }

    /// Gives an element to every subscriber.
    public func publish(_ element: @autoclosure () -> Element) {
        guard hasSubscribers else { return }
        let element = element()
        let readers = state.withLock { state -> [Reader] in
            guard !state.isFinished, !state.slots.isEmpty else { return [] }
            state.pending.merge(element)
            guard state.waiting > 0 else { return [] }
            state.pending = nil  // it held this element alone, as someone waits
            state.waiting = 0
            return state.slots.keys.compactMap { id in
                if let reader = state.slots[id]!.reader.take() { return reader }
                state.slots[id]!.unread.merge(element)
                return nil
            }
        }
        for reader in readers { reader.resume(returning: element) }
    }

    /// Ends every subscription once it has read what is in its slot.
    public func finish() {
        let readers = state.withLock { state in
            state.settle()
            state.isFinished = true
            state.waiting = 0
            return state.slots.keys.compactMap { state.slots[$0]!.reader.take() }
        }
        for reader in readers { reader.resume(returning: nil) }
    }

    public func makeAsyncIterator() -> Iterator {
        let id = state.withLock { state in
            state.settle()  // what came before is not for the newcomer
            state.nextID += 1
            state.slots[state.nextID] = Slot()
            subscriberCount.store(state.slots.count, ordering: .relaxed)
            return state.nextID
        }
        return Iterator(subscription: Subscription(id: id, broadcast: self))
    }

    fileprivate func remove(_ id: UInt64) {
        state.withLock { state in
            state.slots[id] = nil
            if state.slots.isEmpty { state.pending = nil }
            subscriberCount.store(state.slots.count, ordering: .relaxed)
        }
    }

    /// The subscriber's next element, or nil at the end; at once where there is something for it.
    fileprivate func take(_ id: UInt64, isolation: isolated (any Actor)? = #isolation) async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Element?? in
                    state.settle()
                    if let unread = state.slots[id]!.unread.take() { return .some(unread) }
                    if state.isFinished || Task.isCancelled { return .some(nil) }
                    precondition(state.slots[id]!.reader == nil, "an iterator is used by one task at a time")
                    state.slots[id]!.reader = continuation
                    state.waiting += 1
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let reader = state.withLock { state -> Reader? in
                guard let reader = state.slots[id]?.reader.take() else { return nil }
                state.waiting -= 1
                return reader
            }
            reader?.resume(returning: nil)
        }
    }

    /// One subscription. It ends with the broadcast, with the task that waits for it, or when it is dropped.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let subscription: Subscription

        /// The next element, or nil at the end.
        public mutating func next() async -> Element? { await subscription.next() }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Element? {
            await subscription.next(isolation: actor)
        }
    }

    /// Leaves the broadcast when the last copy of its iterator goes.
    fileprivate final class Subscription: Sendable {
        private let id: UInt64
        private let broadcast: Broadcast<Element>

        init(id: UInt64, broadcast: Broadcast<Element>) {
            self.id = id
            self.broadcast = broadcast
        }

        func next(isolation: isolated (any Actor)? = #isolation) async -> Element? { await broadcast.take(id) }

        deinit { broadcast.remove(id) }
    }
}

extension Optional where Wrapped: Mergeable {
    /// Folds a newer element in, or becomes it.
    fileprivate mutating func merge(_ newer: Wrapped) {
        if self == nil { self = newer } else { self!.merge(newer) }
    }
}
