// What a page shows of the samples just learned.
//
// Kept by a session that was asked to observe, updated from each chunk and its steps; a session that was not asked
// pays nothing. It reads and never changes the learner: the weights are the same to the bit with and without it. All
// of it is bounded, some 4 MB at the most: the features of 512 samples (a megabyte), those of the largest losses
// (another), and up to 28 levels of history.

import Foundation

/// Losses since the beginning, and what is worth seeing of recent samples.
///
///     await session.observe()
///     let rows = await session.withObservations { $0.history.rows(by: .time, points: 500) }
public struct Observations: Sendable {
    /// Losses of the present task since the beginning.
    public private(set) var history = LossHistory()
    /// Which class was taken for which; nil for regression and before the first sample.
    public private(set) var confusion: ConfusionMatrix?
    /// Target − prediction; nil for classification and before the first sample.
    public private(set) var residuals: Residuals?
    /// The newest samples that were learned.
    public private(set) var recent = RecentSamples()
    /// Those of the last minute that surprised most.
    public private(set) var largestLosses = LargestLosses()
    /// From the arrival of a sample's last byte to its update.
    public private(set) var latency = LatencyHistogram()
    /// What was wrong with the samples that were not taken.
    public private(set) var rejections = RejectionReasons()

    private var task: LearningTask?
    private var baseline = (value: 0.0, step: UInt64(0), time: -Double.infinity)

    init() {}

    /// A sample that is in hand by its step: one of the newest, or of the largest losses.
    public func sample(step: UInt64) -> ObservedSample? {
        recent.sample(step: step) ?? largestLosses.sample(step: step)
    }

    /// Takes in a chunk, after it was learned. Of several outputs, the history has the mean losses, and the rest is of
    /// the first.
    ///
    /// - Parameter time: now, in seconds since 1970.
    mutating func update(_ learned: LearnedChunk, _ learner: Learner, time: Double) {
        let (chunk, steps) = (learned.samples, learned.steps)
        for error in learned.rejections { rejections.count(error) }
        guard steps.learned > 0 else { return }
        if let arrived = learned.arrived {
            latency.record((ContinuousClock.now - arrived) / .seconds(1), count: steps.learned, at: time)
        }
        // Of a chunk in which the task changed, only the part that belongs to the present one.
        let first = steps.taskBegin
        if task != learner.task || first > 0 { begin(learner.task) }
        let firstStep = steps.stepsBefore + UInt64(first == 0 ? 1 : steps.learned - steps.countLearned(from: first) + 1)

        if confusion != nil {
            let classes = learner.classes
            if classes.count != recent.classes.count {
                recent.classes = classes
                largestLosses.classes = classes
                confusion!.names = classes
            }
            confusion!.count(targets: steps.targets[first...], predictions: steps.predictions[first...])
        }
        residuals?.count(targets: steps.targets[first...], predictions: steps.predictions[first...])
        let own = steps.outputs.first?.steps ?? steps
        let numbers = steps.outputs.isEmpty ? nil : steps.numbers
        recent.append(chunk, own, from: first, firstStep: firstStep, numbers: numbers)
        largestLosses.append(chunk, own, from: first, firstStep: firstStep, numbers: numbers, time: time)

        var losses = steps.losses
        var errors = steps.errors
        if steps.learned < steps.count || first > 0 {
            let learned = (first..<steps.count).filter { !losses[$0].isNaN }
            (losses, errors) = (learned.map { losses[$0] }, learned.map { errors[$0] })
        }
        history.append(
            losses: losses, errors: errors, firstStep: firstStep, time: time,
            baseline: presentBaseline(learner, time: time))
    }

    private mutating func begin(_ task: LearningTask?) {
        self.task = task
        history.reset()
        recent = RecentSamples()
        largestLosses = LargestLosses()
        confusion = task == .classification ? ConfusionMatrix() : nil
        residuals = task == .regression ? Residuals() : nil
    }

    /// The loss to beat. It takes a logarithm a class and hardly moves, so it is taken anew when the stream has grown by
    /// a fiftieth, or twenty times a second.
    private mutating func presentBaseline(_ learner: Learner, time: Double) -> Double {
        if learner.step >= baseline.step + baseline.step / 50 + 1 || abs(time - baseline.time) >= 0.05 {
            baseline = (learner.baseline, learner.step, time)
        }
        return baseline.value
    }
}

/// Rejected samples, counted by what had been expected.
public struct RejectionReasons: Sendable {
    /// The most reasons told apart; rejections for further ones are counted as "other".
    public static let limit = 16

    private var counts: [String: UInt64] = [:]
    private var others: UInt64 = 0

    init() {}

    /// Reasons and how often each came, the commonest first, "other" last.
    public var reasons: [(reason: String, count: UInt64)] {
        let sorted = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return sorted.map { ($0.key, $0.value) } + (others > 0 ? [("other", others)] : [])
    }

    mutating func count(_ error: SampleError) {
        let reason = error.expected.utf8.count <= 200 ? error.expected : String(error.expected.prefix(60)) + "…"
        if counts[reason] == nil, counts.count == RejectionReasons.limit {
            others += 1
        } else {
            counts[reason, default: 0] += 1
        }
    }
}
