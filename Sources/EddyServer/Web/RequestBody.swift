// A request body that knows whether it has been read to its end.
//
// FlyingFox would parse what a route leaves unread as the connection's next request: that is request smuggling. It
// flushes bodies up to 2 MiB itself, by keeping them in memory; we switch that off and read through this tap instead,
// so that the rest can be read and dropped, up to a limit, after the route has answered.

import FlyingFox
import FlyingSocks
import Foundation

/// Read by the route, then by `drain`, never by both at once: hence unchecked.
final class RequestBody: AsyncBufferedSequence, AsyncBufferedIteratorProtocol, @unchecked Sendable {
    typealias Element = UInt8

    private var chunks: HTTPBodySequence.Iterator
    private var unread: Int?
    private var isComplete = false

    init(_ body: HTTPBodySequence) {
        chunks = body.makeAsyncIterator()
        unread = body.count
        isComplete = unread == 0
    }

    func makeAsyncIterator() -> RequestBody { self }

    func next() async throws -> UInt8? {
        preconditionFailure("a request body is read in whole chunks")
    }

    func nextBuffer(suggested count: Int) async throws -> Data? {
        guard !isComplete else { return nil }
        let chunk = try await chunks.next()
        if let chunk, let unread { self.unread = unread - chunk.count }
        isComplete = chunk == nil || unread == 0
        return chunk
    }

    /// Reads and drops the rest; false if that is more than `limit` bytes, or cannot be read.
    func drain(limit: Int) async -> Bool {
        var dropped = 0
        while dropped <= limit {
            guard let chunk = try? await nextBuffer(suggested: 1 << 16) else { return isComplete }
            dropped += chunk.count
        }
        return false
    }
}

extension HTTPRequest {
    /// The same request, its body tapped. A body of unknown length (chunked) then has the count `.max`.
    func tappingBody() -> (HTTPRequest, RequestBody) {
        let body = RequestBody(bodySequence)
        var request = self
        request.bodySequence = HTTPBodySequence(from: body, count: bodySequence.count ?? .max)
        return (request, body)
    }
}

extension HTTPResponse {
    /// The same response as its connection's last.
    ///
    /// FlyingFox ignores `Connection: close` in a response; what makes it close is a body that fails, here after
    /// its last byte.
    func closingConnection() async throws -> HTTPResponse {
        let data = try await bodyData
        var response = self
        response.headers[.connection] = "close"
        response.payload = .httpBody(HTTPBodySequence(from: LastWords(data), count: data.count))
        return response
    }
}

private final class LastWords: AsyncBufferedSequence, AsyncBufferedIteratorProtocol, @unchecked Sendable {
    typealias Element = UInt8
    private var data: Data?

    init(_ data: Data) { self.data = data }
    func makeAsyncIterator() -> LastWords { self }
    func next() async throws -> UInt8? { preconditionFailure("a response body is read in whole chunks") }

    func nextBuffer(suggested count: Int) async throws -> Data? {
        guard let data = data.take() else { throw SocketError.disconnected }
        return data
    }
}
