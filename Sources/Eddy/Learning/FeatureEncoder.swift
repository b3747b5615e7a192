// From columns and terms to the inputs of a network.
//
// The columns come first, in their order. Behind them stands whatever the stream turns out to have besides: for a column
// that was once missing, an input that says so (1 where it is missing; the column itself then counts as average), and
// an input for each term (a word, a category, a named feature), in the order in which they came. Inputs are given out
// by labelled samples alone, so that a question changes nothing.
//
// There is room for a bounded number of terms. From there on further ones share the inputs that there are, by a hash of
// their key (Weinberger et al., Feature Hashing, ICML 2009); how many do is counted.

import Backprop

/// Which input is what.
struct FeatureEncoder: Sendable, Hashable, Codable {
    /// The most inputs beyond the columns.
    static let limit = 4096
    /// The most of these that are standardised like columns; with more of them, they are only scaled, so that a term that
    /// is absent stays 0 and costs nothing.
    static let denseLimit = 128

    /// Terms whose inputs are remembered; what comes later shares, and is counted no more.
    private static let remembered = 16 * limit

    let columns: Int
    /// Inputs in use, columns included.
    private(set) var width: Int
    /// The input that says that a column is missing, −1 where there is none. Shape: (columns), or empty.
    private var indicators: [Int32] = []
    private var slots: [UInt64: Int32] = [:]
    /// What stands behind the columns: "age is missing", "colour=red". Shape: (width − columns).
    private(set) var names: [String] = []
    /// Terms that share an input with another.
    private(set) var collisions: UInt64 = 0
    /// The terms of the sample before, which the next one mostly has again, and in the same order.
    private var expected = Sequence()

    private struct Sequence: Sendable, Hashable {
        var keys: [UInt64] = []
        var slots: [Int32] = []
    }

    private enum CodingKeys: CodingKey { case columns, indicators, keys, places, names, collisions }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        columns = try values.decode(Int.self, forKey: .columns)
        names = try values.decode([String].self, forKey: .names)
        width = columns &+ names.count
        indicators = try values.decode([Int32].self, forKey: .indicators)
        collisions = try values.decode(UInt64.self, forKey: .collisions)
        let keys = try values.decode([UInt64].self, forKey: .keys)
        let places = try values.decode([Int32].self, forKey: .places)
        guard (0...1 << 24).contains(columns), names.count <= FeatureEncoder.limit else {
            throw DecodingError.dataCorruptedError(forKey: .columns, in: values, debugDescription: "too many inputs")
        }
        guard keys.count == places.count, Set(keys).count == keys.count else {
            throw DecodingError.dataCorruptedError(forKey: .keys, in: values, debugDescription: "not as many as places")
        }
        slots = Dictionary(uniqueKeysWithValues: zip(keys, places))
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(columns, forKey: .columns)
        try values.encode(names, forKey: .names)
        try values.encode(indicators, forKey: .indicators)
        try values.encode(collisions, forKey: .collisions)
        let sorted = slots.sorted { $0.key < $1.key }
        try values.encode(sorted.map(\.key), forKey: .keys)
        try values.encode(sorted.map(\.value), forKey: .places)
    }

    init(columns: Int) {
        self.columns = columns
        width = columns
    }

    /// What each input of a network stands for: the columns, what was found beside them, and room for more.
    func inputNames(_ schema: Schema?, room: Int) -> [String] {
        let named = schema?.inputs ?? []
        let known = (named.count == columns ? named : Schema(inputs: columns).inputs) + names
        return known + Array(repeating: "(free)", count: max(0, room - known.count))
    }

    /// Whether one read from a file can belong to a network of so many inputs.
    func isSound(inputs: Int) -> Bool {
        let beyond = Int32(columns)..<Int32(max(width, columns))
        return columns >= 0 && width == columns + names.count && width <= inputs
            && (indicators.isEmpty || indicators.count == columns)
            && indicators.allSatisfy { $0 == -1 || beyond.contains($0) } && slots.values.allSatisfy(beyond.contains)
    }

    /// Whether samples have nothing but columns.
    var isPlain: Bool { width == columns }

    /// Whether with so many more there are too many inputs beside the columns for them to be centred.
    func isSparse(with news: Int) -> Bool { width + news - columns > FeatureEncoder.denseLimit }

    /// The inputs of a network that has room for the inputs in use, so many more, and some to come: whole lanes, so that
    /// a network rarely changes its shape.
    func capacity(with news: Int) -> Int {
        let wanted = min(width + news, columns + FeatureEncoder.limit)
        if wanted == columns { return max(columns, 1) }
        return (min(wanted + (wanted - columns) / 2, columns + FeatureEncoder.limit) + 15) & ~15
    }

    /// How many inputs a sample would add.
    func news(in chunk: SampleChunk, _ index: Int) -> Int {
        guard names.count < FeatureEncoder.limit else { return 0 }
        var news = 0
        chunk.features.withUnsafeBufferPointer { features in
            for j in 0..<columns where features[index * columns + j].isNaN && indicator(of: j) < 0 { news += 1 }
        }
        let terms = chunk.terms.keys[chunk.terms.range(of: index)]
        if !expected.keys.elementsEqual(terms) || expected.slots.contains(-1) {
            var unknown: Set<UInt64> = []
            for key in terms where slot(of: key) < 0 { unknown.insert(key) }
            news += unknown.count
        }
        return min(news, FeatureEncoder.limit - names.count)
    }

    private func indicator(of column: Int) -> Int32 { indicators.isEmpty ? -1 : indicators[column] }

    /// The input of a term; −1 where it has none.
    private func slot(of key: UInt64) -> Int32 { slots[key] ?? -1 }

    /// Writes a sample's inputs, NaN for a column that is missing. Shape: (room).
    ///
    /// - Parameters:
    ///   - isLabelled: whether what is new in it gets inputs; else it is passed over.
    ///   - columnNames: for the names of new inputs.
    ///   - room: inputs that there are.
    /// - Returns: whether a column is missing.
    @discardableResult
    mutating func encode(
        _ chunk: SampleChunk, _ index: Int, isLabelled: Bool, columnNames: [String],
        into row: UnsafeMutablePointer<Float>, room: Int
    ) -> Bool {
        var hasGaps = false
        for j in columns..<room { row[j] = 0 }
        chunk.features.withUnsafeBufferPointer { features in
            for j in 0..<columns {
                let value = features[index * columns + j]
                row[j] = value
                guard value.isNaN else { continue }
                hasGaps = true
                if indicator(of: j) < 0 {
                    guard isLabelled, width < room, names.count < FeatureEncoder.limit else { continue }
                    if indicators.isEmpty { indicators = Array(repeating: -1, count: columns) }
                    indicators[j] = Int32(width)
                    names.append((j < columnNames.count ? columnNames[j] : "x\(j)") + " is missing")
                    width += 1
                }
                row[Int(indicators[j])] = 1
            }
        }
        let terms = chunk.terms.range(of: index)
        guard !terms.isEmpty else { return hasGaps }
        if !expected.keys.elementsEqual(chunk.terms.keys[terms]) {
            expected.keys = Array(chunk.terms.keys[terms])
            expected.slots = expected.keys.map { slot(of: $0) }
        }
        for (n, t) in terms.enumerated() {
            if expected.slots[n] < 0 {
                guard isLabelled else { continue }
                expected.slots[n] = add(expected.keys[n], chunk.terms.names, room: room)
                if expected.slots[n] < 0 { continue }
            }
            let place = Int(expected.slots[n])
            row[place] = Float.clamped(Double(row[place]) + Double(chunk.terms.values[t]))
        }
        return hasGaps
    }

    /// Gives a term its input.
    private mutating func add(_ key: UInt64, _ names: [UInt64: String], room: Int) -> Int32 {
        let known = slot(of: key)
        if known >= 0 { return known }  // twice in one sample
        let slot: Int32
        if self.names.count < FeatureEncoder.limit {
            guard width < room else { return -1 }
            slot = Int32(width)
            self.names.append(names[key] ?? "term \(String(key, radix: 16))")
            width += 1
        } else {
            slot = Int32(columns) + Int32(key % UInt64(FeatureEncoder.limit))
            guard slots.count < FeatureEncoder.remembered else { return slot }
            collisions += 1
        }
        slots[key] = slot
        return slot
    }
}
