// Message sequences, conversations and routes for the web tests.

import NIOCore
import NIOPosix
import Synchronization

@testable import EddyServer

/// "1", "2", … up to `count`, each after a suspension.
struct Counting: AsyncSequence, Sendable {
    typealias Failure = Never

    var count = Int.max
    var interval = Duration.zero

    struct AsyncIterator: AsyncIteratorProtocol {
        let sequence: Counting
        var number = 0

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            guard number < sequence.count else { return nil }
            if sequence.interval > .zero {
                do { try await Task.sleep(for: sequence.interval) } catch { return nil }
            }
            number += 1
            return .text(String(number))
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(sequence: self) }
}

/// Never has a message, and knows how many subscriptions to it are alive.
struct Silence: AsyncSequence, Sendable {
    typealias Failure = Never

    final class Alive: Sendable {
        let count = Mutex(0)
        var isNone: Bool { count.withLock { $0 == 0 } }
    }

    final class AsyncIterator: AsyncIteratorProtocol {
        private let alive: Alive

        init(_ alive: Alive) {
            self.alive = alive
            alive.count.withLock { $0 += 1 }
        }

        deinit { alive.count.withLock { $0 -= 1 } }

        func next() async -> WebMessage? { await next(isolation: nil) }

        func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            try? await Task.sleep(for: .seconds(100_000))
            return nil
        }
    }

    let alive: Alive

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(alive) }
}

/// Big messages as long as they are asked for, and counts how many were.
struct Torrent: AsyncSequence, AsyncIteratorProtocol, Sendable {
    typealias Failure = Never

    final class Made: Sendable {
        let count = Atomic(0)
    }

    let made: Made
    private let message: WebMessage

    init(_ made: Made, bytes: Int = 1 << 20) {
        self.made = made
        message = .binary(ByteBuffer(repeating: 0x61, count: bytes))
    }

    func makeAsyncIterator() -> Torrent { self }

    func next() async -> WebMessage? { await next(isolation: nil) }

    func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
        made.count.add(1, ordering: .relaxed)
        return message
    }
}

/// Replies to each message twice, and with a summary at the end.
struct Twice: WebConversation {
    struct Refusal: Error, CustomStringConvertible { let description = "no" }

    final class Log: Sendable {
        let received = Atomic(0)
        let ended = Atomic(0)
    }

    let log: Log
    var count = 0

    mutating func receive(_ message: WebMessage) async throws -> [WebMessage] {
        if message == .text("refuse") { throw Refusal() }
        if message == .text("violate") { throw WebSocketViolation(code: 4000, reason: "as you like it") }
        count += 1
        log.received.add(1, ordering: .relaxed)
        return [message, message]
    }

    mutating func end() async -> [WebMessage] {
        log.ended.add(1, ordering: .relaxed)
        return [.text("\(count) received")]
    }
}

/// Sends back what it is sent.
struct Echo: WebConversation {
    func receive(_ message: WebMessage) async -> [WebMessage] { [message] }
    func end() async -> [WebMessage] { [] }
}

/// Any sequence as a stream: pulled when its one sink can take a message.
struct SequenceStream<Messages: AsyncSequence & Sendable>: MessageStream where Messages.Element == WebMessage {
    let messages: Messages

    func attach(_ sink: any MessageSink, ended: @escaping ((any Error)?) -> Void) -> any StreamSubscription {
        Puller(sink, messages, ended)
    }

    /// On the sink's loop, whose tasks those of the executor are.
    private final class Puller: StreamSubscription, @unchecked Sendable {
        private var sink: (any MessageSink)?
        private var ended: (((any Error)?) -> Void)?
        private var waiting: CheckedContinuation<Void, Never>?
        private var task: Task<Void, Never>?

        init(_ sink: any MessageSink, _ messages: Messages, _ ended: @escaping ((any Error)?) -> Void) {
            (self.sink, self.ended) = (sink, ended)
            let executor = EventLoopTaskExecutor(MultiThreadedEventLoopGroup.currentEventLoop!)
            task = Task(executorPreference: executor) {
                var failure: (any Error)?
                do {
                    var iterator = messages.makeAsyncIterator()
                    while await self.demand(), let message = try await iterator.next() {
                        self.sink?.send(FramedMessage(message))
                    }
                } catch {
                    failure = error
                }
                if let ended = self.ended.take() { ended(failure) }
            }
        }

        /// Waits until the sink is ready; false once nobody listens.
        private func demand() async -> Bool {
            while let sink, !sink.isReady { await withCheckedContinuation { waiting = $0 } }
            return sink != nil
        }

        func ready() { waiting.take()?.resume() }

        func detach() {
            (sink, ended) = (nil, nil)
            task?.cancel()
            ready()
        }
    }
}

extension WebRoute {
    /// A stream of a sequence's messages.
    static func stream(
        _ path: String,
        messages:
            @escaping @Sendable (WebRequest) async throws -> some AsyncSequence<WebMessage, Never>
            & Sendable
    ) -> WebRoute {
        .stream(path) { request -> any MessageStream in SequenceStream(messages: try await messages(request)) }
    }

    static let health = WebRoute.get("/healthz") { _ in .json(["status": "ok"]) }

    /// Refuses without a look at the body.
    static let deaf = WebRoute.post("/deaf") { _ in throw WebError(.conflict, "not now") }

    /// Counts the body's bytes, up to 100,000.
    static let count = WebRoute.post("/count") { request in
        .json(["bytes": try await request.body.collect(limit: 100_000).readableBytes])
    }

    static let echo = WebRoute.conversation("/echo") { _ in Echo() }

    static func silence(_ alive: Silence.Alive) -> WebRoute {
        .stream("/silence") { _ in Silence(alive: alive) }
    }
}

let healthy = "{\"status\":\"ok\"}\n"
