// A header: the names of a connection's columns, and which of them are labels.

/// The names of a connection's columns.
struct CSVHeader: Sendable {
    let names: [String]
    let line: Int
    let labelIndex: Int
    /// The labels' columns in the order of the outputs, that one first.
    let labelIndices: [Int]
    /// Which column names the samples: the one called `id`, in any case, unless it is the label.
    let identifierIndex: Int?
    /// Whether the label is what it was said to be, rather than found.
    let isLabelGiven: Bool
    /// Whether a column is called what a label is called, so that this is hardly a stray line of words.
    let isSure: Bool

    /// The names that the cells would be in a header: text, not all empty; nil where they cannot be.
    static func names(of cells: [TextCell]) -> [String]? {
        guard cells.count >= 2 else { return nil }
        var names: [String] = []
        for cell in cells {
            guard let text = cell.text,
                !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { return nil }
            names.append(String(text.trimmingPrefix { $0 == " " }.reversed().trimmingPrefix { $0 == " " }.reversed()))
        }
        guard !cells.allSatisfy({ $0.isMissing }) else { return nil }
        for (index, name) in names.enumerated() where name.isEmpty { names[index] = "column\(index + 1)" }
        return names
    }

    /// The names where the cells are a header: none is a value, or one is named as a label is.
    static func names(_ cells: [TextCell]) -> [String]? {
        guard let names = names(of: cells) else { return nil }
        let values = cells.indices.filter { cells[$0].isValue }
        if values.isEmpty { return names }
        guard let label = names.firstIndex(where: { labelNames.contains($0.lowercased()) }) else { return nil }
        // "5.1,3.5,y" is rather a sample of class y than a header; "1,2,y" numbers its columns.
        if names[label].lowercased() == "y" {
            let counted = values.map { Int(names[$0]) }
            let isCounting = [0, 1].contains { first in
                counted.enumerated().allSatisfy { $0.element == $0.offset + first }
            }
            return isCounting && values.count > 1 ? names : nil
        }
        return names
    }

    /// What a label column is called, best first.
    static let labelNames = ["label", "target", "class", "y"]
    /// What a column of the samples' own names is called. It says nothing about them, and is never learned from.
    static let identifierName = "id"

    /// - Throws: ``SampleError`` where two columns share a name or the label column is not there.
    init(_ names: [String], line: Int, label: LabelColumn) throws(SampleError) {
        var seen: Set<String> = []
        for (index, name) in names.enumerated() where !seen.insert(name).inserted {
            throw SampleError(
                .header, line: line, column: index + 1, expected: "column names that differ",
                got: "\(name) a second time")
        }
        let lowercased = names.map { $0.lowercased() }
        let usual = CSVHeader.labelNames.lazy.compactMap { lowercased.firstIndex(of: $0) }.first
        let identifier = lowercased.firstIndex(of: CSVHeader.identifierName)
        var isSure = usual != nil
        var several: [Int] = []
        switch label {
        case .automatic:
            let last = identifier == names.count - 1 ? names.count - 2 : names.count - 1
            labelIndex = usual ?? last
        case .name(let name):
            guard let index = names.firstIndex(of: name) else {
                throw SampleError(
                    .header, line: line, expected: "a column named \(name), the label",
                    got: names.joined(separator: ","))
            }
            labelIndex = index
            isSure = true
        case .position(let position):
            labelIndex = try ColumnPlan.labelIndex(position, columns: names.count, line: line)
        case .several(let columns):
            several = try columns.map { column throws(SampleError) in
                try CSVHeader(names, line: line, label: column).labelIndex
            }
            try CSVHeader.checkDistinct(several, line)
            labelIndex = several[0]
            isSure = isSure || label.names != nil
        }
        self.names = names
        self.line = line
        self.isSure = isSure
        let labels = several.isEmpty ? [labelIndex] : several
        labelIndices = labels
        identifierIndex = identifier.flatMap { labels.contains($0) ? nil : $0 }
        isLabelGiven = label != .automatic
    }

    static func checkDistinct(_ labels: [Int], _ line: Int) throws(SampleError) {
        guard Set(labels).count == labels.count else {
            throw SampleError(
                line: line, field: "label", expected: "labels in columns that differ",
                got: "columns " + labels.map { "\($0 + 1)" }.joined(separator: ", "))
        }
    }

    var labelName: String { names[labelIndex] }
    var labelNames: [String] { labelIndices.map { names[$0] } }
    /// The places of the columns that are neither label nor identifier.
    var inputIndices: [Int] { names.indices.filter { !labelIndices.contains($0) && $0 != identifierIndex } }
    var inputs: [String] { inputIndices.map { names[$0] } }
    /// Whether there is nothing but identifiers and labels: labels of samples that came before.
    var isOfLabelsAlone: Bool { identifierIndex != nil && names.count == 1 + labelIndices.count }

    /// The output whose label a column is.
    func role(_ index: Int) -> ColumnPlan.Role? {
        labelIndices.firstIndex(of: index).map { $0 == 0 ? .label : .furtherLabel($0) }
    }
}
