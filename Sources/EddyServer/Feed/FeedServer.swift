// The TCP feed: listens, and gives each connection a FeedHandler.
//
//     socket ─▶ FeedHandler (decode, learn, reply) ─▶ socket
//
// Connections, decoder and session all run on one event loop: a lone sample is answered without a hop between threads,
// and none but the handlers' own state needs a guard.
//
// Stopping: no more connections; each open one learns and answers what was read, and is drained (FeedHandler); the server
// has stopped when the last is gone.

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
    private let logger: Logger
    private let state = Mutex(State())

    /// Ends when the listener and all connections are closed.
    private let life = AsyncStream.makeStream(of: Never.self)

    private struct State {
        var listener: (any Channel)?
        var open: [ObjectIdentifier: any Channel] = [:]
        var isStopping = false
        var isListening = false
        var hasEnded: Bool { isStopping && !isListening && open.isEmpty }
    }

    /// - Parameter loop: where connections run; the session should run there too (see ``LearningSession/init``).
    public init(
        session: LearningSession, options: FeedOptions = FeedOptions(), loop: any EventLoop,
        logger: Logger = Logger(label: "eddy.feed")
    ) {
        self.session = session
        self.options = options
        self.loop = loop
        self.logger = logger
    }

    /// Connections open now.
    public var connectionCount: Int { state.withLock { $0.open.count } }

    /// Binds the address; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        let (session, options, loop, logger) = (session, options, loop, logger)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: FeedServer.receiveBuffers)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try options.tls?.protect(channel)
                    let handler = FeedHandler(
                        session: session, options: options, loop: loop, register: self, logger: logger)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        do {
            let listener = try await bootstrap.bind(host: host, port: port).get()
            state.withLock { state in
                state.listener = listener
                state.isListening = true
            }
            return listener.localAddress!
        } catch {
            throw ListenError.explain(error, host: host, port: port, option: "--port")
        }
    }

    /// A lone line costs little, and a fast sender few calls of the system; what is read at once stays in the cache.
    private static let receiveBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 1024, initial: 4096, maximum: 256 * 1024)

    /// Serves until the graceful shutdown of its service group, or until ``stop()``.
    public func run() async throws {
        precondition(state.withLock { $0.listener != nil }, "run() before listen()")
        await withGracefulShutdownHandler {
            for await _ in life.stream {}
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
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(FeedHandler.Stop()) }
        guard let listener else { return life.continuation.finish() }
        listener.close().whenComplete { _ in
            if self.state.withLock({ state in
                state.isListening = false
                return state.hasEnded
            }) {
                self.life.continuation.finish()
            }
        }
    }
}

extension FeedServer: FeedHandler.Register {
    func opened(_ channel: any Channel) -> (count: Int, isStopping: Bool) {
        state.withLock { state in
            state.open[ObjectIdentifier(channel)] = channel
            return (state.open.count, state.isStopping)
        }
    }

    func closed(_ channel: any Channel) {
        let hasEnded = state.withLock { state in
            state.open[ObjectIdentifier(channel)] = nil
            return state.hasEnded
        }
        if hasEnded { life.continuation.finish() }
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
