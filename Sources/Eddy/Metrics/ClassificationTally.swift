// Predictions of classes, counted: a few additions a sample, whatever the number of classes.
//
// Three counts a class (its samples, how often it was predicted, how often both) are enough for accuracy, F1, kappa
// and balanced accuracy; which class was taken for which is another question (``ConfusionMatrix``).
//
// A sample of which nothing was predicted is one of its class, a prediction of none, and no hit. It has no confidence, so
// it is in no bin of reliability; all its probabilities are 0.

/// Counts of everything learned, the same decayed, and the newest samples' probabilities.
struct ClassificationTally: Sendable, Hashable, Codable {
    private struct OfClass: Sendable, Hashable, Codable {
        var support: UInt64 = 0
        var predicted: UInt64 = 0
        var hits: UInt64 = 0
        var decayedSupport = 0.0
        var decayedPredicted = 0.0
        var decayedHits = 0.0
    }

    private struct OfBin: Sendable, Hashable, Codable {
        var count: UInt64 = 0
        var hits: UInt64 = 0
        var confidence = CompensatedSum()
        var decayedCount = 0.0
        var decayedHits = 0.0
        var decayedConfidence = 0.0
    }

    static let binCount = 10

    private(set) var correct: UInt64 = 0
    private var classes: [OfClass] = []
    private var bins = Array(repeating: OfBin(), count: binCount)
    private var distances = CompensatedSum()
    private var decayedDistances = 0.0
    private var decayedLoss = 0.0
    private var probabilities: RecentProbabilities

    init(recentWindow: Int) { probabilities = RecentProbabilities(length: recentWindow) }

    /// Labels of each class. Shape: (classes).
    var support: [UInt64] { classes.map(\.support) }

    /// Counts labelled samples. Shapes: (count); probabilities (count, outputs), of one output that of class 1. NaN
    /// predictions are none.
    @inline(__always)
    mutating func score(
        _ count: Int, targets: UnsafePointer<Float>, predictions: UnsafePointer<Float>, losses: UnsafePointer<Float>,
        probabilities: UnsafePointer<Float>, outputs: Int, _ decay: inout DecayingWeight
    ) {
        let missing = max(2, outputs) - classes.count
        if missing > 0 { classes.append(contentsOf: repeatElement(OfClass(), count: missing)) }
        self.probabilities.append(count, probabilities, outputs: outputs)
        var (correct, distances, decayedDistances, decayedLoss) = (
            self.correct, self.distances, self.decayedDistances, self.decayedLoss
        )
        var weight = decay
        classes.withUnsafeMutableBufferPointer { classes in
            bins.withUnsafeMutableBufferPointer { bins in
                for i in 0..<count {
                    let w = weight.next()
                    guard !predictions[i].isNaN else {
                        classes[Int(targets[i])].support += 1
                        classes[Int(targets[i])].decayedSupport += w
                        distances.add(ClassificationTally.distanceOfNone)
                        decayedDistances += w * ClassificationTally.distanceOfNone
                        decayedLoss += w * Double(losses[i])
                        continue
                    }
                    let (target, predicted) = (Int(targets[i]), Int(predictions[i]))
                    let row = probabilities + i * outputs
                    let (confidence, distance) = ClassificationTally.judge(row, outputs, target, predicted)
                    let bin = ClassificationTally.bin(confidence)
                    classes[target].support += 1
                    classes[target].decayedSupport += w
                    classes[predicted].predicted += 1
                    classes[predicted].decayedPredicted += w
                    bins[bin].count += 1
                    bins[bin].decayedCount += w
                    bins[bin].confidence.add(confidence)
                    bins[bin].decayedConfidence += w * confidence
                    // No branch: whether a prediction is right is what cannot be predicted.
                    let hit: UInt64 = target == predicted ? 1 : 0
                    let weighedHit = w * Double(hit)
                    correct += hit
                    classes[target].hits += hit
                    classes[target].decayedHits += weighedHit
                    bins[bin].hits += hit
                    bins[bin].decayedHits += weighedHit
                    distances.add(distance)
                    decayedDistances += w * distance
                    decayedLoss += w * Double(losses[i])
                }
            }
        }
        (self.correct, self.distances, self.decayedDistances, self.decayedLoss) = (
            correct, distances, decayedDistances, decayedLoss
        )
        decay = weight
    }

    /// Half the squared distance of a label from probabilities that are all 0.
    private static let distanceOfNone = 0.5

    /// The probability of the predicted class, and half the squared distance of probabilities and label.
    @inline(__always)
    private static func judge(
        _ p: UnsafePointer<Float>, _ outputs: Int, _ target: Int, _ predicted: Int
    ) -> (confidence: Double, distance: Double) {
        if outputs == 1 {
            let q = Double(min(max(p[0], 0), 1))  // squared error's outputs may leave [0, 1]
            let miss = target == 1 ? 1 - q : q
            return (predicted == 1 ? q : 1 - q, miss * miss)
        }
        var (even, odd) = (0.0, 0.0)  // two sums, as each addition waits for the one before
        for k in 0..<target { even += Double(p[k]) * Double(p[k]) }
        for k in target + 1..<max(outputs, target + 1) { odd += Double(p[k]) * Double(p[k]) }
        let miss = 1 - Double(p[target])
        return (Double(p[predicted]), (even + odd + miss * miss) / 2)
    }

    /// The bin of a probability: bin b is of those above b/10 up to (b + 1)/10, and the first also of 0.
    @inline(__always)
    private static func bin(_ probability: Double) -> Int {
        let place = probability * Double(binCount)  // exact: a Float's 24 bits and 4 more
        let whole = Int(place)
        return min(max(Double(whole) == place ? whole - 1 : whole, 0), binCount - 1)
    }

    /// After ``DecayingWeight/advance(_:)`` says so.
    mutating func rescale() {
        let factor = DecayingWeight.rescaling
        for k in classes.indices {
            classes[k].decayedSupport *= factor
            classes[k].decayedPredicted *= factor
            classes[k].decayedHits *= factor
        }
        for b in bins.indices {
            bins[b].decayedCount *= factor
            bins[b].decayedHits *= factor
            bins[b].decayedConfidence *= factor
        }
        decayedDistances *= factor
        decayedLoss *= factor
    }

    /// Whether a tally read from a file can be one.
    func isSound(_ newest: [Outcome]) -> Bool {
        bins.count == ClassificationTally.binCount && probabilities.isSound && probabilities.count <= newest.count
            && classes.count <= 1 << 16 && correct < 1 << 62
            && newest.allSatisfy { outcome in
                [outcome.target, outcome.prediction.isNaN ? 0 : outcome.prediction].allSatisfy {
                    $0 >= 0 && $0 < Float(classes.count)
                }
            }
    }

    // MARK: Figures

    /// Of everything: the mean loss is the caller's.
    func figures(meanLoss: Double) -> ClassificationFigures {
        let counts = ClassCounts(
            support: classes.map { Double($0.support) }, predicted: classes.map { Double($0.predicted) },
            hits: classes.map { Double($0.hits) })
        return figures(
            counts, samples: counts.total, meanLoss: meanLoss, brierScore: distances.value / max(counts.total, 1),
            reliability: bins.map { ReliabilityBin(Double($0.count), $0.confidence.value, Double($0.hits)) })
    }

    func decayedFigures(_ decay: DecayingWeight) -> ClassificationFigures {
        let newest = decay.newest
        let counts = ClassCounts(
            support: classes.map { $0.decayedSupport / newest },
            predicted: classes.map { $0.decayedPredicted / newest },
            hits: classes.map { $0.decayedHits / newest })
        return figures(
            counts, samples: decay.total / newest, meanLoss: decayedLoss / decay.total,
            brierScore: decayedDistances / decay.total,
            reliability: bins.map {
                ReliabilityBin($0.decayedCount / newest, $0.decayedConfidence / newest, $0.decayedHits / newest)
            })
    }

    /// Of the newest outcomes; what needs probabilities, of as many of them as have theirs still.
    func recentFigures(_ newest: [Outcome]) -> ClassificationFigures {
        var recent = ClassificationTally(recentWindow: 1)
        recent.classes = Array(repeating: OfClass(), count: classes.count)
        for outcome in newest {
            recent.classes[Int(outcome.target)].support += 1
            guard !outcome.prediction.isNaN else { continue }
            recent.classes[Int(outcome.prediction)].predicted += 1
            if outcome.hit == 1 { recent.classes[Int(outcome.target)].hits += 1 }
        }
        let scored = newest.suffix(probabilities.count)
        for (index, outcome) in scored.enumerated() {
            guard !outcome.prediction.isNaN else {
                recent.distances.add(ClassificationTally.distanceOfNone)
                continue
            }
            let (confidence, distance) = probabilities.row(index).withUnsafeBufferPointer { row in
                ClassificationTally.judge(
                    row.baseAddress!, row.count, min(Int(outcome.target), max(row.count, 2) - 1),
                    min(Int(outcome.prediction), max(row.count, 2) - 1))
            }
            let bin = ClassificationTally.bin(confidence)
            recent.bins[bin].count += 1
            recent.bins[bin].confidence.add(confidence)
            if outcome.hit == 1 { recent.bins[bin].hits += 1 }
            recent.distances.add(distance)
        }
        let loss = newest.reduce(into: CompensatedSum()) { $0.add(Double($1.loss)) }
        var figures = recent.figures(meanLoss: loss.value / Double(max(newest.count, 1)))
        figures.brierScore = recent.distances.value / Double(max(scored.count, 1))
        figures.rocAUC = recentAUC(scored)
        return figures
    }

    /// One class against the rest, the mean over those that occurred; of two classes, the second against the first.
    private func recentAUC(_ scored: ArraySlice<Outcome>) -> Double? {
        let present = Set(scored.map { Int($0.target) }).sorted()
        func area(_ k: Int) -> Double? {
            rocAUC(
                scored.enumerated().map { index, outcome in
                    let row = probabilities.row(index)
                    return (row.count == 1 ? row.first! : row[row.startIndex + k], Int(outcome.target) == k)
                })
        }
        if present.count < 2 { return nil }
        if present.count == 2 { return area(present[1]) }
        let areas = present.compactMap(area)
        return areas.reduce(0, +) / Double(areas.count)
    }

    private func figures(
        _ counts: ClassCounts, samples: Double, meanLoss: Double, brierScore: Double, reliability: [ReliabilityBin]
    ) -> ClassificationFigures {
        ClassificationFigures(
            samples: samples, meanLoss: meanLoss, accuracy: counts.accuracy, balancedAccuracy: counts.balancedAccuracy,
            kappa: counts.kappa, macroF1: counts.macroF1, brierScore: brierScore,
            calibrationError: reliability.calibrationError, rocAUC: nil, classes: counts.ofClasses,
            reliability: reliability)
    }
}

extension ReliabilityBin {
    /// Of sums over a bin's samples.
    fileprivate init(_ samples: Double, _ confidence: Double, _ hits: Double) {
        self.init(
            samples: samples, confidence: samples > 0 ? confidence / samples : 0,
            accuracy: samples > 0 ? hits / samples : 0)
    }
}
