// The features of a line of Vowpal Wabbit's text, from the first bar on.
//
// A word is compared with the word that stood in its place in the line before; one that begins alike, name and colon, and
// goes on with a plain number, is done with. All others, namespaces among them, are read byte by byte, and remembered.

import Backprop

/// Reads features, and remembers names by their places.
struct VowpalWabbitFeatures: Sendable {
    private var writer = TermWriter()
    private var places: [Place] = []
    /// Namespaces that came, the newest last: their names are not made text again.
    private var spaces: [TermPrefix] = []
    private static let spaceLimit = 16
    /// Where a line's blanks are.
    private var blanks: [UInt32] = []

    /// The word of the line before in one place: a name of at most seven bytes and its colon.
    private struct Place: Sendable {
        /// The bytes, the first one lowest, and which of eight they are; a mask of 0 stands for no such word.
        var word: UInt64 = 0
        var mask: UInt64 = 0
        /// How many: the value begins behind them.
        var length = 0
        /// The namespace's hash, and the term's.
        var space: UInt64 = 0
        var key: UInt64 = 0
    }

    /// The most words of a line that are remembered.
    private static let placeLimit = 1 << 14

    /// The namespace that words belong to.
    private struct Namespace {
        var prefix = TermPrefix.none
        var weight: Float = 1
        /// Features without a name so far.
        var unnamed = 0
    }

    /// Puts the features from the bar at `start` on into the terms.
    ///
    /// - Throws: ``SampleError``; terms are then put in by half.
    mutating func read(
        _ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>, line: Int, readable: UnsafePointer<UInt8>,
        into terms: inout Terms
    ) throws(SampleError) {
        let length = end - start
        // Each word takes two bytes at least.
        if blanks.count < length / 2 + 1 + CommaScan.slack {
            blanks = Array(repeating: 0, count: length + 2 * CommaScan.slack)
        }
        var blanks: [UInt32] = []
        swap(&blanks, &self.blanks)
        defer { swap(&blanks, &self.blanks) }
        let room = blanks.count - CommaScan.slack - 1
        let found = blanks.withUnsafeMutableBufferPointer { blanks in
            CommaScan.positions(
                start, count: length, readable: readable, into: blanks.baseAddress!, limit: room,
                separator: UInt8(ascii: " "))
        }
        guard found <= room else {
            throw SampleError(line: line, expected: "features with one blank between them", got: "too many blanks")
        }
        blanks[found] = UInt32(truncatingIfNeeded: length)
        if places.count <= found, places.count < Self.placeLimit {
            places += repeatElement(Place(), count: min(found + 1, Self.placeLimit) - places.count)
        }

        var namespace = Namespace()
        var next = 0
        var word = start
        while next <= found {
            // As many as are what they were, and then one that is not.
            next = readKnown(next, start, end, blanks, found, readable, namespace, &word, &terms)
            guard next <= found else { break }
            let wordEnd = start + Int(blanks[next])
            if wordEnd > word { try readSlowly(word, wordEnd, next, line, &namespace, &terms) }
            word = wordEnd + 1
            next += 1
        }
    }

    /// The most words that are read at once.
    private static let blockLength = 64

    /// Reads words while they are those of the line before with other plain values; returns the first that is not.
    @inline(__always)
    private func readKnown(
        _ first: Int, _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ blanks: [UInt32], _ found: Int,
        _ readable: UnsafePointer<UInt8>, _ namespace: Namespace, _ word: inout UnsafePointer<UInt8>,
        _ terms: inout Terms
    ) -> Int {
        let last = min(found, places.count - 1, first + Self.blockLength - 1)
        let used = terms.keys.count
        let most = last - first + 1
        let space = namespace.prefix.hash.value
        guard most > 0, end - readable >= 8, matches(places[first], word, end, space) else { return first }
        terms.keys.append(contentsOf: repeatElement(0, count: most))
        terms.values.append(contentsOf: repeatElement(0, count: most))
        let weight = namespace.weight
        var next = first
        var count = 0
        var cursor = word
        terms.keys.withUnsafeMutableBufferPointer { keys in
            terms.values.withUnsafeMutableBufferPointer { values in
                blanks.withUnsafeBufferPointer { blanks in
                    places.withUnsafeBufferPointer { places in
                        let key = keys.baseAddress! + used
                        let value = values.baseAddress! + used
                        while next <= last {
                            let place = places[next]
                            guard matches(place, cursor, end, space) else { break }
                            let wordEnd = start + Int(blanks[next])
                            guard wordEnd - cursor > place.length else { break }
                            let number = DecimalNumber.cell(cursor + place.length, wordEnd, readable: readable) * weight
                            guard number.isFinite else { break }
                            key[count] = place.key
                            value[count] = number
                            count += number != 0 ? 1 : 0
                            cursor = wordEnd + 1
                            next += 1
                        }
                    }
                }
            }
        }
        terms.keys.removeLast(most - count)
        terms.values.removeLast(most - count)
        word = cursor
        return next
    }

    /// Whether the word begins as the one that stood in this place.
    ///
    /// - Parameter end: the line's; at least eight bytes before it may be read.
    @inline(__always)
    private func matches(
        _ place: Place, _ word: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ space: UInt64
    ) -> Bool {
        let rest = end - word
        guard rest > 0 else { return false }
        let bytes =
            rest >= 8
            ? UnsafeRawPointer(word).loadUnaligned(as: UInt64.self).littleEndian
            : UnsafeRawPointer(end - 8).loadUnaligned(as: UInt64.self).littleEndian >> UInt64(64 - 8 * rest)
        return bytes & place.mask == place.word && place.mask != 0 && place.space == space
    }

    // MARK: Byte by byte

    /// Reads what stands between two blanks: a feature, a namespace, or several of them where bars or other blanks part
    /// them.
    private mutating func readSlowly(
        _ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ index: Int, _ line: Int,
        _ namespace: inout Namespace, _ terms: inout Terms
    ) throws(SampleError) {
        var cursor = start
        while cursor < end {
            if FormatRecognition.isBlank(cursor.pointee) {
                cursor += 1
                continue
            }
            let isSpace = cursor.pointee == UInt8(ascii: "|")
            if isSpace { cursor += 1 }
            let first = cursor
            while cursor < end, cursor.pointee != UInt8(ascii: "|"), !FormatRecognition.isBlank(cursor.pointee) {
                cursor += 1
            }
            let word = UnsafeBufferPointer(start: first, count: cursor - first)
            do throws(SampleError) {
                guard CellValue.isText(word) else {
                    throw SampleError(
                        line: 0, expected: "names in UTF-8 without control characters", got: SampleError.excerpt(word))
                }
                if isSpace {
                    try begin(word, &namespace)
                } else {
                    try readFeature(word, first == start && cursor == end ? index : nil, &namespace, &terms)
                }
            } catch {
                throw SampleError(
                    line: line, column: index + 1, field: error.field, expected: error.expected, got: error.got)
            }
        }
    }

    /// `name:weight`, `name`, or nothing.
    private mutating func begin(
        _ word: UnsafeBufferPointer<UInt8>, _ namespace: inout Namespace
    ) throws(SampleError) {
        let (name, number) = VowpalWabbitFeatures.parts(word)
        namespace = Namespace()
        if let number { namespace.weight = try value(number, of: name) }
        guard !name.isEmpty else { return }
        var hash = FNV1a()
        for byte in name { hash.add(byte) }
        hash.add(UInt8(ascii: "^"))
        if let known = spaces.first(where: { $0.hash.value == hash.value }) {
            namespace.prefix = known
        } else {
            namespace.prefix = TermPrefix(String(decoding: name.prefix(64), as: UTF8.self) + "^", hash: hash)
            if spaces.count == Self.spaceLimit { spaces.removeFirst() }
            spaces.append(namespace.prefix)
        }
    }

    private mutating func readFeature(
        _ word: UnsafeBufferPointer<UInt8>, _ index: Int?, _ namespace: inout Namespace, _ terms: inout Terms
    ) throws(SampleError) {
        let (name, number) = VowpalWabbitFeatures.parts(word)
        let value = try number.map { bytes throws(SampleError) in try self.value(bytes, of: name) } ?? 1
        let product = value * namespace.weight
        guard product.isFinite else {
            throw SampleError(
                line: 0, field: SampleError.excerpt(name),
                expected: "number within ±3.4e38 with its namespace's weight",
                got: SampleError.excerpt(word))
        }
        guard !name.isEmpty else {
            let place = Array("\(namespace.unnamed)".utf8)
            namespace.unnamed += 1
            place.withUnsafeBufferPointer { _ = add($0, product, namespace, &terms) }
            return
        }
        let key = add(name, product, namespace, &terms)
        if let index, index < places.count {
            places[index] = number == nil ? Place() : place(name, key, namespace)
        }
    }

    private func place(_ name: UnsafeBufferPointer<UInt8>, _ key: UInt64, _ namespace: Namespace) -> Place {
        guard name.count < 8 else { return Place() }
        var place = Place(length: name.count + 1, space: namespace.prefix.hash.value, key: key)
        place.word = UInt64(UInt8(ascii: ":")) << UInt64(8 * name.count)
        for (i, byte) in name.enumerated() { place.word |= UInt64(byte) << UInt64(8 * i) }
        place.mask = ~0 >> UInt64(64 - 8 * place.length)
        return place
    }

    private mutating func add(
        _ name: UnsafeBufferPointer<UInt8>, _ value: Float, _ namespace: Namespace, _ terms: inout Terms
    ) -> UInt64 {
        writer.add(namespace.prefix, name, value, to: &terms)
    }

    /// What is in front of the first colon, and what is behind it; nil where there is none.
    private static func parts(
        _ word: UnsafeBufferPointer<UInt8>
    ) -> (name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>?) {
        guard let colon = word.firstIndex(of: UInt8(ascii: ":")) else { return (word, nil) }
        return (
            UnsafeBufferPointer(rebasing: word[..<colon]), UnsafeBufferPointer(rebasing: word[(colon + 1)...])
        )
    }

    private func value(
        _ bytes: UnsafeBufferPointer<UInt8>, of name: UnsafeBufferPointer<UInt8>
    ) throws(SampleError) -> Float {
        let outcome =
            bytes.isEmpty
            ? .failure(DecimalNumber.Failure.notANumber) : DecimalNumber.parse(bytes.baseAddress!, count: bytes.count)
        switch outcome {
        case .success(let value): return value
        case .failure(let failure):
            throw SampleError(
                line: 0, field: SampleError.excerpt(name),
                expected: failure == .outOfRange ? "number within ±3.4e38" : "number behind the colon",
                got: SampleError.excerpt(bytes))
        }
    }
}
