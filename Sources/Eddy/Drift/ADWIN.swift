// ADWIN: a window that is as long as its two ends have one mean.
//
// A. Bifet and R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007, in its second form: the
// window is kept as an exponential histogram, at most M sums each of 1, 2, 4, … numbers, so that it costs
// O(M log width) memory. At every `clock`th number all cuts between sums are tried, W = W₀ W₁ of n₀ and n₁ numbers;
// with w = n₀ + n₁, m = 1 / (1/(n₀ − l + 1) + 1/(n₁ − l + 1)), l the shortest part, σ² the variance of W:
//
//     δ′ = ln(2 ln w / δ),  ε = √(2/m σ² δ′) + 2/(3m) δ′,  drift where |mean(W₀) − mean(W₁)| > ε
//
// In the paper W₁ stays after a drift. In River all is forgotten, and so it is here; the histogram therefore needs no
// variances of its own, as nothing is ever taken out of the window but all of it.
//
// ln is our own: that of a system's library differs in its last bit from machine to machine, and what is done about a
// drift must not.

/// Alarms where the means of a window's older and newer part differ, whatever the window's length.
///
/// Any bounded or well-behaved number will do, of any scale. Some 25 to 40 ns a number with the default clock.
///
///     var detector = ADWIN()
///     let signals = (0..<1000).map { detector.update($0 < 500 ? 0.1 : 0.9) }
///     signals.firstIndex(of: .drift)  // 543
public struct ADWIN: DriftDetector, Hashable {
    /// δ: the confidence that alarms are wrong, in 0...1.
    public let delta: Double
    /// Cuts are tried at every `clock`th number.
    public let clock: Int
    /// M: the most sums of a size.
    public let maxBuckets: Int
    /// The shortest part that is compared.
    public let minWindowLength: Int
    /// No cuts are tried before the window is longer.
    public let gracePeriod: Int

    /// The numbers in the window: those since the last alarm.
    public private(set) var width = 0
    /// Their sum.
    public private(set) var total = 0.0
    /// Σ (x − mean)² (Welford's recurrence).
    private(set) var squares = 0.0
    private var ticks = 0
    /// Sums of 2ˡᵉᵛᵉˡ numbers, the oldest first. Shape: (levels, maxBuckets + 1).
    private var sums: [Double]
    /// Sums held at each level. Shape: (levels).
    private var counts: [Int] = [0]

    public init(
        delta: Double = 0.002, clock: Int = 32, maxBuckets: Int = 5, minWindowLength: Int = 5, gracePeriod: Int = 10
    ) {
        precondition(delta > 0 && delta <= 1, "a confidence lies in 0...1, not at \(delta)")
        precondition(
            clock > 0 && maxBuckets > 0 && minWindowLength > 0 && gracePeriod > 0, "sizes must be at least 1")
        self.delta = delta
        self.clock = clock
        self.maxBuckets = maxBuckets
        self.minWindowLength = minWindowLength
        self.gracePeriod = gracePeriod
        sums = Array(repeating: 0, count: maxBuckets + 1)
    }

    /// The mean of the numbers since the last alarm; 0 where there are none.
    public var mean: Double { width > 0 ? total / Double(width) : 0 }
    /// Their variance; 0 where there are none.
    public var variance: Double { width > 0 ? squares / Double(width) : 0 }

    public mutating func update(_ value: Double) -> DriftSignal {
        guard ADWIN.isMeasurement(value) else { return .none }
        let before = Double(width)
        if width > 0 {
            let distance = value - total / before
            squares += before * distance * distance / (before + 1)
        }
        width += 1
        total += value
        insert(value)

        ticks += 1
        guard ticks == clock else { return .none }
        ticks = 0
        guard width > gracePeriod, hasCut() else { return .none }
        self = ADWIN(
            delta: delta, clock: clock, maxBuckets: maxBuckets, minWindowLength: minWindowLength,
            gracePeriod: gracePeriod)
        return .drift
    }

    /// Adds a sum of one number; where a level has one too many, its two oldest become one of the next level.
    private mutating func insert(_ value: Double) {
        let stride = maxBuckets + 1
        var sum = value
        var level = 0
        while true {
            if level == counts.count {
                counts.append(0)
                sums.append(contentsOf: repeatElement(0, count: stride))
            }
            let row = level * stride
            let count = counts[level]
            sums[row + count] = sum
            guard count == maxBuckets else {
                counts[level] = count + 1
                return
            }
            sum = sums[row] + sums[row + 1]
            for i in 2..<stride { sums[row + i - 2] = sums[row + i] }
            counts[level] = maxBuckets - 1
            level += 1
        }
    }

    /// Whether the means on both sides of some cut differ by more than ε. Cuts are tried from the oldest on.
    private func hasCut() -> Bool {
        let row = maxBuckets + 1
        let shortest = Double(minWindowLength)
        let variance = squares / Double(width)
        let confidence = NaturalLogarithm.of(2 * NaturalLogarithm.of(Double(width)) / delta)
        let linear = 2.0 / 3.0 * confidence
        var (n0, n1) = (0.0, Double(width))
        var (sum0, sum1) = (0.0, total)
        return sums.withUnsafeBufferPointer { sums in
            for level in stride(from: counts.count - 1, through: 0, by: -1) {
                let size = Double(1 << level)
                for i in level * row..<level * row + counts[level] {
                    n0 += size
                    n1 -= size
                    sum0 += sums[i]
                    sum1 -= sums[i]
                    // Parts only grow shorter from here on.
                    guard n1 >= shortest else { return false }
                    guard n0 >= shortest else { continue }
                    let reciprocals = 1 / (n0 - shortest + 1) + 1 / (n1 - shortest + 1)
                    let bound = (2 * reciprocals * variance * confidence).squareRoot() + linear * reciprocals
                    if (sum0 / n0 - sum1 / n1).magnitude > bound { return true }
                }
            }
            return false
        }
    }

    // MARK: Coding

    private enum CodingKeys: CodingKey {
        case delta, clock, maxBuckets, minWindowLength, gracePeriod, width, total, squares, ticks, sums, counts
    }

    /// - Throws: `DecodingError` where the figures cannot be a detector's.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        delta = try container.decode(Double.self, forKey: .delta)
        clock = try container.decode(Int.self, forKey: .clock)
        maxBuckets = try container.decode(Int.self, forKey: .maxBuckets)
        minWindowLength = try container.decode(Int.self, forKey: .minWindowLength)
        gracePeriod = try container.decode(Int.self, forKey: .gracePeriod)
        width = try container.decode(Int.self, forKey: .width)
        total = try container.decode(Double.self, forKey: .total)
        squares = try container.decode(Double.self, forKey: .squares)
        ticks = try container.decode(Int.self, forKey: .ticks)
        sums = try container.decode([Double].self, forKey: .sums)
        counts = try container.decode([Int].self, forKey: .counts)
        guard delta > 0, delta <= 1, clock > 0, (1...1 << 20).contains(maxBuckets), minWindowLength > 0,
            gracePeriod > 0, (0..<clock).contains(ticks), (1...62).contains(counts.count),
            sums.count == counts.count * (maxBuckets + 1), counts.allSatisfy({ (0...maxBuckets).contains($0) }),
            width >= 0, isWhole
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .counts, in: container, debugDescription: "no window has such parts")
        }
    }

    /// Whether the sums are of as many numbers as the window has.
    private var isWhole: Bool {
        var rest = width
        for (level, count) in counts.enumerated() {
            let (numbers, overflow) = count.multipliedReportingOverflow(by: 1 << level)
            guard !overflow, numbers <= rest else { return false }
            rest -= numbers
        }
        return rest == 0
    }
}

/// ln in Double, of additions, multiplications and divisions only: the same bits wherever IEEE 754 is.
enum NaturalLogarithm {
    /// ln x for a positive normal number, within 1 unit in the last place or so.
    static func of(_ x: Double) -> Double {
        // x = 2ⁿ m with m in [√½, √2); ln m = 2 artanh s, s = (m − 1) / (m + 1), |s| < 0.172.
        let bits = x.bitPattern &- 0x3FE6_A09E_667F_3BCD
        let n = Double(Int64(bitPattern: bits) >> 52)
        let m = Double(bitPattern: (bits & 0x000F_FFFF_FFFF_FFFF) &+ 0x3FE6_A09E_667F_3BCD)
        let f = m - 1
        let s = f / (m + 1)
        let z = s * s
        var p = 1.0 / 19 + z * (1.0 / 21)
        p = 1.0 / 17 + z * p
        p = 1.0 / 15 + z * p
        p = 1.0 / 13 + z * p
        p = 1.0 / 11 + z * p
        p = 1.0 / 9 + z * p
        p = 1.0 / 7 + z * p
        p = 1.0 / 5 + z * p
        p = 1.0 / 3 + z * p
        // 2 artanh s = f − s (f − 2 z p): the small part is added to the exact f. ln 2 is split so that n ln 2 is exact.
        let small = s * (f - 2 * z * p)
        return n * 0x1.62e42fee00000p-1 + (f - (small - n * 0x1.a39ef35793c76p-33))
    }
}
