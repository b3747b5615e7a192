// The columns that a JSON stream's first sample makes: their names, in its order, and the kinds of their values.
//
// The line is looked through here and then read as all others are, so that nothing is said twice about what is wrong with
// its values.

extension JSONLinesReader {
    /// The schema that a first line proposes.
    ///
    /// - Throws: ``SampleError`` where the line is no sample, or has no feature with a value.
    func survey(_ line: UnsafeBufferPointer<UInt8>, line number: Int) throws(SampleError) -> Schema {
        var scanner = JSONScanner(line, line: number)
        var survey = Survey()
        if scanner.peek() == UInt8(ascii: "[") {
            // An array without a schema: all but the last are features, the last is the label.
            let values = scanner.countArray()
            var count = 0
            try scanner.array { scanner throws(SampleError) in
                count += 1
                if count == values { return try scanner.skipValue() }
                try survey.add(nil, &scanner)
            }
        } else {
            try scanner.object { key, scanner throws(SampleError) in
                if key.elementsEqual("features".utf8) {
                    try readFeatures(&scanner, &survey)
                } else if isLabel(key) {
                    survey.labelName = String(decoding: key, as: UTF8.self)
                    if !(try scanner.isMissing()) { try scanner.skipValue() }  // NaN is told when it is read as a label
                } else if key.elementsEqual("weight".utf8) || key.elementsEqual("id".utf8) {
                    try scanner.skipValue()
                } else {
                    try survey.add(key, &scanner)
                }
            }
        }
        try scanner.end()
        guard survey.hasValue else { throw scanner.error(expected: "at least one feature", got: "none") }
        let named = survey.columns.filter { $0.name != nil }.count
        guard named == 0 || named == survey.columns.count else {
            throw scanner.error(expected: "features in one place", got: "some in \"features\", some beside it")
        }
        let columns = survey.columns.enumerated().map { Schema.Column($1.name ?? "x\($0)", $1.kind) }
        return Schema(columns, label: named > 0 ? survey.labelName : nil, isNamed: named > 0)
    }

    private struct Survey {
        var columns: [(name: String?, kind: Schema.Kind)] = []
        var names: Set<String> = []
        var labelName: String?
        var hasFeatures = false
        var hasValue = false

        /// A feature, the cursor at its value.
        mutating func add(_ key: UnsafeBufferPointer<UInt8>?, _ scanner: inout JSONScanner) throws(SampleError) {
            var name: String?
            if let key {
                guard let text = String(validating: key, as: UTF8.self),
                    !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
                else { throw scanner.error(expected: "names in UTF-8", got: SampleError.excerpt(key)) }
                guard names.insert(text).inserted else {
                    throw scanner.error(expected: "each feature once", got: "\(text) a second time")
                }
                name = text
            }
            var kind = Schema.Kind.number
            if try scanner.isMissing() {
                kind = .open
            } else if scanner.peek() == UInt8(ascii: "\"") {
                kind = try scanner.string().withBytes { cell in
                    if !CellValue.isMissing(cell) { hasValue = true }
                    return CellValue.wordKind(cell)
                }
            } else {
                guard let first = scanner.peek(), first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else {
                    throw scanner.error(field: name ?? "x\(columns.count)", expected: "number or text")
                }
                try scanner.skipValue()
                hasValue = true
            }
            columns.append((name, kind))
        }
    }

    private func readFeatures(_ scanner: inout JSONScanner, _ survey: inout Survey) throws(SampleError) {
        guard !survey.hasFeatures else { throw scanner.error(expected: "features in one place", got: "a second") }
        survey.hasFeatures = true
        if scanner.peek() == UInt8(ascii: "[") {
            try scanner.array { scanner throws(SampleError) in try survey.add(nil, &scanner) }
        } else {
            try scanner.object { key, scanner throws(SampleError) in try survey.add(key, &scanner) }
        }
    }
}
