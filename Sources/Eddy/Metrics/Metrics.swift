// How well it is going: prequential metrics, each sample scored before it was learned.
//
// Test-then-train (Dawid 1984; Gama, Sebastião and Rodrigues 2013) needs no held-out data and is
// never flattered by having seen the answer: a class's first sample is an error, and the very first sample has no
// prediction (Figures.swift). Sums that run for ever are in Double and compensated; recent figures are
// of a ring of the newest samples. A sample is a few additions; everything else is computed when somebody asks.
// Importance weights steer what is learned, not how it is judged: each sample counts once.

import Foundation

/// Cumulative, recent and decayed figures of a learner's predictions.
///
///     learner.metrics.accuracy
///     learner.metrics.classification(over: .recent)?.rocAUC
public struct Metrics: Sendable, Hashable, Codable {
    /// Samples learned.
    public private(set) var learned: UInt64
    /// Of these, those that belong to a task before this one and are in no figure below.
    private let stepsBefore: UInt64
    private var lossSum = CompensatedSum()
    private var newest: RecentOutcomes
    private var decay: DecayingWeight
    private var classes: ClassificationTally?
    private var values: RegressionTally?

    /// - Parameters:
    ///   - recentWindow: how many samples are recent, and the half-life of decayed figures in samples.
    ///   - learned: samples that earlier metrics, of another task, have counted already.
    public init(recentWindow: Int = 1000, continuing learned: UInt64 = 0) {
        stepsBefore = learned
        self.learned = learned
        newest = RecentOutcomes(length: recentWindow)
        decay = DecayingWeight(halfLife: recentWindow)
    }

    // MARK: Scoring

    /// Scores a run of samples; those without a label are passed over. Shapes: (count).
    ///
    /// - Parameters:
    ///   - targets: class indices, NaN for none.
    ///   - predictions: class indices, NaN where nothing was predicted.
    ///   - losses: in nats, NaN where there is no target.
    ///   - probabilities: of each class; where there is one output, of class 1. Shape: (count, outputs).
    mutating func scoreClasses(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>,
        probabilities: UnsafePointer<Float>, outputs: Int
    ) {
        if classes == nil { classes = ClassificationTally(recentWindow: newest.length) }
        Metrics.eachRun(of: targets, count) { first, count in
            append(first, count, targets, predictions, losses) { $0.hit }
            weigh(first, count) { metrics, first, count in
                metrics.classes!.score(
                    count, targets: targets + first, predictions: predictions + first, losses: losses + first,
                    probabilities: probabilities + first * outputs, outputs: outputs, &metrics.decay)
            }
        }
    }

    /// The same for values. Shapes: (count). What was not predicted has a loss, and is in no figure of errors.
    mutating func scoreValues(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>
    ) {
        if values == nil { values = RegressionTally() }
        Metrics.eachRun(of: targets, count) { first, count in
            append(first, count, targets, predictions, losses) { $0.absoluteError }
            weigh(first, count) { metrics, first, count in
                metrics.values!.score(
                    count, targets: targets + first, predictions: predictions + first, losses: losses + first,
                    &metrics.decay)
            }
        }
    }

    /// Calls `body` with the first and the number of consecutive labelled samples.
    @inline(__always)
    private static func eachRun(
        of targets: UnsafePointer<Float>, _ count: Int, _ body: (_ first: Int, _ count: Int) -> Void
    ) {
        var first = 0
        while first < count {
            var end = first
            while end < count, !targets[end].isNaN { end += 1 }
            if end > first { body(first, end - first) }
            first = end + 1
        }
    }

    /// What all tasks have in common. Shapes of the samples from `first` on: (count).
    @inline(__always)
    private mutating func append(
        _ first: Int, _ count: Int, _ targets: UnsafePointer<Float>, _ predictions: UnsafePointer<Float>,
        _ losses: UnsafePointer<Float>, score: (Outcome) -> Double
    ) {
        var sum = lossSum
        for i in first..<first + count { sum.add(Double(losses[i])) }
        lossSum = sum
        learned += UInt64(count)
        newest.append(
            count,
            { Outcome(target: targets[first + $0], prediction: predictions[first + $0], loss: losses[first + $0]) },
            score: score)
    }

    /// Calls `body` with parts of a run between which the weights are rescaled: after the same samples for any chunks.
    @inline(__always)
    private mutating func weigh(
        _ first: Int, _ count: Int, _ body: (inout Metrics, _ first: Int, _ count: Int) -> Void
    ) {
        var (first, left) = (first, count)
        while left > 0 {
            let part = min(left, decay.untilRescaling)
            body(&self, first, part)
            if decay.advance(part) {
                classes?.rescale()
                values?.rescale()
            }
            first += part
            left -= part
        }
    }

    // MARK: At any time, for the price of a few operations

    private var count: Double { Double(learned - stepsBefore) }

    /// The mean loss over everything learned: nats, or squared units of the target. 0 before the first.
    public var meanLoss: Double { count > 0 ? lossSum.value / count : 0 }
    /// The mean loss over the newest samples.
    public var recentLoss: Double { newest.meanLoss }
    /// The share of right classes.
    public var accuracy: Double { count > 0 ? Double(classes?.correct ?? 0) / count : 0 }
    /// Values that were predicted: all but the first.
    private var predictedValues: Double { values?.predicted ?? 0 }
    /// The mean absolute error of the values that were predicted, in the target's units.
    public var meanAbsoluteError: Double {
        predictedValues > 0 ? values!.absoluteErrors.value / predictedValues : 0
    }
    /// The root of their mean squared error, in the target's units.
    public var rootMeanSquaredError: Double {
        predictedValues > 0 ? (values!.squaredErrors.value / predictedValues).squareRoot() : 0
    }
    /// Of the newest samples: the share of right classes, or the mean absolute error.
    public var recentError: Double { newest.meanScore }
    /// Labels of each class, as many as there are outputs. Shape: (classes).
    public var classCounts: [UInt64] { classes?.support ?? [] }

    /// The entropy of the labels so far, in nats: the mean loss of always answering with their frequencies.
    public var labelEntropy: Double {
        let counts = classCounts
        let total = Double(counts.reduce(0, +))
        return counts.reduce(0) { entropy, count in
            guard count > 0 else { return entropy }
            let share = Double(count) / total
            return entropy - share * log(share)
        }
    }

    /// The variance of the targets so far, in squared units: the mean squared error of always answering their mean.
    public var targetVariance: Double { values?.targetVariance ?? 0 }

    /// The share of the most frequent class: the accuracy of always answering with it.
    public var majorityShare: Double {
        let counts = classCounts
        let total = counts.reduce(0, +)
        return total > 0 ? Double(counts.max()!) / Double(total) : 0
    }

    /// Whether metrics read from a file can be such.
    var isSound: Bool {
        newest.isSound && learned >= stepsBefore && decay.isSound && (classes?.isSound(newest.inOrder) ?? true)
            && (values?.isSound ?? true)
    }

    /// The figures that belong to a task, for people and messages.
    public func summary(for task: LearningTask?) -> MetricsSummary {
        let isClassification = task == .classification
        let isPredicted = task == .regression && predictedValues > 0
        return MetricsSummary(
            learned: learned, meanLoss: meanLoss, recentLoss: recentLoss,
            accuracy: isClassification ? accuracy : nil, recentAccuracy: isClassification ? recentError : nil,
            majority: isClassification ? majorityShare : nil,
            mae: isPredicted ? meanAbsoluteError : nil,
            recentMAE: isPredicted && newest.scored > 0 ? recentError : nil,
            rmse: isPredicted ? rootMeanSquaredError : nil,
            baseline: isClassification ? labelEntropy : targetVariance)
    }

    // MARK: When asked

    /// All figures of predicted classes; nil before the first, and for regression.
    ///
    /// The recent ones cost a pass over the window, and a sort for each class.
    public func classification(over span: MetricsSpan) -> ClassificationFigures? {
        guard let classes, count > 0 else { return nil }
        switch span {
        case .all: return classes.figures(meanLoss: meanLoss)
        case .recent: return classes.recentFigures(newest.inOrder)
        case .decayed: return classes.decayedFigures(decay)
        }
    }

    /// All figures of predicted values; nil before the first prediction, and for classification.
    ///
    /// The recent ones cost a sort of the window.
    public func regression(over span: MetricsSpan) -> RegressionFigures? {
        guard let values, count > 0 else { return nil }
        switch span {
        case .all: return values.figures(meanLoss: meanLoss, newest: newest.inOrder)
        case .recent: return RegressionTally.recentFigures(newest.inOrder)
        case .decayed: return values.decayedFigures(decay)
        }
    }

    /// Every figure of predicted classes; nil before the first, and for regression.
    public var classification: BySpan<ClassificationFigures>? { BySpan { classification(over: $0) } }
    /// Every figure of predicted values; nil before the first prediction, and for classification.
    public var regression: BySpan<RegressionFigures>? { BySpan { regression(over: $0) } }
}

/// Metrics at one moment, as every loss message has them. What does not belong to the task is nil.
public struct MetricsSummary: Sendable, Hashable, Codable {
    public var learned: UInt64
    /// Nats, or squared units of the target.
    public var meanLoss: Double
    public var recentLoss: Double
    public var accuracy: Double?
    public var recentAccuracy: Double?
    /// The accuracy of always answering with the most frequent class.
    public var majority: Double?
    /// Nil before the first prediction, as are the two below.
    public var mae: Double?
    public var recentMAE: Double?
    public var rmse: Double?
    /// The loss to beat: the labels' entropy in nats, or the targets' variance in squared units.
    public var baseline: Double
}
