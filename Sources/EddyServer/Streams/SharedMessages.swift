// One encoding for all subscribers of a stream.
//
//     session ─▶ pump (at most N a second) ─▶ Broadcast ─▶ slot of each subscriber ─▶ its socket
//                                             one element, encoded by the first that needs it
//
// A thousand subscribers that keep up share one message, its bytes and all. A slow one's slot merges what it misses, as
// everywhere (see Broadcast), and that is encoded for it alone. The pump runs while there are subscribers: nothing is
// copied or encoded for nobody. And the session has one subscriber, however many watch.

import Eddy
import Synchronization

/// A stream's messages, for any number of subscribers.
final class SharedMessages<Value: Mergeable>: AsyncSequence, Sendable {
    typealias Element = WebMessage
    typealias Failure = Never

    /// What has been sent, and what was not because a subscriber was slow.
    struct Tally: Sendable {
        var subscribers: Int
        var delivered: Int
        var missed: Int
    }

    private struct State {
        var subscribers = 0
        var pump: Task<Void, Never>?
    }

    private let broadcast = Broadcast<Encoded<Value>>()
    private let state = Mutex(State())
    private let delivered = Atomic(0)
    private let missed = Atomic(0)
    private let executor: any TaskExecutor
    private let present: @Sendable () async -> Value?
    private let source: @Sendable () -> any AsyncSequence<Value, Never> & Sendable
    private let encode: @Sendable (Value) -> WebMessage
    private let misses: @Sendable (Value) -> Int

    /// - Parameters:
    ///   - present: where things stand, for who comes late; nil where there is nothing to say yet.
    ///   - misses: how much of a stream a subscriber's value did not bring in its own message.
    ///   - source: what there is to tell, while somebody listens; made anew each time somebody begins to.
    init(
        on executor: any TaskExecutor, misses: @escaping @Sendable (Value) -> Int = { _ in 0 },
        present: @escaping @Sendable () async -> Value? = { nil },
        encode: @escaping @Sendable (Value) -> WebMessage,
        source: @escaping @Sendable () -> any AsyncSequence<Value, Never> & Sendable
    ) {
        (self.executor, self.present, self.encode) = (executor, present, encode)
        (self.misses, self.source) = (misses, source)
    }

    var tally: Tally {
        Tally(
            subscribers: state.withLock { $0.subscribers }, delivered: delivered.load(ordering: .relaxed),
            missed: missed.load(ordering: .relaxed))
    }

    func makeAsyncIterator() -> Iterator { Iterator(Subscription(self)) }

    private func enter() {
        state.withLock { state in
            state.subscribers += 1
            guard state.pump == nil else { return }
            state.pump = Task(executorPreference: executor) { [broadcast, source] in
                for await value in source() {
                    if Task.isCancelled { return }  // another pump may have begun
                    broadcast.publish(Encoded(value))
                }
                if !Task.isCancelled { broadcast.finish() }
            }
        }
    }

    private func leave() {
        state.withLock { state in
            state.subscribers -= 1
            guard state.subscribers == 0 else { return }
            state.pump?.cancel()
            state.pump = nil
        }
    }

    struct Iterator: AsyncIteratorProtocol {
        private let subscription: Subscription
        private var isFirst = true

        fileprivate init(_ subscription: Subscription) { self.subscription = subscription }

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            if isFirst {
                isFirst = false
                if let value = await subscription.shared.present() { return subscription.message(Encoded(value)) }
            }
            guard let element = await subscription.news.next(isolation: actor) else { return nil }
            return subscription.message(element)
        }
    }

    /// Counts as a subscriber for as long as its iterator lives.
    fileprivate final class Subscription: @unchecked Sendable {
        let shared: SharedMessages
        var news: Broadcast<Encoded<Value>>.Iterator  // for one task at a time

        init(_ shared: SharedMessages) {
            self.shared = shared
            news = shared.broadcast.makeAsyncIterator()
            shared.enter()
        }

        func message(_ element: Encoded<Value>) -> WebMessage {
            shared.delivered.add(1, ordering: .relaxed)
            shared.missed.add(shared.misses(element.value), ordering: .relaxed)
            return element.message(shared.encode)
        }

        deinit { shared.leave() }
    }
}

/// A value and its message, which is made once for all copies, when the first of them is sent.
private struct Encoded<Value: Mergeable>: Mergeable {
    private final class Box: Sendable {
        let message = Mutex<WebMessage?>(nil)
    }

    private(set) var value: Value
    private var box = Box()

    init(_ value: Value) { self.value = value }

    mutating func merge(_ newer: Encoded) {
        value.merge(newer.value)
        box = Box()
    }

    func message(_ encode: (Value) -> WebMessage) -> WebMessage {
        box.message.withLock { message in
            if message == nil { message = encode(value) }
            return message!
        }
    }
}
