// Predictions of values, summed: errors, squared errors, and how the absolute errors are spread.
//
// A sample of which nothing was predicted has a loss and a target, and is in no figure of errors. Only the first sample of
// a task is such.

/// Sums of everything learned, and the same decayed.
struct RegressionTally: Sendable, Hashable, Codable {
    private(set) var absoluteErrors = CompensatedSum()
    private(set) var squaredErrors = CompensatedSum()
    /// Of the samples that had a prediction.
    private var targets = RunningMoments()
    /// Of those that had none; nil where there were none.
    private var unpredicted: RunningMoments?
    private var decayedUnpredicted: Double?  // their weight
    private var spread = ErrorSpread()
    private var decayedLoss = 0.0
    private var decayedAbsoluteErrors = 0.0
    private var decayedSquaredErrors = 0.0
    private var decayedTargets = WeightedMoments()

    /// Samples that had a prediction.
    var predicted: Double { targets.count }
    /// The variance of all targets.
    var targetVariance: Double { unpredicted.map { targets.joined(with: $0).variance } ?? targets.variance }

    /// Sums up labelled samples. Shapes: (count). NaN predictions are none.
    @inline(__always)
    mutating func score(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>,
        _ decay: inout DecayingWeight
    ) {
        for i in 0..<count {
            let target = Double(targets[i])
            let error = abs(Double(predictions[i]) - target)
            let w = decay.next()
            decayedLoss += w * Double(losses[i])
            guard !error.isNaN else {
                unpredicted = unpredicted ?? RunningMoments()
                unpredicted!.update(target)
                decayedUnpredicted = (decayedUnpredicted ?? 0) + w
                continue
            }
            absoluteErrors.add(error)
            squaredErrors.add(error * error)
            self.targets.update(target)
            spread.count(error)
            decayedAbsoluteErrors += w * error
            decayedSquaredErrors += w * error * error
            decayedTargets.update(target, weight: w)
        }
    }

    /// After ``DecayingWeight/advance(_:)`` says so.
    mutating func rescale() {
        decayedLoss *= DecayingWeight.rescaling
        decayedUnpredicted? *= DecayingWeight.rescaling
        decayedAbsoluteErrors *= DecayingWeight.rescaling
        decayedSquaredErrors *= DecayingWeight.rescaling
        decayedTargets.rescale()
    }

    var isSound: Bool { spread.isSound }

    // MARK: Figures

    /// Of everything; nil where nothing was predicted.
    ///
    /// - Parameter newest: the newest outcomes: where they are all, quantiles are exact.
    func figures(meanLoss: Double, newest: [Outcome]) -> RegressionFigures? {
        let count = predicted
        guard count > 0 else { return nil }
        let known = newest.filter { !$0.prediction.isNaN }
        let errors = Double(known.count) < count ? nil : known.map(\.absoluteError).sorted()
        func quantile(_ share: Double) -> Double? { errors.map { $0.quantile(share) } ?? spread.quantile(share) }
        return RegressionFigures(
            samples: count + (unpredicted?.count ?? 0), meanLoss: meanLoss,
            meanAbsoluteError: absoluteErrors.value / count,
            rootMeanSquaredError: (squaredErrors.value / count).squareRoot(),
            r2: RegressionFigures.r2(squaredError: squaredErrors.value / count, variance: targets.variance),
            medianError: quantile(0.5), error90: quantile(0.9), error99: quantile(0.99))
    }

    static func recentFigures(_ newest: [Outcome]) -> RegressionFigures? {
        let known = newest.filter { !$0.prediction.isNaN }
        guard !known.isEmpty else { return nil }
        let count = Double(known.count)
        let errors = known.map(\.absoluteError).sorted()
        var (loss, absolute, squared) = (CompensatedSum(), CompensatedSum(), CompensatedSum())
        var targets = RunningMoments()
        for outcome in newest { loss.add(Double(outcome.loss)) }
        for outcome in known {
            absolute.add(outcome.absoluteError)
            squared.add(outcome.absoluteError * outcome.absoluteError)
            targets.update(Double(outcome.target))
        }
        return RegressionFigures(
            samples: Double(newest.count), meanLoss: loss.value / Double(newest.count),
            meanAbsoluteError: absolute.value / count,
            rootMeanSquaredError: (squared.value / count).squareRoot(),
            r2: RegressionFigures.r2(squaredError: squared.value / count, variance: targets.variance),
            medianError: errors.quantile(0.5), error90: errors.quantile(0.9), error99: errors.quantile(0.99))
    }

    func decayedFigures(_ decay: DecayingWeight) -> RegressionFigures? {
        let total = decay.total - (decayedUnpredicted ?? 0)
        guard predicted > 0 else { return nil }
        let squared = decayedSquaredErrors / total
        return RegressionFigures(
            samples: decay.total / decay.newest, meanLoss: decayedLoss / decay.total,
            meanAbsoluteError: decayedAbsoluteErrors / total, rootMeanSquaredError: squared.squareRoot(),
            r2: RegressionFigures.r2(squaredError: squared, variance: decayedTargets.variance))
    }
}

/// Absolute errors counted in bins 1.6 % wide: quantiles of any number of them within 0.8 %, in some kilobytes.
///
/// A bin is the exponent and six more bits of a Float, so that finding it is a shift; after DDSketch (Masson, Rim and
/// Lee 2019), whose bins are exact powers.
struct ErrorSpread: Sendable, Hashable, Codable {
    private static let shift = 17
    private static let binLimit = Int(Float.greatestFiniteMagnitude.bitPattern >> UInt32(shift)) + 1

    private var zeros: UInt64 = 0
    /// The bin of `counts[0]`.
    private var first = 0
    /// From the smallest error's bin to the largest one's.
    private var counts: [UInt64] = []

    /// - Parameter error: not below 0.
    @inline(__always)
    mutating func count(_ error: Double) {
        let single = Float(min(error, Double(Float.greatestFiniteMagnitude)))
        if single == 0 {
            zeros += 1
            return
        }
        let bin = Int(single.bitPattern >> UInt32(ErrorSpread.shift))
        if bin < first || bin >= first + counts.count { widen(to: bin) }
        counts[bin - first] += 1
    }

    @inline(never)
    private mutating func widen(to bin: Int) {
        if counts.isEmpty { first = bin }
        if bin < first {
            counts.insert(contentsOf: repeatElement(0, count: first - bin), at: 0)
            first = bin
        }
        let missing = bin - first + 1 - counts.count
        if missing > 0 { counts.append(contentsOf: repeatElement(0, count: missing)) }
    }

    /// The middle of the bin in which the quantile is; nil of nothing.
    func quantile(_ share: Double) -> Double? {
        let total = counts.reduce(zeros, +)
        guard total > 0 else { return nil }
        var left = share * Double(total - 1) - Double(zeros)
        if left < 0 { return 0 }
        for (index, count) in counts.enumerated() {
            left -= Double(count)
            if left < 0 || index == counts.count - 1 { return ErrorSpread.middle(of: first + index) }
        }
        return 0
    }

    private static func middle(of bin: Int) -> Double {
        let low = Double(Float(bitPattern: UInt32(bin) << UInt32(shift)))
        let high = Double(Float(bitPattern: UInt32(bin + 1) << UInt32(shift) - 1))
        return (low + high) / 2
    }

    /// Whether counts read from a file can be such.
    var isSound: Bool { first >= 0 && first < ErrorSpread.binLimit && counts.count <= ErrorSpread.binLimit - first }
}
