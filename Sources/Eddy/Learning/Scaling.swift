// Online standardisation: (x − mean) / deviation, both of what has been seen so far.
//
// Welford's recurrence (Technometrics 4, 1962) in Double, which neither overflows nor cancels over a
// stream without end. Deviations are of the population, M₂ / n, and are taken in Float: a scaled feature needs no more.
// A feature that has never varied scales to 0, and so does one that is missing: it counts as average. The C kernels do
// the plain form to the bit, many features at once.
//
// The robust form, a committee's, lets no value move the moments by more than five deviations, and cuts scaled features
// at four: a thousandfold outlier then costs one odd sample, and not the scale of the next ten thousand. A change of
// scale in earnest still gets through, by some percent a sample. Of the first twenty samples not enough is known: they are
// believed as they are, and looked at again when there are twenty.
//
// Where samples are lists (FeatureEncoder), terms are not centred, only divided by the root of their mean square where they
// are present, so that one that is absent stays 0.

import Backprop

/// Running mean and deviation of each feature.
///
/// A value: copies share their moments until one changes.
struct FeatureScaler: Sendable, Codable {
    private(set) var inputs: Int
    /// Labelled samples so far.
    private(set) var count: Double = 0
    let isRobust: Bool
    /// Labelled samples in which a feature was missing; empty where none ever was. Shape: (centred).
    private var absences: [Double] = []
    /// Inputs that are centred, the first ones: all, unless samples are lists.
    private(set) var centred: Int
    private(set) var isSparse = false
    /// Of each input that is not centred: samples that had it, and the sum of squares. Shape: (inputs − centred).
    private var terms: [Term] = []
    private var moments: Moments
    private var marked: Mark
    /// What has been written over in `terms` since the mark; nil where nothing was marked.
    private var overwritten: [(index: Int, term: Term)]?

    /// The first samples, where they are looked at again.
    private var early = FirstSamples()

    private struct Term: Sendable {
        var count = 0.0
        var squares = 0.0

        /// One over the root of the mean square.
        var factor: Float { squares > 0 ? Float.clamped((count / squares).squareRoot()) : 1 }
    }

    private struct Mark: Sendable {
        var count: Double
        var moments: Moments
        var absences: [Double] = []
        var early = FirstSamples()
    }

    /// The largest scaled feature, in deviations: one wild value must not throw the weights.
    static let bound: Float = 8
    private static let robustBound: Float = 4
    /// The most deviations by which a value moves the moments, once there are enough to know them.
    private static let winsor = 5.0
    private static let winsorFrom = 20.0

    private var bound: Float { isRobust ? FeatureScaler.robustBound : FeatureScaler.bound }

    init(inputs: Int, isRobust: Bool = false) {
        self.inputs = inputs
        centred = inputs
        self.isRobust = isRobust
        moments = Moments(inputs: inputs)
        marked = Mark(count: 0, moments: Moments(inputs: inputs))
    }

    /// Shape: (centred).
    var means: [Double] { (0..<centred).map { moments.means[$0] } }
    /// M₂ = Σ (x − mean)². Shape: (centred).
    var squares: [Double] { (0..<centred).map { moments.squares[$0] } }

    /// Makes room for more features, whose values were 0 so far.
    mutating func widen(to wider: Int) {
        guard wider > inputs else { return }
        if isSparse {
            terms += repeatElement(Term(), count: wider - inputs)
        } else {
            early.reshape(from: centred, to: wider)
            take(moments, centred: wider)
            if !absences.isEmpty { absences += repeatElement(0, count: wider - inputs) }
        }
        inputs = wider
    }

    /// Takes over the first of some moments.
    private mutating func take(_ old: Moments, centred count: Int) {
        let new = Moments(inputs: count)
        for j in 0..<min(centred, count) { (new.means[j], new.squares[j]) = (old.means[j], old.squares[j]) }
        moments = new
        marked = Mark(count: 0, moments: Moments(inputs: count))
        centred = count
    }

    /// From now on samples are lists, and only columns are centred.
    mutating func becomeSparse(columns: Int) {
        terms = (columns..<inputs).map { j in
            guard count > 0 else { return Term() }
            let squares = moments.squares[j] + count * moments.means[j] * moments.means[j]
            // As many as there would be of one value: exact for words and categories.
            let sum = count * moments.means[j]
            return Term(count: squares > 0 ? min(sum * sum / squares, count) : 0, squares: squares)
        }
        early.reshape(from: centred, to: columns)
        take(moments, centred: columns)
        if !absences.isEmpty { absences.removeLast(absences.count - columns) }
        isSparse = true
    }

    /// Learns the features of labelled samples and writes all samples scaled, in order. Shapes: (samples, inputs) into
    /// (samples, stride).
    ///
    /// - Parameters:
    ///   - labels: NaN for a sample that is not to be learned, and changes no statistics.
    ///   - mayMiss: whether a feature may be missing (NaN).
    mutating func standardise(
        _ features: UnsafePointer<Float>, _ samples: Int, labels: UnsafePointer<Float>,
        into rows: UnsafeMutablePointer<Float>, stride: Int, mayMiss: Bool = false, kernels: Kernels = .chosen
    ) {
        own()
        guard kernels != .swift, !mayMiss, absences.isEmpty, !isRobust else {
            for i in 0..<samples {
                if !labels[i].isNaN { update(features + i * inputs) }
                scale(features + i * inputs, into: rows + i * stride)
            }
            return
        }
        kernels.standardise(
            features, count: samples, inputs: inputs, labels: labels, means: moments.means, squares: moments.squares,
            seen: &count, bound: bound, into: rows, stride: stride)
    }

    /// Lets the same means and deviations count as those of fewer samples.
    mutating func weigh(by share: Double) {
        own()
        count *= share
        for j in 0..<centred { moments.squares[j] *= share }
        for j in absences.indices { absences[j] *= share }
        for j in terms.indices {
            (terms[j].count, terms[j].squares) = (terms[j].count * share, terms[j].squares * share)
        }
    }

    /// Learns a sample's columns, of a whole row all inputs. Shape: (centred).
    mutating func update(_ x: UnsafePointer<Float>) {
        own()
        count += 1
        let share = 1 / count
        for j in 0..<centred {
            guard absences.isEmpty, x[j].isFinite else {
                updateWithGaps(j, x[j])
                continue
            }
            move(j, x[j], share)
        }
        if isRobust, count <= FeatureScaler.winsorFrom { keepEarly(x) }
    }

    private mutating func keepEarly(_ x: UnsafePointer<Float>) {
        early.append(x, centred)
        guard count == FeatureScaler.winsorFrom else { return }
        for j in 0..<centred {
            guard let judged = early.judged(j, of: centred, limit: FeatureScaler.winsor) else { continue }
            (moments.means[j], moments.squares[j]) = judged
        }
        early = FirstSamples()
    }

    /// Learns a sample's features, in either form.
    @inline(__always)
    mutating func update(_ row: SampleRow) {
        update(row.values)
        guard let places = row.places else { return }
        for k in centred..<row.count {
            let index = Int(places[k]) - centred
            overwritten?.append((index, terms[index]))
            let x = Double(row.values[k])
            terms[index].count += 1
            terms[index].squares += x * x
        }
    }

    @inline(__always)
    private func move(_ j: Int, _ x: Float, _ share: Double) {
        var value = Double(x)
        if isRobust, share < 1 / FeatureScaler.winsorFrom {
            let limit = FeatureScaler.winsor * (moments.squares[j] * share).squareRoot()
            if limit > 0 { value = min(max(value, moments.means[j] - limit), moments.means[j] + limit) }
        }
        let delta = value - moments.means[j]
        moments.means[j] += delta * share
        moments.squares[j] += delta * (value - moments.means[j])
    }

    /// The same for a feature of a stream in which some are missing.
    private mutating func updateWithGaps(_ j: Int, _ x: Float) {
        if absences.isEmpty { absences = Array(repeating: 0, count: centred) }
        if !x.isFinite {
            absences[j] += 1
        } else {
            move(j, x, 1 / (count - absences[j]))
        }
    }

    private func variance(_ j: Int) -> Double {
        let seen = absences.isEmpty ? count : count - absences[j]
        return seen > 0 ? moments.squares[j] * (1 / seen) : 0
    }

    /// Writes the scaled columns, of a whole row all inputs. Shapes: (centred).
    func scale(_ x: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        for j in 0..<centred {
            let distance = Double(x[j]) - moments.means[j]
            let exact = variance(j)
            let variance = Float(exact)
            var z = Float(distance) / variance.squareRoot()
            if !(variance >= 1e-30 && variance <= 1e30) {  // beyond what a Float's square holds
                z = Float(distance / exact.squareRoot())
            }
            scaled[j] = exact > 0 && z == z ? max(min(z, bound), -bound) + 0 : 0
        }
    }

    /// Writes the scaled features of a list, in its order.
    func scale(list: SampleRow, into scaled: UnsafeMutablePointer<Float>) {
        scale(list.values, into: scaled)
        scaleTerms(list, into: scaled)
    }

    @inline(__always)
    private func scaleTerms(_ list: SampleRow, into scaled: UnsafeMutablePointer<Float>) {
        let bound = bound
        for k in centred..<list.count {
            scaled[k] = max(min(list.values[k] * terms[Int(list.places![k]) - centred].factor, bound), -bound)
        }
    }

    /// A sample's features, scaled; those beyond its columns count as 0.
    func scaled(_ features: [Float]) -> [Float] {
        let x = features + Array(repeating: 0, count: max(0, inputs - features.count))
        var row = x
        x.withUnsafeBufferPointer { scale($0.baseAddress!, into: &row) }
        for j in centred..<inputs { row[j] = x[j] == 0 ? 0 : max(min(x[j] * terms[j - centred].factor, bound), -bound) }
        return row
    }

    // MARK: Many samples at one moment

    /// One over each column's deviation; 0 where it has none. Shape: (centred).
    func factors(into factors: UnsafeMutablePointer<Float>) {
        for j in 0..<centred {
            let (variance, mean) = (variance(j), moments.means[j])
            factors[j] = variance > 1e-12 * (1e-6 + mean * mean) ? Float(1 / variance.squareRoot()) : 0
        }
    }

    /// The means and factors of this moment, as long as nothing is learned. Shape of factors: (centred).
    func scale(factors: UnsafePointer<Float>) -> FeatureScale {
        FeatureScale(means: UnsafePointer(moments.means), factors: factors)
    }

    /// Writes the scaled features by columns' factors taken beforehand, in the order of the row.
    @inline(__always)
    func scale(_ row: SampleRow, factors: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        let (x, bound) = (row.values, bound)
        for j in 0..<centred {
            let z = Float(Double(x[j]) - moments.means[j]) * factors[j]
            scaled[j] = z == z ? max(min(z, bound), -bound) + 0 : 0
        }
        if row.places != nil { scaleTerms(row, into: scaled) }
    }

    // MARK: Taking back

    /// Remembers the present state, without allocating where nothing is ever missing.
    mutating func mark() {
        if !isKnownUniquelyReferenced(&marked.moments) { marked.moments = Moments(inputs: centred) }
        marked.count = count
        marked.moments.take(moments)
        if !absences.isEmpty { marked.absences = absences }
        if isRobust { marked.early = early }
        if isSparse { overwritten = [] }
    }

    /// Goes back to the marked state.
    mutating func rollBack() {
        own()
        count = marked.count
        moments.take(marked.moments)
        early = marked.early
        if !absences.isEmpty {
            absences = marked.absences.isEmpty ? Array(repeating: 0, count: centred) : marked.absences
        }
        for (index, term) in (overwritten ?? []).reversed() { terms[index] = term }
        overwritten = []
    }

    /// Before a change: a copy, if another value has the same moments.
    private mutating func own() {
        guard !isKnownUniquelyReferenced(&moments) else { return }
        let copy = Moments(inputs: centred)
        copy.take(moments)
        moments = copy
    }

    // MARK: In the model file

    private enum CodingKeys: CodingKey {
        case count, means, squares, isRobust, early, absences, inputs, termCounts, termSquares
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let means = try values.decode([Double].self, forKey: .means)
        let squares = try values.decode([Double].self, forKey: .squares)
        self.init(inputs: means.count, isRobust: try values.decodeIfPresent(Bool.self, forKey: .isRobust) ?? false)
        count = try values.decode(Double.self, forKey: .count)
        absences = try values.decodeIfPresent([Double].self, forKey: .absences) ?? []
        early = FirstSamples(try values.decodeIfPresent([Float].self, forKey: .early) ?? [])
        let counts = try values.decodeIfPresent([Double].self, forKey: .termCounts)
        let termSquares = try values.decodeIfPresent([Double].self, forKey: .termSquares)
        inputs = try values.decodeIfPresent(Int.self, forKey: .inputs) ?? centred
        isSparse = counts != nil
        let known = counts?.count ?? 0
        guard squares.count == centred, absences.isEmpty || absences.count == centred, termSquares?.count ?? 0 == known,
            early.isSound(centred, at: count),
            (centred...1 << 25).contains(inputs),
            isSparse ? known <= inputs - centred : inputs == centred
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .squares, in: values, debugDescription: "not as many as means")
        }
        for j in 0..<centred { (moments.means[j], moments.squares[j]) = (means[j], squares[j]) }
        terms = zip(counts ?? [], termSquares ?? []).map { Term(count: $0, squares: $1) }
        terms += repeatElement(Term(), count: inputs - centred - known)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(count, forKey: .count)
        try values.encode(means, forKey: .means)
        try values.encode(squares, forKey: .squares)
        try values.encode(isRobust, forKey: .isRobust)
        if !early.values.isEmpty { try values.encode(early.values, forKey: .early) }
        if !absences.isEmpty { try values.encode(absences, forKey: .absences) }
        guard isSparse else { return }
        let known = terms.prefix((terms.lastIndex { $0.count > 0 } ?? -1) + 1)
        try values.encode(inputs, forKey: .inputs)
        try values.encode(known.map(\.count), forKey: .termCounts)
        try values.encode(known.map(\.squares), forKey: .termSquares)
    }

    /// Means and squares, aligned and padded as the kernels want them. Changed only by the one value that holds it.
    private final class Moments: @unchecked Sendable {
        let means: UnsafeMutablePointer<Double>
        let squares: UnsafeMutablePointer<Double>
        private let count: Int

        init(inputs: Int) {
            count = (inputs + 15) & ~15
            let bytes = UnsafeMutableRawPointer.allocate(byteCount: 2 * count * 8, alignment: 64)
            means = bytes.bindMemory(to: Double.self, capacity: 2 * count)
            means.initialize(repeating: 0, count: 2 * count)
            squares = means + count
        }

        deinit { UnsafeMutableRawPointer(means).deallocate() }

        func take(_ other: Moments) { means.update(from: other.means, count: 2 * count) }
    }
}
