// A scanner over one line of JSON (RFC 8259), in place.
//
// It reads what samples are made of (numbers, strings, flat objects and arrays) and skips the
// rest, to a depth of 32. Foundation's decoder would allocate a tree a line.

/// The names of a schema's inputs as they stand in most lines: in quotes, one after another.
struct JSONKeys: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each ends in `bytes`. From the first name on that JSON may or must escape there are none.
    private(set) var ends: [Int] = []

    init(_ names: [String] = []) {
        for name in names {
            guard !name.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
            else {
                return
            }
            bytes += Array("\"\(name)\"".utf8)
            ends.append(bytes.count)
        }
    }
}

/// A cursor in one line.
struct JSONScanner {
    private let start: UnsafePointer<UInt8>
    private var cursor: UnsafePointer<UInt8>
    private let limit: UnsafePointer<UInt8>
    private let line: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, line: Int) {
        start = bytes.baseAddress!
        cursor = start
        limit = start + bytes.count
        self.line = line
    }

    /// The next byte that is not blank, or nil at the end.
    @inline(__always)
    mutating func peek() -> UInt8? {
        while cursor < limit, cursor.pointee == UInt8(ascii: " ") || cursor.pointee == UInt8(ascii: "\t") {
            cursor += 1
        }
        return cursor < limit ? cursor.pointee : nil
    }

    /// The cursor's place in the line, from 1.
    var column: Int { cursor - start + 1 }

    /// An error at the cursor, whose column is the byte in the line.
    func error(field: String? = nil, expected: String, got: String? = nil) -> SampleError {
        let rest = UnsafeBufferPointer(start: cursor, count: limit - cursor)
        return SampleError(
            line: line, column: column, field: field, expected: expected,
            got: got ?? (rest.isEmpty ? "the end of the line" : SampleError.excerpt(rest)))
    }

    @inline(__always)
    private mutating func take(_ character: Unicode.Scalar, expected: String) throws(SampleError) {
        guard peek() == UInt8(ascii: character) else { throw error(expected: expected) }
        cursor += 1
    }

    /// Nothing but blanks until the end of the line.
    mutating func end() throws(SampleError) {
        if peek() != nil { throw error(expected: "the end of the line") }
    }

    // MARK: Containers

    /// Calls `member` with each key, the cursor at its value.
    ///
    /// - Parameter isBegun: whether members were read already, so that the cursor is behind a value.
    @inline(__always)
    mutating func object(
        isBegun: Bool = false, _ member: (UnsafeBufferPointer<UInt8>, inout JSONScanner) throws(SampleError) -> Void
    ) throws(SampleError) {
        if !isBegun { try take("{", expected: "an object") }
        if peek() == UInt8(ascii: "}") {
            cursor += 1
            return
        }
        if isBegun { try take(",", expected: "a comma or }") }
        while true {
            guard peek() == UInt8(ascii: "\"") else { throw error(expected: "a name in quotes") }
            let key = try string()
            try take(":", expected: "a colon")
            try key.withBytes { bytes throws(SampleError) in try member(bytes, &self) }
            if peek() == UInt8(ascii: "}") {
                cursor += 1
                return
            }
            try take(",", expected: "a comma or }")
        }
    }

    /// Calls `element` with the cursor at each value.
    @inline(__always)
    mutating func array(
        isBegun: Bool = false, _ element: (inout JSONScanner) throws(SampleError) -> Void
    ) throws(SampleError) {
        if !isBegun { try take("[", expected: "an array") }
        if peek() == UInt8(ascii: "]") {
            cursor += 1
            return
        }
        if isBegun { try take(",", expected: "a comma or ]") }
        while true {
            try element(&self)
            if peek() == UInt8(ascii: "]") {
                cursor += 1
                return
            }
            try take(",", expected: "a comma or ]")
        }
    }

    /// Reads an object's first members, as long as they are `keys`, in this order, and plain numbers; returns how many.
    ///
    /// The cursor is then behind the last one's value, or where it was. What is wrong with the next is for `object` to
    /// say.
    ///
    /// - Parameter row: room for `keys.count` values.
    mutating func plainMembers(_ keys: JSONKeys, into row: UnsafeMutablePointer<Float>) -> Int {
        guard peek() == UInt8(ascii: "{") else { return 0 }
        return keys.bytes.withUnsafeBufferPointer { text in
            var ahead = self
            var begin = 0
            for (index, end) in keys.ends.enumerated() {
                ahead.cursor += 1  // the brace, or a comma
                guard ahead.peek() == UInt8(ascii: "\""), ahead.limit - ahead.cursor > end - begin,
                    memcmp(ahead.cursor, text.baseAddress! + begin, end - begin) == 0
                else { return index }
                ahead.cursor += end - begin
                begin = end
                guard ahead.peek() == UInt8(ascii: ":") else { return index }
                ahead.cursor += 1
                guard let value = ahead.plainNumber() else { return index }
                row[index] = value
                self = ahead
                guard ahead.peek() == UInt8(ascii: ",") else { return index + 1 }
            }
            return keys.ends.count
        }
    }

    /// The same for an array's first elements, `count` at most.
    mutating func plainElements(_ count: Int, into row: UnsafeMutablePointer<Float>) -> Int {
        guard peek() == UInt8(ascii: "[") else { return 0 }
        var ahead = self
        for index in 0..<count {
            ahead.cursor += 1  // the bracket, or a comma
            guard let value = ahead.plainNumber() else { return index }
            row[index] = value
            self = ahead
            guard ahead.peek() == UInt8(ascii: ",") else { return index + 1 }
        }
        return count
    }

    /// A number as JSON writes it, −0 as 0; nil, and the cursor anywhere, where there is none.
    @inline(__always)
    private mutating func plainNumber() -> Float? {
        guard let first = peek() else { return nil }
        let begin = cursor
        let digits = begin + (first == UInt8(ascii: "-") ? 1 : 0)
        guard case .success(let value) = DecimalNumber.scan(&cursor, end: limit) else { return nil }
        // Of what a scan takes, d.d… needs no second look.
        func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
        guard
            (cursor - digits > 2 && digits[1] == UInt8(ascii: ".") && isDigit(digits[0]) && isDigit(digits[2]))
                || DecimalNumber.isJSONNumber(begin, count: cursor - begin)
        else { return nil }
        return value + 0
    }

    /// How many values the array at the cursor has; the cursor stays.
    func countArray() -> Int {
        var ahead = self
        var count = 0
        do throws(SampleError) {
            try ahead.array { scanner throws(SampleError) in
                try scanner.skipValue()
                count += 1
            }
        } catch {}  // what is wrong is said when it is read
        return count
    }

    // MARK: Values

    /// A finite number; −0 becomes 0.
    @inline(__always)
    mutating func number(field: String?) throws(SampleError) -> Float {
        guard let first = peek() else { throw error(field: field, expected: "number") }
        let begin = cursor
        guard first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            throw error(field: field, expected: "number")
        }
        switch DecimalNumber.scan(&cursor, end: limit) {
        case .success(let value):
            guard DecimalNumber.isJSONNumber(begin, count: cursor - begin) else {
                cursor = begin
                throw error(field: field, expected: "a number as JSON writes it")
            }
            return value + 0
        case .failure(.outOfRange):
            cursor = begin
            throw error(field: field, expected: "number within ±3.4e38")
        case .failure(.notANumber): throw error(field: field, expected: "number")
        }
    }

    /// The bytes of a string, unescaped; in place where nothing was escaped.
    mutating func string() throws(SampleError) -> TextCell {
        try take("\"", expected: "a string")
        let begin = cursor
        while cursor < limit, cursor.pointee != UInt8(ascii: "\""), cursor.pointee != UInt8(ascii: "\\"),
            cursor.pointee >= 0x20
        {
            cursor += 1
        }
        guard cursor < limit else { throw error(expected: "a closing quote") }
        if cursor.pointee == UInt8(ascii: "\"") {
            let bytes = UnsafeBufferPointer(start: begin, count: cursor - begin)
            cursor += 1
            return .plain(bytes)
        }
        cursor = begin
        return .unquoted(try unescaped())
    }

    private mutating func unescaped() throws(SampleError) -> [UInt8] {
        var bytes: [UInt8] = []
        while cursor < limit {
            let byte = cursor.pointee
            cursor += 1
            switch byte {
            case UInt8(ascii: "\""): return bytes
            case UInt8(ascii: "\\"): try escape(&bytes)
            case 0..<0x20: throw error(expected: "control characters to be escaped")
            default: bytes.append(byte)
            }
        }
        throw error(expected: "a closing quote")
    }

    private mutating func escape(_ bytes: inout [UInt8]) throws(SampleError) {
        guard cursor < limit else { throw error(expected: "a closing quote") }
        let byte = cursor.pointee
        cursor += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexadecimal())
            if (0xD800..<0xDC00).contains(code), limit - cursor > 1, cursor[0] == UInt8(ascii: "\\"),
                cursor[1] == UInt8(ascii: "u")
            {
                cursor += 2
                let low = UInt32(try hexadecimal())
                guard (0xDC00..<0xE000).contains(low) else { throw error(expected: "a pair of surrogates") }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error(expected: "a pair of surrogates") }
            bytes.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw error(expected: "an escape that JSON knows")
        }
    }

    private mutating func hexadecimal() throws(SampleError) -> UInt16 {
        var code: UInt16 = 0
        for place in 0..<4 {
            guard cursor + place < limit, let digit = Character(Unicode.Scalar(cursor[place])).hexDigitValue else {
                throw error(expected: "four hexadecimal digits")
            }
            code = code << 4 | UInt16(digit)
        }
        cursor += 4
        return code
    }

    /// The longest id, in bytes.
    private static let longestIdentifier = 256

    /// A string or number that names the sample, as text.
    mutating func identifier() throws(SampleError) -> String? {
        switch peek() {
        case UInt8(ascii: "\""):
            guard let text = try string().text, text.utf8.count <= JSONScanner.longestIdentifier else {
                throw error(field: "id", expected: "an id of at most \(JSONScanner.longestIdentifier) bytes in UTF-8")
            }
            return text
        case UInt8(ascii: "n"): return try literal("null", nil, field: "id")
        default:
            let begin = cursor
            _ = try number(field: "id")
            guard cursor - begin <= JSONScanner.longestIdentifier else {
                throw error(field: "id", expected: "an id of at most \(JSONScanner.longestIdentifier) bytes")
            }
            return String(decoding: UnsafeBufferPointer(start: begin, count: cursor - begin), as: UTF8.self)
        }
    }

    /// The bytes of the value at the cursor, as far as it is a number or a bare word; the cursor stays.
    mutating func word() -> UnsafeBufferPointer<UInt8> {
        _ = peek()
        var end = cursor
        while end < limit, !",]} \t".utf8.contains(end.pointee) { end += 1 }
        return UnsafeBufferPointer(start: cursor, count: end - cursor)
    }

    /// Whether the value is `null`, or `NaN` as Python writes it; it is then passed over.
    mutating func isMissing() throws(SampleError) -> Bool {
        switch peek() {
        case UInt8(ascii: "n"): try literal("null", true)
        case UInt8(ascii: "N"): try literal("NaN", true, expected: "number")
        default: false
        }
    }

    /// `word`, and what it means.
    mutating func literal<Value>(
        _ word: String, _ value: Value, field: String? = nil, expected: String? = nil
    ) throws(SampleError) -> Value {
        _ = peek()
        guard limit - cursor >= word.utf8.count,
            UnsafeBufferPointer(start: cursor, count: word.utf8.count).elementsEqual(word.utf8)
        else { throw error(field: field, expected: expected ?? word) }
        cursor += word.utf8.count
        return value
    }

    /// Any value, checked for form and dropped.
    mutating func skipValue(depth: Int = 0) throws(SampleError) {
        guard depth < 32 else { throw error(expected: "values nested at most 32 deep", got: "deeper ones") }
        switch peek() {
        case UInt8(ascii: "{"): try object { _, scanner throws(SampleError) in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["): try array { scanner throws(SampleError) in try scanner.skipValue(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true", ())
        case UInt8(ascii: "f"): try literal("false", ())
        case UInt8(ascii: "n"): try literal("null", ())
        default: _ = try number(field: nil)
        }
    }
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
