// What the loss feed carries: windows that merge, so that nothing is lost to a slow reader.

/// The losses of the samples learned since the subscriber's last window.
public struct LossWindow: Mergeable, Hashable, Codable {
    /// The step of the newest sample.
    public var step: UInt64
    /// Samples learned in this window.
    public var count: Int
    /// The newest sample's loss, in nats or squared units of the target, as all here.
    public var last: Double
    public var mean: Double
    public var min: Double
    public var max: Double
    /// Windows that came while this one was unread, and are in it.
    public var missed: Int
    /// Cumulative and recent figures after the newest sample.
    public var metrics: MetricsSummary
    public var task: LearningTask
    /// Samples and lines that were not taken, so far.
    public var rejected: UInt64

    /// Folds a newer window in: extremes, count and mean are of both.
    public mutating func merge(_ newer: LossWindow) {
        let total = count + newer.count
        if newer.count > 0 {
            mean = count == 0 ? newer.mean : mean + (newer.mean - mean) * (Double(newer.count) / Double(total))
            min = count == 0 ? newer.min : Swift.min(min, newer.min)
            max = count == 0 ? newer.max : Swift.max(max, newer.max)
            last = newer.last
        }
        count = total
        step = newer.step
        metrics = newer.metrics
        task = newer.task
        rejected = newer.rejected
        missed += newer.missed + 1
    }
}

/// Every learned sample's loss, for those who want each one and can keep up.
public struct LossSeries: Mergeable, Hashable, Codable {
    /// The step of the first value.
    public var first: UInt64
    /// The losses of consecutive steps.
    public var values: [Float]
    /// Samples before `first` that were dropped because the subscriber was slow.
    public var missed: UInt64

    /// The most values that are kept for a slow subscriber.
    public static let limit = 16_384

    /// Appends the newer values; beyond the limit the oldest go, and are counted.
    public mutating func merge(_ newer: LossSeries) {
        values.append(contentsOf: newer.values)
        let excess = values.count - LossSeries.limit
        if excess > 0 {
            values.removeFirst(excess)
            first += UInt64(excess)
            missed += UInt64(excess)
        }
    }
}
