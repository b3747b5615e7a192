// A label without its sample: what comes when it is known what a sample should have been.

/// The label of a sample that was sent before under an id.
///
///     let late = try LateLabel(directive: "label a7 setosa")
///     late.id     // "a7"
///     late.label  // .text("setosa")
public struct LateLabel: Sendable, Hashable {
    /// The longest id, in bytes.
    public static let longestIdentifier = 256

    public var id: String
    /// Never ``Label/none``, unless there are further ones.
    public var label: Label
    /// Of outputs beyond the first; see ``Sample/furtherLabels``.
    public var furtherLabels: [Label]

    /// - Throws: ``SampleError`` where there is no id or no label, or either cannot be one.
    public init(id: String, label: Label, furtherLabels: [Label] = [], line: Int = 0) throws(SampleError) {
        guard !id.isEmpty, id.utf8.count <= LateLabel.longestIdentifier else {
            throw SampleError(
                line: line, field: "id", expected: "an id of at most \(LateLabel.longestIdentifier) bytes", got: id)
        }
        let labels = [label] + furtherLabels
        guard labels.contains(where: { $0 != .none }) else {
            throw SampleError(line: line, field: "label", expected: "a label for sample \(id)", got: "none")
        }
        for case .number(let value) in labels where !value.isFinite {
            throw SampleError(line: line, field: "label", expected: "finite number", got: "\(value)")
        }
        self.id = id
        self.label = label
        self.furtherLabels = furtherLabels
    }

    /// The directive `label ID VALUE`, without its `!`. The id ends at the first blank; the value is the rest of the line,
    /// read as in every format: a decimal number, else the name of a class. Labels of several outputs have commas between
    /// them, as the cells of a CSV line, and may be empty.
    ///
    /// - Throws: ``SampleError`` where one is missing, or cannot be what it stands for.
    public init(directive: String, outputs: Int = 1, line: Int = 0) throws(SampleError) {
        let words = directive.split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0] == "label" else {
            throw SampleError(.directive, line: line, expected: "!label ID VALUE", got: "!" + directive.prefix(40))
        }
        let value = words[2].drop { $0 == " " }
        let end = value.lastIndex { $0 != " " }
        let text = end.map { String(value[...$0]) } ?? ""
        let labels: [Label]
        do throws(SampleError) {
            labels = outputs == 1 ? [try Label(parsing: text)] : try LateLabel.cells(text, outputs)
        } catch {
            throw SampleError(line: line, field: error.field, expected: error.expected, got: error.got)
        }
        try self.init(id: String(words[1]), label: labels[0], furtherLabels: Array(labels[1...]), line: line)
    }

    private static func cells(_ text: String, _ outputs: Int) throws(SampleError) -> [Label] {
        let bytes = Array(text.utf8)
        var reader = LabelReader()
        let labels = try bytes.withUnsafeBufferPointer { bytes throws(SampleError) in
            try TextCells.split(bytes, line: 0).map { cell throws(SampleError) in
                try cell.withBytes { bytes throws(SampleError) in try reader.read(bytes) }
            }
        }
        guard labels.count == outputs else {
            throw SampleError(
                line: 0, field: "label", expected: "\(outputs) labels with commas between them", got: text)
        }
        return labels
    }
}
