// Server-sent events: messages as the endless body of one HTTP response (WHATWG HTML, 9.2).
//
// Binary messages come as `event: binary` in base64, since events are text.

import Foundation
import NIOCore
import NIOFoundationCompat

enum ServerSentEvents {
    /// Sent at once, so that the client sees its subscription stand before the first message.
    static let greeting = ByteBuffer(string: ": subscribed\n\n")
    /// By which a dead client is found out when there is no news.
    static let heartbeat = ByteBuffer(string: ": still here\n\n")

    /// The bytes of one event. A line of text that breaks in any of the three ways becomes several `data:` lines,
    /// which the client joins again with "\n".
    static func event(_ message: WebMessage) -> ByteBuffer {
        var event = ByteBuffer()
        event.reserveCapacity(message.bytes.readableBytes + 32)
        switch message.kind {
        case .text:
            event.writeString("data: ")
            let text = message.bytes.readableBytesView
            if text.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
                let lines = String(decoding: text, as: UTF8.self).split(
                    omittingEmptySubsequences: false, whereSeparator: \.isLineBreak)
                event.writeString(lines.joined(separator: "\ndata: "))
            } else {
                event.writeImmutableBuffer(message.bytes)
            }
        case .binary:
            event.writeString("event: binary\ndata: ")
            event.writeString(Data(message.bytes.readableBytesView).base64EncodedString())
        }
        event.writeString("\n\n")
        return event
    }
}

extension Character {
    fileprivate var isLineBreak: Bool { self == "\n" || self == "\r" || self == "\r\n" }
}
