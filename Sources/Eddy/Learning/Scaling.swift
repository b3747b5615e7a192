// Online standardisation: (x − mean) / deviation, both of what has been seen so far.
//
// Welford's recurrence (Technometrics 4, 1962) in Double, which neither overflows nor cancels over a
// stream without end. Deviations are of the population, M₂ / n, and are taken in Float: a scaled feature needs no more.
// A feature that has never varied scales to 0, and so does one that is missing: it counts as average. The C kernels do
// the plain form to the bit, many features at once.
//
// The robust form, a committee's, lets no value move the moments by more than five deviations, and cuts scaled features
// at four: a thousandfold outlier then costs one odd sample, and not the scale of the next ten thousand. A change of
// scale in earnest still gets through, by some percent a sample. The first twenty samples are believed as they are.
//
// Terms beyond a number (FeatureEncoder) are not centred, only divided by the root of their mean square where they are
// present, so that one that is absent stays 0.

import Backprop

/// Running mean and deviation of each feature.
///
/// A value: copies share their moments until one changes.
struct FeatureScaler: Sendable, Codable {
    private(set) var inputs: Int
    /// Labelled samples so far.
    private(set) var count: Double = 0
    let isRobust: Bool
    /// Labelled samples in which a feature was missing; empty where none ever was. Shape: (inputs).
    private var absences: [Double] = []
    /// The first input that is not centred; nil where all are.
    private var uncentred: Int?
    /// Of inputs that are not centred: samples in which they were not 0, and the sum of squares. Shape: (inputs), or empty.
    private var presences: [Double] = []
    private var energies: [Double] = []
    private var moments: Moments
    private var marked: Mark

    private struct Mark: Sendable {
        var count: Double
        var moments: Moments
        var absences: [Double] = []
        var presences: [Double] = []
        var energies: [Double] = []
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
        self.isRobust = isRobust
        moments = Moments(inputs: inputs)
        marked = Mark(count: 0, moments: Moments(inputs: inputs))
    }

    /// Shape: (inputs).
    var means: [Double] { (0..<inputs).map { moments.means[$0] } }
    /// M₂ = Σ (x − mean)². Shape: (inputs).
    var squares: [Double] { (0..<inputs).map { moments.squares[$0] } }

    /// Makes room for more features, whose values were 0 so far.
    mutating func widen(to wider: Int) {
        guard wider > inputs else { return }
        let wide = Moments(inputs: wider)
        for j in 0..<inputs { (wide.means[j], wide.squares[j]) = (moments.means[j], moments.squares[j]) }
        moments = wide
        marked = Mark(count: 0, moments: Moments(inputs: wider))
        if !absences.isEmpty { absences += repeatElement(0, count: wider - inputs) }
        if uncentred != nil {
            presences += repeatElement(0, count: wider - inputs)
            energies += repeatElement(0, count: wider - inputs)
        }
        inputs = wider
    }

    /// Features from this one on are only scaled from now on.
    mutating func stopCentring(from first: Int) {
        uncentred = first
        presences = Array(repeating: 0, count: inputs)
        energies = presences
        guard count > 0 else { return }
        for j in first..<inputs {
            energies[j] = moments.squares[j] + count * moments.means[j] * moments.means[j]
            // As many as there would be of 1s: exact for words and categories.
            presences[j] = min(max(count * moments.means[j], energies[j] > 0 ? 1 : 0), count)
        }
    }

    var isCentring: Bool { uncentred == nil }

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
        guard kernels != .swift, !mayMiss, absences.isEmpty, uncentred == nil, !isRobust else {
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

    /// Learns a sample's features. Shape: (inputs).
    mutating func update(_ x: UnsafePointer<Float>) {
        own()
        count += 1
        let share = 1 / count
        for j in 0..<(uncentred ?? inputs) {
            guard absences.isEmpty, x[j].isFinite else {
                updateWithGaps(j, x[j])
                continue
            }
            move(j, x[j], share)
        }
        guard let uncentred else { return }
        for j in uncentred..<inputs where x[j] != 0 {
            presences[j] += 1
            energies[j] += Double(x[j]) * Double(x[j])
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
        if absences.isEmpty { absences = Array(repeating: 0, count: inputs) }
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

    /// Writes the scaled features. Shapes: (inputs).
    func scale(_ x: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        for j in 0..<(uncentred ?? inputs) {
            let distance = Double(x[j]) - moments.means[j]
            let exact = variance(j)
            let variance = Float(exact)
            var z = Float(distance) / variance.squareRoot()
            if !(variance >= 1e-30 && variance <= 1e30) {  // beyond what a Float's square holds
                z = Float(distance / exact.squareRoot())
            }
            scaled[j] = exact > 0 && z == z ? max(min(z, bound), -bound) + 0 : 0
        }
        guard let uncentred else { return }
        for j in uncentred..<inputs { scaled[j] = x[j] == 0 ? 0 : max(min(x[j] * factor(j), bound), -bound) }
    }

    /// A sample's features, scaled; those beyond its columns count as 0.
    func scaled(_ features: [Float]) -> [Float] {
        let x = features + Array(repeating: 0, count: max(0, inputs - features.count))
        var row = x
        x.withUnsafeBufferPointer { scale($0.baseAddress!, into: &row) }
        return row
    }

    // MARK: Many samples at one moment

    /// One over each feature's deviation; 0 where it has none. Shape: (inputs).
    func factors(into factors: UnsafeMutablePointer<Float>) {
        for j in 0..<inputs { factors[j] = factor(j) }
    }

    @inline(__always)
    private func factor(_ j: Int) -> Float {
        if let uncentred, j >= uncentred {
            return energies[j] > 0 ? Float((presences[j] / energies[j]).squareRoot()) : 1
        }
        let (variance, mean) = (variance(j), moments.means[j])
        return variance > 1e-12 * (1e-6 + mean * mean) ? Float(1 / variance.squareRoot()) : 0
    }

    /// The means and factors of this moment, as long as nothing is learned. Shape of factors: (inputs).
    func scale(factors: UnsafePointer<Float>) -> FeatureScale {
        FeatureScale(means: UnsafePointer(moments.means), factors: factors)
    }

    /// Writes the scaled features by factors taken beforehand. Shapes: (inputs).
    @inline(__always)
    func scale(_ x: UnsafePointer<Float>, factors: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        let bound = bound
        for j in 0..<(uncentred ?? inputs) {
            let z = Float(Double(x[j]) - moments.means[j]) * factors[j]
            scaled[j] = z == z ? max(min(z, bound), -bound) + 0 : 0
        }
        guard let uncentred else { return }
        for j in uncentred..<inputs { scaled[j] = x[j] == 0 ? 0 : max(min(x[j] * factors[j], bound), -bound) }
    }

    // MARK: Taking back

    /// Remembers the present state, without allocating where nothing is ever missing.
    mutating func mark() {
        if !isKnownUniquelyReferenced(&marked.moments) { marked.moments = Moments(inputs: inputs) }
        marked.count = count
        marked.moments.take(moments)
        if !absences.isEmpty { marked.absences = absences }
        if uncentred != nil { (marked.presences, marked.energies) = (presences, energies) }
    }

    /// Goes back to the marked state.
    mutating func rollBack() {
        own()
        count = marked.count
        moments.take(marked.moments)
        if !absences.isEmpty {
            absences = marked.absences.isEmpty ? Array(repeating: 0, count: inputs) : marked.absences
        }
        if uncentred != nil { (presences, energies) = (marked.presences, marked.energies) }
    }

    /// Before a change: a copy, if another value has the same moments.
    private mutating func own() {
        guard !isKnownUniquelyReferenced(&moments) else { return }
        let copy = Moments(inputs: inputs)
        copy.take(moments)
        moments = copy
    }

    // MARK: In the model file

    private enum CodingKeys: CodingKey {
        case count, means, squares, isRobust, absences, uncentred, presences, energies
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let means = try values.decode([Double].self, forKey: .means)
        let squares = try values.decode([Double].self, forKey: .squares)
        self.init(inputs: means.count, isRobust: try values.decodeIfPresent(Bool.self, forKey: .isRobust) ?? false)
        count = try values.decode(Double.self, forKey: .count)
        absences = try values.decodeIfPresent([Double].self, forKey: .absences) ?? []
        uncentred = try values.decodeIfPresent(Int.self, forKey: .uncentred)
        presences = try values.decodeIfPresent([Double].self, forKey: .presences) ?? []
        energies = try values.decodeIfPresent([Double].self, forKey: .energies) ?? []
        let isSound =
            squares.count == inputs && (absences.isEmpty || absences.count == inputs)
            && (uncentred.map { (0...inputs).contains($0) && presences.count == inputs && energies.count == inputs }
                ?? true)
        guard isSound else {
            throw DecodingError.dataCorruptedError(
                forKey: .squares, in: values, debugDescription: "not as many as means")
        }
        for j in 0..<inputs { (moments.means[j], moments.squares[j]) = (means[j], squares[j]) }
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(count, forKey: .count)
        try values.encode(means, forKey: .means)
        try values.encode(squares, forKey: .squares)
        try values.encode(isRobust, forKey: .isRobust)
        if !absences.isEmpty { try values.encode(absences, forKey: .absences) }
        if let uncentred {
            try values.encode(uncentred, forKey: .uncentred)
            try values.encode(presences, forKey: .presences)
            try values.encode(energies, forKey: .energies)
        }
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
