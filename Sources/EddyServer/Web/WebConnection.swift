// One connection of the web side: its requests, one after another, each answered before the next is looked at.
//
//     head ─▶ host, origin ─▶ token ─▶ route ─▶ response ─▶ rest of the body dropped ─▶ next head
//                 403           401   404, 405 ├─ stream: events, or an upgrade ─▶ messages until either side ends
//                                              └─ conversation: upgrade ─▶ message, replies, message, …
//
// One task a connection, on the server's event loop. It suspends while the socket takes nothing, which is the back
// pressure of everything behind it.

import Logging
import NIOCore
import NIOHTTP1
import NIOWebSocket
import Synchronization

final class WebConnection: Sendable {
    typealias Writer = NIOAsyncChannelOutboundWriter<WebOutput>

    /// Sent through the pipeline when the server stops: ends the task's input after what was read before.
    struct Stop: Sendable {}

    private let server: WebServer
    private let channel: any Channel
    private let hasBeenStopped = Atomic(false)

    init(_ server: WebServer, _ channel: any Channel) { (self.server, self.channel) = (server, channel) }

    /// Serves until either side ends.
    func run(_ connection: NIOAsyncChannel<WebInput, WebOutput>) async {
        do {
            try await connection.executeThenClose { inbound, outbound in
                let inbox = Inbox(inbound)
                while let part = try await inbox.next() {
                    // What is no head is the rest of a body whose request has been answered.
                    guard case .head(let head) = part else { continue }
                    guard try await answer(head, inbox, outbound) else { break }
                }
                if channel.isActive { await leave(inbox, outbound) }
            }
        } catch {
            server.logger.debug("web connection ended", metadata: ["error": "\(error)"])
        }
    }

    /// Tells one connection too many so.
    func refuse(_ connection: NIOAsyncChannel<WebInput, WebOutput>) async {
        let response = WebResponse.failure(
            .serviceUnavailable, "too many connections: expected at most \(server.limits.connections) at once")
        let head = response.head(version: .http1_1, isLast: true)
        try? await connection.executeThenClose { inbound, outbound in
            try await outbound.write(.response(head, response.body))
            await leave(Inbox(inbound), outbound)
        }
    }

    /// Ends it in an orderly way: what is under way is answered, streams say goodbye.
    func stop() {
        hasBeenStopped.store(true, ordering: .releasing)
        channel.pipeline.fireUserInboundEventTriggered(Stop())
    }

    private var isStopping: Bool { hasBeenStopped.load(ordering: .acquiring) }

    /// Says that nothing more will come, and reads for a moment what is still on its way, as unread bytes would
    /// become a reset that destroys the last response.
    private func leave(_ inbox: Inbox, _ outbound: Writer) async {
        outbound.finish()
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(server.limits.linger)) { [channel] in
            channel.close(promise: nil)
        }
        while let _ = try? await inbox.next() {}
        timer.cancel()
    }

    // MARK: A request

    /// Answers a request. False where it was the connection's last.
    private func answer(_ head: HTTPRequestHead, _ inbox: Inbox, _ outbound: Writer) async throws -> Bool {
        let waits = head.headers[canonicalForm: "expect"].contains { $0.lowercased() == "100-continue" }
        let body = RequestBody(proceed: waits ? { try await outbound.write(.proceed) } : nil) { try await inbox.next() }
        do {
            let request = try WebRequest(head, address: channel.remoteAddress?.ipAddress ?? "?", body: body)
            let route = try server.admit(request)
            switch route.kind {
            case .response(let respond):
                return try await send(try await respond(request), head, body, outbound)
            case .stream(let open):
                if request.wantsWebSocket {
                    try await subscribe(head, try await open(request), outbound)
                    return false
                }
                guard request.takesEvents else {
                    throw WebError(
                        .notAcceptable,
                        "\(route.path) is a stream: open it as a websocket, or ask for server-sent events with "
                            + "`Accept: text/event-stream`")
                }
                return try await sendEvents(head, try await open(request), body, outbound)
            case .conversation(let open):
                guard request.wantsWebSocket else {
                    throw WebError(.upgradeRequired, "\(route.path) is a websocket: open it with `Upgrade: websocket`")
                }
                try await converse(head, try await open(request), inbox, outbound)
                return false
            }
        } catch let error as WebError {
            return try await send(refusal(error, head), head, body, outbound)
        } catch let error where error is RequestBody.Cut || error is ChannelError || error is CancellationError {
            throw error  // the client is gone, or the server stops: there is nobody to answer
        } catch {
            server.logger.error("request failed", metadata: ["target": "\(head.uri)", "error": "\(error)"])
            let response = WebResponse.failure(.internalServerError, "the server failed to answer; its log says why")
            return try await send(response, head, body, outbound)
        }
    }

    private func refusal(_ error: WebError, _ head: HTTPRequestHead) -> WebResponse {
        var response = WebResponse.failure(error.status, error.reason)
        switch error.status {
        case .upgradeRequired:
            response.headers.add(name: "Upgrade", value: "websocket")
            response.headers.add(name: "Sec-WebSocket-Version", value: "13")
        case .unauthorized: response.headers.add(name: "WWW-Authenticate", value: "Bearer")
        case .methodNotAllowed:
            response.headers.add(name: "Allow", value: server.routes.allowed(String(head.uri.prefix { $0 != "?" })))
        default: break
        }
        return response
    }

    private func send(
        _ response: WebResponse, _ head: HTTPRequestHead, _ body: RequestBody, _ outbound: Writer
    ) async throws -> Bool {
        // A body that nobody read must not be parsed as the next request; a long one is not worth its reading.
        let isShort = head.announcedLength.map { $0 <= server.limits.drainBytes } ?? false
        let isDrained = isShort ? await body.drain(limit: server.limits.drainBytes) : body.isComplete
        let isLast = !isDrained || !goesOn(after: head)
        try await outbound.write(.response(response.head(version: head.version, isLast: isLast), response.body))
        return !isLast
    }

    /// Whether another request may follow. Not after an offer to upgrade: what follows that may be another protocol.
    private func goesOn(after head: HTTPRequestHead) -> Bool {
        head.isKeepAlive && !head.headers.contains(name: "upgrade") && !isStopping
    }

    // MARK: Streams

    private func sendEvents(
        _ head: HTTPRequestHead, _ stream: any MessageStream, _ body: RequestBody, _ outbound: Writer
    ) async throws -> Bool {
        var response = WebResponse(type: "text/event-stream", cache: "no-cache", ByteBuffer())
        response.headers.add(name: "X-Accel-Buffering", value: "no")  // or a proxy would keep events back
        let isDrained = await body.drain(limit: server.limits.drainBytes)
        let isLast = !isDrained || !goesOn(after: head) || head.version == .http1_0
        if isLast { response.headers.add(name: "Connection", value: "close") }
        let begin = HTTPResponseHead(version: head.version, status: response.status, headers: response.headers)
        if head.method == .HEAD {
            try await outbound.write(.response(begin, ByteBuffer()))
            return !isLast
        }
        try await follow(outbound) { .begin(begin, stream, ended: $0) }
        try await outbound.write(.finish)
        return !isLast && !isStopping
    }

    private func subscribe(_ head: HTTPRequestHead, _ stream: any MessageStream, _ outbound: Writer) async throws {
        let response = try await handshake(head)
        var ending = WebSocketViolation(code: 1000, reason: "")
        do {
            try await follow(outbound) { .upgrade(response, .init(messages: stream, ended: $0)) }
        } catch let error where !(error is ChannelError) {
            ending = WebSocketViolation(code: 1011, reason: "\(error)")
        }
        try await close(ending, outbound)
    }

    /// Has the line send a stream's messages; returns when the stream ends, the client leaves, or the server stops.
    private func follow(_ outbound: Writer, _ part: (EventLoopPromise<Void>) -> WebOutput) async throws {
        let ended = channel.eventLoop.makePromise(of: Void.self)
        channel.closeFuture.whenComplete { _ in ended.succeed() }  // also where the line was gone already
        try await outbound.write(part(ended))
        try await ended.futureResult.get()
    }

    // MARK: Conversations

    private func converse(
        _ head: HTTPRequestHead, _ conversation: any WebConversation, _ inbox: Inbox, _ outbound: Writer
    ) async throws {
        try await outbound.write(.upgrade(try await handshake(head), nil))
        var conversation = conversation
        var ending = WebSocketViolation(code: 1000, reason: "")
        var hears = true  // whether the peer still takes replies; what it sent is heard all the same
        func say(_ replies: [WebMessage]) async {
            for reply in replies where hears {
                do { try await outbound.write(.message(reply)) } catch { hears = false }
            }
        }
        do {
            while let part = try await inbox.next() {
                guard case .message(let message) = part else { continue }
                await say(try await conversation.receive(message))
            }
        } catch let violation as WebSocketViolation {
            ending = violation
        } catch let error where !(error is ChannelError) {
            ending = WebSocketViolation(code: 1011, reason: "\(error)")
        }
        await say(await conversation.end())
        try await close(ending, outbound)
    }

    /// The response that accepts an upgrade.
    /// - Throws: ``WebError`` 400 or 426.
    private func handshake(_ head: HTTPRequestHead) async throws -> HTTPResponseHead {
        var extra: HTTPHeaders = [:]
        if head.headers[canonicalForm: "sec-websocket-protocol"].contains(Substring(BearerToken.subprotocol)) {
            extra.add(name: "Sec-WebSocket-Protocol", value: BearerToken.subprotocol)
        }
        // SwiftNIO's upgrader for its handshake alone.
        let handshake = NIOWebSocketServerUpgrader(
            shouldUpgrade: { [extra] channel, _ in channel.eventLoop.makeSucceededFuture(extra) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        let headers: HTTPHeaders
        do {
            headers = try await handshake.buildUpgradeResponse(
                channel: channel, upgradeRequest: head, initialResponseHeaders: [:]
            ).get()
        } catch {
            let version = head.headers.first(name: "sec-websocket-version")
            throw version == "13"
                ? WebError(.badRequest, "the websocket handshake needs one Sec-WebSocket-Key")
                : WebError(.upgradeRequired, "the websocket handshake needs Sec-WebSocket-Version: 13")
        }
        return HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    }

    /// Says the last word and waits until the client has had its chance to answer.
    private func close(_ ending: WebSocketViolation, _ outbound: Writer) async throws {
        let ending = isStopping ? WebSocketViolation(code: 1001, reason: "the server stops") : ending
        try await outbound.write(.close(code: ending.code, reason: ending.reason))
        try await channel.closeFuture.get()
    }
}

extension HTTPRequestHead {
    /// Bytes of the body; nil where only its end will tell.
    fileprivate var announcedLength: Int? {
        if headers.contains(name: "transfer-encoding") { return nil }
        return Int(headers.first(name: "content-length") ?? "0")
    }
}

/// What a client says, for the one task that listens: hence unchecked.
private final class Inbox: @unchecked Sendable {
    private var parts: NIOAsyncChannelInboundStream<WebInput>.AsyncIterator

    init(_ inbound: NIOAsyncChannelInboundStream<WebInput>) { parts = inbound.makeAsyncIterator() }

    func next() async throws -> WebInput? { try await parts.next() }
}
