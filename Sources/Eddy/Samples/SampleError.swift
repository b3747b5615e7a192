// What is wrong with a sample, said so that its sender can mend it.

/// A sample that was not taken: where it was, what was expected, and what came. It changed nothing.
///
///     error.description  // line=17 column=3 field=age expected=number got="abc"
public struct SampleError: Error, Sendable, Hashable, Codable {
    /// What is wrong, for programs: they test the code, and show the sentence.
    public enum Code: String, Sendable, Hashable, Codable, CaseIterable {
        /// A cell, feature or weight is not what its column holds.
        case value
        /// A label cannot be read, or cannot be learned by the outputs that there are.
        case label
        /// A sample came without a label before the first label of its stream.
        case noLabelYet
        /// An identifier cannot be one.
        case identifier
        /// A late label matches no waiting sample.
        case noWaitingSample
        /// A line has more or fewer fields than its columns.
        case fieldCount
        /// A header cannot be one, or lacks a column.
        case header
        /// The columns are not those of the stream's first sample.
        case schema
        /// A prediction, loss or gradient would not be finite.
        case notFinite
        /// A line or a record is longer than the limit.
        case tooLong
        /// A line is in no format that holds samples, or in one that holds them differently.
        case format
        /// A directive is unknown, or its argument is wrong.
        case directive
        /// A directive or a late label came where only samples are expected.
        case notASample
        /// A token is missing or wrong.
        case token
    }

    public var code: Code
    /// The line of its connection or file, or the place in its chunk, counted from 1.
    public var line: Int
    /// The field's place in the line, counted from 1.
    public var column: Int?
    /// The field's name.
    public var field: String?
    public var expected: String
    /// What came, cut to 40 characters, control characters escaped.
    public var got: String

    /// - Parameter code: nil follows from the field: a label's, an identifier's, or a value's.
    public init(
        _ code: Code? = nil, line: Int, column: Int? = nil, field: String? = nil, expected: String, got: String
    ) {
        self.code = code ?? (field == "label" ? .label : field == "id" ? .identifier : .value)
        self.line = line
        self.column = column
        self.field = field
        self.expected = expected
        self.got = got.utf8.count <= 200 ? got : String(got.prefix(40)) + "…"
    }

    /// The bytes of a line as `got`: at most 40 characters, quotes and whatever does not print escaped.
    static func excerpt(_ bytes: UnsafeBufferPointer<UInt8>, limit: Int = 40) -> String {
        var text = ""
        for byte in bytes.prefix(limit) {
            switch byte {
            case UInt8(ascii: "\""): text += "\\\""
            case UInt8(ascii: "\\"): text += "\\\\"
            case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x80...: return whole(bytes, limit) ?? text + hex(byte) + "…"
            default: text += hex(byte)
            }
        }
        return bytes.count > limit ? text + "…" : text
    }

    /// Text beyond ASCII, where it is valid UTF-8.
    private static func whole(_ bytes: UnsafeBufferPointer<UInt8>, _ limit: Int) -> String? {
        guard let text = String(validating: bytes.prefix(5 * limit), as: UTF8.self) else { return nil }
        let printable = text.unicodeScalars.prefix(limit).map { scalar -> String in
            if scalar == "\"" || scalar == "\\" { return "\\\(scalar)" }
            return scalar.properties.generalCategory == .control
                ? hex(UInt8(truncatingIfNeeded: scalar.value)) : "\(scalar)"
        }
        return printable.joined() + (text.unicodeScalars.count > limit ? "…" : "")
    }

    private static func hex(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

extension SampleError: CustomStringConvertible {
    public var description: String {
        var text = "line=\(line)"
        if let column { text += " column=\(column)" }
        if let field { text += " field=\(SampleError.word(field))" }
        return text + " expected=\(SampleError.word(expected)) got=\"\(got)\""
    }

    /// A value of a key=value pair: quoted where it is more than a word.
    private static func word(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
                || byte == UInt8(ascii: "-")
        }
        guard !plain || text.isEmpty else { return text }
        return "\"" + Array(text.utf8).withUnsafeBufferPointer { excerpt($0, limit: 200) } + "\""
    }
}
