// The web side: which paths there are, over one session.
//
//     /            the dashboard, and its parts under /assets/
//     /feed        websocket in: lines as messages, replies as on TCP
//     /losses      websocket or server-sent events out: windows of losses (?every=sample, ?unit=bits)
//     /weights     the same for weights and norms (?format=binary on a websocket)
//     /events      the same for everything that the page follows
//     /samples     POST: learn          /predict   POST: ask
//     /model  /history  /explain  /layers  /surface
//     /healthz  /readyz  /metrics  /openapi.json

import Eddy
import Foundation
import Logging
import NIOCore
import ServiceLifecycle

/// Serves the dashboard, the streams and the websocket feed over HTTP.
///
///     let web = WebSide(session: session, configuration: configuration, feed: feed, feedAddress: address, loop: loop)
///     let address = try await web.listen(port: 7070)
///     try await web.run()
public final class WebSide: Service {
    private let server: WebServer
    private let session: LearningSession
    private let streams: Streams
    /// Ends when the last of it has.
    private let ended = AsyncStream.makeStream(of: Never.self)

    /// - Parameters:
    ///   - configuration: how the session was set up, for `/model`.
    ///   - feed: the TCP feed, whose connections are counted in `/model`.
    ///   - feedAddress: where that listens.
    ///   - options: of the websocket feed; token and TLS are the whole web side's.
    ///   - loop: where the web side runs; best another than the feed's, so that watching takes no time from learning.
    public init(
        session: LearningSession, configuration: Configuration, options: FeedOptions = FeedOptions(), feed: FeedServer,
        feedAddress: SocketAddress, host: String = "127.0.0.1", loop: any EventLoop,
        logger: Logger = Logger(label: "eddy.web")
    ) {
        let side = LearnerSide(
            session: session, configuration: configuration, feed: feed,
            feedAddress: .init(host: feedAddress.ipAddress ?? "?", port: feedAddress.port ?? 0),
            activity: options.activity)
        let streams = Streams(side, on: loop)
        self.streams = streams
        let connections = WebConnections()
        self.session = session
        server = WebServer(
            host: host, token: options.token, tls: options.tls, loop: loop, logger: logger, connections: connections,
            routes: Assets.routes + SampleRoutes(session: session, options: options).all
                + QuestionRoutes(side: side).all
                + StatusRoutes(side: side, streams: streams, connections: { connections.count }).all + [
                    .stream("/losses") { request in try streams.losses(request) },
                    .stream("/weights") { request in try streams.weights(request) },
                    .stream("/events") { _ in streams.events },
                    .conversation("/feed") { request in
                        FeedSocket(session: session, options: options, source: "websocket \(request.address)")
                    },
                ])
    }

    /// Binds the address and serves; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    public func listen(port: Int = 7070) async throws -> SocketAddress {
        await session.observe()
        return try await server.listen(port: port)
    }

    /// Serves until the graceful shutdown of its service group, or until ``stop()``: every subscriber then gets
    /// a close frame, event streams end, and only then are connections closed.
    public func run() async throws {
        await withGracefulShutdownHandler {
            for await _ in ended.stream {}
        } onGracefulShutdown: {
            Task { await self.stop() }
        }
    }

    public func stop() async {
        await server.stop()
        await streams.finish()
        ended.continuation.finish()
    }
}
