// The cells of a CSV line (RFC 4180): quoted where they hold commas or quotes, with blanks around them or not.

/// One cell: bytes in place, or a copy where quotes had to be taken out.
enum TextCell {
    case plain(UnsafeBufferPointer<UInt8>)
    case unquoted([UInt8])

    func withBytes<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(SampleError) -> Result
    ) throws(SampleError) -> Result {
        switch self {
        case .plain(let bytes): return try body(bytes)
        case .unquoted(let bytes):
            return try bytes.withUnsafeBufferPointer { bytes throws(SampleError) in try body(bytes) }
        }
    }

    var text: String? {
        switch self {
        case .plain(let bytes): String(validating: bytes, as: UTF8.self)
        case .unquoted(let bytes): String(validating: bytes, as: UTF8.self)
        }
    }

    /// What no header has: a number, a day, a boolean.
    var isValue: Bool { (try? withBytes { CellValue.isValue($0) }) ?? false }

    /// The kind of a column whose first value this is.
    var kind: Schema.Kind { (try? withBytes { CellValue.kind($0) }) ?? .number }

    var isMissing: Bool { (try? withBytes { CellValue.isMissing($0) }) ?? false }
}

enum TextCells {
    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")

    /// The cell at the cursor, without blanks around it; the cursor moves to the comma after it or to the end.
    static func next(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, line: Int, column: Int
    ) throws(SampleError) -> TextCell {
        while cursor < end, CellValue.isBlank(cursor.pointee) { cursor += 1 }
        let start = cursor
        guard cursor < end, cursor.pointee == quote else {
            while cursor < end, cursor.pointee != comma { cursor += 1 }
            return .plain(CellValue.trimmed(UnsafeBufferPointer(start: start, count: cursor - start)))
        }
        cursor += 1
        var bytes: [UInt8] = []
        while cursor < end {
            if cursor.pointee != quote {
                bytes.append(cursor.pointee)
                cursor += 1
            } else if cursor + 1 < end, cursor[1] == quote {
                bytes.append(quote)
                cursor += 2
            } else {
                cursor += 1
                while cursor < end, CellValue.isBlank(cursor.pointee) { cursor += 1 }
                guard cursor == end || cursor.pointee == comma else {
                    throw SampleError(
                        line: line, column: column, expected: "a comma after the closing quote",
                        got: SampleError.excerpt(UnsafeBufferPointer(start: start, count: end - start)))
                }
                return .unquoted(bytes)
            }
        }
        throw SampleError(
            line: line, column: column, expected: "a closing quote before the end of the line",
            got: SampleError.excerpt(UnsafeBufferPointer(start: start, count: end - start)))
    }

    static func split(_ line: UnsafeBufferPointer<UInt8>, line number: Int) throws(SampleError) -> [TextCell] {
        guard var cursor = line.baseAddress else { return [] }
        let end = cursor + line.count
        var cells: [TextCell] = []
        while true {
            cells.append(try next(&cursor, end, line: number, column: cells.count + 1))
            if cursor == end { return cells }
            cursor += 1
        }
    }
}
