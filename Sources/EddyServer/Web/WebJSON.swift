// JSON answers, and the one shape that every refusal has: {"error":"…"}.

import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// A request that cannot be served, and why, in a sentence for the one who sent it.
struct WebError: Error, Equatable, CustomStringConvertible {
    let status: HTTPResponseStatus
    let reason: String

    init(_ status: HTTPResponseStatus, _ reason: String) {
        (self.status, self.reason) = (status, reason)
    }

    var description: String { reason }
}

enum WebJSON {
    /// A value as one line of JSON, keys sorted; numbers that are not finite are null.
    ///
    /// For what is asked now and then. What goes out many times a second is written by hand.
    static func encode(_ value: some Encodable) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: notFinite, negativeInfinity: notFinite, nan: notFinite)
        // Values of ours hold nothing that cannot be encoded.
        guard let data = try? encoder.encode(value) else { return ByteBuffer(string: "{}") }
        guard data.range(of: encodedNotFinite) != nil else { return ByteBuffer(data: data) }
        return ByteBuffer(string: String(decoding: data, as: UTF8.self).replacing(encodedText, with: "null"))
    }

    /// Foundation can write such a number as a string only: one that nothing else says, which then becomes null.
    private static let notFinite = "\u{0}not finite\u{0}"
    private static let encodedText = "\"\\u0000not finite\\u0000\""
    private static let encodedNotFinite = Data(encodedText.utf8)
}

extension WebResponse {
    static func json(_ value: some Encodable, status: HTTPResponseStatus = .ok) -> WebResponse {
        var body = WebJSON.encode(value)
        body.writeString("\n")
        return WebResponse(status, type: "application/json", body)
    }

    /// `{"error":"<reason>"}`.
    static func failure(_ status: HTTPResponseStatus, _ reason: String) -> WebResponse {
        json(["error": reason], status: status)
    }
}
