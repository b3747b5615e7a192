// The web side: dashboard, streams, the websocket feed, and what the model is.
//
//     /          the dashboard
//     /feed      websocket in: lines as messages, replies as on TCP
//     /losses    websocket or server-sent events out: windows of losses (?every=sample, ?unit=bits)
//     /weights   the same for weights and norms (?format=binary on a websocket)
//     /model     what was found out, and how it is going
//     /healthz   whether the learner answers

import Eddy
import FlyingFox
import Foundation
import Logging
import NIOCore
import ServiceLifecycle

/// Serves the dashboard, the streams and the websocket feed over HTTP.
///
///     let web = WebSide(session: session, configuration: configuration, feed: feed, feedAddress: address)
///     try await web.run()
public final class WebSide: Service {
    private let server: WebServer

    /// - Parameters:
    ///   - configuration: how the session was set up, for `/model`.
    ///   - feed: the TCP feed, whose connections are counted in `/model`.
    ///   - feedAddress: where that listens.
    public init(
        session: LearningSession, configuration: Configuration, options: FeedOptions = FeedOptions(), feed: FeedServer,
        feedAddress: SocketAddress, host: String = "127.0.0.1", port: Int = 7070,
        logger: Logger = Logger(label: "eddy.web")
    ) {
        let started = Date().timeIntervalSince1970
        let address = ModelDescription.Address(host: feedAddress.ipAddress ?? "?", port: feedAddress.port ?? 0)
        server = WebServer(
            host: host, port: UInt16(clamping: port), logger: logger,
            routes: [
                .get("/") { _ in
                    HTTPResponse(
                        statusCode: .ok,
                        headers: [.contentType: "text/html; charset=utf-8", .cacheControl: "no-cache"],
                        body: Data(PackageResources.dashboard_html))
                },
                .get("/healthz") { _ in try .json(Health(step: await session.sampleCounts.learned)) },
                .get("/model") { _ in
                    let snapshot = await session.snapshot()
                    let description = ModelDescription(
                        snapshot, configuration, started: started, feed: address, connections: feed.connectionCount)
                    return HTTPResponse(
                        statusCode: .ok,
                        headers: [.contentType: "application/json", .cacheControl: "no-store"],
                        body: JSONMessage.encode(description))
                },
                .stream("/losses") { request in
                    try AnyMessages.losses(session, every: request.query["every"], unit: request.query["unit"])
                },
                .stream("/weights") { request in
                    WeightMessages(session: session, isPacked: try packed(request.query["format"]))
                },
                .conversation("/feed") { request in
                    FeedSocket(
                        session: session, options: options, source: "websocket \(request.remoteIPAddress ?? "?")")
                },
            ])
    }

    /// The address listened on, once ``run()`` listens; its error at once where it cannot.
    public func waitUntilListening() async throws -> (host: String, port: UInt16) {
        do {
            return try await server.waitUntilListening()
        } catch {
            throw ListenError("\(error)")
        }
    }

    /// Serves until the graceful shutdown of its service group, or until ``stop()``: every subscriber then gets
    /// a close frame, event streams end, and only then are connections closed.
    public func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run()
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

private func packed(_ format: String?) throws -> Bool {
    switch format {
    case nil, "json": return false
    case "binary": return true
    case .some(let other): throw WebError(.badRequest, "format=\(other): expected json or binary")
    }
}

/// Either kind of loss stream.
enum AnyMessages: AsyncSequence, Sendable {
    typealias Element = WebMessage
    typealias Failure = Never

    case windows(LossMessages)
    case series(LossSeriesMessages)

    static func losses(_ session: LearningSession, every: String?, unit: String?) throws -> AnyMessages {
        guard let unit = LossUnit(rawValue: unit ?? "nats") else {
            throw WebError(.badRequest, "unit=\(unit ?? ""): expected nats or bits")
        }
        switch every {
        case nil: return .windows(LossMessages(session: session, unit: unit))
        case "sample": return .series(LossSeriesMessages(session: session, unit: unit))
        case .some(let other): throw WebError(.badRequest, "every=\(other): expected sample, or nothing for windows")
        }
    }

    func makeAsyncIterator() -> Iterator {
        switch self {
        case .windows(let messages): .windows(messages.makeAsyncIterator())
        case .series(let messages): .series(messages.makeAsyncIterator())
        }
    }

    enum Iterator: AsyncIteratorProtocol {
        case windows(LossMessages.Iterator)
        case series(LossSeriesMessages.Iterator)

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            switch self {
            case .windows(var iterator):
                defer { self = .windows(iterator) }
                return await iterator.next(isolation: actor)
            case .series(var iterator):
                defer { self = .series(iterator) }
                return await iterator.next(isolation: actor)
            }
        }
    }
}
