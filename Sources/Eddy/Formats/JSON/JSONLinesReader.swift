// JSON lines: one object or array a line, one sample each.
//
//     {"age": 41, "city": "Ulm", "label": "yes"}                  named features
//     {"features": [41, "Ulm"], "label": "yes", "weight": 2, "id": "a7"}
//     {"features": {"age": 41, "city": "Ulm"}, "label": "yes"}
//     [41, "Ulm", "yes"]                                           as a CSV line, label last
//     {"age": 41, "label": {"price": 1.5, "kind": "red"}}         several outputs; or "label": [1.5, "red"]
//     {"id": "a7", "label": "yes"}                                 a label that came later than its sample
//
// A sample's values are flat, so this reads them where they stand (JSONScanner.swift), without building a tree. The first
// valid sample's names, in its order, are the schema's columns (JSONFirstLine.swift), and each column's kind is that of its
// value there. Later samples may name them in any order. A column that is null, or not there, is missing; a name that the
// schema does not have makes a term: a feature that began late, or comes seldom. Objects and arrays in a value whose
// name is not known are passed over.

import Backprop

/// Reads JSON lines of one connection.
struct JSONLinesReader: Sendable {
    let label: LabelColumn
    var labels = LabelReader()
    /// The names of the outputs, once a label has come.
    private var outputs: [String]?
    /// Of several outputs, each the name of a label beside the features.
    private var labelKeys: [[UInt8]] = []
    private var writer = TermWriter()
    private(set) var schema: Schema?
    private var names: [[UInt8]] = []
    /// Columns by the hashes of their names.
    private var places: [UInt64: Int] = [:]
    private var roles: [ColumnPlan.Role] = []
    private var texts: [TermPrefix] = []
    /// The names of the columns that are numbers, up to the first that is none.
    private var keys = JSONKeys()
    /// What the last line was, where it was no sample.
    private var late: LateLabel?

    init(label: LabelColumn) {
        self.label = label
        labelKeys = label.names?.map { Array($0.utf8) } ?? []
    }

    /// The last line, where it was a label that came later than its sample.
    mutating func takeLate() -> LateLabel? {
        defer { late = nil }
        return late
    }

    /// Appends the line's sample; false where it is a late label, which ``takeLate()`` then has.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: inout SchemaDraft
    ) throws(SampleError) -> Bool {
        if schema == nil, let claimed = claim.current { adopt(claimed) }
        if let schema {
            return try append(line, number, schema, &chunk, &claim)
        }
        if try readLate(line, number) { return false }
        let proposal = try survey(line, line: number)
        adopt(proposal)
        do throws(SampleError) { _ = try append(line, number, proposal, &chunk, &claim, isTrial: true) } catch {
            forget()
            throw error
        }
        let claimed = claim.claim(proposal, isLabelOpen: true)
        if claimed != proposal {  // another connection was first
            chunk.restart(inputs: claimed.inputs.count)
            adopt(claimed)
            _ = try append(line, number, claimed, &chunk, &claim)
        } else if let outputs = outputs ?? label.names {
            adopt(labels: claim.claimLabels(outputs))
        }
        return true
    }

    /// A line of an id and a label alone, where there are no columns yet; false, and nothing read, where it is another.
    private mutating func readLate(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int
    ) throws(SampleError) -> Bool {
        var scanner = JSONScanner(line, line: number)
        guard scanner.peek() == UInt8(ascii: "{") else { return false }
        var row = Row()
        do throws(SampleError) {
            try scanner.object { key, scanner throws(SampleError) in
                guard try readReserved(key, &scanner, &row) else {
                    throw scanner.error(expected: "an id and a label", got: SampleError.excerpt(key))
                }
            }
            try scanner.end()
        } catch {
            return false  // it is read again as a sample, which says what is wrong
        }
        guard let id = row.id, row.label.isGiven else { return false }
        let labels = row.label.all
        late = try LateLabel(id: id, label: labels[0], furtherLabels: Array(labels[1...]), line: number)
        return true
    }

    private mutating func append(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ schema: Schema, _ chunk: inout SampleChunk,
        _ claim: inout SchemaDraft, isTrial: Bool = false
    ) throws(SampleError) -> Bool {
        if chunk.inputs != schema.inputs.count { chunk.restart(inputs: schema.inputs.count) }
        var scanner = JSONScanner(line, line: number)
        let base = chunk.features.count
        chunk.features.append(contentsOf: repeatElement(.nan, count: schema.inputs.count))
        do throws(SampleError) {
            let row = try readRow(&scanner, schema, base, &chunk)
            let labels = row.label.isAlone && outputs?.count == 1 ? [] : try place(row.label, number, &claim, isTrial)
            let label = labels.first ?? row.label.first
            if row.features == 0, let id = row.id {
                late = try LateLabel(id: id, label: label, furtherLabels: Array(labels.dropFirst()), line: number)
                chunk.features.removeLast(chunk.features.count - base)
                return false
            }
            if labels.count > 1 { chunk.widen(outputs: labels.count) }
            chunk.finish(label: label, weight: row.weight ?? 1, id: row.id)
            for (output, label) in labels.enumerated().dropFirst() { chunk.setLabel(label, ofOutput: output) }
        } catch {
            chunk.features.removeLast(chunk.features.count - base)
            chunk.terms.takeBack()
            throw error
        }
        return true
    }

    private mutating func adopt(_ claimed: Schema) {
        schema = claimed
        names = claimed.columns.map { Array($0.name.utf8) }
        places = Dictionary(names.enumerated().map { (FNV1a.hash($0.element), $0.offset) }) { first, _ in first }
        roles = claimed.roles
        texts = claimed.termPrefixes
        keys = JSONKeys(claimed.columns.prefix { $0.kind == .number }.map(\.name))
        outputs = nil
        if !claimed.furtherLabels.isEmpty { adopt(labels: claimed.labels) }
    }

    private mutating func adopt(labels: [String]) {
        outputs = labels
        guard labels.count > 1 else { return }
        schema?.label = labels[0]
        schema?.furtherLabels = Array(labels[1...])
        labelKeys = labels == Schema.outputNames(labels.count) ? [] : labels.map { Array($0.utf8) }
    }

    /// A line's labels in the order of the outputs; empty where it has none. The first labels of a session decide what
    /// there are.
    private mutating func place(
        _ given: JSONLabel, _ number: Int, _ claim: inout SchemaDraft, _ isTrial: Bool
    ) throws(SampleError) -> [Label] {
        guard given.isGiven, !given.isEmpty || !given.isAlone else { return [] }
        if outputs == nil {
            let proposal = if let names = label.names { names } else { try given.proposal(number) }
            if isTrial { outputs = proposal } else { adopt(labels: claim.claimLabels(proposal)) }
        }
        return try given.values(of: outputs!, line: number)
    }

    /// Forgets how keys map to inputs. The next sample maps them again.
    mutating func forget() {
        schema = nil
        outputs = nil
        names = []
        places = [:]
    }

    private func column(_ key: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let place = places[FNV1a.hash(key)], key.elementsEqual(names[place]) else { return nil }
        return place
    }

    // MARK: A line

    private mutating func readRow(
        _ scanner: inout JSONScanner, _ schema: Schema, _ base: Int, _ chunk: inout SampleChunk
    ) throws(SampleError) -> Row {
        var row = Row()
        if scanner.peek() == UInt8(ascii: "[") {
            try readArray(&scanner, schema, base, &chunk, &row, withLabel: true)
        } else {
            // The column that comes next where the order is the schema's.
            let plain = chunk.features.withUnsafeMutableBufferPointer { features in
                features.baseAddress.map { scanner.plainMembers(keys, into: $0 + base) } ?? 0
            }
            row.features = plain
            var next = plain
            try scanner.object(isBegun: next > 0) { key, scanner throws(SampleError) in
                var column: Int?
                if next < names.count, key.elementsEqual(names[next]) {
                    column = next
                } else {
                    column = self.column(key)
                }
                if let column {
                    try readColumn(column, plain, &scanner, schema, base, &chunk, &row)
                    next = column + 1
                } else if key.elementsEqual("features".utf8) {
                    try readFeatures(&scanner, schema, base, &chunk, &row, plain)
                } else if !(try readReserved(key, &scanner, &row)) {
                    try readTerm(key, &scanner, &chunk.terms, &row)
                }
            }
        }
        try scanner.end()
        guard row.features > 0 || (row.id != nil && row.label.isGiven) else {
            throw scanner.error(expected: "at least one feature, or an id and a label", got: "none")
        }
        if row.label.isEmpty, !chunk.terms.hasPending, chunk.features[base...].allSatisfy(\.isNaN) {
            throw scanner.error(expected: "a feature or a label", got: "nothing but missing values")
        }
        return row
    }

    /// `"features": […]` or `"features": {…}`.
    private mutating func readFeatures(
        _ scanner: inout JSONScanner, _ schema: Schema, _ base: Int, _ chunk: inout SampleChunk, _ row: inout Row,
        _ plain: Int
    ) throws(SampleError) {
        if scanner.peek() == UInt8(ascii: "[") {
            guard row.features == 0 else { throw scanner.error(expected: "features in one place", got: "a second") }
            return try readArray(&scanner, schema, base, &chunk, &row, withLabel: false)
        }
        try scanner.object { key, scanner throws(SampleError) in
            if let column = column(key) {
                try readColumn(column, plain, &scanner, schema, base, &chunk, &row)
            } else {
                try readTerm(key, &scanner, &chunk.terms, &row)
            }
        }
    }

    private mutating func readArray(
        _ scanner: inout JSONScanner, _ schema: Schema, _ base: Int, _ chunk: inout SampleChunk, _ row: inout Row,
        withLabel: Bool
    ) throws(SampleError) {
        let columns = schema.columns.count
        let numbers = keys.ends.count == columns ? columns : 0
        let plain = chunk.features.withUnsafeMutableBufferPointer { features in
            features.baseAddress.map { scanner.plainElements(numbers, into: $0 + base) } ?? 0
        }
        var count = plain
        row.features += plain
        try scanner.array(isBegun: count > 0) { scanner throws(SampleError) in
            if count < columns {
                try readColumn(count, plain, &scanner, schema, base, &chunk, &row)
            } else if withLabel, count == columns {
                row.label = try readLabels(&scanner)
            } else {
                throw scanner.error(
                    expected: withLabel ? "\(columns) features and a label" : "\(columns) features", got: "more values")
            }
            count += 1
        }
        guard count >= columns else {
            throw scanner.error(
                expected: withLabel ? "\(columns) features and a label" : "\(columns) features", got: "\(count) values")
        }
    }

    // MARK: A value

    /// Reads a column's value.
    ///
    /// - Parameter plain: columns before this one have come.
    private mutating func readColumn(
        _ column: Int, _ plain: Int, _ scanner: inout JSONScanner, _ schema: Schema, _ base: Int,
        _ chunk: inout SampleChunk, _ row: inout Row
    ) throws(SampleError) {
        row.features += 1
        let name = schema.columns[column].name
        if case .number(let place) = roles[column], column >= plain, chunk.features[base + place].isNaN,
            let first = scanner.peek(), first == UInt8(ascii: "-") || first &- UInt8(ascii: "0") < 10
        {
            guard row.seen.isEmpty || !row.seen.contains(column) else {
                throw scanner.error(expected: "each feature once", got: "\(name) a second time")
            }
            chunk.features[base + place] = try scanner.number(field: name)
            return
        }
        guard column >= plain, row.seen.insert(column).inserted, !isWritten(roles[column], base, chunk) else {
            throw scanner.error(expected: "each feature once", got: "\(name) a second time")
        }
        if try scanner.isMissing() { return }
        switch roles[column] {
        case .number(let place): chunk.features[base + place] = try scanner.feature(name)
        case .date(let place, let kind):
            try scanner.text(name, expected: "a day in quotes") { cell throws(SampleError) in
                if CellValue.isMissing(cell) { return }
                guard let date = DateTime(cell) else {
                    throw SampleError(
                        line: 0, expected: "a day, as 2024-05-01 or 2024-05-01T12:34:56Z",
                        got: SampleError.excerpt(cell))
                }
                chunk.features.withUnsafeMutableBufferPointer { date.write(kind, to: $0.baseAddress! + base + place) }
            }
        case .open(let place, let text):
            if scanner.peek() == UInt8(ascii: "\"") {
                try readWords(&scanner, name, texts[text], &chunk.terms)
            } else {
                chunk.features[base + place] = try scanner.feature(name)
            }
        case .text(let text): try readWords(&scanner, name, texts[text], &chunk.terms)
        case .label, .furtherLabel, .identifier, .ignored: break
        }
    }

    private func isWritten(_ role: ColumnPlan.Role, _ base: Int, _ chunk: SampleChunk) -> Bool {
        if case .number(let place) = role { return !chunk.features[base + place].isNaN }
        return false
    }

    /// The terms of a value in a column of text: of a string's words, or of a number or boolean as it is written.
    private mutating func readWords(
        _ scanner: inout JSONScanner, _ name: String, _ prefix: TermPrefix, _ terms: inout Terms
    ) throws(SampleError) {
        switch scanner.peek() {
        case UInt8(ascii: "\""):
            let text = try scanner.string()
            do throws(SampleError) {
                try text.withBytes { cell throws(SampleError) in try writer.add(prefix, text: cell, to: &terms) }
            } catch {
                throw scanner.error(field: name, expected: error.expected, got: error.got)
            }
        case UInt8(ascii: "{"), UInt8(ascii: "["), nil: throw scanner.error(field: name, expected: "text")
        default:
            let word = scanner.word()
            try scanner.skipValue()
            try writer.add(prefix, text: word, to: &terms)
        }
    }

    /// The terms of a name that no column has.
    private mutating func readTerm(
        _ key: UnsafeBufferPointer<UInt8>, _ scanner: inout JSONScanner, _ terms: inout Terms, _ row: inout Row
    ) throws(SampleError) {
        guard CellValue.isText(key), key.allSatisfy({ $0 >= 0x20 }) else {
            throw scanner.error(expected: "names in UTF-8", got: SampleError.excerpt(key))
        }
        switch scanner.peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return try scanner.skipValue()
        case UInt8(ascii: "n"), UInt8(ascii: "N"): if try scanner.isMissing() { return }
        case UInt8(ascii: "\""):
            let name = String(decoding: key.prefix(256), as: UTF8.self)
            var hash = FNV1a()
            for byte in key { hash.add(byte) }
            hash.add(UInt8(ascii: "="))
            try readWords(&scanner, name, TermPrefix(name + "=", hash: hash), &terms)
        default:
            let value = try scanner.feature(SampleError.excerpt(key))
            writer.add(.none, key, value, to: &terms)
        }
        row.features += 1
    }

    // MARK: Label, weight, id

    /// `label`, what the label is said to be called, or what it is called in the schema.
    func isLabel(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        if key.elementsEqual("label".utf8) { return true }
        if case .name(let name) = label, key.elementsEqual(name.utf8) { return true }
        if outputName(key) != nil { return true }
        guard let schema, schema.furtherLabels.isEmpty else { return false }
        return schema.label.map { key.elementsEqual($0.utf8) } ?? false
    }

    /// The output whose label stands beside the features under this key.
    private func outputName(_ key: UnsafeBufferPointer<UInt8>) -> String? {
        labelKeys.contains { key.elementsEqual($0) } ? String(decoding: key, as: UTF8.self) : nil
    }

    /// Reads the value where the key is one of ours; false, and nothing read, where it is not.
    private mutating func readReserved(
        _ key: UnsafeBufferPointer<UInt8>, _ scanner: inout JSONScanner, _ row: inout Row
    ) throws(SampleError) -> Bool {
        if isLabel(key) {
            if let name = outputName(key) {
                try row.label.add(try readLabel(&scanner), name, scanner)
            } else {
                guard !row.label.isGiven else { throw scanner.error(expected: "one label", got: "a second") }
                row.label = try readLabels(&scanner)
            }
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
}
