// Frames in, messages out: the receiving half of RFC 6455, without any input or output of its own.
//
// FlyingFox parses frame headers and unmasks, but checks nothing (and forgets whether a frame was masked, so that
// alone stays unchecked). Here: reserved bits and opcodes, control frames (§5.5), fragmentation (§5.4), a size limit
// (1009), UTF-8 of text (1007), and the client's close code (§7.4).

import FlyingFox
import Foundation

/// Why a websocket is closed by the server, as told to the client.
struct WebSocketViolation: Error, Equatable, CustomStringConvertible {
    let code: UInt16
    let reason: String

    static func protocolError(_ reason: String) -> Self { Self(code: 1002, reason: reason) }
    static func tooBig(limit: Int) -> Self { Self(code: 1009, reason: "message longer than \(limit) bytes") }

    var description: String { "\(code): \(reason)" }

    /// The close frame; a control frame holds 125 bytes, so a long reason is cut (at a character's end).
    var frame: WSFrame {
        var reason = reason
        while reason.utf8.count > 123 { reason.removeLast() }
        return .close(code: WSCloseCode(code, reason: reason))
    }
}

struct WebSocketAssembler {
    enum Event: Equatable {
        case message(WebMessage)
        case ping(Data)
        /// The client closes; the frame to answer with.
        case close(WSFrame)
    }

    private let limit: Int
    private var opcode: WSFrame.Opcode?
    private var payload = Data()

    /// - Parameter limit: bytes that a message may have, over all its fragments.
    init(limit: Int) { self.limit = limit }

    /// Takes the next frame; returns what it completes, or nil for a fragment or a pong.
    mutating func accept(_ frame: WSFrame) throws(WebSocketViolation) -> Event? {
        if frame.rsv1 || frame.rsv2 || frame.rsv3 { throw .protocolError("reserved bits are set") }
        switch frame.opcode {
        case .text, .binary:
            if opcode != nil { throw .protocolError("a new message began inside a fragmented one") }
            opcode = frame.opcode
            return try append(frame)
        case .continuation:
            if opcode == nil { throw .protocolError("a continuation without a beginning") }
            return try append(frame)
        case .close, .ping, .pong:
            if !frame.fin { throw .protocolError("a fragmented control frame") }
            if frame.payload.count > 125 { throw .protocolError("a control frame longer than 125 bytes") }
            if frame.opcode == .close { return .close(try Self.answer(toClose: frame.payload)) }
            return frame.opcode == .ping ? .ping(frame.payload) : nil
        default:
            throw .protocolError("unknown opcode \(frame.opcode.rawValue)")
        }
    }

    private mutating func append(_ frame: WSFrame) throws(WebSocketViolation) -> Event? {
        if payload.count + frame.payload.count > limit { throw .tooBig(limit: limit) }
        // Most messages are one frame: take its bytes as they are.
        if payload.isEmpty { payload = frame.payload } else { payload.append(frame.payload) }
        guard frame.fin else { return nil }
        defer { (opcode, payload) = (nil, Data()) }
        guard opcode == .text else { return .message(.binary(payload)) }
        guard let text = String(validating: payload, as: UTF8.self) else {
            throw WebSocketViolation(code: 1007, reason: "text is not UTF-8")
        }
        return .message(.text(text))
    }

    private static func answer(toClose payload: Data) throws(WebSocketViolation) -> WSFrame {
        guard !payload.isEmpty else { return WSFrame(fin: true, opcode: .close, mask: nil, payload: Data()) }
        guard payload.count >= 2 else { throw .protocolError("a close frame of one byte") }
        let code = payload.prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .protocolError("close code \(code)")
        }
        guard String(validating: payload.dropFirst(2), as: UTF8.self) != nil else {
            throw WebSocketViolation(code: 1007, reason: "the close reason is not UTF-8")
        }
        return .close(code: WSCloseCode(code))
    }
}

extension WSFrame {
    /// A message as one unmasked frame.
    init(_ message: WebMessage) {
        switch message {
        case .text(let text): self.init(fin: true, opcode: .text, mask: nil, payload: Data(text.utf8))
        case .binary(let data): self.init(fin: true, opcode: .binary, mask: nil, payload: data)
        }
    }
}
