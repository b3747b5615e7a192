// Online standardisation: (x − mean) / deviation, both of what has been seen so far.
//
// Welford's recurrence (Technometrics 4, 1962) in Double, which neither overflows nor cancels over a
// stream without end. Deviations are of the population, M₂ / n, and are taken in Float: a scaled feature needs no more.
// A feature that has never varied scales to 0. The C kernels do the same to the bit, many features at once.

import Backprop

/// Running mean and deviation of each feature.
///
/// A value: copies share their moments until one changes.
struct FeatureScaler: Sendable, Codable {
    let inputs: Int
    private(set) var count: Double = 0
    private var moments: Moments
    private var marked: (count: Double, moments: Moments)

    /// The largest scaled feature, in deviations: one wild value must not throw the weights.
    static let bound: Float = 8

    init(inputs: Int) {
        self.inputs = inputs
        moments = Moments(inputs: inputs)
        marked = (0, Moments(inputs: inputs))
    }

    /// Shape: (inputs).
    var means: [Double] { (0..<inputs).map { moments.means[$0] } }
    /// M₂ = Σ (x − mean)². Shape: (inputs).
    var squares: [Double] { (0..<inputs).map { moments.squares[$0] } }

    /// Learns the features of labelled samples and writes all samples scaled, in order. Shapes: (samples, inputs) into
    /// (samples, stride).
    ///
    /// - Parameter labels: NaN for a sample that is not to be learned, and changes no statistics.
    mutating func standardise(
        _ features: UnsafePointer<Float>, _ samples: Int, labels: UnsafePointer<Float>,
        into rows: UnsafeMutablePointer<Float>, stride: Int, kernels: Kernels = .chosen
    ) {
        own()
        guard kernels != .swift else {
            for i in 0..<samples {
                if !labels[i].isNaN { update(features + i * inputs) }
                scale(features + i * inputs, into: rows + i * stride)
            }
            return
        }
        kernels.standardise(
            features, count: samples, inputs: inputs, labels: labels, means: moments.means, squares: moments.squares,
            seen: &count, bound: FeatureScaler.bound, into: rows, stride: stride)
    }

    /// Learns a sample's features. Shape: (inputs).
    mutating func update(_ x: UnsafePointer<Float>) {
        own()
        count += 1
        let share = 1 / count
        for j in 0..<inputs {
            let delta = Double(x[j]) - moments.means[j]
            moments.means[j] += delta * share
            moments.squares[j] += delta * (Double(x[j]) - moments.means[j])
        }
    }

    /// Writes the scaled features. Shapes: (inputs).
    func scale(_ x: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        let share = count > 0 ? 1 / count : 0
        for j in 0..<inputs {
            let distance = Double(x[j]) - moments.means[j]
            let squares = moments.squares[j]
            let variance = Float(squares * share)
            var z = Float(distance) / variance.squareRoot()
            if !(variance >= 1e-30 && variance <= 1e30) {  // beyond what a Float's square holds
                z = Float(distance / (squares * share).squareRoot())
            }
            scaled[j] = squares > 0 ? max(min(z, FeatureScaler.bound), -FeatureScaler.bound) + 0 : 0
        }
    }

    /// Remembers the present state, without allocating.
    mutating func mark() {
        if !isKnownUniquelyReferenced(&marked.moments) { marked.moments = Moments(inputs: inputs) }
        marked.count = count
        marked.moments.take(moments)
    }

    /// Goes back to the marked state.
    mutating func rollBack() {
        own()
        count = marked.count
        moments.take(marked.moments)
    }

    /// Before a change: a copy, if another value has the same moments.
    private mutating func own() {
        guard !isKnownUniquelyReferenced(&moments) else { return }
        let copy = Moments(inputs: inputs)
        copy.take(moments)
        moments = copy
    }

    private enum CodingKeys: CodingKey { case count, means, squares }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let means = try container.decode([Double].self, forKey: .means)
        let squares = try container.decode([Double].self, forKey: .squares)
        guard squares.count == means.count else {
            throw DecodingError.dataCorruptedError(
                forKey: .squares, in: container, debugDescription: "not as many as means")
        }
        self.init(inputs: means.count)
        count = try container.decode(Double.self, forKey: .count)
        for j in 0..<inputs { (moments.means[j], moments.squares[j]) = (means[j], squares[j]) }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(count, forKey: .count)
        try container.encode(means, forKey: .means)
        try container.encode(squares, forKey: .squares)
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

/// Running mean and deviation of one number.
struct RunningMoments: Sendable, Hashable, Codable {
    private(set) var count: Double = 0
    private(set) var mean: Double = 0
    private var squares: Double = 0

    mutating func update(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    }

    /// The same value several times at once (Chan, Golub and LeVeque 1979).
    mutating func update(_ value: Double, times: Double) {
        guard times > 0 else { return }
        let delta = value - mean
        let total = count + times
        mean += delta * (times / total)
        squares += delta * delta * (count * times / total)
        count = total
    }

    /// Of the population, in squared units.
    var variance: Double { count > 0 ? squares / count : 0 }

    /// The deviation, or 1 where nothing has varied yet.
    var scale: Double { squares > 0 ? variance.squareRoot() : 1 }
}
