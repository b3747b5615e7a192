// What a stream's samples look like. Who decides it: SchemaClaim.swift.

/// The columns of a stream of samples, and the inputs that they make.
///
///     let schema = Schema([.init("age"), .init("colour", .text), .init("when", .date)], label: "price")
///     schema.inputs  // age, when, when.weekday.sin, when.weekday.cos, when.yearday.sin, when.yearday.cos
///     schema.texts   // colour
///
/// Streams of terms alone (Vowpal Wabbit text, LIBSVM) have no columns.
public struct Schema: Sendable, Hashable {
    /// What a column's values are, by the first of them.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Numbers and booleans: one input.
        case number
        /// Not known yet, as the first sample had nothing there: numbers go to its one input, words become terms.
        case open
        /// Words: terms `column=token`, and no input.
        case text
        /// Days: a trend and cyclic parts, five inputs.
        case date
        /// Days with a time of day: seven inputs.
        case time

        /// What the names of the inputs end with.
        public var parts: [String] {
            let days = [".weekday.sin", ".weekday.cos", ".yearday.sin", ".yearday.cos"]
            return switch self {
            case .number, .open: [""]
            case .text: []
            case .date: [""] + days
            case .time: ["", ".hour.sin", ".hour.cos"] + days
            }
        }
    }

    /// A column as the sender has it.
    public struct Column: Sendable, Hashable, Codable {
        public let name: String
        public let kind: Kind

        public init(_ name: String, _ kind: Kind = .number) {
            self.name = name
            self.kind = kind
        }
    }

    /// The sender's columns in their order, without label and identifier.
    public let columns: [Column]
    /// The names of the numbers in a sample's row, in their order: dates expanded, texts left out.
    public let inputs: [String]
    /// The names of the columns whose values are terms.
    public let texts: [String]
    /// The name of the label column, where one is known; of several outputs, the first's.
    public var label: String?
    /// The names of outputs beyond the first.
    public var furtherLabels: [String] = []
    /// Whether the names came from the stream (a header, JSON keys) rather than being x0, x1, ….
    public let isNamed: Bool

    /// Columns of any kind.
    public init(_ columns: [Column], label: String? = nil, isNamed: Bool = true) {
        self.columns = columns
        inputs = columns.flatMap { column in column.kind.parts.map { column.name + $0 } }
        texts = columns.filter { $0.kind == .text }.map(\.name)
        self.label = label
        self.isNamed = isNamed
    }

    /// Columns of numbers.
    public init(names: [String], label: String? = nil) { self.init(names.map { Column($0) }, label: label) }

    /// Columns of numbers that have no names: x0, x1, ….
    public init(inputs: Int) { self.init((0..<inputs).map { Column("x\($0)") }, isNamed: false) }

    /// The names of the outputs, at least one.
    public var labels: [String] { [label ?? "label"] + furtherLabels }

    /// What outputs are called that have no names: y0, y1, ….
    public static func outputNames(_ count: Int) -> [String] { (0..<count).map { "y\($0)" } }

    /// No columns, as of Vowpal Wabbit text and LIBSVM: all that a sample has is terms.
    public static let terms = Schema([])
}

extension Schema: Codable {
    private enum CodingKeys: String, CodingKey {
        case columns, inputs, label, furtherLabels, isNamed
    }

    /// Files from before columns had kinds have the inputs alone.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let columns =
            try values.decodeIfPresent([Column].self, forKey: .columns)
            ?? values.decode([String].self, forKey: .inputs).map { Column($0) }
        self.init(
            columns, label: try values.decodeIfPresent(String.self, forKey: .label),
            isNamed: try values.decode(Bool.self, forKey: .isNamed))
        furtherLabels = try values.decodeIfPresent([String].self, forKey: .furtherLabels) ?? []
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(columns, forKey: .columns)
        try values.encodeIfPresent(label, forKey: .label)
        if !furtherLabels.isEmpty { try values.encode(furtherLabels, forKey: .furtherLabels) }
        try values.encode(isNamed, forKey: .isNamed)
    }
}
