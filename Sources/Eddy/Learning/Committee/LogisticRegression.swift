// Logistic regression, fitted to what is remembered: the best linear map to classes, where a network's steps go towards it.
//
// Multinomial, with a ridge (le Cessie and van Houwelingen, Applied Statistics 41, 1992), which is what keeps it calm where
// samples are few, features many or labels noisy: there replayed networks are sure of themselves and wrong. It is
// fitted anew once the memory has changed by a part, from where it stood, so that a fit takes a few evaluations; between
// fits it only answers. When that is follows from the samples alone, so that a run repeats to the bit.
//
// Features are centred and scaled by the scaler's moments at the last fit; at the next, the weights are first
// re-expressed in those of that moment.

import Backprop

/// Softmax regression on the columns, fitted by ``LBFGS`` to the samples of both memories.
struct LogisticRegression: Sendable, Codable {
    /// The ridge: a weight's prior variance is its inverse.
    private static let ridge: Float = 1
    private static let constantRidge: Float = 0.1
    /// How much the number of samples grows from fit to fit, and the most that come between.
    private static let growth = 1.3
    private static let longestPause = 250
    /// Beyond so many weights it has nothing to say.
    private static let weightLimit = 1 << 14
    /// Multiplications of one fit, at most, and of a sample, on the mean.
    private static let fitLimit = 1 << 26
    private static let workLimit = 1 << 15
    private static let bound: Float = 4

    let inputs: Int
    private(set) var outputs = 0
    private var seen = 0
    private var nextFit = 4
    /// Shape: (outputs, inputs + 1), the constant last.
    private var weights: [Float] = []
    private var means: [Double]  // (inputs)
    private var factors: [Float]  // (inputs); 0 where a feature does not vary

    init(inputs: Int) {
        self.inputs = inputs
        means = Array(repeating: 0, count: inputs)
        factors = Array(repeating: 0, count: inputs)
    }

    /// Whether figures read from a file can be such.
    func isSound(inputs: Int, classes: Int) -> Bool {
        self.inputs == inputs && outputs >= 0 && outputs <= classes && weights.count == outputs * (inputs + 1)
            && weights.count <= LogisticRegression.weightLimit && weights.allSatisfy { abs($0) < 1e30 }
            && means.count == inputs && means.allSatisfy { abs($0) < 1e39 } && factors.count == inputs
            && factors.allSatisfy { $0 >= 0 && $0.isFinite } && (0..<1 << 62).contains(seen)
            && (0...seen + 1 << 32).contains(nextFit)
    }

    /// The same with more inputs, which did not vary so far.
    func widened(to wider: Int) -> LogisticRegression {
        var other = LogisticRegression(inputs: wider)
        (other.seen, other.nextFit) = (seen, seen)
        guard outputs * (wider + 1) <= LogisticRegression.weightLimit else { return other }
        other.outputs = outputs
        other.weights = Array(repeating: 0, count: outputs * (wider + 1))
        for k in 0..<outputs {
            for j in 0..<inputs { other.weights[k * (wider + 1) + j] = weights[k * (inputs + 1) + j] }
            other.weights[k * (wider + 1) + wider] = weights[k * (inputs + 1) + inputs]
        }
        for j in 0..<inputs { (other.means[j], other.factors[j]) = (means[j], factors[j]) }
        return other
    }

    // MARK: Predicting

    /// A feature in hand, as the weights see it.
    @inline(__always)
    private func scaled(_ x: Float, _ j: Int) -> Float {
        let z = Float((Double(x) - means[j]) * Double(factors[j]))
        return z.isNaN ? 0 : min(max(z, -LogisticRegression.bound), LogisticRegression.bound)
    }

    /// Probabilities of a sample as it came. Shapes: (inputs), into (outputs).
    ///
    /// - Parameter all: places in the row of outputs, of which only classes get a share.
    func predict(
        _ x: UnsafePointer<Float>, classes: Int, outputs all: Int, into p: UnsafeMutablePointer<Float>
    ) {
        for k in 0..<all { p[k] = 0 }
        for k in 0..<min(outputs, classes) { p[k] = weights[k * (inputs + 1) + inputs] }
        for j in 0..<inputs {
            let z = scaled(x[j], j)
            for k in 0..<min(outputs, classes) { p[k] += weights[k * (inputs + 1) + j] * z }
        }
        var highest = p[0]
        for k in 0..<classes { highest = max(highest, p[k]) }
        var sum: Float = 0
        for k in 0..<classes {
            p[k] = Elementary.exp(p[k] - highest)
            sum += p[k]
        }
        for k in 0..<classes { p[k] /= sum }
    }

    // MARK: Learning

    /// Counts a sample that is in the memories by now, and fits where that is due.
    ///
    /// - Parameter scale: what is known of the features.
    mutating func learn(from recent: ReplayMemory, _ reservoir: ReplayMemory, _ scale: FeatureScale, classes: Int) {
        seen += 1
        guard seen >= nextFit, recent.count > 0 else { return }
        let size = classes * (inputs + 1)
        guard size <= LogisticRegression.weightLimit else {
            (outputs, weights) = (0, [])
            return
        }
        let grown = Int(Double(seen) * LogisticRegression.growth)
        let rowLimit = max(16, LogisticRegression.fitLimit / (12 * size))
        let held = recent.count + (seen > recent.capacity ? reservoir.count : 0)
        let count = min(held, rowLimit)
        let work = 12 * size * count
        nextFit = max(
            seen + max(1, work / LogisticRegression.workLimit), min(grown, seen + LogisticRegression.longestPause))
        adopt(scale, classes: classes)
        fit(recent, reservoir, count: count)
    }

    /// Takes over what is known of features and classes by now; the map stays.
    private mutating func adopt(_ scale: FeatureScale, classes: Int) {
        weights += repeatElement(0, count: (classes - outputs) * (inputs + 1))
        outputs = classes
        for j in 0..<inputs {
            let (mean, factor) = (scale.means[j], scale.factors[j])
            for k in 0..<outputs {
                let (place, constant) = (k * (inputs + 1) + j, k * (inputs + 1) + inputs)
                if factors[j] == 0 || factor == 0 {
                    weights[place] = 0
                } else {
                    let shift = (mean - means[j]) * Double(factors[j])
                    weights[constant] += Float(min(max(shift, -10), 10)) * weights[place]
                    weights[place] *= min(factors[j] / factor, 10)
                }
            }
            (means[j], factors[j]) = (mean, factor)
        }
    }

    /// Fits the map to samples of both memories, the newest first where not all may be taken.
    private mutating func fit(_ recent: ReplayMemory, _ reservoir: ReplayMemory, count: Int) {
        let loss = SoftmaxObjective(
            inputs: inputs, outputs: outputs, count: count,
            ridge: (LogisticRegression.ridge, LogisticRegression.constantRidge))
        var z = [Float](repeating: 0, count: inputs)
        var sum: Float = 0  // of the weights
        func add(_ memory: ReplayMemory, _ place: Int, at row: Int) {
            let x = memory.row(place).values
            for j in 0..<inputs { z[j] = scaled(x[j], j) }
            loss.set(row, z, label: Int(memory.targets[place]), weight: memory.weights[place])
            sum += memory.weights[place]
        }
        let fresh = recent.order.suffix(min(count, recent.count))
        for (row, place) in fresh.enumerated() { add(recent, place, at: row) }
        for place in 0..<count - fresh.count { add(reservoir, place, at: fresh.count + place) }
        LBFGS().minimise(&weights, scale: 1 / (0.5 * sum + LogisticRegression.ridge)) {
            loss($0, gradient: &$1)
        }
    }
}
