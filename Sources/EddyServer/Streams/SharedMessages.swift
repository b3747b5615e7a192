// One encoding for all subscribers of a stream.
//
//     session ─▶ pump (at most N a second) ─▶ every line that is ready
//                                             a slot that merges, for each line that is not
//
// A thousand subscribers that keep up share one message, its bytes and all. What a slow one misses is merged, as in a
// Broadcast, and sent when its line is ready again; that is encoded for it alone. The pump runs while there are
// subscribers: nothing is copied or encoded for nobody. And the session has one subscriber, however many watch.

import Eddy
import NIOCore
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
final class SharedMessages<Value: Mergeable>: MessageStream {
    /// Publishes what there is to tell until that ends, or its task is cancelled. Runs on the event loop.
    typealias Pump = @Sendable (_ publish: @escaping @Sendable (Value) -> Void) async -> Void
    /// Subscribes to the session, from the moment of the call.
    typealias Source = @Sendable () -> Pump

    private struct State {
        var subscriptions: [ObjectIdentifier: Subscription] = [:]
        var pump: Task<Void, Never>?
        /// The pump before, which may still be on its way out.
        var lastPump: Task<Void, Never>?
        var isFinished = false
    }

    private let loop: any EventLoop
    private let executor: any TaskExecutor
    private let state: NIOLoopBoundBox<State>
    private let tally: StreamTally
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
        on loop: any EventLoop, tally: StreamTally, misses: @escaping @Sendable (Value) -> Int = { _ in 0 },
        present: @escaping @Sendable () async -> Value? = { nil },
        encode: @escaping @Sendable (Value) -> [WebMessage], source: @escaping Source
    ) {
        (self.loop, self.tally, self.misses) = (loop, tally, misses)
        (self.present, self.encode, self.source) = (present, encode, source)
        executor = EventLoopTaskExecutor(loop)
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
    }

    func attach(_ sink: any MessageSink, ended: @escaping ((any Error)?) -> Void) -> any StreamSubscription {
        let subscription = Subscription(self, sink, ended)
        state.value.subscriptions[ObjectIdentifier(subscription)] = subscription
        tally.enter()
        startPump()
        // Where things stand goes first; what is published meanwhile waits for it.
        let bound = NIOLoopBound(subscription, eventLoop: loop)
        Task(executorPreference: executor) { [present] in
            let value = await present()
            bound.value.begin(with: value)
        }
        return subscription
    }

    /// Ends the stream for all, and waits until nothing of it runs any more.
    func finish() async {
        let pumps = try? await loop.submit { [self] in
            let pumps = [state.value.pump, state.value.lastPump]
            for pump in pumps { pump?.cancel() }
            end()
            return pumps
        }.get()
        for pump in pumps ?? [] { await pump?.value }
    }

    // MARK: On the loop

    private func startPump() {
        guard state.value.pump == nil, !state.value.isFinished else { return }
        let pump = source()
        state.value.pump = Task(executorPreference: executor) { [self] in
            await pump { [self] value in
                if !Task.isCancelled { publish(value) }  // else another pump may have begun
            }
            if !Task.isCancelled { end() }
        }
    }

    private func publish(_ value: Value) {
        let element = Encoded(value)
        for subscription in Array(state.value.subscriptions.values) { subscription.take(element) }
    }

    /// The source has no more to tell.
    private func end() {
        state.value.isFinished = true
        for subscription in Array(state.value.subscriptions.values) { subscription.end() }
    }

    private func remove(_ subscription: Subscription) {
        guard state.value.subscriptions.removeValue(forKey: ObjectIdentifier(subscription)) != nil else { return }
        tally.leave()
        guard state.value.subscriptions.isEmpty else { return }
        state.value.pump?.cancel()
        (state.value.lastPump, state.value.pump) = (state.value.pump, nil)
    }

    /// One subscriber: its sink, or what its sink had no time for.
    private final class Subscription: StreamSubscription {
        private let shared: SharedMessages
        private let sink: any MessageSink
        private var ended: (((any Error)?) -> Void)?
        private var unread: Encoded?
        private var hasBegun = false
        private var isEnding = false

        init(_ shared: SharedMessages, _ sink: any MessageSink, _ ended: @escaping ((any Error)?) -> Void) {
            (self.shared, self.sink, self.ended) = (shared, sink, ended)
        }

        func begin(with value: Value?) {
            hasBegun = true
            if let value, ended != nil {
                let first = Encoded(value)
                if sink.isReady { send(first) } else { unread = unread.map { first.merged(with: $0) } ?? first }
            }
            ready()
        }

        func take(_ element: Encoded) {
            if hasBegun, unread == nil, sink.isReady { return send(element) }
            if let waiting = unread { unread = waiting.merged(with: element) } else { unread = element }
        }

        func ready() {
            guard hasBegun, ended != nil, sink.isReady else { return }
            if let element = unread.take() { send(element) }
            if isEnding, let ended = ended.take() {
                detach()
                ended(nil)
            }
        }

        /// Nothing more comes: what waits is sent, and then it is over.
        func end() {
            isEnding = true
            ready()
        }

        func detach() {
            ended = nil
            shared.remove(self)
        }

        private func send(_ element: Encoded) {
            let messages = element.messages(shared.encode)
            shared.tally.count(delivered: messages.count, missed: shared.misses(element.value))
            for message in messages { sink.send(message) }
        }
    }

    /// A value and its messages, which are made once for all, when the first of them is sent.
    private final class Encoded {
        let value: Value
        private var framed: [FramedMessage]?

        init(_ value: Value) { self.value = value }

        func merged(with newer: Encoded) -> Encoded {
            var value = value
            value.merge(newer.value)
            return Encoded(value)
        }

        func messages(_ encode: (Value) -> [WebMessage]) -> [FramedMessage] {
            if let framed { return framed }
            let messages = encode(value).map { FramedMessage($0) }
            framed = messages
            return messages
        }
    }
}
