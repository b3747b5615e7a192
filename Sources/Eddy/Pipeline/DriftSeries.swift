// Alarms of drift, for whoever wants each one.

/// Changes found in a stream, in order.
///
///     for await series in session.drifts { series.alarms.forEach { print($0) } }
public struct DriftSeries: Mergeable, Hashable, Codable {
    public var alarms: [DriftAlarm]
    /// Alarms before these that were dropped because the subscriber was slow.
    public var missed: Int

    public init(_ alarms: [DriftAlarm], missed: Int = 0) {
        self.alarms = alarms
        self.missed = missed
    }

    /// The most alarms that are kept for a slow subscriber.
    public static let limit = 256

    /// Appends the newer alarms; beyond the limit the oldest go, and are counted.
    public mutating func merge(_ newer: DriftSeries) {
        alarms += newer.alarms
        missed += newer.missed
        let excess = alarms.count - DriftSeries.limit
        if excess > 0 {
            alarms.removeFirst(excess)
            missed += excess
        }
    }
}
