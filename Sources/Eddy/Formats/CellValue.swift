// What a cell of text says: a number, a boolean, a day, nothing, or words.
//
// The first value of a column settles its kind (Schema.Kind); this is where that is decided, for CSV and JSON alike. What
// other programs write for "nothing here" is nothing in every column, and so is never the first value of a kind.
//
// Deliberately no booleans: yes and no, t and f, 0 and 1. Words make two terms, which say as much, and numbers are
// numbers. Deliberately no words: numbers with blanks around them, infinities, and what overflows, as these come of a
// number that went wrong, and would make a column of numbers one of words for ever.

enum CellValue {
    /// An empty cell, `?`, `NA`, `N/A`, `null` or `nan`, in any case.
    @inline(__always)
    static func isMissing(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        cell.isEmpty || (cell.count <= 4 && isMark(cell))
    }

    private static let missingMarks = ["?", "na", "n/a", "null", "nan"].map { Array($0.utf8) }

    private static func isMark(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        missingMarks.contains { isWord(cell, $0) }
    }

    /// Whether the cell is this word, which is in small letters, in any case.
    private static func isWord(_ cell: UnsafeBufferPointer<UInt8>, _ word: some Collection<UInt8>) -> Bool {
        cell.count == word.count && zip(cell, word).allSatisfy { byte, letter in lowercased(byte) == letter }
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte }

    /// 1 for `true` and 0 for `false`, in any case; nil for everything else.
    static func boolean(_ cell: UnsafeBufferPointer<UInt8>) -> Float? {
        if isWord(cell, "true".utf8) { return 1 }
        return isWord(cell, "false".utf8) ? 0 : nil
    }

    /// A number, −0 as 0, or a boolean.
    ///
    /// - Throws: ``SampleError`` without a line.
    static func number(_ cell: UnsafeBufferPointer<UInt8>) throws(SampleError) -> Float {
        switch cell.isEmpty ? .failure(.notANumber) : DecimalNumber.parse(cell.baseAddress!, count: cell.count) {
        case .success(let value): return value + 0
        case .failure(.outOfRange):
            throw SampleError(line: 0, expected: "number within ±3.4e38", got: SampleError.excerpt(cell))
        case .failure(.notANumber):
            if let value = boolean(cell) { return value }
            let isBlank = isBlank(cell.first) || isBlank(cell.last)
            throw SampleError(
                line: 0, expected: isBlank ? "number without blanks" : "number", got: SampleError.excerpt(cell))
        }
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// Whether the bytes are text: UTF-8, and no control characters but tabs and, in JSON, ends of lines.
    static func isText(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var all: UInt8 = 0
        for byte in bytes {
            if byte < 0x20 ? byte != 0x09 && byte != 0x0A && byte != 0x0D : byte == 0x7F { return false }
            all |= byte
        }
        return all < 0x80 || String(validating: bytes, as: UTF8.self) != nil
    }

    static func trimmed(_ cell: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        var (first, last) = (0, cell.count)
        while first < last, isBlank(cell[first]) { first += 1 }
        while last > first, isBlank(cell[last - 1]) { last -= 1 }
        return UnsafeBufferPointer(rebasing: cell[first..<last])
    }

    /// The kind of a column whose first value this is.
    static func kind(_ cell: UnsafeBufferPointer<UInt8>) -> Schema.Kind {
        let cell = trimmed(cell)
        guard let start = cell.baseAddress, !isMissing(cell) else { return .open }
        if case .failure(.notANumber) = DecimalNumber.parse(start, count: cell.count) {
            if boolean(cell) != nil || isInfinity(cell) { return .number }
            return wordKind(cell)
        }
        return .number
    }

    /// The same where the value is known to be text, as a JSON string is.
    static func wordKind(_ cell: UnsafeBufferPointer<UInt8>) -> Schema.Kind {
        if isMissing(cell) { return .open }
        return DateTime(cell).map { $0.second == nil ? .date : .time } ?? .text
    }

    /// Whether a cell of a first line shows that the line is no header: a number, a day or a boolean.
    static func isValue(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let start = cell.baseAddress, !cell.isEmpty else { return false }
        if case .failure(.notANumber) = DecimalNumber.parse(start, count: cell.count) {
            return boolean(cell) != nil || DateTime(cell) != nil
        }
        return true
    }

    private static func isInfinity(_ cell: UnsafeBufferPointer<UInt8>) -> Bool {
        let hasSign = cell[0] == UInt8(ascii: "-") || cell[0] == UInt8(ascii: "+")
        let bare = UnsafeBufferPointer(rebasing: cell.dropFirst(hasSign ? 1 : 0))
        return isWord(bare, "inf".utf8) || isWord(bare, "infinity".utf8) || (hasSign && isWord(bare, "nan".utf8))
    }
}
