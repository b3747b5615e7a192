// Which of a connection's first lines are a header, and what kinds its columns have.
//
// Streams of numbers tell their header by its words. Where columns may hold words too, a line of words could be either, and
// nobody may be made to wait for the next line. So:
//
// - A line with a number, a day or a boolean in it is a sample, unless a cell is called label, target, class or y.
// - The first line of words alone is taken for a header. It is not one if a word comes twice in it: that is said as an
//   error, and the next such line is a sample.
// - A line of words below it, with as many cells, is a sample, unless it says the same again or is surely a header
//   (a cell is called label, …, and no such header came before).
// - If that sample has a word in the same column as the line above, that one was a sample too: the columns then have no
//   names, and the line, which nobody has answered, is told as an error. (It is the one sample that is lost.)
// - Once a session has columns of words, a line of words is a header only where it names one of them or the label.

extension CSVReader {
    /// Whether the line is a header or a candidate for it; candidates are kept until a sample has shown which it is.
    ///
    /// A sure one takes the place of all others; else the first of each number of fields is kept.
    ///
    /// - Throws: where the session has names for its inputs and the header lacks one. It is kept all the same:
    ///   what comes below it must not be taken by position.
    mutating func isHeader(
        _ cells: [TextCell], _ text: UnsafeBufferPointer<UInt8>, _ line: Int, _ schema: Schema?
    ) throws(SampleError) -> Bool {
        guard let names = CSVHeader.names(cells) else { return false }
        let above = candidates.first { $0.header.names.count == cells.count }
        let isUsual = names.contains { CSVHeader.labelNames.contains($0.lowercased()) }
        // Below a header, numbers make a sample, even of class "target".
        if above != nil, cells.contains(where: { $0.isValue }) { return false }
        if let schema, schema.mayHaveWords, !isUsual, !schema.isAddressed(by: names) { return false }
        if let above, !isUsual || above.isSure {
            if above.header.names == names { return true }
            let shared = names.indices.first { above.header.names[$0] == names[$0] }
            if !isUsual || shared == nil {
                if let shared, !above.isSure, schema?.isNamed != true { takeBack(above, names[shared], line) }
                return false
            }
        }
        if wordCounts.contains(cells.count), !isUsual || Set(names).count < names.count { return false }
        return try remember(names, text, line, schema)
    }

    /// A candidate that was a sample.
    private mutating func takeBack(_ candidate: Candidate, _ word: String, _ line: Int) {
        candidates.removeAll { $0.header.names.count == candidate.header.names.count }
        wordCounts.insert(candidate.header.names.count)
        belated = SampleError(
            .header, line: candidate.header.line, expected: "a header, as all of it is words",
            got: "a sample: line \(line) has \(word) in the same column")
    }

    private mutating func remember(
        _ names: [String], _ text: UnsafeBufferPointer<UInt8>, _ line: Int, _ schema: Schema?
    ) throws(SampleError) -> Bool {
        let header: CSVHeader
        do throws(SampleError) {
            header = try CSVHeader(names, line: line, label: label)
        } catch {
            if Set(names).count < names.count, wordCounts.count < 64 { wordCounts.insert(names.count) }
            throw error
        }
        var isSure = header.isSure
        var misfit: SampleError?
        if let schema, schema.isNamed {
            do throws(SampleError) { _ = try ColumnPlan(header, schema: schema, line: line) } catch { misfit = error }
            isSure = misfit == nil
        }
        if candidates.contains(where: { $0.isSure }) {
            if let misfit { throw misfit }
            guard isSure else { return false }
        } else if isSure {
            candidates = []
        }
        if !candidates.contains(where: { $0.header.names.count == names.count }), candidates.count < 8 {
            candidates.append(Candidate(header: header, isSure: isSure, line: Array(text)))
        }
        if let misfit { throw misfit }
        return true
    }

    /// The candidate header for a line of `fields` fields, one fewer where the label is left out.
    func header(for fields: Int, line: Int) throws(SampleError) -> CSVHeader? {
        let headers = candidates.map(\.header)
        guard let newest = headers.last else { return nil }
        if let header = headers.first(where: { $0.names.count == fields })
            ?? headers.first(where: { $0.names.count - $0.labelIndices.count == fields })
        {
            return header
        }
        throw SampleError(
            .fieldCount, line: line, expected: "\(newest.names.count) fields, as in the header of line \(newest.line)",
            got: "\(fields) fields")
    }

    /// The schema of a session whose first sample has these cells.
    func proposal(
        _ cells: [TextCell], _ text: UnsafeBufferPointer<UInt8>, _ line: Int, _ header: CSVHeader?
    ) throws(SampleError) -> Schema {
        let columns: [Schema.Column]
        let features: [TextCell]
        var outputs = 1
        if let header {
            // A line that leaves the label out has the cells behind it one place earlier.
            let gaps = cells.count < header.names.count ? header.labelIndices : []
            features = header.inputIndices.map { index in cells[index - gaps.count { $0 < index }] }
            columns = zip(header.inputs, features).map { Schema.Column($0, $1.kind) }
            // With a field too few, a word at the end could be the label.
            guard cells.count == header.names.count || !columns.contains(where: { $0.kind == .text }) else {
                throw SampleError(
                    .fieldCount, line: line,
                    expected: "\(header.names.count) fields, as in the header of line \(header.line)",
                    got: "\(cells.count) fields")
            }
        } else {
            if case .name(let name) = label {
                throw SampleError(
                    .header, line: line, expected: "a header with a column named \(name), the label",
                    got: SampleError.excerpt(text))
            }
            outputs = label.count ?? 1
            guard cells.count >= 1 + outputs else {
                throw SampleError(
                    .format, line: line, expected: "features and a label, separated by commas",
                    got: SampleError.excerpt(text))
            }
            let labels = try ColumnPlan.labelIndices(label, outputs: outputs, columns: cells.count, line: line)
            features = cells.indices.filter { !labels.contains($0) }.map { cells[$0] }
            columns = features.enumerated().map { Schema.Column("x\($0)", $1.kind) }
        }
        guard !features.isEmpty else {
            throw SampleError(
                line: line, expected: "a column beside label and id", got: SampleError.excerpt(text))
        }
        guard features.contains(where: { !$0.isMissing }) else {
            throw SampleError(
                line: line, expected: "a feature that is not missing, in the first sample",
                got: SampleError.excerpt(text))
        }
        var schema = Schema(columns, label: header?.labelName, isNamed: header != nil)
        if let header { schema.furtherLabels = Array(header.labelNames[1...]) }
        if header == nil, outputs > 1 {
            let names = Schema.outputNames(outputs)
            (schema.label, schema.furtherLabels) = (names[0], Array(names[1...]))
        }
        return schema
    }
}

extension Schema {
    /// Whether one of the names is a column's or the label's.
    fileprivate func isAddressed(by names: [String]) -> Bool {
        let known = Set(columns.map(\.name))
        return isNamed && names.contains { known.contains($0) || $0 == label }
    }
}
