// The source of all randomness: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
//
// One seed, one stream of numbers, on every machine. There is no global generator, and nothing
// here reads a clock.

/// A small, fast generator whose whole state is one word; equal seeds give equal numbers.
///
///     var random = SeededRandom(seed: 1)
///     random.uniform(in: -1...1)  // the same on every machine
public struct SeededRandom: RandomNumberGenerator, Sendable, Hashable, Codable {
    public private(set) var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A generator for one of several purposes that share a seed (a layer, a class).
    public init(seed: UInt64, stream: UInt64) {
        var mixer = SeededRandom(seed: seed ^ (stream &* 0xD1B5_4A32_D192_ED03))
        state = mixer.next()
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number from the range, from the generator's upper 24 bits (exact in a Float).
    public mutating func uniform(in range: ClosedRange<Float>) -> Float {
        let unit = Float(next() >> 40) * 0x1p-24
        return range.lowerBound + unit * (range.upperBound - range.lowerBound)
    }

    /// A whole number from 0 to below a bound of at most 2³² (Lemire 2019, without the rejection: off by 2⁻³² at most).
    public mutating func index(below bound: Int) -> Int { Int(((next() >> 32) &* UInt64(bound)) >> 32) }
}
