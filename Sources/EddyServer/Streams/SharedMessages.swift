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

/// How many listen to a stream, what they were sent, and what not because they were slow.
final class StreamTally: Sendable {
    /// As it is asked for, such as `/losses`.
    let stream: String
    private let listening = Atomic(0)
    private let sent = Atomic(0)
    private let lost = Atomic(0)

    init(_ stream: String) { self.stream = stream }

    var subscribers: Int { listening.load(ordering: .relaxed) }
    var delivered: Int { sent.load(ordering: .relaxed) }
    var missed: Int { lost.load(ordering: .relaxed) }

    fileprivate func enter() { listening.add(1, ordering: .relaxed) }
    fileprivate func leave() { listening.subtract(1, ordering: .relaxed) }

    fileprivate func count(delivered: Int, missed: Int) {
        sent.add(delivered, ordering: .relaxed)
        lost.add(missed, ordering: .relaxed)
    }
}

/// A stream's messages, for any number of subscribers.
final class SharedMessages<Value: Mergeable>: AsyncSequence, Sendable {
    typealias Element = WebMessage
    typealias Failure = Never

    /// Publishes what there is to tell until that ends, or its task is cancelled.
    typealias Source = @Sendable (_ publish: @escaping @Sendable (Value) -> Void) async -> Void

    private struct State {
        var subscribers = 0
        var pump: Task<Void, Never>?
        /// The pump before, which may still be on its way out.
        var lastPump: Task<Void, Never>?
    }

    private let broadcast = Broadcast<Encoded<Value>>()
    private let state = Mutex(State())
    private let tally: StreamTally
    private let executor: any TaskExecutor
    private let present: @Sendable () async -> Value?
    private let source: Source
    private let encode: @Sendable (Value) -> [WebMessage]
    private let misses: @Sendable (Value) -> Int

    /// - Parameters:
    ///   - tally: where it counts, beside other forms of the same stream.
    ///   - misses: how much of a stream a subscriber's value did not bring in its own message.
    ///   - present: where things stand, for who comes late; nil where there is nothing to say yet.
    ///   - encode: one message, or several in order.
    ///   - source: runs while somebody listens, begun anew each time somebody begins to.
    init(
        on executor: any TaskExecutor, tally: StreamTally, misses: @escaping @Sendable (Value) -> Int = { _ in 0 },
        present: @escaping @Sendable () async -> Value? = { nil },
        encode: @escaping @Sendable (Value) -> [WebMessage], source: @escaping Source
    ) {
        (self.executor, self.tally, self.misses) = (executor, tally, misses)
        (self.present, self.encode, self.source) = (present, encode, source)
    }

    func makeAsyncIterator() -> Iterator { Iterator(Subscription(self)) }

    private func enter() {
        tally.enter()
        state.withLock { state in
            state.subscribers += 1
            guard state.pump == nil else { return }
            state.pump = Task(executorPreference: executor) { [broadcast, source] in
                await source { value in
                    if Task.isCancelled { return }  // another pump may have begun
                    broadcast.publish(Encoded(value))
                }
                if !Task.isCancelled { broadcast.finish() }
            }
        }
    }

    private func leave() {
        tally.leave()
        state.withLock { state in
            state.subscribers -= 1
            guard state.subscribers == 0 else { return }
            state.pump?.cancel()
            (state.lastPump, state.pump) = (state.pump, nil)
        }
    }

    /// Ends the stream for all, and waits until nothing of it runs any more.
    func finish() async {
        let pumps = state.withLock { [$0.pump, $0.lastPump] }
        for pump in pumps { pump?.cancel() }
        broadcast.finish()
        for pump in pumps { await pump?.value }
    }

    struct Iterator: AsyncIteratorProtocol {
        private let subscription: Subscription
        private var isFirst = true
        /// Messages of one element that are still to be sent.
        private var rest: ArraySlice<WebMessage> = []

        fileprivate init(_ subscription: Subscription) { self.subscription = subscription }

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            if isFirst {
                isFirst = false
                if let value = await subscription.shared.present() { rest = subscription.messages(Encoded(value)) }
            }
            while rest.isEmpty {
                guard let element = await subscription.news.next(isolation: actor) else { return nil }
                rest = subscription.messages(element)
            }
            return rest.removeFirst()
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

        func messages(_ element: Encoded<Value>) -> ArraySlice<WebMessage> {
            let messages = element.messages(shared.encode)
            shared.tally.count(delivered: messages.count, missed: shared.misses(element.value))
            return messages[...]
        }

        deinit { shared.leave() }
    }
}

/// A value and its messages, which are made once for all copies, when the first of them is sent.
private struct Encoded<Value: Mergeable>: Mergeable {
    private final class Box: Sendable {
        let messages = Mutex<[WebMessage]?>(nil)
    }

    private(set) var value: Value
    private var box = Box()

    init(_ value: Value) { self.value = value }

    mutating func merge(_ newer: Encoded) {
        value.merge(newer.value)
        box = Box()
    }

    func messages(_ encode: (Value) -> [WebMessage]) -> [WebMessage] {
        box.messages.withLock { messages in
            if messages == nil { messages = encode(value) }
            return messages!
        }
    }
}
