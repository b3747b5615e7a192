// The web side: dashboard, streams, the websocket feed, and what the model is.
//
//     /          the dashboard
//     /feed      websocket in: lines as messages, replies as on TCP
//     /losses    websocket or server-sent events out: windows of losses (?every=sample, ?unit=bits)
//     /weights   the same for weights and norms (?format=binary on a websocket)
//     /model     what was found out, and how it is going
//     /healthz   whether the learner answers

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
        let started = Date().timeIntervalSince1970
        let address = ModelDescription.Address(host: feedAddress.ipAddress ?? "?", port: feedAddress.port ?? 0)
        let streams = Streams(session, on: EventLoopTaskExecutor(loop))
        server = WebServer(
            host: host, token: options.token, tls: options.tls, loop: loop, logger: logger,
            routes: [
                .get("/", isPublic: true) { _ in
                    WebResponse(
                        type: "text/html; charset=utf-8", cache: "no-cache",
                        ByteBuffer(bytes: PackageResources.dashboard_html))
                },
                .get("/healthz", isPublic: true) { _ in .json(Health(step: await session.sampleCounts.learned)) },
                .get("/model") { _ in
                    .json(
                        ModelDescription(
                            await session.snapshot(), configuration, started: started, feed: address,
                            connections: feed.connectionCount))
                },
                .stream("/losses") { request in try streams.losses(request) },
                .stream("/weights") { request in try streams.weights(request) },
                .conversation("/feed") { request in
                    FeedSocket(session: session, options: options, source: "websocket \(request.address)")
                },
            ] + SampleRoutes(session: session, options: options).all)
    }

    /// Binds the address and serves; returns the one bound (port 0 finds a free one).
    ///
    /// - Throws: ``ListenError`` with a sentence where that is not possible.
    public func listen(port: Int = 7070) async throws -> SocketAddress { try await server.listen(port: port) }

    /// Serves until the graceful shutdown of its service group, or until ``stop()``: every subscriber then gets
    /// a close frame, event streams end, and only then are connections closed.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await server.waitUntilStopped()
        } onGracefulShutdown: {
            Task { await self.stop() }
        }
    }

    public func stop() async { await server.stop() }
}

private struct Health: Encodable {
    let status = "ok"
    let step: UInt64
}
