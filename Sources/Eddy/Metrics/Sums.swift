// Sums that run for ever, and sums that forget.
//
// A compensated sum keeps the rounding error of each addition (Neumaier 1974). A sum that forgets uses forward decay
// (Cormode, Shkapenyuk, Srivastava and Xu 2009): instead of shrinking all old sums at every sample, each new sample
// weighs more than the one before, so a sample touches the sums of its own class alone. Before the weights overflow,
// all are divided by a power of two, which changes no bit of a quotient.

import Foundation

/// Neumaier's sum: the error of each addition is kept and added at the end.
struct CompensatedSum: Sendable, Hashable, Codable {
    private var sum = 0.0
    private var correction = 0.0

    @inline(__always)
    mutating func add(_ value: Double) {
        let total = sum + value
        correction += abs(sum) >= abs(value) ? (sum - total) + value : (value - total) + sum
        sum = total
    }

    var value: Double { sum + correction }
}

/// The weights of samples, each half as heavy as the one `halfLife` samples later.
struct DecayingWeight: Sendable, Hashable, Codable {
    /// What every weight and weighted sum is multiplied by when ``isDue``.
    static let rescaling = 0x1p-512

    /// The newest sample's weight over that of the one before.
    let growth: Double
    /// The newest sample's weight.
    private(set) var newest = 1.0
    /// The sum of all weights.
    private(set) var total = 0.0
    /// Samples until the weights have grown by 2⁵¹².
    private(set) var untilRescaling: Int
    private let halfLife: Int

    /// - Parameter halfLife: in samples, at least 1.
    init(halfLife: Int) {
        self.halfLife = halfLife
        growth = pow(2, 1 / Double(halfLife))
        untilRescaling = 512 * halfLife
    }

    /// The next sample's weight.
    @inline(__always)
    mutating func next() -> Double {
        newest *= growth
        total += newest
        return newest
    }

    /// Takes note that samples were weighed; at most ``untilRescaling``. Whether weighted sums are to be rescaled now.
    mutating func advance(_ count: Int) -> Bool {
        untilRescaling -= count
        guard untilRescaling == 0 else { return false }
        newest *= DecayingWeight.rescaling
        total *= DecayingWeight.rescaling
        untilRescaling = 512 * halfLife
        return true
    }

    /// Whether weights read from a file can be such.
    var isSound: Bool {
        (1...1_000_000).contains(halfLife) && (1...512 * halfLife).contains(untilRescaling) && growth > 1
            && growth <= 2 && newest > 0 && newest.isFinite && total >= 0 && total.isFinite
    }
}

/// Mean and variance of values that weigh differently (West 1979).
struct WeightedMoments: Sendable, Hashable, Codable {
    private var weight = 0.0
    private var mean = 0.0
    private var squares = 0.0

    @inline(__always)
    mutating func update(_ value: Double, weight w: Double) {
        weight += w
        let delta = value - mean
        mean += delta * (w / weight)
        squares += w * delta * (value - mean)
    }

    mutating func rescale() {
        weight *= DecayingWeight.rescaling
        squares *= DecayingWeight.rescaling
    }

    /// Of the population, in squared units.
    var variance: Double { weight > 0 ? squares / weight : 0 }
}
