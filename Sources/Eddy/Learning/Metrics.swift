// How well it is going: prequential metrics, each sample scored before it was learned.
//
// Test-then-train (Dawid 1984; Gama, Sebastião and Rodrigues 2013) needs no held-out data and is
// never flattered by having seen the answer. Sums that run for ever are in Double and compensated
// (Neumaier 1974); recent figures are of a ring of the newest samples.

import Foundation

/// Cumulative and recent loss and error of a learner.
public struct Metrics: Sendable, Hashable, Codable {
    /// Samples learned.
    public private(set) var learned: UInt64
    /// Of these, those that belong to a task before this one and are in no figure below.
    private let stepsBefore: UInt64
    private var lossSum = CompensatedSum()
    private var absoluteErrorSum = CompensatedSum()
    private var squaredErrorSum = CompensatedSum()
    private var correct: UInt64 = 0
    /// Labels of each class. Shape: (classes).
    public private(set) var classCounts: [UInt64] = []
    private var targets = RunningMoments()
    private var recentLosses: RecentWindow
    /// 1 where right, 0 where wrong; absolute errors for regression.
    private var recentErrors: RecentWindow

    /// - Parameter learned: samples that earlier metrics, of another task, have counted already.
    public init(recentWindow: Int = 1000, continuing learned: UInt64 = 0) {
        stepsBefore = learned
        self.learned = learned
        recentLosses = RecentWindow(length: recentWindow)
        recentErrors = RecentWindow(length: recentWindow)
    }

    /// Scores a run of samples; those without a label are passed over. Shapes: (count).
    ///
    /// - Parameters:
    ///   - targets: class indices, NaN for none.
    ///   - predictions: class indices.
    ///   - losses: in nats, NaN where there is no target.
    mutating func scoreClasses(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>
    ) {
        var sum = lossSum
        for i in 0..<count where !targets[i].isNaN {
            let target = Int(targets[i])
            let isCorrect = predictions[i] == targets[i]
            learned += 1
            if isCorrect { correct += 1 }
            while classCounts.count <= target { classCounts.append(0) }
            classCounts[target] += 1
            sum.add(Double(losses[i]))
        }
        lossSum = sum
        recentLosses.append(count) { losses[$0] }
        recentErrors.append(count) { targets[$0].isNaN ? .nan : predictions[$0] == targets[$0] ? 1 : 0 }
    }

    /// The same for values. Shapes: (count).
    mutating func scoreValues(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>
    ) {
        for i in 0..<count where !targets[i].isNaN {
            let error = Double(predictions[i]) - Double(targets[i])
            learned += 1
            lossSum.add(Double(losses[i]))
            absoluteErrorSum.add(abs(error))
            squaredErrorSum.add(error * error)
            self.targets.update(Double(targets[i]))
        }
        recentLosses.append(count) { losses[$0] }
        recentErrors.append(count) { Float(abs(Double(predictions[$0]) - Double(targets[$0]))) }
    }

    private var count: Double { Double(learned - stepsBefore) }

    /// The mean loss over everything learned: nats, or squared units of the target. 0 before the first.
    public var meanLoss: Double { count > 0 ? lossSum.value / count : 0 }
    /// The mean loss over the newest samples.
    public var recentLoss: Double { recentLosses.mean }
    /// The share of right classes.
    public var accuracy: Double { count > 0 ? Double(correct) / count : 0 }
    /// The mean absolute error, in the target's units.
    public var meanAbsoluteError: Double { count > 0 ? absoluteErrorSum.value / count : 0 }
    /// The root of the mean squared error, in the target's units.
    public var rootMeanSquaredError: Double { count > 0 ? (squaredErrorSum.value / count).squareRoot() : 0 }
    /// Of the newest samples: the share of right classes, or the mean absolute error.
    public var recentError: Double { recentErrors.mean }

    /// The entropy of the labels so far, in nats: the mean loss of always answering with their frequencies.
    public var labelEntropy: Double {
        let total = Double(classCounts.reduce(0, +))
        return classCounts.reduce(0) { entropy, count in
            guard count > 0 else { return entropy }
            let share = Double(count) / total
            return entropy - share * log(share)
        }
    }

    /// The variance of the targets so far, in squared units: the mean squared error of always answering with their mean.
    public var targetVariance: Double { targets.variance }

    /// The share of the most frequent class: the accuracy of always answering with it.
    public var majorityShare: Double {
        let total = classCounts.reduce(0, +)
        return total > 0 ? Double(classCounts.max()!) / Double(total) : 0
    }

    /// Whether metrics read from a file can be such.
    var isSound: Bool { recentLosses.isSound && recentErrors.isSound && learned >= stepsBefore }

    /// The figures that belong to a task, for people and messages.
    public func summary(for task: LearningTask?) -> MetricsSummary {
        let isClassification = task == .classification
        return MetricsSummary(
            learned: learned, meanLoss: meanLoss, recentLoss: recentLoss,
            accuracy: isClassification ? accuracy : nil, recentAccuracy: isClassification ? recentError : nil,
            majority: isClassification ? majorityShare : nil,
            mae: task == .regression ? meanAbsoluteError : nil,
            recentMAE: task == .regression ? recentError : nil,
            rmse: task == .regression ? rootMeanSquaredError : nil,
            baseline: isClassification ? labelEntropy : targetVariance)
    }
}

/// Metrics at one moment. What does not belong to the task is nil.
public struct MetricsSummary: Sendable, Hashable, Codable {
    public var learned: UInt64
    /// Nats, or squared units of the target.
    public var meanLoss: Double
    public var recentLoss: Double
    public var accuracy: Double?
    public var recentAccuracy: Double?
    /// The accuracy of always answering with the most frequent class.
    public var majority: Double?
    public var mae: Double?
    public var recentMAE: Double?
    public var rmse: Double?
    /// The loss to beat: the labels' entropy in nats, or the targets' variance in squared units.
    public var baseline: Double
}

/// Neumaier's sum: the error of each addition is kept and added at the end.
struct CompensatedSum: Sendable, Hashable, Codable {
    private var sum = 0.0
    private var correction = 0.0

    @inline(__always)
    mutating func add(_ value: Double) {
        let total = sum + value
        correction += abs(sum) >= abs(value) ? (sum - total) + value : (value - total) + sum
        sum = total
    }

    var value: Double { sum + correction }
}

/// A ring of the newest values and their mean.
struct RecentWindow: Sendable, Hashable, Codable {
    private let length: Int
    private var values: [Float] = []
    private var next = 0
    private var sum = 0.0

    init(length: Int) { self.length = length }

    /// Takes in values, NaN for none.
    @inline(__always)
    mutating func append(_ count: Int, _ value: (Int) -> Float) {
        var i = 0
        while i < count, values.count < length {
            let value = value(i)
            i += 1
            if value.isNaN { continue }
            values.append(value)
            sum += Double(value)
        }
        guard i < count else { return }
        var (sum, next) = (sum, next)
        values.withUnsafeMutableBufferPointer { values in
            while i < count {
                let value = value(i)
                i += 1
                if value.isNaN { continue }
                sum += Double(value) - Double(values[next])
                values[next] = value
                next += 1
                if next == values.count {  // once around, the sum is taken anew, so that no rounding error grows
                    next = 0
                    sum = values.reduce(0) { $0 + Double($1) }
                }
            }
        }
        (self.sum, self.next) = (sum, next)
    }

    var mean: Double { values.isEmpty ? 0 : sum / Double(values.count) }

    /// Whether a window read from a file can be one.
    var isSound: Bool {
        length > 0 && values.count <= length && next >= 0 && next < length && (next == 0 || values.count == length)
    }
}
