// Packed messages: the layout byte by byte, and what is refused.

import Testing

@testable import Eddy

@Suite struct PackedSamplesTests {
    private func header(version: UInt8 = 1, flags: UInt8 = 0, outputs: UInt16 = 1, inputs: UInt32 = 2) -> [UInt8] {
        Array("EDDY".utf8) + [version, flags] + bytes(outputs) + bytes(inputs)
    }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    private func bytes(_ value: Float) -> [UInt8] { bytes(value.bitPattern) }

    private func decode(_ message: [UInt8]) throws -> DecodedChunk {
        try message.withUnsafeBytes { message in
            let layout = try PackedSamples(header: message)
            return layout.decode(UnsafeRawBufferPointer(rebasing: message[PackedSamples.headerLength...]), firstLine: 5)
        }
    }

    @Test func records_areSamples() throws {
        let chunk = try decode(
            header(flags: 3) + bytes(Float(1.5)) + bytes(Float(-2)) + bytes(Float(1)) + bytes(Float(0.5))
                + bytes(UInt64(77)) + bytes(Float(3)) + bytes(Float(4)) + bytes(Float.nan) + bytes(Float(1))
                + bytes(UInt64.max))
        #expect(chunk.samples.features == [1.5, -2, 3, 4])
        #expect(chunk.samples.labels == [.number(1), .none])
        #expect(chunk.samples.weights == [0.5, 1])
        #expect(chunk.samples.identifiers == [0: "77", 1: "18446744073709551615"])
        #expect(chunk.lines == [5, 6] && chunk.events.isEmpty)
    }

    @Test func recordThatIsNotFinite_isRejectedAlone() throws {
        let chunk = try decode(
            header() + bytes(Float(1)) + bytes(Float.infinity) + bytes(Float(0)) + bytes(Float(1)) + bytes(Float(2))
                + bytes(Float(0)))
        #expect(chunk.samples.count == 1 && chunk.lines == [6])
        #expect(chunk.events.first?.error?.line == 5 && chunk.events.first?.error?.column == 2)
    }

    @Test func messageThatIsNone_isRefusedWithItsReason() {
        let refused: [([UInt8], String)] = [
            ([], "header"), (Array("EDDY".utf8), "header"), (Array("EDDX".utf8) + [1, 0, 1, 0, 2, 0, 0, 0], "header"),
            (header(version: 2), "version"), (header(flags: 4), "flags"), (header(outputs: 2), "outputs"),
            (header(inputs: 0), "inputs"), (header(inputs: 4_000_000_000), "inputs"),
            (header() + [1, 2, 3], "records"),
        ]
        for (message, field) in refused {
            #expect { try decode(message) } throws: { ($0 as? SampleError)?.field == field }
        }
    }
}
