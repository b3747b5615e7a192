// The TCP feed: listens, and gives each connection a pipeline (FeedConnection.swift).
//
// Connections, decoders and session all run on one event loop: a lone sample is answered without a hop between threads.
// Learning takes turns among all connections, whatever door they came by (LoopTurns.swift).
//
// Stopping: no more connections; each open one learns and answers what was read, and is drained (FeedInput.swift); the
// server has stopped when the last is gone.

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
    private let turns: LoopTurns?
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

    /// - Parameters:
    ///   - loop: where connections run; the session should run there too (see ``LearningSession/init``).
    ///   - turns: the session's.
    public init(
        session: LearningSession, options: FeedOptions = FeedOptions(), loop: any EventLoop, turns: LoopTurns? = nil,
        logger: Logger = Logger(label: "eddy.feed")
    ) {
        self.session = session
        self.options = options
        self.loop = loop
        self.turns = turns
        self.logger = logger
    }

    /// Connections open now.
    public var connectionCount: Int { state.withLock { $0.open.count } }

    /// Binds the address; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    public func listen(host: String, port: Int) async throws -> SocketAddress {
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FeedServer.receiveBuffers)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.open(channel) }
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

    /// A lone line costs little, and a fast sender few calls of the system. A read is small, so that a look at the sockets
    /// of many senders takes little time.
    private static let receiveBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 1024, initial: 4096, maximum: 64 * 1024)

    /// Starts a connection's pipeline.
    private func open(_ channel: any Channel) throws {
        try options.tls?.protect(channel)
        let cut = FeedInput.CutMark()
        let input = FeedInput(loop: loop, options: options, turns: turns, cut: cut)
        try channel.pipeline.syncOperations.addHandler(input)
        let connection = FeedConnection(
            channel: try NIOAsyncChannel(
                wrappingChannelSynchronously: channel,
                configuration: .init(
                    backPressureStrategy: .init(lowWatermark: 1, highWatermark: 1), isOutboundHalfClosureEnabled: true)),
            session: session, options: options, cut: cut, peerClosed: input.closed, logger: logger)
        let (count, isStopping) = register(channel)
        Task(executorPreference: EventLoopTaskExecutor(loop)) { [options] in
            if isStopping { channel.pipeline.fireUserInboundEventTriggered(FeedInput.End(serverStops: true)) }
            if count > options.connectionLimit {
                await connection.refuse("too many connections: expected at most \(options.connectionLimit) at once")
            } else {
                await connection.run()
            }
            self.unregister(channel)
        }
    }

    /// How many connections there are now, and whether the server stops.
    private func register(_ channel: any Channel) -> (count: Int, isStopping: Bool) {
        state.withLock { state in
            state.open[ObjectIdentifier(channel)] = channel
            return (state.open.count, state.isStopping)
        }
    }

    /// All that a connection sent is learned, and it is closed.
    private func unregister(_ channel: any Channel) {
        let hasEnded = state.withLock { state in
            state.open[ObjectIdentifier(channel)] = nil
            return state.hasEnded
        }
        if hasEnded { life.continuation.finish() }
    }

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
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(FeedInput.End(serverStops: true)) }
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
