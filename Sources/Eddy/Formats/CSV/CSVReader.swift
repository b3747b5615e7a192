// Comma-separated values (RFC 4180), one sample a line.
//
// A connection's first lines settle its columns: a header is remembered as a candidate, and becomes
// the header only when a valid sample with as many fields comes (so that a stray line of words
// before it fixes nothing; CSVFirstLines.swift). From then on a plan says for each column which input it is, and a line
// is read in one pass straight into the chunk's row.
//
// Unlike RFC 4180, a newline always ends the sample, even in quotes: a lost quote must not swallow a stream.

/// Reads CSV lines of one connection.
struct CSVReader: Sendable {
    let label: LabelColumn
    var labels = LabelReader()
    var writer = TermWriter()
    /// Settled by the first sample.
    private(set) var plan: ColumnPlan?
    /// The header's bytes, where there is one.
    private var headerLine: [UInt8] = []
    /// Headers seen before the first sample, at most one for each number of fields; sure ones, or none that is.
    var candidates: [Candidate] = []
    /// The numbers of fields of lines of words that are no header, as a word comes twice in them.
    var wordCounts: Set<Int> = []
    /// An earlier line that was taken for a header and was none.
    var belated: SampleError?

    struct Candidate: Sendable {
        let header: CSVHeader
        let isSure: Bool
        let line: [UInt8]
    }

    init(label: LabelColumn) { self.label = label }

    /// Forgets how columns map to inputs, because the stream has accepted another schema. The next sample maps them again;
    /// headers are kept.
    mutating func replan() { plan = nil }

    /// Whether a line was seen that can hardly be anything but a header.
    var isSureOfHeader: Bool { candidates.contains { $0.isSure } }

    /// Appends the line's sample, or takes it for a header and returns false.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    @inline(__always)
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: inout SchemaDraft
    ) throws(SampleError) -> Bool {
        if let plan {
            if !plan.hasNumbers, isHeaderLine(line.baseAddress!, line.count) { return false }
            do throws(SampleError) {
                try readRow(line, line: number, plan, into: &chunk)
                return true
            } catch {
                if isRepeatedHeader(line) { return false }
                throw error
            }
        }
        return try readFirst(line, line: number, into: &chunk, claim: &claim)
    }

    // MARK: The first lines

    private mutating func readFirst(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: inout SchemaDraft
    ) throws(SampleError) -> Bool {
        let cells = try TextCells.split(line, line: number)
        if try isHeader(cells, line, number, claim.current) { return false }

        let header = try header(for: cells.count, line: number)
        let schema = claim.current
        let proposal = if let schema { schema } else { try proposal(cells, line, number, header) }
        if let settled = try attempt(line, number, header, proposal, into: &chunk) {
            let schema = claim.claim(proposal)
            _ = claim.claimLabels(proposal.labels)
            if let header { headerLine = candidates.first { $0.header.line == header.line }?.line ?? [] }
            if schema == proposal {
                plan = settled
            } else {  // another connection was first
                chunk.restart(inputs: schema.inputs.count)
                plan = try attempt(line, number, header, schema, into: &chunk)
            }
        }
        return true
    }

    /// Reads a line by the plan that header and schema make; the plan where it worked.
    private mutating func attempt(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ header: CSVHeader?, _ schema: Schema,
        into chunk: inout SampleChunk
    ) throws(SampleError) -> ColumnPlan? {
        let plan =
            if let header { try ColumnPlan(header, schema: schema, line: number) } else {
                try ColumnPlan(schema: schema, label: label, line: number)
            }
        if chunk.inputs != schema.inputs.count { chunk.restart(inputs: schema.inputs.count) }
        try readRow(line, line: number, plan, into: &chunk)
        return plan
    }

    /// Whether these are the bytes of the header, which would read as a sample where all columns may be words.
    @inline(__always)
    func isHeaderLine(_ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        count == headerLine.count && headerLine.withUnsafeBufferPointer { memcmp(start, $0.baseAddress!, count) == 0 }
    }

    private func isRepeatedHeader(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let plan, plan.isFromHeader, let cells = try? TextCells.split(line, line: 0),
            let names = CSVHeader.names(cells)
        else { return false }
        return names == plan.columns.map(\.name)
    }

    // MARK: A row

    /// What a line says beside the numbers of its row.
    private struct Rest {
        var label = Label.none
        /// Of outputs beyond the first.
        var further: [(output: Int, label: Label)] = []
        var identifier: String?
        var terms = Terms()
    }

    @inline(__always)
    private mutating func readRow(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, _ plan: ColumnPlan, into chunk: inout SampleChunk
    ) throws(SampleError) {
        let inputs = chunk.inputs
        let base = chunk.features.count
        chunk.features.append(contentsOf: repeatElement(.nan, count: inputs))
        var rest = Rest()
        swap(&rest.terms, &chunk.terms)
        let failure = chunk.features.withUnsafeMutableBufferPointer { features -> SampleError? in
            do throws(SampleError) {
                // A row of terms alone may have no address.
                var none: Float = 0
                if let row = features.baseAddress {
                    try readFields(line, number, plan, row + base, &rest)
                } else {
                    try withUnsafeMutablePointer(to: &none) { row throws(SampleError) in
                        try readFields(line, number, plan, row, &rest)
                    }
                }
                return nil
            } catch {
                return error
            }
        }
        swap(&rest.terms, &chunk.terms)
        var problem = failure
        if problem == nil, case .none = rest.label, rest.further.allSatisfy({ $0.label == .none }),
            !chunk.terms.hasPending, chunk.features[base...].allSatisfy(\.isNaN)
        {
            problem = SampleError(line: number, expected: "a feature or a label", got: SampleError.excerpt(line))
        }
        if let problem {
            chunk.features.removeLast(inputs)
            chunk.terms.takeBack()
            throw problem
        }
        if plan.labelCount > 1 { chunk.widen(outputs: plan.labelCount) }
        chunk.finish(label: rest.label, id: rest.identifier)
        for (output, label) in rest.further { chunk.setLabel(label, ofOutput: output) }
    }

    @inline(__always)
    private mutating func readFields(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ plan: ColumnPlan,
        _ row: UnsafeMutablePointer<Float>, _ rest: inout Rest
    ) throws(SampleError) {
        var cursor = line.baseAddress!
        let end = cursor + line.count
        var roles = plan.roles
        var isShort = false
        if plan.isLabelInside {
            isShort = try TextCells.split(line, line: number).count == roles.count - plan.labelCount
        }
        if isShort { roles = plan.unlabelledRoles }
        for index in roles.indices {
            let start = cursor
            if case .number(let place) = roles[index], case .success(let value) = DecimalNumber.scan(&cursor, end: end),
                cursor == end || cursor.pointee == UInt8(ascii: ",")
            {
                row[place] = value + 0  // −0 becomes 0
            } else {
                cursor = start
                let column = isShort ? plan.unlabelled[index] : plan.columns[index]
                try readSlowly(&cursor, end, number, index, column, plan, row, &rest)
            }
            if cursor == end {
                let fields = index + 1
                if fields == roles.count || (fields == roles.count - 1 && !plan.isLabelInside && plan.hasLabel) {
                    return
                }
                throw wrongCount(fields, plan, number)
            }
            cursor += 1
        }
        throw wrongCount(try TextCells.split(line, line: number).count, plan, number)
    }

    /// A field that is no plain number.
    private mutating func readSlowly(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ number: Int, _ index: Int,
        _ column: ColumnPlan.Column, _ plan: ColumnPlan, _ row: UnsafeMutablePointer<Float>, _ rest: inout Rest
    ) throws(SampleError) {
        let cell = try TextCells.next(&cursor, end, line: number, column: index + 1)
        do throws(SampleError) {
            try cell.withBytes { bytes throws(SampleError) in
                switch column.role {
                case .label: rest.label = try labels.read(bytes)
                case .furtherLabel(let output): rest.further.append((output, try labels.read(bytes)))
                case .identifier: rest.identifier = try identifier(bytes)
                default: try readInput(bytes, column.role, plan, row, &rest.terms)
                }
            }
        } catch {
            throw SampleError(
                error.code, line: number, column: index + 1, field: column.name, expected: error.expected,
                got: error.got)
        }
    }

    /// Reads what is learned from, into the row or among the terms.
    ///
    /// - Throws: ``SampleError`` without its place.
    mutating func readInput(
        _ cell: UnsafeBufferPointer<UInt8>, _ role: ColumnPlan.Role, _ plan: ColumnPlan,
        _ row: UnsafeMutablePointer<Float>, _ terms: inout Terms
    ) throws(SampleError) {
        switch role {
        case .ignored, .label, .furtherLabel, .identifier: break
        case .number(let place): row[place] = CellValue.isMissing(cell) ? .nan : try CellValue.number(cell)
        case .open(let place, let text):
            switch CellValue.kind(cell) {
            case .number: row[place] = try CellValue.number(cell)
            case .open: row[place] = .nan
            case .text, .date, .time:
                row[place] = .nan
                try writer.add(plan.texts[text], text: cell, to: &terms)
            }
        case .text(let text): try writer.add(plan.texts[text], text: cell, to: &terms)
        case .date(let place, let kind):
            if CellValue.isMissing(cell) {
                for part in kind.parts.indices { row[place + part] = .nan }
            } else {
                guard let date = DateTime(cell) else {
                    throw SampleError(
                        line: 0, expected: "a day, as 2024-05-01 or 2024-05-01T12:34:56Z",
                        got: SampleError.excerpt(cell))
                }
                date.write(kind, to: row + place)
            }
        }
    }

    /// The longest identifier, in bytes.
    private static let longestIdentifier = 256

    func identifier(_ cell: UnsafeBufferPointer<UInt8>) throws(SampleError) -> String? {
        if cell.isEmpty { return nil }
        guard cell.count <= CSVReader.longestIdentifier, let text = String(validating: cell, as: UTF8.self) else {
            throw SampleError(
                line: 0, expected: "an id of at most \(CSVReader.longestIdentifier) bytes in UTF-8",
                got: SampleError.excerpt(cell))
        }
        return text
    }

    private func wrongCount(_ fields: Int, _ plan: ColumnPlan, _ number: Int) -> SampleError {
        let inputs = plan.unlabelled.count
        let expected =
            plan.hasLabel
            ? "\(plan.columns.count) fields (or \(inputs) without the label\(plan.labelCount > 1 ? "s" : ""))"
            : "\(plan.columns.count) fields"
        return SampleError(.fieldCount, line: number, expected: expected, got: "\(fields) fields")
    }
}

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
