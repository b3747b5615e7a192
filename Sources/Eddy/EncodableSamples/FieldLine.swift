// An `Encodable` value as a JSON line: flat, and in the bytes that the JSON decoder reads.
//
// A value must mean what its JSON line means, to the bit: kinds of columns, days, words, missing values, errors. So it
// becomes that line, and the one reader of JSON lines does the rest. Writing and reading a number costs some hundred
// nanoseconds, less than the `Encodable` call that hands it over.

import Foundation

/// The line of one value while it is written.
final class FieldLine {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true
    /// What stands where a named value is expected; nil where there is none.
    private var bare: String?
    /// What the names of nested values begin with that have written nothing yet.
    private var nested: [String] = []
    /// The field that is looked for, and its value as it stands in the line.
    private var wanted: String?
    private(set) var found: [UInt8]?

    /// - Parameter wanted: the name of the field whose value ``found`` returns; nil to return none.
    init(wanted: String? = nil) { self.wanted = wanted }

    /// Writes a value's line with its newline.
    ///
    /// - Throws: what the value's `encode(to:)` throws, or ``SampleError`` where it has no named fields.
    func append(_ value: some Encodable) throws {
        let begin = bytes.count
        (isFirst, bare, found) = (true, nil, nil)
        nested.removeAll(keepingCapacity: true)
        do {
            bytes.append(UInt8(ascii: "{"))
            try write(value, "", [])
            if let bare {
                throw SampleError(.format, line: 0, expected: "a value with named fields", got: bare)
            }
            for prefix in nested { write("true", String(prefix.dropLast())) }
            bytes += "}\n".utf8
        } catch {
            bytes.removeLast(bytes.count - begin)
            throw error
        }
    }

    /// A line that is no sample.
    func appendNothing() { bytes += "{}\n".utf8 }

    func takeBytes() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    // MARK: Values

    func write<Value: Encodable>(_ value: Value, _ name: String, _ path: [any CodingKey]) throws {
        switch value {
        case let date as Date: try write(date: date, name, path)
        case let number as Decimal: write(number.description, name)
        case let url as URL: write(text: url.absoluteString, name)
        case let dictionary as any KeyedFields where dictionary.sortedFields != nil:
            for (key, value) in dictionary.sortedFields! {
                try write(value, FieldLine.name(name, key), path + [FieldKey(stringValue: key)])
            }
        default: try value.encode(to: FieldEncoder(line: self, name: name, codingPath: path))
        }
    }

    /// A number, a boolean or null, as JSON writes it.
    func write(_ token: String, _ name: String) {
        guard beginField(name, token) else { return }
        let start = bytes.count
        bytes += token.utf8
        note(name, start)
    }

    func write(text: String, _ name: String) {
        guard beginField(name, text) else { return }
        let start = bytes.count
        quote(text)
        note(name, start)
    }

    private func write(date: Date, _ name: String, _ path: [any CodingKey]) throws {
        guard let text = DateTime.text(date) else {
            let context = EncodingError.Context(
                codingPath: path, debugDescription: "a date \(date.timeIntervalSince1970) seconds after 1970")
            throw EncodingError.invalidValue(date, context)
        }
        write(text: text, name)
    }

    /// A value that may turn out to have no fields, as an enum's case without values: it is then true.
    func beginNested(_ name: String) { nested.append(name + ".") }

    // MARK: The line

    static func name(_ outer: String, _ inner: String) -> String { outer.isEmpty ? inner : outer + "." + inner }

    private func beginField(_ name: String, _ value: String) -> Bool {
        guard !name.isEmpty else {
            bare = String(value.prefix(40))
            return false
        }
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        if !nested.isEmpty { nested.removeAll { name.hasPrefix($0) } }
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        return true
    }

    private func note(_ name: String, _ start: Int) {
        if name == wanted { found = Array(bytes[start...]) }
    }

    private func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                bytes += "\\u00".utf8
                bytes += (byte < 16 ? "0" : "").utf8
                bytes += String(byte, radix: 16).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
