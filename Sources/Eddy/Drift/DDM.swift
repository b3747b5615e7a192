// The drift detection method: an error rate that has risen significantly above its lowest.
//
// J. Gama, P. Medas, G. Castillo and P. Rodrigues, "Learning with drift detection", SBIA 2004. While a stream does not
// change, a learner's error rate p falls, and so does its deviation s = √(p (1 − p) / n). With p′ and s′ from where
// p + s was lowest: warning where p + s > p′ + 2 s′, drift where p + s > p′ + 3 s′.

/// Alarms where the error rate of a classifier rises.
///
/// The numbers are 1 for an error and 0 for none; a share between them counts as one.
///
///     var detector = DDM()
///     detector.update(1)  // .none: nothing is said of the first 30
public struct DDM: DriftDetector, Hashable {
    /// Numbers before anything is said.
    public let warmStart: Int
    /// Deviations above the lowest rate that warn.
    public let warningThreshold: Double
    /// Deviations above the lowest rate that alarm.
    public let driftThreshold: Double

    /// The error rate since the last alarm.
    public private(set) var errorRate = 0.0
    /// Whether the rate is in the warning zone now.
    public private(set) var isInWarningZone = false
    private var count = 0.0
    private var lowestRate = 0.0
    private var lowestDeviation = 0.0
    private var lowestSum = Double.greatestFiniteMagnitude

    public init(warmStart: Int = 30, warningThreshold: Double = 2, driftThreshold: Double = 3) {
        precondition(warmStart >= 0, "a warm start is a number of samples, not \(warmStart)")
        precondition(warningThreshold.isFinite && driftThreshold.isFinite, "thresholds must be finite")
        self.warmStart = warmStart
        self.warningThreshold = warningThreshold
        self.driftThreshold = driftThreshold
    }

    public mutating func update(_ value: Double) -> DriftSignal {
        guard DDM.isMeasurement(value) else { return .none }
        count += 1
        errorRate += (1 / count) * (value - errorRate)
        guard count > Double(warmStart) else { return .none }

        // The rate of numbers that are no errors may leave [0, 1]; it then has no deviation.
        let deviation = max(errorRate * (1 - errorRate) / count, 0).squareRoot()
        let sum = errorRate + deviation
        if sum <= lowestSum { (lowestRate, lowestDeviation, lowestSum) = (errorRate, deviation, sum) }

        if sum > lowestRate + driftThreshold * lowestDeviation {
            self = DDM(warmStart: warmStart, warningThreshold: warningThreshold, driftThreshold: driftThreshold)
            return .drift
        }
        let wasInWarningZone = isInWarningZone
        isInWarningZone = sum > lowestRate + warningThreshold * lowestDeviation
        return isInWarningZone && !wasInWarningZone ? .warning : .none
    }
}
