// What a stream is said to be, where it is not left to be found out: its format, and its labels.

/// The text formats of samples.
public enum SampleFormat: String, Sendable, Hashable, Codable, CaseIterable {
    /// Comma-separated values, with or without a header.
    case csv
    /// One JSON object or array a line.
    case json
    /// Vowpal Wabbit's text: `label importance 'tag |namespace feature:value …`.
    case vw
    /// LIBSVM's and SVMlight's: `label index:value …`.
    case libsvm

    /// All names, for people: `csv, json, vw or libsvm`.
    public static var names: String {
        let names = allCases.map(\.rawValue)
        return names.dropLast().joined(separator: ", ") + " or " + names.last!
    }
}

/// Which column is the label.
public enum LabelColumn: Sendable, Hashable, Codable {
    /// The one named label, target, class or y; else the last.
    case automatic
    case name(String)
    /// Counted from 1; from the end where negative.
    case position(Int)
    /// Several outputs, each named or counted as above; in CSV and JSON lines alone.
    case several([LabelColumn])
}

extension LabelColumn {
    /// A name or a position as people write it; several with commas between, as the cells of a CSV line.
    ///
    ///     LabelColumn(parsing: "price,size")  // .several([.name("price"), .name("size")])
    ///
    /// - Throws: ``SampleError`` for position 0, a name that is missing or comes twice, or too many.
    public init(parsing text: String) throws(SampleError) {
        let words = try Array(text.utf8).withUnsafeBufferPointer { bytes throws(SampleError) in
            try TextCells.split(bytes, line: 0).map { $0.text ?? "" }
        }
        func column(_ word: String) throws(SampleError) -> LabelColumn {
            guard let position = Int(word) else { return .name(word) }
            guard position != 0 else {
                throw SampleError(
                    line: 0, field: "label", expected: "a name or a position from 1, from the end where negative",
                    got: word)
            }
            return .position(position)
        }
        if words.count <= 1 {
            self = try column(words.first ?? "")
            return
        }
        guard words.count <= SampleChunk.outputLimit, Set(words).count == words.count, !words.contains("") else {
            throw SampleError(
                line: 0, field: "label", expected: "at most \(SampleChunk.outputLimit) labels that differ", got: text)
        }
        self = .several(try words.map { word throws(SampleError) in try column(word) })
    }

    /// Labels that a sample has, where that is said.
    var count: Int? {
        switch self {
        case .automatic: nil
        case .name, .position: 1
        case .several(let columns): columns.count
        }
    }

    /// The names of several outputs, where all have one.
    var names: [String]? {
        guard case .several(let columns) = self else { return nil }
        let names = columns.compactMap { if case .name(let name) = $0 { name } else { nil } }
        return names.count == columns.count ? names : nil
    }
}
