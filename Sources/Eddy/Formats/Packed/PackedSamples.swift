// Samples packed in binary, for those who want no text.
//
//     "EDDY"  u8 version = 1  u8 flags  u16 outputs  u32 inputs     12 bytes, little-endian as all that follows
//     then records: inputs × f32, outputs × f32, [f32 weight: flag 1], [u64 identifier: flag 2]
//
// outputs is 0 or 1. A feature that is NaN is missing, a label that is NaN is none, and a class is its whole number. A stream has one header and records
// without end (PackedReader); a websocket message has its own header and whole records. README.md has a writer in Python.
//
// Decoding is a copy: the features of a record are moved to the chunk's flat array and checked in the same pass.

/// How packed records are laid out.
///
///     let layout = try PackedSamples(header: message)
///     let chunk = layout.decode(records, firstLine: 1)
public struct PackedSamples: Sendable, Hashable {
    /// The bytes of the header.
    public static let headerLength = 12
    static let magic = Array("EDDY".utf8)

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
        guard bytes % recordLength == 0 else { throw cut(bytes, line: 1) }
    }

    /// Records that are not whole.
    func cut(_ bytes: Int, line: Int) -> SampleError {
        SampleError(
            line: line, field: "records", expected: "whole records of \(recordLength) bytes", got: "\(bytes) bytes")
    }

    /// The samples of whole records. One with a number that is infinite is rejected, by its place.
    ///
    /// - Parameter firstLine: the number of the first record.
    public func decode(_ records: UnsafeRawBufferPointer, firstLine: Int) -> DecodedChunk {
        var chunk = DecodedChunk(samples: SampleChunk(inputs: inputs))
        guard let start = records.baseAddress else { return chunk }
        let length = recordLength
        let count = records.count / length
        var labels: [Float] = []  // NaN for none
        var lines: [Int] = []
        labels.reserveCapacity(count)
        lines.reserveCapacity(count)
        chunk.samples.features = Array(unsafeUninitializedCapacity: count * inputs) { features, filled in
            for number in 0..<count {
                let record = start + number * length
                let isValid = copy(record, to: features.baseAddress! + filled)
                let label = hasLabel ? float(record, inputs) : .nan
                let weight = hasWeight ? float(record, inputs + (hasLabel ? 1 : 0)) : 1
                guard isValid, !label.isInfinite, weight >= 0, weight.isFinite else {
                    let error = complaint(record, label: label, weight: weight, line: firstLine + number)
                    chunk.events.append(DecodedEvent(index: labels.count, line: error.line, kind: .rejected(error)))
                    continue
                }
                filled += inputs
                if hasWeight { chunk.samples.weights.append(weight) }
                if hasIdentifier { chunk.samples.identifiers[labels.count] = "\(identifier(record))" }
                labels.append(label + 0)  // −0 becomes 0
                lines.append(firstLine + number)
            }
        }
        chunk.samples.labels = Labels(numbers: labels)
        chunk.lines = lines
        return chunk
    }

    /// Copies a record's features, and says whether none is infinite.
    @inline(__always)
    private func copy(_ record: UnsafeRawPointer, to row: UnsafeMutablePointer<Float>) -> Bool {
        var infinities: UInt32 = 0
        for j in 0..<inputs {
            let bits = UInt32(littleEndian: record.loadUnaligned(fromByteOffset: 4 * j, as: UInt32.self))
            row[j] = Float(bitPattern: bits)
            infinities |= bits & 0x7FFF_FFFF == 0x7F80_0000 ? 1 : 0
        }
        return infinities == 0
    }

    @inline(__always)
    private func float(_ record: UnsafeRawPointer, _ index: Int) -> Float {
        Float(bitPattern: UInt32(littleEndian: record.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
    }

    private func identifier(_ record: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: record.loadUnaligned(fromByteOffset: recordLength - 8, as: UInt64.self))
    }

    /// What is wrong with a record.
    private func complaint(_ record: UnsafeRawPointer, label: Float, weight: Float, line: Int) -> SampleError {
        for j in 0..<inputs where float(record, j).isInfinite {
            return SampleError(
                line: line, column: j + 1, expected: "finite number, or NaN for a missing one",
                got: "\(float(record, j))")
        }
        if label.isInfinite {
            return SampleError(line: line, field: "label", expected: "finite number", got: "\(label)")
        }
        return SampleError(line: line, field: "weight", expected: "number, at least 0", got: "\(weight)")
    }
}
