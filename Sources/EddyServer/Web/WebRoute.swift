// What the server answers to one method and path. Three kinds: a response, a stream out, a conversation.
//
//     WebRoute.get("/healthz") { _ in try .json(["status": "ok"]) }
//     WebRoute.stream("/losses") { request in session.losses.map(WebMessage.init) }
//     WebRoute.conversation("/feed") { request in FeedConversation(session) }
//
// A route that cannot serve a request throws a `WebError` and the client gets its status and reason as JSON.

import FlyingFox
import Foundation

struct WebRoute: Sendable {
    typealias Respond = @Sendable (HTTPRequest, LiveStreams, WebLimits) async throws -> HTTPResponse

    let method: HTTPMethod
    let path: String
    let respond: Respond
    private let pattern: HTTPRoute

    private init(_ method: HTTPMethod, _ path: String, respond: @escaping Respond) {
        (self.method, self.path, self.respond) = (method, path, respond)
        pattern = HTTPRoute(method: method, path: path)
    }

    static func get(
        _ path: String, respond: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) -> WebRoute {
        WebRoute(.GET, path) { request, _, _ in try await respond(request) }
    }

    /// A route whose request has a body: `request.body(limit:)`, or `request.bodySequence` chunk by chunk.
    static func post(
        _ path: String, respond: @escaping @Sendable (HTTPRequest) async throws -> HTTPResponse
    ) -> WebRoute {
        WebRoute(.POST, path) { request, _, _ in try await respond(request) }
    }

    /// Messages out, as a websocket or as server-sent events, whichever the request asks for.
    /// - Parameter messages: called for each subscriber; the sequence is pulled as fast as its socket takes messages.
    static func stream<Messages: AsyncSequence & Sendable>(
        _ path: String, messages: @escaping @Sendable (HTTPRequest) async throws -> Messages
    ) -> WebRoute where Messages.Element == WebMessage {
        WebRoute(.GET, path) { request, streams, limits in
            if request.wantsWebSocket {
                let messages = try await messages(request)
                return try await request.upgraded(
                    to: WebSocketSubscription(messages: messages, limits: limits, streams: streams))
            }
            guard request.takesEvents else {
                throw WebError(
                    .notAcceptable,
                    "\(path) is a stream: open it as a websocket, or ask for server-sent events with "
                        + "`Accept: text/event-stream`")
            }
            return ServerSentEvents.response(try await messages(request), limits: limits, streams: streams)
        }
    }

    /// A websocket that is read and answered.
    static func conversation<Conversation: WebConversation>(
        _ path: String, open: @escaping @Sendable (HTTPRequest) async throws -> Conversation
    ) -> WebRoute {
        WebRoute(.GET, path) { request, streams, limits in
            guard request.wantsWebSocket else {
                throw WebError(.upgradeRequired, "\(path) is a websocket: open it with `Upgrade: websocket`")
            }
            let conversation = try await open(request)
            return try await request.upgraded(
                to: WebSocketDialogue(conversation: conversation, limits: limits, streams: streams))
        }
    }

    func matches(_ request: HTTPRequest) async -> Bool { await pattern ~= request }

    /// Whether the path is this route's, whatever the method.
    func hasPath(of request: HTTPRequest) async -> Bool {
        var request = request
        request.method = method
        return await matches(request)
    }
}

extension HTTPHeader {
    static let accept = HTTPHeader("Accept")
    static let origin = HTTPHeader("Origin")
    static let allow = HTTPHeader("Allow")
}

extension HTTPRequest {
    /// Whether server-sent events are among what the client accepts: by name, by `*/*` (as curl says), or by silence.
    fileprivate var takesEvents: Bool {
        guard let accept = headers[.accept]?.lowercased() else { return true }
        return ["text/event-stream", "text/*", "*/*"].contains { accept.contains($0) }
    }

    fileprivate var wantsWebSocket: Bool { headers[.upgrade]?.lowercased() == "websocket" }

    fileprivate func upgraded(to handler: some WSHandler) async throws -> HTTPResponse {
        let response = try await WebSocketHTTPHandler(handler: handler).handleRequest(self)
        guard response.statusCode == .switchingProtocols else {
            let reason = try await String(decoding: response.bodyData, as: UTF8.self)
            throw WebError(headers[.webSocketVersion] == "13" ? .badRequest : .upgradeRequired, reason)
        }
        return response
    }

    /// The whole body.
    /// - Throws: ``WebError`` 413 beyond `limit` bytes.
    func body(limit: Int) async throws -> Data {
        let tooBig = WebError(.payloadTooLarge, "the body is longer than \(limit) bytes")
        if let count = bodySequence.count, count != .max, count > limit { throw tooBig }
        var body = Data()
        for try await chunk in bodySequence {
            body.append(chunk)
            if body.count > limit { throw tooBig }
        }
        return body
    }
}
