// JSON lines: one object or array a line, one sample each.
//
//     {"age": 41, "height": 1.8, "label": "yes"}                  named features
//     {"features": [41, 1.8], "label": "yes", "weight": 2, "id": "a7"}
//     {"features": {"age": 41, "height": 1.8}, "label": "yes"}
//     [41, 1.8, "yes"]                                             as a CSV line, label last
//
// A sample's values are flat, so this reads them where they stand (JSONScanner.swift), without
// building a tree. The first valid sample's names, in its order, are the schema; later samples may
// name them in any order, and what the schema does not know is ignored.

/// Reads JSON lines of one connection.
struct JSONLinesReader: Sendable {
    private let label: LabelColumn
    private var labels = LabelReader()
    private var schema: Schema?
    private var names: [[UInt8]] = []
    private var keys = JSONKeys()

    init(label: LabelColumn) { self.label = label }

    /// What one line holds, before it is known to be whole.
    private struct Row {
        var features: [(name: [UInt8]?, value: Float)] = []
        var names: Set<String> = []
        var hasFeatures = false
        var label: Label = .none
        var labelName: String?
        var weight: Float?
        var id: String?
    }

    /// Appends the line's sample; always true.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: SchemaClaim
    ) throws(SampleError) -> Bool {
        if schema == nil, let claimed = claim.current { adopt(claimed) }
        var scanner = JSONScanner(line, line: number)
        var reader = self
        if let schema, chunk.inputs != schema.inputs.count { chunk = SampleChunk(inputs: schema.inputs.count) }
        let base = chunk.features.count
        do throws(SampleError) {
            if let schema {
                chunk.features.append(contentsOf: repeatElement(.nan, count: schema.inputs.count))
                let row = try reader.readKnown(&scanner, schema, base, &chunk)
                labels = reader.labels
                chunk.finish(label: row.label, weight: row.weight ?? 1, id: row.id)
            } else {
                let row = try reader.readFirst(&scanner)
                labels = reader.labels
                let proposal =
                    if row.features.allSatisfy({ $0.name != nil }) {
                        Schema(
                            names: row.features.map { String(decoding: $0.name!, as: UTF8.self) }, label: row.labelName)
                    } else {
                        Schema(inputs: row.features.count)
                    }
                let claimed = claim.claim(proposal)
                adopt(claimed)
                if claimed != proposal { return try read(line, line: number, into: &chunk, claim: claim) }
                chunk = SampleChunk(inputs: claimed.inputs.count)
                chunk.features = row.features.map(\.value)
                chunk.finish(label: row.label, weight: row.weight ?? 1, id: row.id)
            }
        } catch {
            chunk.features.removeLast(chunk.features.count - min(base, chunk.features.count))
            throw error
        }
        return true
    }

    private mutating func adopt(_ claimed: Schema) {
        schema = claimed
        names = claimed.inputs.map { Array($0.utf8) }
        keys = JSONKeys(claimed.inputs)
    }

    // MARK: A line whose schema is known

    private mutating func readKnown(
        _ scanner: inout JSONScanner, _ schema: Schema, _ base: Int, _ chunk: inout SampleChunk
    ) throws(SampleError) -> Row {
        var row = Row()
        let inputs = schema.inputs.count
        if scanner.peek() == UInt8(ascii: "[") {
            try readArray(&scanner, inputs, base, &chunk, &row, withLabel: true)
        } else {
            // The input that comes next where the order is the schema's.
            var next = chunk.features.withUnsafeMutableBufferPointer { features in
                scanner.plainMembers(keys, into: features.baseAddress! + base)
            }
            try scanner.object(isBegun: next > 0) { key, scanner throws(SampleError) in
                var input: Int?
                if next < inputs, key.elementsEqual(names[next]) {
                    input = next
                } else if !isReserved(key) || names.contains(where: { key.elementsEqual($0) }) {
                    input = names.firstIndex { key.elementsEqual($0) }
                }
                if let input {
                    let value = try scanner.number(field: schema.inputs[input])
                    guard chunk.features[base + input].isNaN else {
                        throw scanner.error(expected: "each feature once", got: "\(schema.inputs[input]) a second time")
                    }
                    chunk.features[base + input] = value
                    next = input + 1
                } else if key.elementsEqual("features".utf8) {
                    try readFeatures(&scanner, inputs, base, &chunk)
                } else if !(try readReserved(key, &scanner, &row)) {
                    try scanner.skipValue()
                }
            }
        }
        try scanner.end()
        for input in 0..<inputs where chunk.features[base + input].isNaN {
            throw scanner.error(
                field: schema.inputs[input], expected: "a number for each of \(inputs) features",
                got: "none for this one")
        }
        return row
    }

    /// `"features": […]` or `"features": {…}`.
    private func readFeatures(
        _ scanner: inout JSONScanner, _ inputs: Int, _ base: Int, _ chunk: inout SampleChunk
    ) throws(SampleError) {
        if scanner.peek() == UInt8(ascii: "[") {
            var unused = Row()
            var reader = self
            try reader.readArray(&scanner, inputs, base, &chunk, &unused, withLabel: false)
        } else {
            try scanner.object { key, scanner throws(SampleError) in
                guard let input = names.firstIndex(where: { key.elementsEqual($0) }) else {
                    return try scanner.skipValue()
                }
                guard chunk.features[base + input].isNaN else {
                    throw scanner.error(expected: "each feature once", got: "one a second time")
                }
                chunk.features[base + input] = try scanner.number(field: schema?.inputs[input])
            }
        }
    }

    private mutating func readArray(
        _ scanner: inout JSONScanner, _ inputs: Int, _ base: Int, _ chunk: inout SampleChunk, _ row: inout Row,
        withLabel: Bool
    ) throws(SampleError) {
        var count = 0
        if withLabel || chunk.features[base...].allSatisfy(\.isNaN) {
            count = chunk.features.withUnsafeMutableBufferPointer { features in
                scanner.plainElements(inputs, into: features.baseAddress! + base)
            }
        }
        try scanner.array(isBegun: count > 0) { scanner throws(SampleError) in
            if count < inputs {
                guard chunk.features[base + count].isNaN else {
                    throw scanner.error(expected: "each feature once", got: "one a second time")
                }
                chunk.features[base + count] = try scanner.number(field: schema?.inputs[count])
            } else if withLabel, count == inputs {
                row.label = try readLabel(&scanner)
            } else {
                throw scanner.error(
                    expected: withLabel ? "\(inputs) features and a label" : "\(inputs) features", got: "more values")
            }
            count += 1
        }
        guard count >= inputs else {
            throw scanner.error(
                expected: withLabel ? "\(inputs) features and a label" : "\(inputs) features", got: "\(count) values")
        }
    }

    // MARK: The first line

    private mutating func readFirst(_ scanner: inout JSONScanner) throws(SampleError) -> Row {
        var row = Row()
        if scanner.peek() == UInt8(ascii: "[") {
            // An array without a schema: all but the last are features, the last is the label.
            var count = 0
            let values = scanner.countArray()
            try scanner.array { scanner throws(SampleError) in
                count += 1
                if count == values {
                    row.label = try readLabel(&scanner)
                } else {
                    row.features.append((nil, try scanner.number(field: "x\(count - 1)")))
                }
            }
        } else {
            try scanner.object { key, scanner throws(SampleError) in
                if key.elementsEqual("features".utf8) {
                    guard !row.hasFeatures else {
                        throw scanner.error(expected: "features in one place", got: "a second")
                    }
                    row.hasFeatures = true
                    if scanner.peek() == UInt8(ascii: "[") {
                        try scanner.array { scanner throws(SampleError) in
                            row.features.append((nil, try scanner.number(field: "x\(row.features.count)")))
                        }
                    } else {
                        try scanner.object { key, scanner throws(SampleError) in
                            try JSONLinesReader.append(key, &scanner, &row)
                        }
                    }
                } else if !(try readReserved(key, &scanner, &row)) {
                    try JSONLinesReader.append(key, &scanner, &row)
                }
            }
        }
        try scanner.end()
        guard !row.features.isEmpty else { throw scanner.error(expected: "at least one feature", got: "none") }
        let named = row.features.filter { $0.name != nil }.count
        guard named == 0 || named == row.features.count else {
            throw scanner.error(expected: "features in one place", got: "some in \"features\", some beside it")
        }
        return row
    }

    private static func append(
        _ key: UnsafeBufferPointer<UInt8>, _ scanner: inout JSONScanner, _ row: inout Row
    ) throws(SampleError) {
        guard let text = String(validating: key, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw scanner.error(expected: "names in UTF-8", got: SampleError.excerpt(key)) }
        guard row.names.insert(text).inserted else {
            throw scanner.error(expected: "each feature once", got: "\(text) a second time")
        }
        row.features.append((Array(key), try scanner.number(field: text)))
    }

    // MARK: Label, weight, id

    private func isReserved(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        ["label", "features", "weight", "id"].contains { key.elementsEqual($0.utf8) }
    }

    /// `label`, what the label is said to be called, or what it is called in the schema.
    private func isLabel(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        if key.elementsEqual("label".utf8) { return true }
        if case .name(let name) = label, key.elementsEqual(name.utf8) { return true }
        return schema?.label.map { key.elementsEqual($0.utf8) } ?? false
    }

    /// Reads the value where the key is one of ours; false, and nothing read, where it is not.
    private mutating func readReserved(
        _ key: UnsafeBufferPointer<UInt8>, _ scanner: inout JSONScanner, _ row: inout Row
    ) throws(SampleError) -> Bool {
        if isLabel(key) {
            guard row.labelName == nil else { throw scanner.error(expected: "one label", got: "a second") }
            row.label = try readLabel(&scanner)
            row.labelName = String(decoding: key, as: UTF8.self)
        } else if key.elementsEqual("weight".utf8) {
            guard row.weight == nil else { throw scanner.error(expected: "one weight", got: "a second") }
            let weight = try scanner.number(field: "weight")
            guard weight >= 0 else {
                throw scanner.error(field: "weight", expected: "a number, at least 0", got: "\(weight)")
            }
            row.weight = weight
        } else if key.elementsEqual("id".utf8) {
            guard row.id == nil else { throw scanner.error(expected: "one id", got: "a second") }
            row.id = try scanner.identifier()
        } else {
            return false
        }
        return true
    }

    private mutating func readLabel(_ scanner: inout JSONScanner) throws(SampleError) -> Label {
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
