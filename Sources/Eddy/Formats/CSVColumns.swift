// Cells, headers, and which column is which input.

/// One cell: bytes in place, or a copy where quotes had to be taken out.
enum TextCell {
    case plain(UnsafeBufferPointer<UInt8>)
    case unquoted([UInt8])

    func withBytes<Result>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(SampleError) -> Result
    ) throws(SampleError) -> Result {
        switch self {
        case .plain(let bytes): return try body(bytes)
        case .unquoted(let bytes):
            return try bytes.withUnsafeBufferPointer { bytes throws(SampleError) in try body(bytes) }
        }
    }

    var text: String? {
        switch self {
        case .plain(let bytes): String(validating: bytes, as: UTF8.self)
        case .unquoted(let bytes): String(validating: bytes, as: UTF8.self)
        }
    }

    var isNumber: Bool {
        let outcome = try? withBytes { bytes in
            bytes.isEmpty ? .failure(.notANumber) : DecimalNumber.parse(bytes.baseAddress!, count: bytes.count)
        }
        switch outcome {
        case .success, .failure(.outOfRange): return true
        case .failure(.notANumber), nil: return false
        }
    }
}

enum TextCells {
    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")

    /// The cell at the cursor, which moves to the comma after it or to the end.
    static func next(
        _ cursor: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, line: Int, column: Int
    ) throws(SampleError) -> TextCell {
        let start = cursor
        guard cursor < end, cursor.pointee == quote else {
            while cursor < end, cursor.pointee != comma { cursor += 1 }
            return .plain(UnsafeBufferPointer(start: start, count: cursor - start))
        }
        cursor += 1
        var bytes: [UInt8] = []
        while cursor < end {
            if cursor.pointee != quote {
                bytes.append(cursor.pointee)
                cursor += 1
            } else if cursor + 1 < end, cursor[1] == quote {
                bytes.append(quote)
                cursor += 2
            } else {
                cursor += 1
                guard cursor == end || cursor.pointee == comma else {
                    throw SampleError(
                        line: line, column: column, expected: "a comma after the closing quote",
                        got: SampleError.excerpt(UnsafeBufferPointer(start: start, count: end - start)))
                }
                return .unquoted(bytes)
            }
        }
        throw SampleError(
            line: line, column: column, expected: "a closing quote before the end of the line",
            got: SampleError.excerpt(UnsafeBufferPointer(start: start, count: end - start)))
    }

    static func split(_ line: UnsafeBufferPointer<UInt8>, line number: Int) throws(SampleError) -> [TextCell] {
        guard var cursor = line.baseAddress else { return [] }
        let end = cursor + line.count
        var cells: [TextCell] = []
        while true {
            cells.append(try next(&cursor, end, line: number, column: cells.count + 1))
            if cursor == end { return cells }
            cursor += 1
        }
    }
}

/// The names of a connection's columns.
struct CSVHeader: Sendable {
    let names: [String]
    let line: Int
    let labelIndex: Int
    /// Whether the label is what it was said to be, rather than found.
    let isLabelGiven: Bool
    /// Whether a column is called what a label is called, so that this is hardly a stray line of words.
    let isSure: Bool

    /// The names where the cells are a header: none is a number, or one is named as a label is.
    static func names(_ cells: [TextCell]) -> [String]? {
        guard cells.count >= 2 else { return nil }
        var names: [String] = []
        for cell in cells {
            guard let text = cell.text,
                !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { return nil }
            names.append(String(text.trimmingPrefix { $0 == " " }.reversed().trimmingPrefix { $0 == " " }.reversed()))
        }
        guard names.contains(where: { !$0.isEmpty }) else { return nil }
        for (index, name) in names.enumerated() where name.isEmpty { names[index] = "column\(index + 1)" }
        let numbers = cells.indices.filter { cells[$0].isNumber }
        if numbers.isEmpty { return names }
        guard let label = names.firstIndex(where: { labelNames.contains($0.lowercased()) }) else { return nil }
        // "5.1,3.5,y" is rather a sample of class y than a header; "1,2,y" numbers its columns.
        if names[label].lowercased() == "y" {
            let counted = numbers.map { Int(names[$0]) }
            let isCounting = [0, 1].contains { first in
                counted.enumerated().allSatisfy { $0.element == $0.offset + first }
            }
            return isCounting && numbers.count > 1 ? names : nil
        }
        return names
    }

    /// What a label column is called, best first.
    static let labelNames = ["label", "target", "class", "y"]

    /// - Throws: ``SampleError`` where two columns share a name or the label column is not there.
    init(_ names: [String], line: Int, label: LabelColumn) throws(SampleError) {
        var seen: Set<String> = []
        for (index, name) in names.enumerated() where !seen.insert(name).inserted {
            throw SampleError(
                line: line, column: index + 1, expected: "column names that differ", got: "\(name) a second time")
        }
        let lowercased = names.map { $0.lowercased() }
        let usual = CSVHeader.labelNames.lazy.compactMap { lowercased.firstIndex(of: $0) }.first
        var isSure = usual != nil
        switch label {
        case .automatic:
            labelIndex = usual ?? names.count - 1
        case .name(let name):
            guard let index = names.firstIndex(of: name) else {
                throw SampleError(
                    line: line, expected: "a column named \(name), the label", got: names.joined(separator: ","))
            }
            labelIndex = index
            isSure = true
        case .position(let position):
            labelIndex = try ColumnPlan.labelIndex(position, columns: names.count, line: line)
        }
        self.names = names
        self.line = line
        self.isSure = isSure
        isLabelGiven = label != .automatic
    }

    var labelName: String { names[labelIndex] }
    var inputs: [String] { names.indices.filter { $0 != labelIndex }.map { names[$0] } }
}

/// What each column of a connection is to the learner.
struct ColumnPlan: Sendable {
    enum Role: Sendable, Hashable {
        case input(Int)
        case label
        case ignored
    }

    struct Column: Sendable {
        let name: String
        let role: Role
    }

    let columns: [Column]
    /// The columns of a line that leaves the label out.
    let unlabelled: [Column]
    /// The roles alone, of each: what the inner loop reads, without the names' reference counts.
    let roles: [Role]
    let unlabelledRoles: [Role]
    /// The same as one number a column, for plain rows: the input's, or what follows.
    let places: [Int]
    let unlabelledPlaces: [Int]
    static let labelPlace = -1
    static let ignoredPlace = -2
    /// Features a row has.
    let inputs: Int
    let hasLabel: Bool
    /// Whether the label is not the last column, so that a line must be counted before it is read.
    let isLabelInside: Bool
    let isFromHeader: Bool

    private init(_ columns: [Column], inputs: Int, isFromHeader: Bool) {
        self.columns = columns
        self.inputs = inputs
        self.isFromHeader = isFromHeader
        unlabelled = columns.filter { $0.role != .label }
        roles = columns.map(\.role)
        unlabelledRoles = unlabelled.map(\.role)
        places = roles.map(ColumnPlan.place)
        unlabelledPlaces = unlabelledRoles.map(ColumnPlan.place)
        hasLabel = unlabelled.count < columns.count
        isLabelInside = hasLabel && columns.last?.role != .label
    }

    private static func place(_ role: Role) -> Int {
        switch role {
        case .input(let input): input
        case .label: labelPlace
        case .ignored: ignoredPlace
        }
    }

    /// Columns without names, by position.
    init(schema: Schema, label: LabelColumn, line: Int) throws(SampleError) {
        let count = schema.inputs.count + 1
        var index = count - 1
        if case .position(let position) = label {
            index = try ColumnPlan.labelIndex(position, columns: count, line: line)
        }
        var columns = schema.inputs.enumerated().map { Column(name: $0.element, role: .input($0.offset)) }
        columns.insert(Column(name: schema.label ?? "label", role: .label), at: index)
        self.init(columns, inputs: schema.inputs.count, isFromHeader: false)
    }

    /// A header's columns: by name where the schema has names, else by position. Columns that the schema does not
    /// know are ignored.
    init(_ header: CSVHeader, schema: Schema, line: Int) throws(SampleError) {
        var columns: [Column] = []
        guard schema.isNamed else {
            guard header.inputs.count == schema.inputs.count else {
                throw SampleError(
                    line: line, expected: "a header of \(schema.inputs.count) inputs and a label",
                    got: "\(header.names.count) columns in line \(header.line)")
            }
            var next = 0
            for (index, name) in header.names.enumerated() {
                let isLabel = index == header.labelIndex
                columns.append(Column(name: name, role: isLabel ? .label : .input(next)))
                next += isLabel ? 0 : 1
            }
            self.init(columns, inputs: schema.inputs.count, isFromHeader: true)
            return
        }
        let present = Set(header.names)
        for name in schema.inputs where !present.contains(name) {
            throw SampleError(
                line: line, expected: "a column named \(name), as the first samples had",
                got: header.names.joined(separator: ","))
        }
        let inputs = Dictionary(schema.inputs.enumerated().map { ($0.element, $0.offset) }) { first, _ in first }
        // The label as it was given here, else as the schema has it, else as found. Never an input.
        var label = header.isLabelGiven ? header.labelIndex : header.names.firstIndex { $0 == schema.label }
        if label == nil, header.isSure || schema.label == nil { label = header.labelIndex }
        for (index, name) in header.names.enumerated() {
            let role: Role = inputs[name].map { .input($0) } ?? (index == label ? .label : .ignored)
            columns.append(Column(name: name, role: role))
        }
        self.init(columns, inputs: schema.inputs.count, isFromHeader: true)
    }

    static func labelIndex(_ position: Int, columns: Int, line: Int) throws(SampleError) -> Int {
        let index = position > 0 ? position - 1 : columns + position
        guard position != 0, (0..<columns).contains(index) else {
            throw SampleError(
                line: line, expected: "a label at column \(position), of at least \(abs(position)) columns",
                got: "\(columns) columns")
        }
        return index
    }
}
