// The receiving half of RFC 6455 without a socket: every rule that a client can break, and the code that names it.

import NIOCore
import NIOWebSocket
import Testing

@testable import EddyServer

@Suite struct WebSocketAssemblerTests {
    private let mask = WebSocketMaskingKey([1, 2, 3, 4])!

    private func frame(
        _ opcode: Int, _ payload: [UInt8] = [], fin: Bool = true, rsv: Int = 0, isMasked: Bool = true
    ) -> WebSocketFrame {
        var data = ByteBuffer(bytes: payload)
        if isMasked { data.webSocketMask(mask) }
        return WebSocketFrame(
            fin: fin, rsv1: rsv & 4 != 0, rsv2: rsv & 2 != 0, rsv3: rsv & 1 != 0,
            opcode: WebSocketOpcode(encodedWebSocketOpcode: UInt8(opcode))!, maskKey: isMasked ? mask : nil,
            data: data)
    }

    /// The code of the first violation in a row of frames; nil where there is none.
    private func violation(_ frames: [WebSocketFrame], limit: Int = 8) -> UInt16? {
        var assembler = WebSocketAssembler(limit: limit)
        for frame in frames {
            do throws(WebSocketViolation) { _ = try assembler.accept(frame) } catch { return error.code }
        }
        return nil
    }

    @Test(arguments: [0, 1, 2, 8, 9, 10]) func unmaskedFrame_isAViolation(opcode: Int) {
        #expect(violation([frame(opcode, isMasked: false)]) == 1002)
    }

    @Test func maskedPayload_isReadAsItWasMeant() throws {
        var assembler = WebSocketAssembler(limit: 8)
        #expect(try assembler.accept(frame(1, Array("hello".utf8))) == .message(.text("hello")))
        #expect(try assembler.accept(frame(9, [7, 8])) == .ping(ByteBuffer(bytes: [7, 8])))
        #expect(try assembler.accept(frame(10, [7, 8])) == .pong)
        #expect(try assembler.accept(frame(8, [3, 232])) == .close(1000))
        #expect(try assembler.accept(frame(8)) == .close(nil))
    }

    @Test(arguments: 1...7) func reservedBits_areAViolation(bits: Int) {
        for opcode in [1, 2, 8, 9, 10] { #expect(violation([frame(opcode, rsv: bits)]) == 1002) }
    }

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) func unknownOpcode_isAViolation(opcode: Int) {
        #expect(violation([frame(opcode)]) == 1002)
    }

    @Test func controlFrames_areWholeAndShort() {
        for opcode in [8, 9, 10] { #expect(violation([frame(opcode, fin: false)]) == 1002) }
        for opcode in [9, 10] {
            #expect(violation([frame(opcode, [UInt8](repeating: 0, count: 125))]) == nil)
            #expect(violation([frame(opcode, [UInt8](repeating: 0, count: 126))]) == 1002)
        }
    }

    @Test func fragments_comeInOrder() {
        #expect(violation([frame(0)]) == 1002)
        #expect(violation([frame(1, fin: false), frame(1)]) == 1002)
        #expect(violation([frame(1, fin: false), frame(2)]) == 1002)
        #expect(violation([frame(1), frame(0)]) == 1002)
        #expect(violation([frame(1, fin: false), frame(0, fin: false), frame(9), frame(0), frame(1)]) == nil)
    }

    @Test func limit_isOfTheWholeMessageAndOfEachAnew() {
        let eight = [UInt8](1...8)
        #expect(violation([frame(2, eight), frame(2, eight)]) == nil)
        #expect(violation([frame(2, eight + [9])]) == 1009)
        #expect(violation([frame(2, eight, fin: false), frame(0, [], fin: false), frame(0)]) == nil)
        #expect(violation([frame(2, eight, fin: false), frame(0, [9])]) == 1009)
        #expect(violation([frame(1, Array(eight[..<4]), fin: false), frame(0, Array(eight[3...]))]) == 1009)
    }

    @Test func characterSplitOverFragments_isWhole() throws {
        var assembler = WebSocketAssembler(limit: 8)
        #expect(try assembler.accept(frame(1, [0xE2, 0x82], fin: false)) == nil)
        #expect(try assembler.accept(frame(0, [0xAC])) == .message(.text("€")))
        #expect(try assembler.accept(frame(2)) == .message(.binary(ByteBuffer())))
        #expect(try assembler.accept(frame(1)) == .message(.text("")))
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x61, 0x80],
        ] as [[UInt8]]) func textThatIsNotUTF8_isAViolation(bytes: [UInt8])
    {
        #expect(violation([frame(1, bytes)]) == 1007)
        #expect(violation([frame(1, fin: false)] + bytes.map { frame(0, [$0], fin: false) } + [frame(0)]) == 1007)
        #expect(violation([frame(2, bytes)]) == nil)
        #expect(violation([frame(8, [3, 232] + bytes)]) == 1007)
    }

    @Test func closeCodes_areThoseOfTheRegistry() {
        let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
        let invalid = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]
        for code in valid { #expect(violation([frame(8, [UInt8(code >> 8), UInt8(code & 255)])]) == nil, "\(code)") }
        for code in invalid {
            #expect(violation([frame(8, [UInt8(code >> 8), UInt8(code & 255)])]) == 1002, "\(code)")
        }
        #expect(violation([frame(8, [3])]) == 1002)
    }
}
