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
    /// Never ``Label/none``.
    public var label: Label

    /// - Throws: ``SampleError`` where there is no id or no label, or either cannot be one.
    public init(id: String, label: Label, line: Int = 0) throws(SampleError) {
        guard !id.isEmpty, id.utf8.count <= LateLabel.longestIdentifier else {
            throw SampleError(
                line: line, field: "id", expected: "an id of at most \(LateLabel.longestIdentifier) bytes", got: id)
        }
        switch label {
        case .none: throw SampleError(line: line, field: "label", expected: "a label for sample \(id)", got: "none")
        case .number(let value) where !value.isFinite:
            throw SampleError(line: line, field: "label", expected: "finite number", got: "\(value)")
        case .number, .text: break
        }
        self.id = id
        self.label = label
    }

    /// The directive `label ID VALUE`, without its `!`. The id ends at the first blank; the value is the rest of the line,
    /// read as in every format: a decimal number, else the name of a class.
    ///
    /// - Throws: ``SampleError`` where one is missing, or cannot be what it stands for.
    public init(directive: String, line: Int = 0) throws(SampleError) {
        let words = directive.split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0] == "label" else {
            throw SampleError(line: line, expected: "!label ID VALUE", got: "!" + directive.prefix(40))
        }
        let value = words[2].drop { $0 == " " }
        let end = value.lastIndex { $0 != " " }
        let label: Label
        do throws(SampleError) {
            label = try Label(parsing: end.map { String(value[...$0]) } ?? "")
        } catch {
            throw SampleError(line: line, field: error.field, expected: error.expected, got: error.got)
        }
        try self.init(id: String(words[1]), label: label, line: line)
    }
}
