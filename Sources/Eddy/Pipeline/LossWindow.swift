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
    /// The same window in up to ``partLimit`` consecutive parts, so that samples that came at once still show a course.
    public var parts: [LossSpan] = []
    /// Windows that came while this one was unread, and are in it.
    public var missed: Int
    /// Cumulative and recent figures after the newest sample.
    public var metrics: MetricsSummary
    public var task: LearningTask
    /// Samples and lines that were not taken, so far.
    public var rejected: UInt64
    /// Each output's own figures, where there are several; losses are then means over those that had a label.
    public var outputs: [OutputSummary]?

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
        parts += newer.parts
        while parts.count > LossWindow.partLimit {  // neighbours merge, so that the course stays, more coarsely
            parts = stride(from: 0, to: parts.count, by: 2).map { first in
                first + 1 < parts.count ? parts[first].merged(with: parts[first + 1]) : parts[first]
            }
        }
        metrics = newer.metrics
        task = newer.task
        rejected = newer.rejected
        outputs = newer.outputs
        missed += newer.missed + 1
    }

    /// The most parts of a window.
    public static let partLimit = 16
}

/// The losses of some consecutive samples.
public struct LossSpan: Sendable, Hashable, Codable {
    /// The step of the newest of them.
    public var step: UInt64
    public var count: Int
    public var mean: Double
    public var min: Double
    public var max: Double

    /// Consecutive losses in at most `limit` spans of about equal length.
    ///
    /// - Parameter before: the step before the first.
    static func spans(of losses: [Float], before: UInt64, limit: Int) -> [LossSpan] {
        let length = Swift.max(1, (losses.count + limit - 1) / limit)
        return stride(from: 0, to: losses.count, by: length).map { first in
            let part = losses[first..<Swift.min(first + length, losses.count)]
            return LossSpan(
                step: before + UInt64(part.endIndex), count: part.count,
                mean: part.reduce(0) { $0 + Double($1) } / Double(part.count), min: Double(part.min()!),
                max: Double(part.max()!))
        }
    }

    /// This span and the next as one.
    func merged(with next: LossSpan) -> LossSpan {
        let total = count + next.count
        return LossSpan(
            step: next.step, count: total, mean: mean + (next.mean - mean) * (Double(next.count) / Double(total)),
            min: Swift.min(min, next.min), max: Swift.max(max, next.max))
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

    public init(first: UInt64, values: [Float], missed: UInt64 = 0) {
        self.first = first
        self.values = values
        self.missed = missed
    }

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
