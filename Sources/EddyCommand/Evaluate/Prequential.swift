// The course of one pass: what a stream's steps say of loss and score at every doubling, along a curve, and by class.
//
// A step's prediction was made before its label was looked at (Dawid 1984), so the whole stream is the test. Where nothing
// was predicted, as of the first sample, a class counts as wrong, and a value has a loss and no score. The curve
// has at most 512 points however long the stream: when it is full, every other point goes, and later ones come half as
// often.

import Eddy

/// Loss and score of a pass so far. A score is 1 for the right class and 0 for another, or the absolute error.
struct Prequential {
    /// The samples before a doubling, and those since the one before.
    struct Row: Encodable {
        let samples: Int
        let meanLoss: Double
        let meanScore: Double
        let lossSince: Double
        let scoreSince: Double
    }

    struct Point: Encodable {
        let samples: Int
        let meanLoss: Double
        let meanScore: Double
        /// Of the newest samples, as many as the window holds.
        let recentLoss: Double
        let recentScore: Double
        /// The mean score of always answering the most frequent class, or the mean, so far.
        let baselineScore: Double
        /// Median, 90 % and 99 % of the newest absolute errors; for regression.
        let errorQuantiles: [Double]?
    }

    static let pointLimit = 512
    /// The longest window of the curve, which is sorted at each point.
    static let windowLimit = 10_000
    /// The most classes of which the confusions are counted.
    static let classLimit = 64

    let window: Int
    private(set) var count = 0
    private(set) var rows: [Row] = []
    private(set) var curve: [Point] = []
    private(set) var baselines = Baselines()
    /// Shape: (label, predicted); empty for regression, and no larger than ``classLimit``. A sample without a prediction is in
    /// no cell.
    private(set) var confusions: [[Int]] = []
    private var isClassification = true
    private var sum = Sum()
    private var atLastRow = (count: 0, sum: Sum())
    private var newest: [(loss: Double, score: Double?)] = []
    private var newestSum = Sum()
    private var stride = 1

    private struct Sum {
        var loss = 0.0
        var score = 0.0
        /// Samples that have a score.
        var scored = 0

        /// - Parameter sign: −1 to take out what was added.
        mutating func add(_ loss: Double, _ score: Double?, sign: Double = 1) {
            self.loss += sign * loss
            self.score += sign * (score ?? 0)
            if score != nil { scored += Int(sign) }
        }

        /// 0 where nothing has a score.
        var meanScore: Double { score / Double(max(scored, 1)) }

        static func - (a: Sum, b: Sum) -> Sum {
            Sum(loss: a.loss - b.loss, score: a.score - b.score, scored: a.scored - b.scored)
        }
    }

    init(window: Int) { self.window = min(window, Prequential.windowLimit) }

    /// Takes in the steps of the samples that were learned, in order.
    mutating func add(_ steps: StepChunk) {
        if steps.taskBegin > 0 { self = Prequential(window: window) }  // figures are of one task
        for i in steps.taskBegin..<steps.count where !steps.targets[i].isNaN {
            isClassification = steps.task(at: i) == .classification
            add(steps.targets[i], steps.predictions[i], Double(steps.losses[i]))
        }
    }

    /// The last row, where it is not there yet.
    mutating func finish() {
        if count > atLastRow.count { row() }
        if count > (curve.last?.samples ?? 0) { point() }
    }

    private mutating func add(_ target: Float, _ prediction: Float, _ loss: Double) {
        let error = abs(Double(prediction) - Double(target))
        let score: Double? = isClassification ? (target == prediction ? 1 : 0) : error.isNaN ? nil : error
        sum.add(loss, score)
        newestSum.add(loss, score)
        if newest.count < window {
            newest.append((loss, score))
        } else {
            let old = newest[count % window]
            newestSum.add(old.loss, old.score, sign: -1)
            newest[count % window] = (loss, score)
        }
        count += 1
        if isClassification, !prediction.isNaN { confuse(Int(target), Int(prediction)) }
        baselines.add(target, isClass: isClassification)
        if count & (count - 1) == 0 { row() }
        if count % stride == 0 { point() }
    }

    private mutating func confuse(_ target: Int, _ prediction: Int) {
        let needed = max(target, prediction) + 1
        guard needed <= Prequential.classLimit else { return }
        if needed > confusions.count {
            for k in confusions.indices {
                confusions[k] += Array(repeating: 0, count: needed - confusions[k].count)
            }
            while confusions.count < needed { confusions.append(Array(repeating: 0, count: needed)) }
        }
        confusions[target][prediction] += 1
    }

    private mutating func row() {
        let since = sum - atLastRow.sum
        rows.append(
            Row(
                samples: count, meanLoss: sum.loss / Double(count), meanScore: sum.meanScore,
                lossSince: since.loss / Double(count - atLastRow.count), scoreSince: since.meanScore))
        atLastRow = (count, sum)
    }

    private mutating func point() {
        let recent = Double(newest.count)
        var quantiles: [Double]?
        if !isClassification {
            let errors = newest.compactMap(\.score).sorted()
            if !errors.isEmpty { quantiles = [0.5, 0.9, 0.99].map { errors[Int($0 * Double(errors.count - 1))] } }
        }
        curve.append(
            Point(
                samples: count, meanLoss: sum.loss / Double(count), meanScore: sum.meanScore,
                recentLoss: max(0, newestSum.loss / recent), recentScore: max(0, newestSum.meanScore),
                baselineScore: baselines.commonScore / baselines.scored, errorQuantiles: quantiles))
        if curve.count > Prequential.pointLimit {
            stride *= 2
            curve = curve.filter { $0.samples % stride == 0 }
        }
    }
}

/// Answers that need no features, each given before the label is seen. The first class counts as wrong, and the first value
/// is not scored: nothing was known before.
struct Baselines {
    private var counts: [Int] = []
    private var mostFrequent: Int?
    private var last: Float?
    private var count = 0
    private var mean = 0.0
    private var areClasses = true
    /// What sums of scores are divided by: the samples, of values all but the first; at least 1.
    var scored: Double { Double(max(1, areClasses ? count : count - 1)) }
    /// Of the most frequent class so far, or of the mean so far: the sum of scores.
    private(set) var commonScore = 0.0
    private(set) var commonSquares = 0.0
    /// Of the last label.
    private(set) var lastScore = 0.0
    private(set) var lastSquares = 0.0

    mutating func add(_ target: Float, isClass: Bool) {
        if isClass {
            let k = Int(target)
            if mostFrequent == k { commonScore += 1 }
            if last == target { lastScore += 1 }
            while counts.count <= k { counts.append(0) }
            counts[k] += 1
            if mostFrequent.map({ counts[k] > counts[$0] }) ?? true { mostFrequent = k }
        } else {
            let toMean = Double(target) - mean
            if let last {
                let toLast = Double(target) - Double(last)
                commonScore += abs(toMean)
                commonSquares += toMean * toMean
                lastScore += abs(toLast)
                lastSquares += toLast * toLast
            }
            mean += toMean / Double(count + 1)
        }
        areClasses = isClass
        last = target
        count += 1
    }
}
