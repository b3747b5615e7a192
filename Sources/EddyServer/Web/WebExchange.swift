// A request and its response, as routes see them.

import Foundation
import NIOCore
import NIOHTTP1

/// A request. Its body comes piece by piece, and only while it is asked for.
struct WebRequest: Sendable {
    let method: HTTPMethod
    let path: String
    let query: [String: String]
    let headers: HTTPHeaders
    /// The client's address, without its port.
    let address: String
    let body: RequestBody

    /// - Throws: ``WebError`` 400 where the query's percent-encoding is broken.
    init(_ head: HTTPRequestHead, address: String, body: RequestBody) throws(WebError) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        (method, path, headers, self.address, self.body) = (head.method, String(parts[0]), head.headers, address, body)
        query = parts.count > 1 ? try WebRequest.query(parts[1]) : [:]
    }

    private static func query(_ text: Substring) throws(WebError) -> [String: String] {
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = parts.map { $0.replacingOccurrences(of: "+", with: " ").removingPercentEncoding }
            guard let name = decoded[0], let value = decoded.count > 1 ? decoded[1] : "" else {
                throw WebError(.badRequest, "the query's \(pair.prefix(80)) is not percent-encoded UTF-8")
            }
            query[name] = value
        }
        return query
    }

    /// The values of a header that is a list, in lower case.
    func list(_ name: String) -> [String] { headers[canonicalForm: name].map { $0.lowercased() } }

    var wantsWebSocket: Bool { method == .GET && list("upgrade").contains("websocket") }

    /// Whether server-sent events are among what the client accepts: by name, by `*/*` (as curl says), or by silence.
    var takesEvents: Bool {
        let accepted = headers["accept"].joined(separator: ",").lowercased()
        return accepted.isEmpty || ["text/event-stream", "text/*", "*/*"].contains { accepted.contains($0) }
    }
}

/// A body in pieces, read by one task at a time: hence unchecked.
final class RequestBody: AsyncSequence, AsyncIteratorProtocol, @unchecked Sendable {
    typealias Element = ByteBuffer

    /// The connection ended, or the server stops, before the end of the body.
    struct Cut: Error {}

    private let part: () async throws -> WebInput?
    private var proceed: (() async throws -> Void)?
    private(set) var isComplete = false

    /// - Parameters:
    ///   - proceed: called before the first piece is asked for, where the client waits for a word to send it.
    init(proceed: (() async throws -> Void)?, next: @escaping () async throws -> WebInput?) {
        (self.proceed, part) = (proceed, next)
    }

    func makeAsyncIterator() -> RequestBody { self }

    /// The next piece, nil at the end.
    /// - Throws: ``Cut``.
    func next() async throws -> ByteBuffer? {
        guard !isComplete else { return nil }
        if let proceed {
            self.proceed = nil
            try await proceed()
        }
        switch try await part() {
        case .body(let bytes)?: return bytes
        case .end?:
            isComplete = true
            return nil
        default: throw Cut()
        }
    }

    /// The whole body.
    /// - Throws: ``WebError`` 413 beyond `limit` bytes; ``Cut``.
    func collect(limit: Int) async throws -> ByteBuffer {
        var body = ByteBuffer()
        while var piece = try await next() {
            body.writeBuffer(&piece)
            if body.readableBytes > limit { throw WebError(.payloadTooLarge, "the body is longer than \(limit) bytes") }
        }
        return body
    }

    /// Reads and drops the rest; false if that is more than `limit` bytes, or the client still waits to be asked for it.
    func drain(limit: Int) async -> Bool {
        guard isComplete || proceed == nil else { return false }
        var dropped = 0
        while !isComplete {
            guard dropped <= limit, let piece = try? await next() else { return isComplete }
            dropped += piece.readableBytes
        }
        return true
    }
}

/// A whole response.
struct WebResponse: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: ByteBuffer

    init(_ status: HTTPResponseStatus = .ok, type: String, cache: String = "no-store", _ body: ByteBuffer) {
        self.status = status
        headers = [
            "Content-Type": type, "Cache-Control": cache, "X-Content-Type-Options": "nosniff",
        ]
        self.body = body
    }

    /// Its head.
    ///
    /// - Parameter isLast: the connection is closed after it.
    func head(version: HTTPVersion, isLast: Bool) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: version, status: status, headers: headers)
        head.headers.add(name: "Content-Length", value: String(body.readableBytes))
        if isLast {
            head.headers.add(name: "Connection", value: "close")
        } else if version == .http1_0 {
            head.headers.add(name: "Connection", value: "keep-alive")
        }
        return head
    }
}
