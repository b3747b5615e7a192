// What can be said of predictions: the figures, their definitions, and their arithmetic on counts.
//
// All are those of scikit-learn, and are tested against its numbers. Samples count once each, whatever their importance
// weight; a decayed figure is that of sample weights 2^(−age / half-life).
//
// A prediction is made before the label is looked at. So the first sample of a class is always an error: the class was not
// among those that could be predicted, and its probability was 0. Probabilities are of the classes known before the sample
// and add up to 1; what an output in reserve would say is left out. The loss is another matter: it is that of an evaluation
// with the new class added, since a probability of 0 would make it infinite. Classes that are named beforehand, or
// implied by a fixed number of outputs, are known from the first sample on.
//
// Of the very first sample nothing is known, and nothing is predicted. In a classification it counts as an error. In a
// regression it has a loss, and is in no figure of errors.

/// Which samples a figure is of.
public enum MetricsSpan: String, Sendable, Hashable, Codable, CaseIterable {
    /// Everything learned.
    case all
    /// The newest ``Configuration/recentWindow``.
    case recent
    /// Everything, a sample weighing half as much as one that is ``Configuration/recentWindow`` samples newer.
    case decayed
}

/// The same figures of all three spans.
public struct BySpan<Figures: Sendable & Hashable & Codable>: Sendable, Hashable, Codable {
    public var all: Figures
    public var recent: Figures
    public var decayed: Figures

    /// nil where there are no figures.
    init?(_ figures: (MetricsSpan) -> Figures?) {
        guard let all = figures(.all), let recent = figures(.recent), let decayed = figures(.decayed) else {
            return nil
        }
        (self.all, self.recent, self.decayed) = (all, recent, decayed)
    }
}

/// How well classes are predicted.
///
///     learner.metrics.classification(over: .recent)?.macroF1
public struct ClassificationFigures: Sendable, Hashable, Codable {
    /// One class against all others. What has no denominator is 0.
    public struct OfClass: Sendable, Hashable, Codable {
        /// Samples of the class, in ``MetricsSpan/decayed`` their weight.
        public var support: Double
        /// The share of those predicted that were right.
        public var precision: Double
        /// The share of those of the class that were found.
        public var recall: Double
        /// 2 · precision · recall / (precision + recall).
        public var f1: Double
    }

    /// Samples, in ``MetricsSpan/decayed`` as multiples of the newest one's weight.
    public var samples: Double
    /// Nats: the log loss, where the network's loss is a cross-entropy. A new class's first sample is evaluated with its
    /// class added.
    public var meanLoss: Double
    /// The share of right predictions. A sample without a prediction counts as wrong, here and in all figures below.
    public var accuracy: Double
    /// The mean recall of the classes that occurred.
    public var balancedAccuracy: Double
    /// Agreement beyond chance (Cohen 1960): 0 for always answering one class; also 0 where chance agrees always.
    public var kappa: Double
    /// The mean F1 of the classes that occurred or were predicted.
    public var macroF1: Double
    /// Half the mean squared distance of probabilities and label (Brier 1950): 0 to 1, and (p − y)² for two classes. A class
    /// that was not known had probability 0; without a prediction all had, which is a distance of ½.
    public var brierScore: Double
    /// The mean distance of confidence and accuracy over the bins of ``reliability`` (Naeini, Cooper and Hauskrecht
    /// 2015). A sample without a prediction has no confidence, and is in no bin.
    public var calibrationError: Double
    /// The area under the receiver's operating curve, the mean of one class against the rest where there are more than
    /// two. Of ``MetricsSpan/recent`` only, and nil where fewer than two classes occurred. A class that was not known when a
    /// sample came has the score 0 there.
    public var rocAUC: Double?
    /// In the order of the outputs.
    public var classes: [OfClass]
    /// Ten bins of equal width, by the probability of the predicted class.
    public var reliability: [ReliabilityBin]
}

/// Predictions of similar confidence: of a calibrated learner, as many are right as it is confident.
public struct ReliabilityBin: Sendable, Hashable, Codable {
    /// Samples, in ``MetricsSpan/decayed`` their weight.
    public var samples: Double
    /// The mean probability of the predicted class; 0 of an empty bin.
    public var confidence: Double
    /// The share that was right; 0 of an empty bin.
    public var accuracy: Double
}

/// How well values are predicted. Errors are in units of the target.
///
///     learner.metrics.regression(over: .all)?.r2
public struct RegressionFigures: Sendable, Hashable, Codable {
    /// Samples, in ``MetricsSpan/decayed`` as multiples of the newest one's weight.
    public var samples: Double
    /// Squared units of the target, or what the loss has; of all samples. Every other figure is of those that had a
    /// prediction: all but the first of the task, before which nothing was known.
    public var meanLoss: Double
    public var meanAbsoluteError: Double
    public var rootMeanSquaredError: Double
    /// 1 − squared errors / squared deviations from the mean of these targets. Where the latter are 0: 1 without
    /// errors, 0 with.
    public var r2: Double
    /// Quantiles of the absolute error. Of everything they are exact for as long as the window holds it, then within
    /// 0.8 %; a decayed figure has none.
    public var medianError: Double?
    public var error90: Double?
    public var error99: Double?
}

// MARK: - Arithmetic

/// What figures of classes are computed from. Shapes: (classes).
struct ClassCounts {
    var support: [Double]
    var predicted: [Double]
    var hits: [Double]

    var total: Double { support.reduce(0, +) }
    private var hitsInAll: Double { hits.reduce(0, +) }

    var accuracy: Double { total > 0 ? hitsInAll / total : 0 }

    var balancedAccuracy: Double {
        let recalls = support.indices.filter { support[$0] > 0 }.map { hits[$0] / support[$0] }
        return recalls.isEmpty ? 0 : recalls.reduce(0, +) / Double(recalls.count)
    }

    /// κ = 1 − misses / misses expected by chance.
    var kappa: Double {
        let total = total
        guard total > 0 else { return 0 }
        let expected = total - zip(support, predicted).reduce(0) { $0 + $1.0 * $1.1 } / total
        return expected > 1e-12 * total ? 1 - (total - hitsInAll) / expected : 0
    }

    var ofClasses: [ClassificationFigures.OfClass] {
        support.indices.map { k in
            ClassificationFigures.OfClass(
                support: support[k], precision: predicted[k] > 0 ? hits[k] / predicted[k] : 0,
                recall: support[k] > 0 ? hits[k] / support[k] : 0, f1: f1(k))
        }
    }

    var macroF1: Double {
        let present = support.indices.filter { support[$0] + predicted[$0] > 0 }
        return present.isEmpty ? 0 : present.reduce(0) { $0 + f1($1) } / Double(present.count)
    }

    private func f1(_ k: Int) -> Double {
        let sum = support[k] + predicted[k]
        return sum > 0 ? 2 * hits[k] / sum : 0
    }
}

extension [ReliabilityBin] {
    /// Σ |confidence − accuracy| · samples / all samples.
    var calibrationError: Double {
        let total = reduce(0) { $0 + $1.samples }
        return total > 0 ? reduce(0) { $0 + abs($1.confidence - $1.accuracy) * $1.samples } / total : 0
    }
}

extension RegressionFigures {
    /// 1 − squared error / variance, both means.
    static func r2(squaredError: Double, variance: Double) -> Double {
        variance > 0 ? 1 - squaredError / variance : squaredError == 0 ? 1 : 0
    }
}

/// The area under the receiver's operating curve: the chance that a positive scores above a negative, ties counting
/// half (Mann and Whitney 1947). nil where either is missing.
///
/// - Parameter scored: scores and whether each is a positive.
func rocAUC(_ scored: [(score: Float, isPositive: Bool)]) -> Double? {
    let sorted = scored.sorted { $0.score < $1.score }
    var (positives, negativesBelow, pairs) = (0.0, 0.0, 0.0)
    var i = 0
    while i < sorted.count {
        var (ups, downs) = (0.0, 0.0)
        let score = sorted[i].score
        while i < sorted.count, sorted[i].score == score {
            if sorted[i].isPositive { ups += 1 } else { downs += 1 }
            i += 1
        }
        pairs += ups * (negativesBelow + downs / 2)
        positives += ups
        negativesBelow += downs
    }
    return positives > 0 && negativesBelow > 0 ? pairs / (positives * negativesBelow) : nil
}

extension [Double] {
    /// A quantile of ascending values, between two of them in proportion; nil of nothing.
    func quantile(_ share: Double) -> Double? {
        guard let last else { return nil }
        let place = share * Double(count - 1)
        let below = Int(place)
        guard below + 1 < count else { return last }
        return self[below] + (self[below + 1] - self[below]) * (place - Double(below))
    }
}
