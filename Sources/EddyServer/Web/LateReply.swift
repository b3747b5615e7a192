// Answers to requests whose bodies take longer to arrive than FlyingFox lets a route take.
//
// FlyingFox answers 500 when a route has not returned within its timeout, and the timeout must be short (see
// WebServer). But it sets no limit on the writing of a response. So when a long body is still coming after
// `patience`, the response is begun: 200, and a chunked body that consists of what the route will return. If that is
// a failure, its JSON is sent and then the connection is cut without the last chunk, which tells every HTTP client
// that the response is not to be trusted. A body that arrives in time gets its own status.

import FlyingFox
import FlyingSocks
import Foundation

enum LateReply {
    static func response(
        after patience: Duration, to work: @escaping @Sendable () async throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        let body = LateBody(work)
        let inTime = try await withThrowingTaskGroup(of: HTTPResponse?.self) { group in
            group.addTask { try await body.reply }
            group.addTask {
                try await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            // Two tasks have been added.
            return try await group.next() ?? nil
        }
        return inTime
            ?? HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: HTTPBodySequence(from: body))
    }
}

/// The body of a reply to come. Read by FlyingFox alone, one call at a time: hence unchecked.
private final class LateBody: AsyncBufferedSequence, AsyncBufferedIteratorProtocol, @unchecked Sendable {
    typealias Element = UInt8

    private let promise = Promise<HTTPResponse>()
    private let task: Task<Void, Never>
    private var status: HTTPStatusCode?

    init(_ work: @escaping @Sendable () async throws -> HTTPResponse) {
        task = Task { [promise] in
            do { promise.settle(.success(try await work())) } catch { promise.settle(.failure(error)) }
        }
    }

    /// Nobody waits for the reply any more.
    deinit { task.cancel() }

    var reply: HTTPResponse {
        get async throws { try await promise.value }
    }

    func makeAsyncIterator() -> LateBody { self }

    func next() async throws -> UInt8? { preconditionFailure("a response body is read in whole chunks") }

    func nextBuffer(suggested count: Int) async throws -> Data? {
        if let status {
            guard (200..<300).contains(status.code) else { throw SocketError.disconnected }
            return nil
        }
        let reply = try await reply
        status = reply.statusCode
        let data = try await reply.bodyData
        // An empty chunk would end the body.
        return data.isEmpty ? try await nextBuffer(suggested: count) : data
    }
}
