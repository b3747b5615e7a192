// The web side's server: routes in, a listening HTTP and websocket server out. It knows nothing of learning.
//
//     socket ─▶ [TLS] ─▶ HTTP codec ─▶ HTTPLine ─▶ WebConnection ─▶ host, origin, token ─▶ route
//
// SwiftNIO parses and frames. Around it is what a server needs that strangers can reach and that runs for a year: a
// limit on every length, count and time (WebLimits), refusals as JSON, a secret where one is set, and a stop that says
// goodbye to every stream before it closes anything. All of it runs on one event loop of its own, so that no client
// takes time from the feed's.

import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

final class WebServer: Sendable {
    let routes: WebRoutes
    let limits: WebLimits
    let logger: Logger
    let connections: WebConnections
    private let token: BearerToken?
    private let tls: TLSIdentity?
    private let loop: any EventLoop
    private let executor: EventLoopTaskExecutor
    private let host: String
    private let stopping: EventLoopPromise<Void>

    /// - Parameters:
    ///   - host: an IP literal, or a name that is looked up when the server starts.
    ///   - token: what clients must know; nil lets all in.
    ///   - loop: where everything runs.
    init(
        host: String = "127.0.0.1", limits: WebLimits = WebLimits(), token: BearerToken? = nil,
        tls: TLSIdentity? = nil, loop: any EventLoop, logger: Logger, connections: WebConnections = WebConnections(),
        routes: [WebRoute]
    ) {
        self.connections = connections
        (self.host, self.limits, self.token, self.tls, self.loop, self.logger) = (
            host, limits, token, tls, loop, logger
        )
        self.routes = WebRoutes(routes)
        executor = EventLoopTaskExecutor(loop)
        stopping = loop.makePromise()
    }

    /// Binds the address and serves; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    func listen(port: Int) async throws -> SocketAddress {
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_sndbuf), value: limits.sendBuffer)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: limits.unsent / 2, high: limits.unsent))
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try begin(channel) }
            }
        do {
            let listener = try await bootstrap.bind(host: host, port: port).get()
            stopping.futureResult.whenComplete { _ in listener.close(promise: nil) }
            return listener.localAddress!
        } catch {
            throw ListenError.explain(error, host: host, port: port, option: "--http-port")
        }
    }

    /// Says goodbye and stops: websockets get what is in hand and close code 1001, event streams end, requests under
    /// way are answered. What is not done by the deadline is cut.
    func stop(within deadline: Duration = .seconds(5)) async {
        stopping.succeed()
        connections.stop()
        let cut = loop.scheduleTask(in: TimeAmount(deadline)) { self.connections.cut() }
        await connections.emptied()
        cut.cancel()
    }

    // MARK: A connection

    private func begin(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        try tls?.protect(channel)
        var headLimits = NIOHTTPDecoderLimitConfiguration()
        headLimits.maxHeaderFieldSize = limits.headBytes
        headLimits.maxHeaderListSize = limits.headBytes
        headLimits.maxHeaderFieldCount = limits.headFields
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(
                leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop,
                limitConfiguration: headLimits))
        try pipeline.addHandlers([
            encoder, decoder, HTTPLine(limits: limits, codec: .init(encoder: encoder, decoder: decoder)),
        ])
        let connection = try NIOAsyncChannel<WebInput, WebOutput>(
            wrappingChannelSynchronously: channel,
            configuration: .init(
                backPressureStrategy: .init(lowWatermark: 1, highWatermark: 4), isOutboundHalfClosureEnabled: true))

        let web = WebConnection(self, channel)
        let isTooMany = connections.count >= limits.connections
        let id = connections.enter(stop: { web.stop() }, cut: { channel.close(promise: nil) })
        // A task of its own rather than a group's: it begins here, so that no connection is ever left without one.
        Task(executorPreference: executor) { [connections] in
            if isTooMany { await web.refuse(connection) } else { await web.run(connection) }
            connections.leave(id)
        }
    }

    /// The route for a request that may have it.
    ///
    /// - Throws: ``WebError`` 403, 404, 405 or 401.
    func admit(_ request: WebRequest) throws(WebError) -> WebRoute {
        let hosts = request.headers["host"]
        if let refusal = RequestOrigin.refusal(
            host: hosts.count == 1 ? hosts[0] : nil, origins: request.headers["origin"], boundHost: host)
        {
            throw WebError(.forbidden, refusal)
        }
        let route = try routes.route(request.method, request.path)
        if let token, !route.isPublic, !token.isCarried(by: request.headers) {
            throw WebError(.unauthorized, "this needs the server's token: send `Authorization: Bearer TOKEN`")
        }
        return route
    }
}
