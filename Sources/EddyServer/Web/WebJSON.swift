// JSON answers, and the one shape that every refusal has: {"error":"…"}.

import FlyingFox
import Foundation

/// A request that cannot be served, and why, in a sentence for the one who sent it.
struct WebError: Error, Equatable, CustomStringConvertible {
    let status: HTTPStatusCode
    let reason: String

    init(_ status: HTTPStatusCode, _ reason: String) {
        (self.status, self.reason) = (status, reason)
    }

    var description: String { reason }
}

extension HTTPResponse {
    /// A value as JSON, keys sorted.
    /// - Throws: `EncodingError`, for instance where a number is not finite.
    static func json(_ value: some Encodable, status: HTTPStatusCode = .ok) throws -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var body = try encoder.encode(value)
        body.append(UInt8(ascii: "\n"))
        return HTTPResponse(
            statusCode: status, headers: [.contentType: "application/json", .cacheControl: "no-store"], body: body)
    }

    /// `{"error":"<reason>"}`.
    static func failure(_ status: HTTPStatusCode, _ reason: String) -> HTTPResponse {
        // A dictionary of strings always encodes.
        (try? json(["error": reason], status: status)) ?? HTTPResponse(statusCode: status)
    }
}
