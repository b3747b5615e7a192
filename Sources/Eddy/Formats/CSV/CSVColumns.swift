// Which column is which input, label or identifier.

/// What each column of a connection is to the learner.
struct ColumnPlan: Sendable {
    enum Role: Sendable, Hashable {
        /// A number, to a place in the row.
        case number(Int)
        /// A number to a place in the row, or words.
        case open(Int, Int)
        /// A day or time, to several places from one on.
        case date(Int, Schema.Kind)
        /// Words, by their place in `texts`.
        case text(Int)
        case label
        /// The label of an output beyond the first, from 1.
        case furtherLabel(Int)
        case identifier
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
    static let otherPlace = -3
    /// What the terms of columns that may hold words begin with.
    let texts: [TermPrefix]
    /// Numbers a row has.
    let inputs: Int
    let hasLabel: Bool
    /// The labels that a line has: columns of them, all left out or none.
    let labelCount: Int
    /// Whether any input is a number or day, so that no header reads as a sample.
    let hasNumbers: Bool
    /// Whether any column goes elsewhere than into the row.
    let hasOthers: Bool
    /// Whether the label is not the last column, so that a line must be counted before it is read.
    let isLabelInside: Bool
    let isFromHeader: Bool

    private init(_ columns: [Column], _ schema: Schema, isFromHeader: Bool) {
        self.columns = columns
        inputs = schema.inputs.count
        texts = schema.termPrefixes
        self.isFromHeader = isFromHeader
        unlabelled = columns.filter { !$0.role.isLabel }
        roles = columns.map(\.role)
        unlabelledRoles = unlabelled.map(\.role)
        places = roles.map(ColumnPlan.place)
        unlabelledPlaces = unlabelledRoles.map(ColumnPlan.place)
        labelCount = columns.count - unlabelled.count
        hasLabel = labelCount > 0
        hasNumbers = roles.contains { if case .number = $0 { true } else if case .date = $0 { true } else { false } }
        hasOthers = places.contains(ColumnPlan.otherPlace)
        isLabelInside = hasLabel && (columns.last?.role != .label || labelCount > 1)
    }

    private static func check(_ schema: Schema, _ line: Int) throws(SampleError) {
        guard schema.columns.isEmpty else { return }
        throw SampleError(
            .schema, line: line,
            expected: "features by name (Vowpal Wabbit text, LIBSVM or JSON), as the samples before had",
            got: "CSV")
    }

    private static func place(_ role: Role) -> Int {
        switch role {
        case .number(let place), .open(let place, _): place
        case .label: labelPlace
        case .ignored: ignoredPlace
        case .date, .text, .identifier, .furtherLabel: otherPlace
        }
    }

    /// Columns without names, by position.
    init(schema: Schema, label: LabelColumn, line: Int) throws(SampleError) {
        try ColumnPlan.check(schema, line)
        let names = schema.labels
        let count = schema.columns.count + names.count
        let indices = try ColumnPlan.labelIndices(label, outputs: names.count, columns: count, line: line)
        var inputs = zip(schema.columns, schema.roles).map { Column(name: $0.name, role: $1) }[...]
        let columns = (0..<count).map { index in
            guard let output = indices.firstIndex(of: index) else { return inputs.removeFirst() }
            return Column(name: names[output], role: output == 0 ? .label : .furtherLabel(output))
        }
        self.init(columns, schema, isFromHeader: false)
    }

    /// Where the labels stand in lines without a header: where they are said to, else at the end.
    static func labelIndices(
        _ label: LabelColumn, outputs: Int, columns: Int, line: Int
    ) throws(SampleError) -> [Int] {
        guard outputs <= columns, label.count ?? outputs == outputs else {
            throw SampleError(
                line: line, field: "label", expected: outputs == 1 ? "one label" : "\(outputs) labels",
                got: "\(label.count ?? columns)")
        }
        switch label {
        case .automatic, .name: return Array(columns - outputs..<columns)
        case .position(let position): return [try labelIndex(position, columns: columns, line: line)]
        case .several(let labels):
            let indices = try labels.map { label throws(SampleError) in
                guard case .position(let position) = label else {
                    throw SampleError(
                        line: line, field: "label", expected: "a header, or labels by position", got: "\(label)")
                }
                return try labelIndex(position, columns: columns, line: line)
            }
            try CSVHeader.checkDistinct(indices, line)
            return indices
        }
    }

    /// A header's columns: by name where the schema has names, else by position. Columns that the schema does not
    /// know are ignored.
    init(_ header: CSVHeader, schema: Schema, line: Int) throws(SampleError) {
        try ColumnPlan.check(schema, line)
        let header = try header.of(schema)
        var columns: [Column] = []
        if header.isOfLabelsAlone {
            for (index, name) in header.names.enumerated() {
                columns.append(Column(name: name, role: header.role(index) ?? .identifier))
            }
            self.init(columns, schema, isFromHeader: true)
            return
        }
        guard schema.isNamed else {
            guard header.inputs.count == schema.columns.count else {
                throw SampleError(
                    .schema, line: line,
                    expected: "a header of \(schema.columns.count) inputs and "
                        + (schema.labels.count == 1 ? "a label" : "\(schema.labels.count) labels"),
                    got: "\(header.names.count) columns in line \(header.line)")
            }
            var roles = schema.roles[...]
            for (index, name) in header.names.enumerated() {
                let role: Role =
                    header.role(index) ?? (index == header.identifierIndex ? .identifier : roles.removeFirst())
                columns.append(Column(name: name, role: role))
            }
            self.init(columns, schema, isFromHeader: true)
            return
        }
        let present = Set(header.names)
        for column in schema.columns where !present.contains(column.name) {
            throw SampleError(
                .schema, line: line, expected: "a column named \(column.name), as the first samples had",
                got: header.names.joined(separator: ","))
        }
        let inputs = Dictionary(zip(schema.columns.map(\.name), schema.roles)) { first, _ in first }
        // The label as it was given here, else as the schema has it, else as found. Never an input.
        var label = header.isLabelGiven ? header.labelIndex : header.names.firstIndex { $0 == schema.label }
        if label == nil, header.isSure || schema.label == nil { label = header.labelIndex }
        for (index, name) in header.names.enumerated() {
            let further = header.labelIndices.count > 1 ? header.role(index) : nil
            let other: Role =
                further ?? (index == label ? .label : index == header.identifierIndex ? .identifier : .ignored)
            columns.append(Column(name: name, role: inputs[name] ?? other))
        }
        self.init(columns, schema, isFromHeader: true)
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

extension CSVHeader {
    /// The same with the labels that a schema has: as they were given here, else by the schema's names. A header that
    /// names none of several belongs to lines without labels, and has one that is in no column.
    ///
    /// - Throws: ``SampleError`` where the header has some of several labels, or another number was asked for.
    fileprivate func of(_ schema: Schema) throws(SampleError) -> CSVHeader {
        let wanted = schema.labels
        if wanted.count == 1, labelIndices.count == 1 { return self }
        let places = wanted.map { names.firstIndex(of: $0) }
        if wanted.count > 1, !places.contains(nil) { return CSVHeader(self, labels: places.compactMap(\.self)) }
        if labelIndices.count == wanted.count, wanted == Schema.outputNames(wanted.count) { return self }
        guard wanted.count > 1, !isLabelGiven, places.allSatisfy({ $0 == nil }) else {
            throw SampleError(
                line: line, field: "label",
                expected: wanted.count == 1 ? "one label" : "\(wanted.count) labels: \(wanted.joined(separator: ", "))",
                got: labelNames.joined(separator: ", "))
        }
        return CSVHeader(self, labels: [])
    }

    private init(_ other: CSVHeader, labels: [Int]) {
        (names, line, isLabelGiven, isSure) = (other.names, other.line, true, other.isSure)
        labelIndices = labels
        labelIndex = labels.first ?? -1
        let identifier = names.firstIndex { $0.lowercased() == CSVHeader.identifierName }
        identifierIndex = identifier.flatMap { labels.contains($0) ? nil : $0 }
    }
}

extension ColumnPlan.Role {
    var isLabel: Bool {
        switch self {
        case .label, .furtherLabel: true
        default: false
        }
    }
}

extension Schema {
    /// Where each column's values go.
    var roles: [ColumnPlan.Role] {
        var place = 0
        var text = 0
        var roles: [ColumnPlan.Role] = []
        for column in columns {
            switch column.kind {
            case .number: roles.append(.number(place))
            case .open: roles.append(.open(place, text))
            case .date, .time: roles.append(.date(place, column.kind))
            case .text: roles.append(.text(text))
            }
            place += column.kind.parts.count
            text += column.kind.mayBeWords ? 1 : 0
        }
        return roles
    }

    /// What the terms of columns that may hold words begin with.
    var termPrefixes: [TermPrefix] {
        columns.filter { $0.kind.mayBeWords }.map { TermPrefix($0.name + "=") }
    }

    var mayHaveWords: Bool { columns.contains { $0.kind.mayBeWords } }
}

extension Schema.Kind {
    var mayBeWords: Bool { self == .text || self == .open }
}
