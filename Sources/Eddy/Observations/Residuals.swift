// How far off the newest predictions of a regression were, and in which direction.

/// Values counted in bins of equal width.
///
///     Histogram([0, 1, 2, 9], bins: 3).counts  // [3, 0, 1]
public struct Histogram: Sendable, Hashable, Codable {
    public var min: Double
    public var max: Double
    /// Of bins of width (max − min) / bins, the last of which includes max. Where all values are one, all are in the first.
    public var counts: [Int]

    /// - Parameter values: finite; of nothing, min and max are 0.
    public init(_ values: some Collection<Float>, bins: Int) {
        var (low, high) = (Float.infinity, -Float.infinity)
        for value in values {
            low = Swift.min(low, value)
            high = Swift.max(high, value)
        }
        self.init(min: low, max: high, bins: bins)
        for value in values { add(value) }
    }

    /// Empty bins between two bounds.
    init(min low: Float, max high: Float, bins: Int) {
        let isEmpty = low > high
        min = isEmpty ? 0 : Double(low)
        max = isEmpty ? 0 : Double(high)
        counts = Array(repeating: 0, count: bins)
    }

    /// Counts a value between the bounds.
    @inline(__always)
    mutating func add(_ value: Float) {
        let width = max - min
        let place = width > 0 ? Int((Double(value) - min) / width * Double(counts.count)) : 0
        counts[Swift.min(place, counts.count - 1)] += 1
    }
}

/// Target − prediction of the newest 1,000 samples of a regression, in the target's units.
public struct Residuals: Sendable {
    /// The samples held.
    public static let limit = 1000

    private var values: [Float] = []
    private var next = 0

    init() {}

    public var count: Int { values.count }

    /// The mean residual: below 0 where predictions are too high. 0 of nothing.
    public var mean: Double { values.isEmpty ? 0 : values.reduce(0) { $0 + Double($1) } / Double(count) }

    /// The standard deviation, of the population. 0 of nothing.
    public var deviation: Double {
        guard !values.isEmpty else { return 0 }
        let mean = mean
        return (values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(count)).squareRoot()
    }

    public func histogram(bins: Int = 32) -> Histogram { Histogram(values, bins: bins) }

    /// Shapes: (count). NaN targets are of samples that were not learned, NaN predictions of those of which nothing was
    /// known.
    mutating func count(targets: ArraySlice<Float>, predictions: ArraySlice<Float>) {
        let bound = Float.greatestFiniteMagnitude
        for (target, prediction) in zip(targets, predictions)
        where !target.isNaN && !prediction.isNaN {
            let residual = max(min(target - prediction, bound), -bound)
            if values.count < Residuals.limit {
                values.append(residual)
            } else {
                values[next] = residual
                next = next + 1 == Residuals.limit ? 0 : next + 1
            }
        }
    }
}
