// Comma-separated values (RFC 4180), one sample a line.
//
// A connection's first lines settle its columns: a header is remembered as a candidate, and becomes
// the header only when a valid sample with as many fields comes (so that a stray line of words
// before it fixes nothing). From then on a plan says for each column which input it is, and a line is
// read in one pass straight into the chunk's row.
//
// Unlike RFC 4180, a newline always ends the sample, even in quotes: a lost quote must not swallow a stream.

/// Reads CSV lines of one connection.
struct CSVReader: Sendable {
    private let label: LabelColumn
    var labels = LabelReader()
    /// Settled by the first sample.
    private(set) var plan: ColumnPlan?
    /// Headers seen before the first sample, at most one for each number of fields; sure ones, or none that is.
    private var candidates: [(header: CSVHeader, isSure: Bool)] = []

    init(label: LabelColumn) { self.label = label }

    /// Whether a line was seen that can hardly be anything but a header.
    var isSureOfHeader: Bool { candidates.contains { $0.isSure } }

    /// Appends the line's sample, or takes it for a header and returns false.
    ///
    /// - Throws: ``SampleError``; the chunk is then unchanged.
    @inline(__always)
    mutating func read(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: SchemaClaim
    ) throws(SampleError) -> Bool {
        if let plan {
            do throws(SampleError) {
                try readRow(line, line: number, plan, into: &chunk)
                return true
            } catch {
                if isRepeatedHeader(line) { return false }
                throw error
            }
        }
        return try readFirst(line, line: number, into: &chunk, claim: claim)
    }

    // MARK: The first lines

    private mutating func readFirst(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, into chunk: inout SampleChunk, claim: SchemaClaim
    ) throws(SampleError) -> Bool {
        let cells = try TextCells.split(line, line: number)
        if try remember(cells, line: number, claim.current) { return false }

        let header = try header(for: cells.count, line: number)
        let proposal: Schema
        if let schema = claim.current {
            proposal = schema
        } else if let header {
            proposal = Schema(names: header.inputs, label: header.labelName)
        } else {
            if case .name(let name) = label {
                throw SampleError(
                    line: number, expected: "a header with a column named \(name), the label",
                    got: SampleError.excerpt(line))
            }
            guard cells.count >= 2 else {
                throw SampleError(
                    line: number, expected: "features and a label, separated by commas", got: SampleError.excerpt(line))
            }
            proposal = Schema(inputs: cells.count - 1)
        }
        if let settled = try attempt(line, number, header, proposal, into: &chunk) {
            let schema = claim.claim(proposal)
            if schema == proposal {
                plan = settled
            } else {  // another connection was first
                chunk = SampleChunk(inputs: schema.inputs.count)
                plan = try attempt(line, number, header, schema, into: &chunk)
            }
        }
        return true
    }

    /// Keeps a header until a sample has shown that it is one, and says whether the line was taken for a header.
    ///
    /// A sure one takes the place of all others; else the first of each number of fields is kept.
    ///
    /// - Throws: where the session has names for its inputs and the header lacks one. It is kept all the same:
    ///   what comes below it must not be taken by position.
    private mutating func remember(_ cells: [TextCell], line: Int, _ schema: Schema?) throws(SampleError) -> Bool {
        guard let names = CSVHeader.names(cells) else { return false }
        // Below a header, numbers make a sample, even of class "target".
        let isKnown = candidates.contains { $0.header.names.count == cells.count }
        if isKnown, cells.contains(where: { $0.isNumber }) { return false }

        let header = try CSVHeader(names, line: line, label: label)
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
        if !candidates.contains(where: { $0.header.names.count == cells.count }), candidates.count < 8 {
            candidates.append((header, isSure))
        }
        if let misfit { throw misfit }
        return true
    }

    /// The candidate header for a line of `fields` fields, one fewer where the label is left out.
    private func header(for fields: Int, line: Int) throws(SampleError) -> CSVHeader? {
        let headers = candidates.map(\.header)
        guard let newest = headers.last else { return nil }
        if let header = headers.first(where: { $0.names.count == fields })
            ?? headers.first(where: { $0.names.count - 1 == fields })
        {
            return header
        }
        throw SampleError(
            line: line, expected: "\(newest.names.count) fields, as in the header of line \(newest.line)",
            got: "\(fields) fields")
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
        if chunk.inputs != schema.inputs.count { chunk = SampleChunk(inputs: schema.inputs.count) }
        try readRow(line, line: number, plan, into: &chunk)
        return plan
    }

    private func isRepeatedHeader(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let plan, plan.isFromHeader, let cells = try? TextCells.split(line, line: 0),
            let names = CSVHeader.names(cells)
        else { return false }
        return names == plan.columns.map(\.name)
    }

    // MARK: A row

    @inline(__always)
    private mutating func readRow(
        _ line: UnsafeBufferPointer<UInt8>, line number: Int, _ plan: ColumnPlan, into chunk: inout SampleChunk
    ) throws(SampleError) {
        let inputs = chunk.inputs
        let base = chunk.features.count
        chunk.features.append(contentsOf: repeatElement(0, count: inputs))
        var label = Label.none
        let failure = chunk.features.withUnsafeMutableBufferPointer { features -> SampleError? in
            do throws(SampleError) {
                try readFields(line, number, plan, features.baseAddress! + base, &label)
                return nil
            } catch {
                return error
            }
        }
        if let failure {
            chunk.features.removeLast(inputs)
            throw failure
        }
        chunk.finish(label: label)
    }

    @inline(__always)
    private mutating func readFields(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, _ plan: ColumnPlan,
        _ row: UnsafeMutablePointer<Float>, _ label: inout Label
    ) throws(SampleError) {
        var cursor = line.baseAddress!
        let end = cursor + line.count
        var roles = plan.roles
        var isShort = false
        if plan.isLabelInside { isShort = try TextCells.split(line, line: number).count == roles.count - 1 }
        if isShort { roles = plan.unlabelledRoles }
        for index in roles.indices {
            let start = cursor
            if case .input(let input) = roles[index], case .success(let value) = DecimalNumber.scan(&cursor, end: end),
                cursor == end || cursor.pointee == UInt8(ascii: ",")
            {
                row[input] = value + 0  // −0 becomes 0
            } else {
                cursor = start
                let column = isShort ? plan.unlabelled[index] : plan.columns[index]
                try readSlowly(&cursor, end, number, index, column, row, &label)
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

    /// A field that is quoted, a label, ignored, or wrong.
    private mutating func readSlowly(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ number: Int, _ index: Int,
        _ column: ColumnPlan.Column, _ row: UnsafeMutablePointer<Float>, _ label: inout Label
    ) throws(SampleError) {
        let cell = try TextCells.next(&cursor, end, line: number, column: index + 1)
        do throws(SampleError) {
            switch column.role {
            case .ignored: break
            case .label: label = try cell.withBytes { bytes throws(SampleError) in try labels.read(bytes) }
            case .input(let input):
                row[input] = try cell.withBytes { bytes throws(SampleError) -> Float in
                    switch bytes.isEmpty
                        ? .failure(.notANumber) : DecimalNumber.parse(bytes.baseAddress!, count: bytes.count)
                    {
                    case .success(let value): return value + 0
                    case .failure(.outOfRange):
                        throw SampleError(line: 0, expected: "number within ±3.4e38", got: SampleError.excerpt(bytes))
                    case .failure(.notANumber):
                        let isBlank = bytes.first == UInt8(ascii: " ") || bytes.last == UInt8(ascii: " ")
                        throw SampleError(
                            line: 0, expected: isBlank ? "number without blanks" : "number",
                            got: SampleError.excerpt(bytes))
                    }
                }
            }
        } catch {
            throw SampleError(
                line: number, column: index + 1, field: column.name, expected: error.expected, got: error.got)
        }
    }

    private func wrongCount(_ fields: Int, _ plan: ColumnPlan, _ number: Int) -> SampleError {
        let inputs = plan.columns.count - (plan.hasLabel ? 1 : 0)
        let expected =
            plan.hasLabel
            ? "\(plan.columns.count) fields (or \(inputs) without the label)" : "\(plan.columns.count) fields"
        return SampleError(line: number, expected: expected, got: "\(fields) fields")
    }
}
