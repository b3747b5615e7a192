// Values as features have them.

extension JSONScanner {
    /// A number, a boolean, or what stands for a missing one in quotes.
    mutating func feature(_ name: String) throws(SampleError) -> Float {
        switch peek() {
        case UInt8(ascii: "t"): return try literal("true", 1, field: name, expected: "number")
        case UInt8(ascii: "f"): return try literal("false", 0, field: name, expected: "number")
        case UInt8(ascii: "\""):
            var ahead = self
            let isMissing = try ahead.string().withBytes { CellValue.isMissing($0) }
            guard isMissing else { throw error(field: name, expected: "number") }
            self = ahead
            return .nan
        default: return try number(field: name)
        }
    }

    /// Reads a string and hands it on; what is wrong with it is told with the field's name.
    mutating func text(
        _ name: String, expected: String,
        _ body: (UnsafeBufferPointer<UInt8>) throws(SampleError) -> Void
    ) throws(SampleError) {
        guard peek() == UInt8(ascii: "\"") else { throw error(field: name, expected: expected) }
        let text = try string()
        do throws(SampleError) { try text.withBytes(body) } catch let wrong {
            throw error(field: name, expected: wrong.expected, got: wrong.got)
        }
    }
}
