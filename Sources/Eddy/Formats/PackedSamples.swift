// Samples packed in binary, for those who want no text.
//
//     "EDDY"  u8 version = 1  u8 flags  u16 outputs  u32 inputs     12 bytes, little-endian as all that follows
//     then records: inputs × f32, outputs × f32, [f32 weight: flag 1], [u64 identifier: flag 2]
//
// A message holds the header and whole records; outputs is 0 or 1. A label that is NaN is none, and a class is its
// whole number. In Python:
//
//     import struct
//     def packed(samples):                       # [([x, …], y), …]
//         inputs = len(samples[0][0])
//         records = b"".join(struct.pack("<%df" % (inputs + 1), *x, y) for x, y in samples)
//         return struct.pack("<4sBBHI", b"EDDY", 1, 0, 1, inputs) + records

/// How the records of one packed message are laid out.
///
///     let layout = try PackedSamples(header: message)
///     let chunk = layout.decode(records, firstLine: 1)
public struct PackedSamples: Sendable, Hashable {
    /// The bytes of the header.
    public static let headerLength = 12
    private static let magic = Array("EDDY".utf8)

    /// Features a record.
    public let inputs: Int
    private let hasLabel: Bool
    private let hasWeight: Bool
    private let hasIdentifier: Bool

    /// The bytes of a record.
    public var recordLength: Int {
        4 * (inputs + (hasLabel ? 1 : 0) + (hasWeight ? 1 : 0)) + (hasIdentifier ? 8 : 0)
    }

    /// Reads the header at the beginning of a message, whose records must be whole.
    ///
    /// - Throws: ``SampleError`` where it is no such header, or the records are not whole.
    public init(header message: UnsafeRawBufferPointer) throws(SampleError) {
        func wrong(_ field: String, _ expected: String, _ got: String) -> SampleError {
            SampleError(line: 1, field: field, expected: expected, got: got)
        }
        guard message.count >= PackedSamples.headerLength, message.prefix(4).elementsEqual(PackedSamples.magic) else {
            throw wrong("header", "EDDY and 8 bytes more", "\(message.count) bytes of something else")
        }
        guard message[4] == 1 else { throw wrong("version", "1", "\(message[4])") }
        guard message[5] & ~3 == 0 else {
            throw wrong("flags", "1 (weight) and 2 (identifier) at most", "\(message[5])")
        }
        let outputs = UInt16(littleEndian: message.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        guard outputs <= 1 else { throw wrong("outputs", "0 or 1", "\(outputs)") }
        let inputs = UInt32(littleEndian: message.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard (1...1_000_000).contains(inputs) else { throw wrong("inputs", "1 to 1000000", "\(inputs)") }
        self.inputs = Int(inputs)
        (hasLabel, hasWeight, hasIdentifier) = (outputs == 1, message[5] & 1 != 0, message[5] & 2 != 0)
        let bytes = message.count - PackedSamples.headerLength
        guard bytes % recordLength == 0 else {
            throw wrong("records", "whole records of \(recordLength) bytes", "\(bytes) bytes")
        }
    }

    /// The samples of whole records. One with a number that is not finite is rejected, by its place.
    ///
    /// - Parameter firstLine: the number of the first record.
    public func decode(_ records: UnsafeRawBufferPointer, firstLine: Int) -> DecodedChunk {
        var chunk = DecodedChunk(samples: SampleChunk(inputs: inputs))
        for (number, offset) in stride(from: 0, to: records.count, by: recordLength).enumerated() {
            func float(_ index: Int) -> Float {
                Float(
                    bitPattern: UInt32(
                        littleEndian: records.loadUnaligned(fromByteOffset: offset + 4 * index, as: UInt32.self)))
            }
            let label = hasLabel ? float(inputs) : .nan
            let sample = Sample(
                (0..<inputs).map { float($0) }, label: label.isNaN ? .none : .number(label + 0),  // −0 becomes 0
                weight: hasWeight ? float(inputs + (hasLabel ? 1 : 0)) : 1,
                id: hasIdentifier
                    ? "\(UInt64(littleEndian: records.loadUnaligned(fromByteOffset: offset + recordLength - 8, as: UInt64.self)))"
                    : nil)
            let line = firstLine + number
            do throws(SampleError) {
                try chunk.samples.append(sample)
                chunk.lines.append(line)
            } catch {
                var error = error
                error.line = line
                chunk.events.append(DecodedEvent(index: chunk.samples.count, line: line, kind: .rejected(error)))
            }
        }
        return chunk
    }
}
