// The web side's server: routes in, a listening HTTP and websocket server out. It knows nothing of learning.
//
//     socket ─▶ EpollSocketPool ─▶ FlyingFox ─▶ origin check ─▶ route ─▶ response, stream or conversation
//                                                  403 │           └─ rest of the body drained
//
// FlyingFox does the HTTP and the websocket framing; this file adds what a long-running server needs around it: an
// error at once when the port is taken, a stop that says goodbye to every stream before it closes anything, no time
// limit on long bodies, JSON for every refusal. It deliberately has no TLS and no authentication: it listens on
// loopback unless told otherwise, and a proxy stands in front where a network is.

import FlyingFox
import FlyingSocks
import Foundation
import Logging
import Synchronization

/// Why the server does not listen.
enum WebServerError: Error, Equatable, LocalizedError, CustomStringConvertible {
    case portInUse(host: String, port: UInt16)
    case unknownHost(String)
    case cannotListen(host: String, port: UInt16, reason: String)
    /// The server was stopped before it listened.
    case stopped

    var description: String {
        switch self {
        case .portInUse(let host, let port):
            "cannot listen on \(authority(host, port)): the port is in use; choose another with --http-port or stop "
                + "the other program"
        case .unknownHost(let host): "cannot listen on \(host): no such host"
        case .cannotListen(let host, let port, let reason): "cannot listen on \(authority(host, port)): \(reason)"
        case .stopped: "the web server was stopped before it listened"
        }
    }

    var errorDescription: String? { description }
}

/// `host:port`, with brackets where the host is an IPv6 literal.
func authority(_ host: String, _ port: UInt16) -> String {
    host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
}

final class WebServer: Sendable {
    private let host: String
    private let port: UInt16
    private let limits: WebLimits
    private let logger: Logger
    private let routes: [WebRoute]
    private let streams = LiveStreams()
    private let listening = Promise<(host: String, port: UInt16)>()
    private let serving = Mutex<(server: HTTPServer, task: Task<Void, any Error>)?>(nil)
    private let isStopping = Atomic(false)
    /// The port once bound, for the logs and for beginning anew.
    private let boundPort = Mutex<UInt16?>(nil)

    /// Bytes of an unread request body that are read and dropped to keep its connection.
    private static let drainLimit = 8 << 20
    /// FlyingFox's buffer: a body of this size has been read before its route is called.
    private static let bufferSize = 4096
    /// Seconds. FlyingFox sleeps that long beside every request, and a sleep that is cancelled still keeps its 740
    /// bytes until the time is over: so this is short, and long bodies go through LateReply.
    private static let handlerTimeout: TimeInterval = 15

    /// - Parameters:
    ///   - host: an IP literal, or a name that is looked up when the server starts.
    ///   - port: 0 takes a free one; see ``waitUntilListening()``.
    init(
        host: String = "127.0.0.1", port: UInt16 = 7070, limits: WebLimits = WebLimits(), logger: Logger,
        routes: [WebRoute]
    ) {
        (self.host, self.port, self.limits, self.logger, self.routes) = (host, port, limits, logger, routes)
    }

    /// How many streams and requests are under way.
    var liveStreamCount: Int { streams.count }

    /// Serves until ``stop(within:)``, and then returns. To be called once.
    /// - Throws: ``WebServerError`` where it cannot listen; `CancellationError` if the task is cancelled, which ends
    ///   every connection without ceremony.
    func run() async throws {
        do {
            var port = port
            while true {
                do {
                    try await serve(on: port)
                    break
                } catch {
                    // FlyingFox ends its server when it cannot accept; a moment without descriptors must not end ours.
                    guard let bound = boundPort.withLock({ $0 }), isExhaustion(error) else { throw error }
                    logger.error("the web side begins anew: \(error); allow more open files (ulimit -n)")
                    port = bound
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            listening.settle(.failure(WebServerError.stopped))
        } catch {
            let error = explain(error)
            listening.settle(.failure(error))
            throw error
        }
    }

    /// The address listened on, as soon as ``run()`` listens; its error at once where it cannot.
    func waitUntilListening() async throws -> (host: String, port: UInt16) {
        try await listening.value
    }

    /// Says goodbye and stops: websockets get what is in hand and close code 1001, event streams end, requests under
    /// way are answered; then the connections are closed. What is not done by the deadline is cut.
    func stop(within deadline: Duration = .seconds(5)) async {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        await streams.close(within: deadline)
        guard let (server, task) = serving.withLock({ $0 }) else { return }
        await server.stop(timeout: 0)
        task.cancel()
        _ = await task.result
    }

    private func serve(on port: UInt16) async throws {
        let pool = Self.makePool(limits)
        let server: HTTPServer
        switch try resolve(host, port) {
        case .ip4(let address):
            server = HTTPServer(
                config: configuration(address, pool), handler: ClosureHTTPHandler(answer))
        case .ip6(let address):
            server = HTTPServer(
                config: configuration(address, pool), handler: ClosureHTTPHandler(answer))
        }
        let task = Task { try await server.run() }
        serving.withLock { $0 = (server, task) }
        if isStopping.load(ordering: .sequentiallyConsistent) { task.cancel() }
        let announcing = Task {
            try await server.waitUntilListening(timeout: 60)
            if let address = await server.listeningAddress { announce(address) }
        }
        defer { announcing.cancel() }
        do {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch {
            // FlyingFox's run() ends by throwing, also when it is stopped.
            if !isStopping.load(ordering: .sequentiallyConsistent) { throw error }
        }
    }

    private func configuration(
        _ address: some SocketAddress, _ pool: some AsyncSocketPool
    ) -> HTTPServer.Configuration {
        // A replay size of one buffer: no body is collected in memory behind the route's back; see RequestBody.
        HTTPServer.Configuration(
            address: address, timeout: Self.handlerTimeout, sharedRequestBufferSize: Self.bufferSize,
            sharedRequestReplaySize: Self.bufferSize,
            pool: pool, logger: FlyingFoxLogger(logger: logger))
    }

    private func announce(_ address: Socket.Address) {
        switch address {
        case .ip4(let host, let port), .ip6(let host, let port):
            logger.debug("web server listening", metadata: ["address": "http://\(authority(host, port))"])
            boundPort.withLock { $0 = port }
            listening.settle(.success((host, port)))
        case .unix:
            break
        }
    }

    /// Whether the process, or the machine, has no descriptor left.
    private func isExhaustion(_ error: any Error) -> Bool {
        guard case .failed(_, let code, _) = error as? SocketError else { return false }
        return code == EMFILE || code == ENFILE
    }

    /// Why it does not listen, in a sentence; an error from later is as it is.
    private func explain(_ error: any Error) -> any Error {
        guard boundPort.withLock({ $0 == nil }) else { return error }
        guard case .failed(_, let code, let message) = error as? SocketError else { return error }
        return code == EADDRINUSE
            ? WebServerError.portInUse(host: host, port: port)
            : WebServerError.cannotListen(host: host, port: port, reason: message)
    }

    /// Every request comes through here.
    @Sendable
    private func answer(_ request: HTTPRequest) async throws -> HTTPResponse {
        if let length = request.bodySequence.count, length <= Self.bufferSize { return try await finish(request) }
        return try await LateReply.response(after: limits.patience) { try await self.finish(request) }
    }

    private func finish(_ request: HTTPRequest) async throws -> HTTPResponse {
        let ticket = streams.enter()
        defer { withExtendedLifetime(ticket) {} }
        let (request, body) = request.tappingBody()
        let response = await response(to: request)
        let isUpgrade = if case .webSocket = response.payload { true } else { false }
        if await body.drain(limit: isUpgrade ? 0 : Self.drainLimit) { return response }
        if case .httpBody(let content) = response.payload, content.count != nil {
            return try await response.closingConnection()
        }
        return try await HTTPResponse.failure(.payloadTooLarge, "a stream's request has no body").closingConnection()
    }

    private func response(to request: HTTPRequest) async -> HTTPResponse {
        do {
            if let refusal = RequestOrigin.refusal(
                host: request.headers[.host], origin: request.headers[.origin], boundHost: host)
            {
                throw WebError(.forbidden, refusal)
            }
            return try await route(for: request).respond(request, streams, limits)
        } catch let error as WebError {
            var response = HTTPResponse.failure(error.status, error.reason)
            if error.status == .upgradeRequired {
                response.headers[.upgrade] = "websocket"
                response.headers[.webSocketVersion] = "13"
            }
            if error.status == .methodNotAllowed { response.headers[.allow] = await allowedMethods(for: request) }
            return response
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.path)", "error": "\(error)"])
            return .failure(.internalServerError, "the server failed to answer; its log says why")
        }
    }

    private func route(for request: HTTPRequest) async throws -> WebRoute {
        for route in routes where await route.matches(request) { return route }
        let allowed = await allowedMethods(for: request)
        guard allowed.isEmpty else {
            throw WebError(.methodNotAllowed, "\(request.path) takes \(allowed), not \(request.method.rawValue)")
        }
        throw WebError(.notFound, "there is nothing at \(request.path)")
    }

    private func allowedMethods(for request: HTTPRequest) async -> String {
        var methods: [String] = []
        for route in routes where await route.hasPath(of: request) { methods.append(route.method.rawValue) }
        return methods.joined(separator: ", ")
    }

    private static func makePool(_ limits: WebLimits) -> any AsyncSocketPool {
        #if os(Linux)
            EpollSocketPool(writeDeadline: limits.writeDeadline)
        #else
            HTTPServer.defaultPool()
        #endif
    }
}

private enum ResolvedAddress {
    case ip4(sockaddr_in)
    case ip6(sockaddr_in6)
}

/// Looks up a literal or a name; IPv4 is preferred where a name has both. Blocks for the look-up.
private func resolve(_ host: String, _ port: UInt16) throws -> ResolvedAddress {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &list) == 0 else { throw WebServerError.unknownHost(host) }
    defer { freeaddrinfo(list) }
    let found = sequence(first: list) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { $0?.pointee }
    for info in found where info.ai_family == AF_INET {
        return .ip4(UnsafeRawPointer(info.ai_addr).load(as: sockaddr_in.self))
    }
    for info in found where info.ai_family == AF_INET6 {
        return .ip6(UnsafeRawPointer(info.ai_addr).load(as: sockaddr_in6.self))
    }
    throw WebServerError.unknownHost(host)
}

/// FlyingFox's log lines as debug messages: what matters of them comes to us as errors.
private struct FlyingFoxLogger: FlyingSocks.Logging {
    let logger: Logger

    func logDebug(_ message: @autoclosure () -> String) { logger.trace("\(message())") }
    func logInfo(_ message: @autoclosure () -> String) { logger.trace("\(message())") }
    func logWarning(_ message: @autoclosure () -> String) { logger.debug("\(message())") }
    func logError(_ message: @autoclosure () -> String) { logger.debug("\(message())") }
    func logCritical(_ message: @autoclosure () -> String) { logger.debug("\(message())") }
}
