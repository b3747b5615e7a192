// Whether the stream has changed under the learner: ADWIN on its errors.
//
// A learner's error also changes because it learns; only a rise is drift. An alarm is told once, with the step it came at.
// What is done about it (Committee.react) waits for the next step that 64 divides, so that it comes at the same sample
// however the stream was cut into chunks.

/// Watches a learner's errors.
struct DriftWatch: Sendable, Codable {
    /// Reactions come at multiples of it.
    static let period: UInt64 = 64

    private var detector = ADWIN()
    /// The mean error of some twenty samples.
    private var recent = 0.0
    /// Alarms so far.
    private(set) var alarms: UInt64 = 0
    /// The step of the newest alarm; 0 before the first.
    private(set) var lastStep: UInt64 = 0
    /// Whether an alarm waits for its reaction.
    var isPending = false

    /// Takes in the error of a step: 1 for a wrong class, or the absolute error. Returns whether it raises an alarm.
    mutating func update(_ error: Double, step: UInt64) -> Bool {
        recent += 0.05 * (error - recent)
        let usual = detector.mean
        guard detector.update(error) == .drift, recent > usual else { return false }
        alarms += 1
        lastStep = step
        isPending = true
        return true
    }
}
