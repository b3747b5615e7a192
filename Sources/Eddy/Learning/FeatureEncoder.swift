// From columns and terms to the inputs of a network.
//
// The columns come first, in their order. Behind them stands whatever the stream turns out to have besides: for a column
// that was once missing, an input that says so (1 where it is missing; the column itself then counts as average), and
// an input for each term (a word, a category, a named feature), in the order in which they came. Inputs are given out
// by labelled samples alone, so that a question changes nothing.
//
// There is room for a bounded number of terms. From there on further ones share the inputs that there are, by a hash of
// their key (Weinberger et al., Feature Hashing, ICML 2009); how many do is counted.
//
// While few inputs stand behind the columns, a sample is a row of all inputs. Once there are many, of which few are there
// at a time, it is a list of those that are (SparseBuffer).

import Backprop

/// Which input is what.
struct FeatureEncoder: Sendable, Codable {
    /// The most inputs beyond the columns.
    static let limit = 1 << 18
    /// The most of these with which samples are whole rows, and all inputs standardised like columns. With more, samples
    /// are lists, and terms are only scaled, so that one that is absent stays 0 and costs nothing.
    static let denseLimit = 128

    /// Terms whose inputs are remembered; what comes later shares, and is counted no more.
    private static let remembered = 2 * limit

    let columns: Int
    /// Inputs in use, columns included.
    private(set) var width: Int
    /// The input that says that a column is missing, −1 where there is none. Shape: (columns), or empty.
    private var indicators: [Int32] = []
    private var slots = KeyTable()
    /// Whether samples are lists of the inputs that they have.
    private(set) var isSparse = false
    /// The most inputs beyond the columns, where memory has a word too.
    private(set) var limit = FeatureEncoder.limit
    /// What stands behind the columns: "age is missing", "colour=red". Shape: (width − columns).
    private(set) var names: [String] = []
    /// Terms that share an input with another.
    private(set) var collisions: UInt64 = 0
    /// The terms of the sample before, which the next one mostly has again, and in the same order.
    private var expected = TermList()

    private struct TermList: Sendable {
        var keys: [UInt64] = []
        var slots: [Int32] = []
    }

    /// Names that questions told, of terms that have no input yet: a decoder tells each once. Not in the model file, as no
    /// question is.
    private var heard: [UInt64: String] = [:]
    /// Keys that were given inputs since the mark.
    private var news: [UInt64] = []
    /// A sample's terms by place: place · 2³² + turn.
    private var order: [UInt64] = []

    private enum CodingKeys: CodingKey { case columns, indicators, keys, places, names, collisions, isSparse, limit }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        columns = try values.decode(Int.self, forKey: .columns)
        names = try values.decode([String].self, forKey: .names)
        width = columns &+ names.count
        indicators = try values.decode([Int32].self, forKey: .indicators)
        collisions = try values.decode(UInt64.self, forKey: .collisions)
        let keys = try values.decode([UInt64].self, forKey: .keys)
        let places = try values.decode([Int32].self, forKey: .places)
        isSparse = try values.decodeIfPresent(Bool.self, forKey: .isSparse) ?? false
        limit = try values.decodeIfPresent(Int.self, forKey: .limit) ?? FeatureEncoder.limit
        guard (0...1 << 24).contains(columns), (0...FeatureEncoder.limit).contains(limit), names.count <= limit,
            collisions < 1 << 62
        else {
            throw DecodingError.dataCorruptedError(forKey: .columns, in: values, debugDescription: "too many inputs")
        }
        guard keys.count == places.count, Set(keys).count == keys.count else {
            throw DecodingError.dataCorruptedError(forKey: .keys, in: values, debugDescription: "not as many as places")
        }
        slots = KeyTable(zip(keys, places).map { (key: $0, value: $1) })
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(columns, forKey: .columns)
        try values.encode(names, forKey: .names)
        try values.encode(indicators, forKey: .indicators)
        try values.encode(collisions, forKey: .collisions)
        let sorted = slots.pairs.sorted { $0.key < $1.key }
        try values.encode(sorted.map(\.key), forKey: .keys)
        try values.encode(sorted.map(\.value), forKey: .places)
        if isSparse { try values.encode(isSparse, forKey: .isSparse) }
        if limit != FeatureEncoder.limit { try values.encode(limit, forKey: .limit) }
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
            && indicators.allSatisfy { $0 == -1 || beyond.contains($0) }
            && slots.pairs.allSatisfy { beyond.contains($0.value) }
    }

    /// Whether samples have nothing but columns.
    var isPlain: Bool { width == columns }

    /// Whether with so many more there are too many inputs beside the columns for whole rows.
    func isBeyondRows(with news: Int) -> Bool { !isSparse && width + news - columns > FeatureEncoder.denseLimit }

    /// From now on samples are lists.
    mutating func becomeSparse() { isSparse = true }

    /// There is no room for more inputs than so many: further terms share them.
    mutating func close(at inputs: Int) { limit = max(names.count, min(limit, inputs - columns)) }

    /// The inputs of a network that has room for the inputs in use, so many more, and some to come: whole lanes, so that
    /// a network rarely changes its shape.
    func capacity(with news: Int) -> Int {
        let wanted = min(width + news, columns + limit)
        if wanted == columns { return max(columns, 1) }
        return (min(wanted + (wanted - columns) / 2, columns + limit) + 15) & ~15
    }

    /// How many inputs a sample would add.
    func news(in chunk: SampleChunk, _ index: Int) -> Int {
        guard names.count < limit else { return 0 }
        var news = 0
        chunk.features.withUnsafeBufferPointer { features in
            for j in 0..<columns where features[index * columns + j].isNaN && indicator(of: j) < 0 { news += 1 }
        }
        let range = chunk.terms.range(of: index)
        let keys = chunk.terms.keys[range]
        if !expected.keys.elementsEqual(keys) || expected.slots.contains(-1) {
            let unknown = keys.filter { slots[$0] < 0 }
            news += unknown.count < 2 ? unknown.count : Set(unknown).count
        }
        return min(news, limit - names.count)
    }

    private func indicator(of column: Int) -> Int32 { indicators.isEmpty ? -1 : indicators[column] }

    // MARK: A sample

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
        copyColumns(chunk, index, into: row)
        for j in columns..<room { row[j] = 0 }
        var hasGaps = false
        for j in 0..<columns where row[j].isNaN {
            hasGaps = true
            let place = indicator(for: j, isLabelled, columnNames, room: room)
            if place >= 0 { row[place] = 1 }
        }
        findTerms(chunk, index, isLabelled: isLabelled, room: room)
        for (n, t) in chunk.terms.range(of: index).enumerated() where expected.slots[n] >= 0 {
            let place = Int(expected.slots[n])
            row[place] = Float.clamped(Double(row[place]) + Double(chunk.terms.values[t]))
        }
        return hasGaps
    }

    /// The same as a list of the inputs that it has: all columns, then the others by ascending place.
    mutating func encode(
        _ chunk: SampleChunk, _ index: Int, isLabelled: Bool, columnNames: [String], into list: SparseBuffer, room: Int
    ) {
        let terms = chunk.terms.range(of: index)
        order.removeAll(keepingCapacity: true)
        for j in 0..<columns where chunk.features[index * columns + j].isNaN {
            let place = indicator(for: j, isLabelled, columnNames, room: room)
            if place >= 0 { order.append(UInt64(place) << 32 | UInt64(UInt32.max)) }
        }
        findTerms(chunk, index, isLabelled: isLabelled, room: room)
        for n in 0..<terms.count where expected.slots[n] >= 0 {
            order.append(UInt64(UInt32(expected.slots[n])) << 32 | UInt64(n))
        }
        order.sort()
        var inputs = columns
        for n in order.indices where n == 0 || order[n] >> 32 != order[n - 1] >> 32 { inputs += 1 }

        let (places, values) = list.append(inputs)
        copyColumns(chunk, index, into: values)
        for j in 0..<columns { places[j] = UInt32(j) }
        var next = columns
        for n in order.indices {
            let turn = Int(order[n] & 0xffff_ffff)
            let value = turn == UInt32.max ? 1 : chunk.terms.values[terms.lowerBound + turn]
            if n > 0, order[n] >> 32 == order[n - 1] >> 32 {
                values[next - 1] = Float.clamped(Double(values[next - 1]) + Double(value))
            } else {
                places[next] = UInt32(order[n] >> 32)
                values[next] = value
                next += 1
            }
        }
    }

    private func copyColumns(_ chunk: SampleChunk, _ index: Int, into row: UnsafeMutablePointer<Float>) {
        guard columns > 0 else { return }
        chunk.features.withUnsafeBufferPointer { features in
            row.update(from: features.baseAddress! + index * columns, count: columns)
        }
    }

    /// The input that says that a column is missing, a new one where it has none yet; −1 where it gets none.
    private mutating func indicator(for column: Int, _ isLabelled: Bool, _ names: [String], room: Int) -> Int {
        if indicator(of: column) < 0 {
            guard isLabelled, width < room, self.names.count < limit else { return -1 }
            if indicators.isEmpty { indicators = Array(repeating: -1, count: columns) }
            indicators[column] = Int32(width)
            self.names.append((column < names.count ? names[column] : "x\(column)") + " is missing")
            width += 1
        }
        return Int(indicators[column])
    }

    /// Finds the inputs of a sample's terms, and gives new ones theirs: into `expected`.
    private mutating func findTerms(_ chunk: SampleChunk, _ index: Int, isLabelled: Bool, room: Int) {
        let terms = chunk.terms.range(of: index)
        guard !terms.isEmpty else { return }
        if !expected.keys.elementsEqual(chunk.terms.keys[terms]) {
            expected.keys.replaceSubrange(expected.keys.indices, with: chunk.terms.keys[terms])
            expected.slots.removeAll(keepingCapacity: true)
            for key in expected.keys { expected.slots.append(slots[key]) }
        }
        guard isLabelled else {
            for n in expected.slots.indices where expected.slots[n] < 0 { hear(expected.keys[n], chunk.terms.names) }
            return
        }
        for n in expected.slots.indices where expected.slots[n] < 0 {
            expected.slots[n] = add(expected.keys[n], chunk.terms.names, room: room)
        }
    }

    private mutating func hear(_ key: UInt64, _ names: [UInt64: String]) {
        if heard.count < 1 << 16, let name = names[key] { heard[key] = name }
    }

    /// Gives a term its input.
    private mutating func add(_ key: UInt64, _ names: [UInt64: String], room: Int) -> Int32 {
        let known = slots[key]
        if known >= 0 { return known }  // twice in one sample
        let slot: Int32
        if self.names.count < limit {
            guard width < room else { return -1 }
            slot = Int32(width)
            self.names.append(names[key] ?? heard.removeValue(forKey: key) ?? "term \(String(key, radix: 16))")
            width += 1
        } else {
            guard limit > 0 else { return -1 }
            slot = Int32(columns) + Int32(key % UInt64(limit))
            guard slots.count < FeatureEncoder.remembered else { return slot }
            collisions += 1
        }
        slots[key] = slot
        news.append(key)
        return slot
    }

    // MARK: Taking back

    /// Remembers what there is.
    mutating func mark() -> Mark {
        news.removeAll(keepingCapacity: true)
        return Mark(width: width, collisions: collisions)
    }

    struct Mark {
        fileprivate let width: Int
        fileprivate let collisions: UInt64
    }

    /// Goes back to the last mark.
    mutating func rollBack(to mark: Mark) {
        for key in news where Int(slots[key]) >= mark.width { heard[key] = names[Int(slots[key]) - columns] }
        slots.remove(news)
        news = []
        expected = TermList()
        names.removeLast(width - mark.width)
        for j in indicators.indices where indicators[j] >= mark.width { indicators[j] = -1 }
        (width, collisions) = (mark.width, mark.collisions)
    }
}
