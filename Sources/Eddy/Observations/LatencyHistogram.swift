// How long things took: fixed buckets, as Prometheus has them, and quantiles of the last ten seconds.
//
// Buckets at 1, 2 and 5 times each power of ten from 1 µs to 10 s: a quantile is then right to about a fifth, and
// recording is a search among 22 bounds. The window is ten slots of a second each, used round and round.

/// Durations counted in fixed buckets, since the beginning and over the last ten seconds.
///
///     var latency = LatencyHistogram()
///     latency.record(0.000_15, at: now)
///     latency.quantile(0.99, at: now)  // seconds
public struct LatencyHistogram: Sendable {
    /// The upper bounds of the buckets, in seconds: 1 µs, 2 µs, 5 µs, … 10 s. Longer ones are counted beyond the last.
    public static let bounds: [Double] =
        (-6...0).flatMap { exponent in
            [1, 2, 5].map { LatencyHistogram.power(exponent, times: $0) }
        } + [10]

    /// The seconds of the window.
    public static let window = 10

    /// All since the beginning, each counted in its own bucket alone. Shape: (bounds + 1).
    private var totals = [UInt64](repeating: 0, count: bounds.count + 1)
    /// Shape: (window, bounds + 1).
    private var slots = [UInt64](repeating: 0, count: window * (bounds.count + 1))
    private var seconds = [Double](repeating: -.infinity, count: window)  // which second each slot is of
    /// The sum of all durations, in seconds.
    public private(set) var sum = 0.0

    public init() {}

    /// Exact decimal bounds: 2 · 10⁻⁶ as a division has the bits of the literal, as a product it has not.
    private static func power(_ exponent: Int, times factor: Double) -> Double {
        factor / (0..<(-exponent)).reduce(1.0) { product, _ in product * 10 }
    }

    /// Counts durations.
    ///
    /// - Parameters:
    ///   - duration: in seconds; below 0 counts as 0, and what is not a number is left out.
    ///   - count: how many things took it.
    ///   - time: now, in seconds of any clock.
    public mutating func record(_ duration: Double, count: Int = 1, at time: Double) {
        guard !duration.isNaN, count > 0, time.isFinite else { return }
        let duration = max(duration, 0)
        let bucket = LatencyHistogram.bucket(of: duration)
        totals[bucket] += UInt64(count)
        sum += min(duration, 1e9) * Double(count)
        let width = LatencyHistogram.bounds.count + 1
        let second = time.rounded(.down)
        let slot = LatencyHistogram.slot(of: second)
        if seconds[slot] != second {
            seconds[slot] = second
            for i in slot * width..<(slot + 1) * width { slots[i] = 0 }
        }
        slots[slot * width + bucket] += UInt64(count)
    }

    /// Durations counted since the beginning.
    public var count: UInt64 { totals.reduce(0, +) }

    /// Since the beginning, for each bound how many durations were at most that long. Shape: (bounds).
    public var cumulativeCounts: [UInt64] {
        var sum: UInt64 = 0
        return totals.dropLast().map { count in
            sum += count
            return sum
        }
    }

    /// Durations counted in the ten seconds up to `time`.
    public func recentCount(at time: Double) -> UInt64 { recent(at: time).reduce(0, +) }

    /// The duration that a share of those of the last ten seconds did not exceed, in seconds, interpolated within its
    /// bucket; 10 for what is beyond the last bound; nil where there were none.
    ///
    /// - Parameter share: 0.5 for the median, 0.99 for the 99th percentile.
    public func quantile(_ share: Double, at time: Double) -> Double? {
        let counts = recent(at: time)
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        let rank = min(max(share, 0), 1) * Double(total)
        var below = 0.0
        for (bucket, count) in counts.enumerated() where count > 0 {
            let above = below + Double(count)
            if above >= rank {
                guard bucket < LatencyHistogram.bounds.count else { break }
                let low = bucket == 0 ? 0 : LatencyHistogram.bounds[bucket - 1]
                return low + (LatencyHistogram.bounds[bucket] - low) * max(rank - below, 0) / Double(count)
            }
            below = above
        }
        return LatencyHistogram.bounds[LatencyHistogram.bounds.count - 1]
    }

    /// Counts of the window's slots that are of the last ten seconds. Shape: (bounds + 1).
    private func recent(at time: Double) -> [UInt64] {
        let width = LatencyHistogram.bounds.count + 1
        let now = time.rounded(.down)
        var counts = [UInt64](repeating: 0, count: width)
        for slot in 0..<LatencyHistogram.window
        where seconds[slot] <= now && seconds[slot] > now - Double(LatencyHistogram.window) {
            for i in 0..<width { counts[i] += slots[slot * width + i] }
        }
        return counts
    }

    private static func slot(of second: Double) -> Int {
        let slot = Int(second.truncatingRemainder(dividingBy: Double(window)))
        return slot < 0 ? slot + window : slot
    }

    /// The first bucket whose bound is not below; the number of bounds where there is none.
    static func bucket(of duration: Double) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < duration { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
