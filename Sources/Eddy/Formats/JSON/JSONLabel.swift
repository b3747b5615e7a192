// A JSON line's label, as it is written: one, or those of several outputs as an array or by name.
//
//     "label": "yes"      "label": [1.5, "red"]      "label": {"price": 1.5, "kind": "red"}
//
// What the first labelled line has decides how many outputs there are and what they are called. Later lines may name
// fewer (what is absent or null is only predicted) and in any order.

/// What stands where a label is expected.
struct JSONLabel {
    private enum Shape { case absent, one, array, object }

    private var shape = Shape.absent
    /// The first label, or the only one.
    private(set) var first = Label.none
    /// Of several, all. Shape: (labels).
    private var values: [Label] = []
    /// Of labels by name, in the same order.
    private var names: [String] = []
    /// Where it stands in its line.
    private var column: Int?

    init() {}

    init(_ label: Label, column: Int) { (shape, first, self.column) = (.one, label, column) }

    init(array: [Label], column: Int) {
        (shape, first, values, self.column) = (.array, array.first ?? .none, array, column)
    }

    var isGiven: Bool { shape != .absent }
    /// Whether there is one label and not several, or none.
    var isAlone: Bool { shape == .one || shape == .absent }
    /// Whether nothing was said but null.
    var isEmpty: Bool { first == .none && values.allSatisfy { $0 == .none } }
    /// All labels, at least one.
    var all: [Label] { values.isEmpty ? [first] : values }

    /// Takes in a label by name.
    mutating func add(_ label: Label, _ name: String, _ scanner: JSONScanner) throws(SampleError) {
        guard shape == .absent || shape == .object, !names.contains(name) else {
            throw scanner.error(field: "label", expected: "each label once", got: "\(name) a second time")
        }
        guard names.count < SampleChunk.outputLimit else { throw JSONLabel.tooMany(scanner) }
        if values.isEmpty { first = label }
        shape = .object
        column = scanner.column
        values.append(label)
        names.append(name)
    }

    static func tooMany(_ scanner: JSONScanner) -> SampleError {
        scanner.error(field: "label", expected: "at most \(SampleChunk.outputLimit) labels", got: "more")
    }

    /// The names that a session's first labels give to its outputs.
    func proposal(_ line: Int) throws(SampleError) -> [String] {
        switch shape {
        case .absent, .one: return ["label"]
        case .array, .object:
            guard values.count > 1 else {
                throw wrong(line, expected: "a label, or at least two of them", got: "\(values.count)")
            }
            return shape == .object ? names : Schema.outputNames(values.count)
        }
    }

    /// The labels in the order of the outputs.
    ///
    /// - Throws: ``SampleError`` where they are others.
    func values(of outputs: [String], line: Int) throws(SampleError) -> [Label] {
        let expected =
            outputs.count == 1 ? "one label" : "\(outputs.count) labels: \(outputs.joined(separator: ", "))"
        switch shape {
        case .absent, .one:
            guard outputs.count == 1 else {
                throw wrong(line, expected: expected, got: "one")
            }
            return [first]
        case .array:
            guard outputs.count == values.count else {
                throw wrong(line, expected: expected, got: "\(values.count)")
            }
            return values
        case .object:
            var placed = Array(repeating: Label.none, count: outputs.count)
            for (name, value) in zip(names, values) {
                guard outputs.count > 1, let output = outputs.firstIndex(of: name) else {
                    throw wrong(line, expected: expected, got: name)
                }
                placed[output] = value
            }
            return placed
        }
    }

    private func wrong(_ line: Int, expected: String, got: String) -> SampleError {
        SampleError(line: line, column: column, field: "label", expected: expected, got: got)
    }
}

extension JSONLinesReader {
    /// Reads what stands under `label`.
    mutating func readLabels(_ scanner: inout JSONScanner) throws(SampleError) -> JSONLabel {
        let first = scanner.peek()
        let column = scanner.column
        switch first {
        case UInt8(ascii: "["):
            var values: [Label] = []
            try scanner.array { scanner throws(SampleError) in
                guard values.count < SampleChunk.outputLimit else { throw JSONLabel.tooMany(scanner) }
                values.append(try readLabel(&scanner))
            }
            return JSONLabel(array: values, column: column)
        case UInt8(ascii: "{"):
            var labels = JSONLabel()
            try scanner.object { key, scanner throws(SampleError) in
                guard let name = String(validating: key, as: UTF8.self), !name.isEmpty, name.utf8.count <= 256,
                    !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
                else {
                    throw scanner.error(
                        field: "label", expected: "names of outputs in UTF-8", got: SampleError.excerpt(key))
                }
                try labels.add(try readLabel(&scanner), name, scanner)
            }
            guard labels.isGiven else { throw scanner.error(field: "label", expected: "a label", got: "none") }
            return labels
        default: return JSONLabel(try readLabel(&scanner), column: column)
        }
    }
}

extension JSONLinesReader {
    /// What one line holds beside its features, before it is known to be whole.
    struct Row {
        /// Columns and terms that the line names, be it as missing.
        var features = 0
        var label = JSONLabel()
        var weight: Float?
        var id: String?
        /// Which columns came, where that cannot be seen from the row.
        var seen: Set<Int> = []
    }

    mutating func readLabel(_ scanner: inout JSONScanner) throws(SampleError) -> Label {
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            let text = try scanner.string()
            do throws(SampleError) {
                return try text.withBytes { bytes throws(SampleError) in
                    bytes.isEmpty ? .none : try labels.readName(bytes)
                }
            } catch {
                throw scanner.error(field: "label", expected: error.expected, got: error.got)
            }
        case UInt8(ascii: "t"): return try scanner.literal("true", .text("true"), field: "label")
        case UInt8(ascii: "f"): return try scanner.literal("false", .text("false"), field: "label")
        case UInt8(ascii: "n"): return try scanner.literal("null", .none, field: "label")
        default: return .number(try scanner.number(field: "label"))
        }
    }
}
