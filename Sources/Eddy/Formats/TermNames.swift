// Which terms a decoder has met, so that each one's name is told once; and cells of text, as terms.

import Backprop

/// A bounded set of keys: open addressing, as the keys are hashes already.
struct KnownKeys: Sendable {
    /// The most that are remembered; what is met afterwards has no name.
    static let limit = 1 << 16

    private var slots: [UInt64] = []
    private var count = 0
    /// 0 marks an empty slot, so the key 0 has a place of its own.
    private var knowsZero = false

    /// Whether the key is met for the first time, and there was room for it.
    @inline(__always)
    mutating func insert(_ key: UInt64) -> Bool {
        if count == KnownKeys.limit { return false }
        if !slots.isEmpty, slots[place(of: key)] == key { return false }
        return insertSlowly(key)
    }

    @inline(__always)
    private func place(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key ^ key >> 32) & UInt64(slots.count &- 1))
    }

    @inline(never)
    private mutating func insertSlowly(_ key: UInt64) -> Bool {
        if key == 0 {
            defer { knowsZero = true }
            return !knowsZero
        }
        if 2 * count >= slots.count { grow() }
        var place = place(of: key)
        while slots[place] != 0 {
            if slots[place] == key { return false }
            place = (place + 1) & (slots.count - 1)
        }
        slots[place] = key
        count += 1
        return true
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: 0, count: max(256, 2 * old.count))
        for key in old where key != 0 {
            var place = place(of: key)
            while slots[place] != 0 { place = (place + 1) & (slots.count - 1) }
            slots[place] = key
        }
    }
}

/// Puts terms into a chunk and tells the names of those that are new.
struct TermWriter: Sendable {
    /// The longest name that is told whole, in bytes.
    private static let longestName = 256

    private var known = KnownKeys()

    /// Tells the name of a key: some text and some bytes.
    private func name(_ key: UInt64, _ beginning: String, _ rest: UnsafeBufferPointer<UInt8>, in terms: inout Terms) {
        let isLong = rest.count > TermWriter.longestName
        let printable = rest.prefix(TermWriter.longestName).map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
        let text = String(decoding: printable, as: UTF8.self) + (isLong ? "…" : "")
        terms.names[key] = beginning + text
    }

    /// Adds a term, unless its value is 0; returns its key.
    @discardableResult
    mutating func add(
        _ prefix: TermPrefix, _ name: UnsafeBufferPointer<UInt8>, _ value: Float, to terms: inout Terms
    ) -> UInt64 {
        var hash = prefix.hash
        for byte in name { hash.add(byte) }
        if known.insert(hash.value) { self.name(hash.value, prefix.text, name, in: &terms) }
        guard value != 0 else { return hash.value }
        terms.keys.append(hash.value)
        terms.values.append(value)
        return hash.value
    }

    // MARK: Text

    /// A longer text is a sentence that hardly ever comes again, and only its words are terms.
    static let longestCategory = 64

    /// The terms of a cell of text: all of it, `column=some words`, and where these are several, each: `column=some`.
    ///
    /// Words are letters and digits (all beyond ASCII counts as such), `_` and `'`; in these A to Z become small.
    ///
    /// - Throws: ``SampleError`` without a line, where it is no text; no terms are then put in.
    mutating func add(
        _ prefix: TermPrefix, text: UnsafeBufferPointer<UInt8>, to terms: inout Terms
    ) throws(SampleError) {
        let text = CellValue.trimmed(text)
        guard !CellValue.isMissing(text) else { return }
        guard CellValue.isText(text) else {
            throw SampleError(
                line: 0, expected: "text in UTF-8 without control characters", got: SampleError.excerpt(text))
        }
        let first = nextWord(text, from: 0)
        let hasWords = first.map { nextWord(text, from: $0.upperBound) != nil } ?? false
        if !hasWords || text.count <= TermWriter.longestCategory { add(prefix, text, 1, to: &terms) }
        guard hasWords else { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count) { lowercased in
            var next = first
            while let word = next {
                for (place, index) in word.enumerated() { lowercased[place] = CellValue.lowercased(text[index]) }
                add(prefix, UnsafeBufferPointer(start: lowercased.baseAddress, count: word.count), 1, to: &terms)
                next = nextWord(text, from: word.upperBound)
            }
        }
    }

    private func nextWord(_ text: UnsafeBufferPointer<UInt8>, from begin: Int) -> Range<Int>? {
        var first = begin
        while first < text.count, !isLetter(text[first]) { first += 1 }
        var end = first
        while end < text.count, isLetter(text[end]) { end += 1 }
        return end > first ? first..<end : nil
    }

    @inline(__always)
    private func isLetter(_ byte: UInt8) -> Bool {
        CellValue.lowercased(byte) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte >= 0x80
            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "'")
    }
}

/// What a term's name begins with, and its hash so far.
struct TermPrefix: Sendable {
    let text: String
    let hash: FNV1a

    init(_ text: String) {
        self.text = text
        var hash = FNV1a()
        for byte in text.utf8 { hash.add(byte) }
        self.hash = hash
    }

    init(_ text: String, hash: FNV1a) { (self.text, self.hash) = (text, hash) }

    static let none = TermPrefix("")
}
