// The Page–Hinkley test: how far the sum of the deviations from the running mean has come away from its extreme.
//
// E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954. With x̄ the mean so far and fading factor α:
//
//     up:    Uₜ = α Uₜ₋₁ + (xₜ − x̄ₜ) − δ,  alarm where Uₜ − min U > λ
//     down:  Dₜ = α Dₜ₋₁ + (xₜ − x̄ₜ) + δ,  alarm where max D − Dₜ > λ
//
// The maximum begins at −1 rather than at the first sum, as in River; the first sum is δ, so it makes no difference
// unless δ is below −1.

/// Alarms where the mean of a stream rises or falls.
///
/// The threshold is in the units of the stream, summed: for errors of 0 and 1, 50 is some 50 errors above expectation.
///
///     var detector = PageHinkley(threshold: 20, mode: .up)
///     detector.update(0.7)  // .none
public struct PageHinkley: DriftDetector, Hashable {
    /// Which changes of the mean alarm.
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        case up, down, both
    }

    /// Numbers before the first alarm is possible.
    public let minInstances: Int
    /// δ: how far above (below) the mean the numbers may stay without adding up.
    public let delta: Double
    /// λ: the sum that alarms.
    public let threshold: Double
    /// α: what is kept of the sums at each step, at most 1.
    public let alpha: Double
    public let mode: Mode

    /// The mean since the last alarm.
    public private(set) var mean = 0.0
    private var count = 0.0
    private var rise = 0.0
    private var fall = 0.0
    private var lowestRise = Double.greatestFiniteMagnitude
    private var highestFall = -1.0

    public init(
        minInstances: Int = 30, delta: Double = 0.005, threshold: Double = 50, alpha: Double = 1 - 0.0001,
        mode: Mode = .both
    ) {
        precondition(minInstances >= 0 && delta.isFinite && threshold.isFinite, "sizes must be finite")
        precondition(alpha >= 0 && alpha <= 1, "a fading factor lies in 0...1, not at \(alpha)")
        self.minInstances = minInstances
        self.delta = delta
        self.threshold = threshold
        self.alpha = alpha
        self.mode = mode
    }

    public mutating func update(_ value: Double) -> DriftSignal {
        guard PageHinkley.isMeasurement(value) else { return .none }
        count += 1
        mean += (1 / count) * (value - mean)
        let deviation = value - mean
        rise = alpha * rise + deviation - delta
        fall = alpha * fall + deviation + delta
        if rise < lowestRise { lowestRise = rise }
        if fall > highestFall { highestFall = fall }
        guard count >= Double(minInstances) else { return .none }

        let hasRisen = rise - lowestRise > threshold && mode != .down
        let hasFallen = highestFall - fall > threshold && mode != .up
        guard hasRisen || hasFallen else { return .none }
        self = PageHinkley(
            minInstances: minInstances, delta: delta, threshold: threshold, alpha: alpha, mode: mode)
        return .drift
    }
}
