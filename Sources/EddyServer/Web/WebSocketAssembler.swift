// Frames in, messages out: the receiving half of RFC 6455, without any input or output of its own.
//
// SwiftNIO parses frames and bounds their size. Here is what it leaves to its user: that clients mask (§5.1),
// reserved bits and opcodes, control frames (§5.5), fragmentation (§5.4), the size of a whole message (1009), UTF-8 of
// text (1007), and the client's close code (§7.4).

import NIOCore
import NIOWebSocket

/// Why a websocket is closed by the server, as told to the client.
struct WebSocketViolation: Error, Equatable, CustomStringConvertible {
    let code: UInt16
    let reason: String

    static func protocolError(_ reason: String) -> Self { Self(code: 1002, reason: reason) }
    static func tooBig(limit: Int) -> Self { Self(code: 1009, reason: "message longer than \(limit) bytes") }
    static let notUTF8 = Self(code: 1007, reason: "text is not UTF-8")

    var description: String { "\(code): \(reason)" }
}

struct WebSocketAssembler {
    enum Event: Equatable {
        case message(WebMessage)
        case ping(ByteBuffer)
        case pong
        /// The client closes; the code to answer with, nil where it gave none.
        case close(UInt16?)
    }

    private let limit: Int
    private var opcode: WebSocketOpcode?
    private var payload = ByteBuffer()

    /// - Parameter limit: bytes that a message may have, over all its fragments.
    init(limit: Int) { self.limit = limit }

    /// Takes the next frame of a client; returns what it completes, or nil for a fragment.
    mutating func accept(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Event? {
        if frame.maskKey == nil { throw .protocolError("a frame of a client is not masked") }
        if frame.rsv1 || frame.rsv2 || frame.rsv3 { throw .protocolError("reserved bits are set") }
        switch frame.opcode {
        case .text, .binary:
            if opcode != nil { throw .protocolError("a new message began inside a fragmented one") }
            opcode = frame.opcode
            return try append(frame)
        case .continuation:
            if opcode == nil { throw .protocolError("a continuation without a beginning") }
            return try append(frame)
        case .connectionClose, .ping, .pong:
            if !frame.fin { throw .protocolError("a fragmented control frame") }
            if frame.length > 125 { throw .protocolError("a control frame longer than 125 bytes") }
            switch frame.opcode {
            case .connectionClose: return .close(try Self.code(ofClose: frame.unmaskedData))
            case .ping: return .ping(frame.unmaskedData)
            default: return .pong
            }
        default:
            throw .protocolError("unknown opcode \(Int(webSocketOpcode: frame.opcode))")
        }
    }

    private mutating func append(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Event? {
        if payload.readableBytes + frame.length > limit { throw .tooBig(limit: limit) }
        var data = frame.unmaskedData
        // Most messages are one frame: take its bytes as they are.
        if payload.readableBytes == 0 { payload = data } else { payload.writeBuffer(&data) }
        guard frame.fin else { return nil }
        defer { (opcode, payload) = (nil, ByteBuffer()) }
        guard opcode == .text else { return .message(.binary(payload)) }
        guard payload.isUTF8 else { throw .notUTF8 }
        return .message(.text(payload))
    }

    private static func code(ofClose payload: ByteBuffer) throws(WebSocketViolation) -> UInt16? {
        var payload = payload
        guard payload.readableBytes > 0 else { return nil }
        guard let code = payload.readInteger(as: UInt16.self) else { throw .protocolError("a close frame of one byte") }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .protocolError("close code \(code)")
        }
        guard payload.isUTF8 else {
            throw WebSocketViolation(code: 1007, reason: "the close reason is not UTF-8")
        }
        return code
    }
}

extension ByteBuffer {
    fileprivate var isUTF8: Bool {
        withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) != nil }
    }
}
