// KSWIN: the newest numbers against a sample of older ones, by the two-sample test of Kolmogorov and Smirnov.
//
// C. Raab, M. Heusinger and F.-M. Schleif, "Reactive soft prototype computing for concept drift streams",
// Neurocomputing 416, 2020. Of a window of n numbers the r newest are compared with r others drawn from the n − r
// before, at every number. It sees changes of any kind, not of the mean alone, but tests so often that it alarms
// falsely about once in some hundred to some thousand numbers, according to α.
//
// The test: with D the largest difference of the two empirical distribution functions, drift where P(D) ≤ α and
// D > 0.1 (the latter is River's). D = h / r with a whole h, and P is exact (Hodges, "The significance probability of
// the Smirnov two-sample test", 1958): the share of all lattice paths that leave a band of half-width h,
//
//     P = 2 Σᵢ₌₁ (−1)ⁱ⁻¹ C(2r, r − i h) / C(2r, r)
//
// which falls as h grows, so the smallest h that alarms is found once, and no probability is computed afterwards.
// P is summed in SciPy's order. Where rounding brings it above 1 (h = 1 or 2), SciPy falls back on the asymptotic
// distribution and this on 1: they can only differ where r < 10 and α > 0.999.
//
// The window is held in order of size as well, so that one pass over it finds h: some 100 steps instead of sorting.

/// Alarms where the distribution of the newest numbers differs from that of those before.
///
/// About 1 µs a number with the default sizes, half of it for the sample; the others take 5 to 40 ns.
///
///     var detector = KSWIN(alpha: 0.0001, seed: 42)
///     let signals = (0..<1000).map { detector.update($0 < 500 ? 0.1 : 0.9) }
///     signals.firstIndex(of: .drift)  // 516
public struct KSWIN: DriftDetector {
    /// The probability that a test alarms falsely.
    public let alpha: Double
    /// n: numbers in the window.
    public let windowSize: Int
    /// r: the newest of them, and how many older ones they are compared with.
    public let statSize: Int
    /// What the samples are drawn with.
    public let seed: UInt64

    /// A ring. Shape: (≤ windowSize).
    private var window: [Double] = []
    /// The oldest, once the ring is full.
    private var oldest = 0
    private var random: MersenneTwister
    /// The places of the ring in order of their numbers. Shape: (≤ windowSize).
    private var order: [Int32] = []
    /// The smallest h that alarms.
    private let criticalDistance: Int

    /// - Parameter seed: where River draws one from the system unless told, this has 1.
    public init(alpha: Double = 0.005, windowSize: Int = 100, statSize: Int = 30, seed: UInt64 = 1) {
        if let problem = KSWIN.problem(alpha, windowSize, statSize) { preconditionFailure(problem) }
        self.alpha = alpha
        self.windowSize = windowSize
        self.statSize = statSize
        self.seed = seed
        random = MersenneTwister(seed: seed)
        criticalDistance = KSWIN.criticalDistance(statSize, alpha)
    }

    /// The longest window; longer ones would need another test (SciPy's is exact up to 10,000) and be slow.
    public static let longestWindow = 20_000

    private static func problem(_ alpha: Double, _ windowSize: Int, _ statSize: Int) -> String? {
        guard alpha >= 0, alpha <= 1 else { return "a probability lies in 0...1, not at \(alpha)" }
        guard windowSize <= longestWindow else { return "a window has at most \(longestWindow) numbers" }
        guard statSize > 0, statSize <= windowSize / 2 else {
            return "\(statSize) numbers cannot be compared with as many others in a window of \(windowSize)"
        }
        return nil
    }

    public mutating func update(_ value: Double) -> DriftSignal {
        guard KSWIN.isMeasurement(value) else { return .none }
        if window.count < windowSize {
            window.append(value)
            place(Int32(window.count - 1))
            guard window.count == windowSize else { return .none }
        } else {
            remove(Int32(oldest))
            window[oldest] = value
            place(Int32(oldest))
            oldest = oldest + 1 == windowSize ? 0 : oldest + 1
        }
        guard distance() >= criticalDistance else { return .none }
        // A new window, and the same samples again.
        window.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
        oldest = 0
        random = MersenneTwister(seed: seed)
        return .drift
    }

    // MARK: The window in order

    /// Where the first number that is not below `value` stands in the order.
    private func lowerBound(_ value: Double) -> Int {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if window[Int(order[middle])] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func place(_ slot: Int32) { order.insert(slot, at: lowerBound(window[Int(slot)])) }

    private mutating func remove(_ slot: Int32) {
        var index = lowerBound(window[Int(slot)])
        while order[index] != slot { index += 1 }
        order.remove(at: index)
    }

    /// h: the largest difference between how many of the sample and how many of the newest are at most some number.
    private mutating func distance() -> Int {
        let (older, start, size) = (windowSize - statSize, oldest, windowSize)
        return withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * size) { scratch in
            let places = UnsafeMutableBufferPointer(rebasing: scratch[size...])
            // Of each place in the ring: 1 where its number was drawn, −1 where it is among the newest.
            let sides = UnsafeMutableBufferPointer(rebasing: scratch[..<size])
            for age in 0..<size { sides[start + age < size ? start + age : start + age - size] = age < older ? 0 : -1 }
            random.sample(statSize, below: older, places: places) { age in
                sides[start + age < size ? start + age : start + age - size] = 1
            }
            return order.withUnsafeBufferPointer { order in
                window.withUnsafeBufferPointer { window in
                    var (difference, lowest, highest): (Int32, Int32, Int32) = (0, 0, 0)
                    var value = window[Int(order[0])]
                    for slot in order {
                        // Equal numbers count together: the difference is one only where a greater number begins.
                        let next = window[Int(slot)]
                        let reached = next == value ? 0 : difference
                        lowest = min(lowest, reached)
                        highest = max(highest, reached)
                        value = next
                        difference += sides[Int(slot)]
                    }
                    return Int(max(highest, -lowest))  // behind the last number it is 0
                }
            }
        }
    }

    // MARK: The test

    /// P(D ≥ h / r) where both samples are of one distribution. Precondition: 1 ≤ h ≤ r.
    static func probability(distance h: Int, size r: Int) -> Double {
        // C(2r, r − kh) / C(2r, r − (k−1)h) is a product of h fractions; the alternating sum is nested around them.
        var sum = 0.0
        for k in stride(from: r / h, through: 0, by: -1) {
            var ratio = 1.0
            for j in 0..<h { ratio = Double(r - k * h - j) * ratio / Double(r + k * h + j + 1) }
            sum = ratio * (1 - sum)
        }
        return min(2 * sum, 1)
    }

    /// The smallest distance that alarms; r + 1 where none does.
    private static func criticalDistance(_ size: Int, _ alpha: Double) -> Int {
        var (low, high) = (1, size + 1)
        while low < high {
            let h = (low + high) / 2
            if Double(h) / Double(size) > 0.1, probability(distance: h, size: size) <= alpha {
                high = h
            } else {
                low = h + 1
            }
        }
        return low
    }

    // MARK: Coding

    private enum CodingKeys: CodingKey { case alpha, windowSize, statSize, seed, window, random }

    /// - Throws: `DecodingError` where the figures cannot be a detector's.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let alpha = try container.decode(Double.self, forKey: .alpha)
        let windowSize = try container.decode(Int.self, forKey: .windowSize)
        let statSize = try container.decode(Int.self, forKey: .statSize)
        let window = try container.decode([Double].self, forKey: .window)
        let problem =
            KSWIN.problem(alpha, windowSize, statSize)
            ?? (window.count <= windowSize && window.allSatisfy(KSWIN.isMeasurement)
                ? nil : "no window has such numbers")
        if let problem {
            throw DecodingError.dataCorruptedError(forKey: .window, in: container, debugDescription: problem)
        }
        self.init(
            alpha: alpha, windowSize: windowSize, statSize: statSize,
            seed: try container.decode(UInt64.self, forKey: .seed))
        self.window = window
        random = try container.decode(MersenneTwister.self, forKey: .random)
        order = window.indices.map { Int32($0) }.sorted { window[Int($0)] < window[Int($1)] }
    }

    /// The window is written in the order of its coming.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(alpha, forKey: .alpha)
        try container.encode(windowSize, forKey: .windowSize)
        try container.encode(statSize, forKey: .statSize)
        try container.encode(seed, forKey: .seed)
        try container.encode(Array(window[oldest...] + window[..<oldest]), forKey: .window)
        try container.encode(random, forKey: .random)
    }
}
