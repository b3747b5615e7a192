// Labels from their bytes, without allocating for a class that was seen before.

/// Reads label cells. A number is a number; anything else is the name of a class.
struct LabelReader: Sendable {
    /// The longest class name, in bytes.
    static let longest = 256

    /// Names seen before: the long ones in the order of their coming, the short ones by a hash of their bytes.
    private var recent: [(bytes: [UInt8], label: Label)] = []
    private var short: [(name: ShortName, label: Label)] = []

    /// All bytes of a name of at most 16: its first eight and its last eight, overlapping, or fewer in one word.
    private struct ShortName: Equatable {
        static let longest = 16
        static let slots = 64
        var first: UInt64 = 0
        var last: UInt64 = 0
        var count = 0  // 0 is nobody's: an empty cell is no name

        init() {}

        @inline(__always)
        init(_ bytes: UnsafeBufferPointer<UInt8>) {
            count = bytes.count
            if count >= 8 {
                let start = UnsafeRawPointer(bytes.baseAddress!)
                first = start.loadUnaligned(as: UInt64.self)
                last = start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            } else {
                for byte in bytes { first = first << 8 | UInt64(byte) }
            }
        }

        /// Multiplicative hashing, into the table of `slots`.
        var slot: Int { Int(((first ^ last &* 31) &* 0x9E37_79B9_7F4A_7C15) >> 58) }
    }

    /// - Throws: ``SampleError``, its line and column still to be filled in, for a name that cannot be one.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(SampleError) -> Label {
        guard !bytes.isEmpty else { return .none }
        if isNumeric(bytes[0]) {
            switch DecimalNumber.parse(bytes.baseAddress!, count: bytes.count) {
            case .success(let value): return .number(value + 0)  // −0 becomes 0
            case .failure(.outOfRange): throw wrong(bytes, expected: "a number within ±3.4e38")
            case .failure(.notANumber): break
            }
        }
        return try readName(bytes)
    }

    /// The label as a class's name, even where it is a number in quotes.
    mutating func readName(_ bytes: UnsafeBufferPointer<UInt8>) throws(SampleError) -> Label {
        if bytes.count <= ShortName.longest {
            let name = ShortName(bytes)
            let slot = name.slot
            if !short.isEmpty, short[slot].name == name { return short[slot].label }
            let label = try readNewName(bytes)
            if short.isEmpty { short = Array(repeating: (ShortName(), .none), count: ShortName.slots) }
            short[slot] = (name, label)
            return label
        }
        for entry in recent where entry.bytes.elementsEqual(bytes) { return entry.label }
        let label = try readNewName(bytes)
        if recent.count == 64 { recent.removeFirst(32) }
        recent.append((Array(bytes), label))
        return label
    }

    private func readNewName(_ bytes: UnsafeBufferPointer<UInt8>) throws(SampleError) -> Label {
        let expected = "a number or a class name"
        guard bytes.count <= LabelReader.longest else {
            throw wrong(bytes, expected: expected + " of at most \(LabelReader.longest) bytes")
        }
        guard let name = String(validating: bytes, as: UTF8.self),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw wrong(bytes, expected: expected + " in UTF-8") }
        guard !LabelReader.isNotFinite(name) else {
            throw wrong(bytes, expected: expected + ", or nothing for no label")
        }
        guard name.first != " ", name.last != " " else {
            throw wrong(bytes, expected: expected + " without blanks around it")
        }
        return .text(name)
    }

    private func wrong(_ bytes: UnsafeBufferPointer<UInt8>, expected: String) -> SampleError {
        SampleError(line: 0, field: "label", expected: expected, got: SampleError.excerpt(bytes))
    }

    private func isNumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")
            || byte == UInt8(ascii: ".")
    }

    /// What other programs write for a number that is none: not a class by that name.
    private static func isNotFinite(_ name: String) -> Bool {
        let bare = name.lowercased().drop { $0 == "-" || $0 == "+" }
        return ["nan", "inf", "infinity"].contains(String(bare))
    }
}

extension Label {
    /// A label as the formats read it: a decimal number, else the name of a class; none where the text is empty.
    ///
    ///     try Label(parsing: "setosa")  // .text("setosa")
    ///
    /// - Throws: ``SampleError`` for a name that cannot be one.
    public init(parsing text: String) throws(SampleError) {
        var reader = LabelReader()
        let bytes = Array(text.utf8)
        self = try bytes.withUnsafeBufferPointer { bytes throws(SampleError) in try reader.read(bytes) }
    }
}

extension Sample {
    /// A feature as the formats read it: a decimal number and nothing else; nil for other text.
    ///
    ///     Sample.feature(parsing: "-1.5e3")  // -1500
    public static func feature(parsing text: String) -> Float? {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return nil }
            return try? DecimalNumber.parse(start, count: bytes.count).get()
        }
    }
}
