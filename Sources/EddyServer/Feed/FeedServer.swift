// The TCP feed: each connection is a pipeline from its bytes to its replies.
//
//     socket ─▶ ByteBuffers ─▶ FeedConversation (decode, learn, reply) ─▶ ByteBuffer ─▶ socket
//
// Pull all the way: the next buffer is asked for when the last one's replies are written, SwiftNIO stops
// reading a socket whose buffers are not taken, and TCP then slows the sender. So memory is bounded
// whatever the sender's speed. Connections, decoder and session all run on one event loop: a lone sample
// is answered without a hop between threads.
//
// Stopping: no more connections; each open one sees the end of its input after what was
// already read (DrainHandler), learns and answers it, half-closes, and is drained until the
// peer closes or a deadline; only then is the socket closed, as closing one with unread bytes
// would destroy replies on their way.

import Eddy
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// An address that cannot be listened on, and what to do.
public struct ListenError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// Listens for samples over TCP.
///
///     let server = FeedServer(session: session, loop: loop)
///     let address = try await server.listen(host: "127.0.0.1", port: 7071)
///     try await server.run()
public final class FeedServer: Service {
    private let session: LearningSession
    private let options: FeedOptions
    private let loop: any EventLoop
    private let executor: EventLoopTaskExecutor
    private let logger: Logger
    private let state = Mutex(State())

    private let accepted = AsyncStream.makeStream(of: AcceptedConnection.self)

    private struct State {
        var listener: (any Channel)?
        var open: [ObjectIdentifier: any Channel] = [:]
        var isStopping = false
    }

    /// - Parameter loop: where connections run; the session should run there too (see ``LearningSession/init``).
    public init(
        session: LearningSession, options: FeedOptions = FeedOptions(), loop: any EventLoop,
        logger: Logger = Logger(label: "eddy.feed")
    ) {
        self.session = session
        self.options = options
        self.loop = loop
        self.executor = EventLoopTaskExecutor(loop)
        self.logger = logger
    }

    /// Connections open now.
    public var connectionCount: Int { state.withLock { $0.open.count } }

    /// Binds the address; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        let (options, queue) = (options, accepted.continuation)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try options.tls?.protect(channel)
                    let drain = DrainHandler(deadline: options.drainDeadline, loop: channel.eventLoop)
                    try channel.pipeline.syncOperations.addHandler(drain)
                    let connection = try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(
                            backPressureStrategy: .init(lowWatermark: 2, highWatermark: 8),
                            isOutboundHalfClosureEnabled: true))
                    queue.yield(AcceptedConnection(connection, drain.handle))
                }
            }
        do {
            let listener = try await bootstrap.bind(host: host, port: port).get()
            state.withLock { $0.listener = listener }
            return listener.localAddress!
        } catch {
            throw ListenError.explain(error, host: host, port: port, option: "--port")
        }
    }

    /// Serves until the graceful shutdown of its service group, or until ``stop()``.
    public func run() async throws {
        precondition(state.withLock { $0.listener != nil }, "run() before listen()")
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await connection in self.accepted.stream {
                    group.addTask(executorPreference: self.executor) { await self.serve(connection) }
                }
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Stops taking connections and ends the open ones once what they sent is learned and answered; those whose peer
    /// does not take its replies are cut at the deadline.
    public func stop() {
        let (listener, open) = state.withLock { state in
            state.isStopping = true
            return (state.listener, Array(state.open.values))
        }
        let queue = accepted.continuation
        if let listener {
            listener.close().whenComplete { _ in queue.finish() }
        } else {
            queue.finish()
        }
        for channel in open { end(channel) }
    }

    private func end(_ channel: any Channel) {
        channel.pipeline.fireUserInboundEventTriggered(DrainHandler.Stop())
        channel.eventLoop.scheduleTask(in: TimeAmount(options.drainDeadline)) { channel.close(promise: nil) }
    }

    // MARK: A connection

    private func serve(_ accepted: AcceptedConnection) async {
        let (connection, drain) = accepted.take()
        let channel = connection.channel
        let source = channel.remoteAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
        let (isStopping, count) = state.withLock { state in
            state.open[ObjectIdentifier(channel)] = channel
            return (state.isStopping, state.open.count)
        }
        defer { state.withLock { $0.open[ObjectIdentifier(channel)] = nil } }
        if isStopping { end(channel) }
        do {
            try await connection.executeThenClose { inbound, outbound in
                if count > options.connectionLimit {
                    let text = "!error too many connections: expected at most \(options.connectionLimit) at once\n"
                    try await outbound.write(ByteBuffer(string: text))
                } else {
                    try await converse(inbound, outbound, source, drain)
                }
                outbound.finish()  // half-close: the peer sees the end of our replies
                await drain.drained()
            }
        } catch {
            logger.debug("\(source): \(error)")  // the peer is gone; what it sent whole is learned
        }
    }

    private func converse(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ source: String, _ drain: DrainHandler.Handle
    ) async throws {
        var conversation = FeedConversation(session: session, options: options, source: source)
        var hears = true  // whether the peer still takes replies
        for try await bytes in inbound {
            let replies = await conversation.receive(bytes)
            if hears, replies.readableBytes > 0 {
                do { try await outbound.write(replies) } catch { hears = false }
            }
            if conversation.isForeign { return }
        }
        let last = await conversation.end(isCut: drain.wasStopped)
        if hears, last.readableBytes > 0 { try await outbound.write(last) }
    }
}

/// A connection on its way to its task. It must be served or closed, never just dropped (SwiftNIO traps on that), so
/// one that nobody takes, because the server stopped meanwhile, closes itself.
private final class AcceptedConnection: Sendable {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let waiting: Mutex<(Connection, DrainHandler.Handle)?>

    init(_ connection: Connection, _ drain: DrainHandler.Handle) { waiting = Mutex((connection, drain)) }

    /// To be called once.
    func take() -> (Connection, DrainHandler.Handle) {
        waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting!
        }
    }

    deinit {
        guard let (connection, _) = waiting.withLock({ $0 }) else { return }
        Task { try? await connection.executeThenClose { _, _ in } }
    }
}

extension ListenError {
    /// Why an address cannot be bound, in one line.
    static func explain(_ error: any Error, host: String, port: Int, option: String) -> ListenError {
        let address = "\(host):\(port)"
        if error is SocketAddressError.UnknownHost {
            return ListenError("cannot listen on \(address): there is no host of that name")
        }
        guard let error = error as? IOError else { return ListenError("cannot listen on \(address): \(error)") }
        switch error.errnoCode {
        case EADDRINUSE:
            return ListenError(
                "cannot listen on \(address): the port is in use; choose another with \(option), or stop the other program"
            )
        case EACCES:
            return ListenError("cannot listen on \(address): not permitted; choose a port above 1023 with \(option)")
        case EADDRNOTAVAIL:
            return ListenError("cannot listen on \(address): this machine has no such address")
        default: return ListenError("cannot listen on \(address): \(error)")
        }
    }
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
