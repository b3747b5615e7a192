// Recursive least squares: the best linear map of all samples so far, exactly, after each sample.
//
// Plackett 1950; with forgetting as in Haykin, Adaptive Filter Theory. Where a gradient step goes a little of the way,
// this goes all of it, at the price of a matrix: for few inputs, a bargain. With a level that is taken for a random
// walk it is a Kalman filter, and follows targets that wander whatever their features say.
//
// Features are centred and scaled by a copy of the scaler's moments, taken at samples 1, 2, 4, … 4096, 8192, 12288, …; weights and
// covariance are then re-expressed exactly, so that the map does not move. Double, since the covariance is updated for
// ever; it is forgotten only as long as it stays within its prior, or directions that are no longer seen would blow up.

/// Linear regression of one or several targets on the features, by recursive least squares.
struct LeastSquares: Sendable, Codable {
    /// Beyond so many inputs the matrix costs more than it is worth.
    static let inputLimit = 128
    /// The same for one of several on a stream.
    static let furtherLimit = 64

    let inputs: Int
    /// λ: the weight that a sample keeps at each further one.
    let forgetting: Double
    /// The variance that the constant term gains at each sample; 0: it does not wander.
    let wandering: Double
    private(set) var outputs: Int
    private let isFree: Bool
    private var seen: UInt64 = 0
    /// The first target, where targets may be anywhere: the map is of what they have beyond it.
    private var origin = 0.0
    /// (inputs + 1)²; the constant first.
    private var covariance: [Double]
    /// Shape: (outputs, inputs + 1).
    private var weights: [Double]
    private var offsets: [Double]  // the frozen means (inputs)
    private var factors: [Double]  // one over the frozen deviations; 0 where there was none (inputs)
    private var row: [Double]  // [1, u] of the sample in hand
    private var gain: [Double]

    private var size: Int { inputs + 1 }

    private enum CodingKeys: CodingKey {
        case inputs, outputs, forgetting, wandering, isFree, seen, origin, covariance, weights, offsets, factors
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let shape = (try values.decode(Int.self, forKey: .inputs), try values.decode(Int.self, forKey: .outputs))
        guard (0...LeastSquares.inputLimit).contains(shape.0), (1...65_536).contains(shape.1) else {
            throw DecodingError.dataCorruptedError(forKey: .inputs, in: values, debugDescription: "a shape of \(shape)")
        }
        self.init(
            inputs: shape.0, outputs: shape.1,
            forgetting: try values.decode(Double.self, forKey: .forgetting),
            wandering: try values.decode(Double.self, forKey: .wandering),
            isFree: try values.decode(Bool.self, forKey: .isFree))
        seen = try values.decode(UInt64.self, forKey: .seen)
        origin = try values.decode(Double.self, forKey: .origin)
        guard seen < 1 << 62, abs(origin) < 1e39, forgetting > 0, forgetting <= 1, wandering >= 0, wandering < 1e9
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .forgetting, in: values, debugDescription: "figures that cannot be")
        }
        for (key, part) in [
            (CodingKeys.covariance, \LeastSquares.covariance), (.weights, \.weights), (.offsets, \.offsets),
            (.factors, \.factors),
        ] {
            let numbers = try values.decode([Double].self, forKey: key)
            guard numbers.count == self[keyPath: part].count, numbers.allSatisfy({ abs($0) < 1e100 }) else {
                throw DecodingError.dataCorruptedError(
                    forKey: key, in: values, debugDescription: "\(numbers.count) numbers for \(inputs) inputs")
            }
            self[keyPath: part] = numbers
        }
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(inputs, forKey: .inputs)
        try values.encode(outputs, forKey: .outputs)
        try values.encode(forgetting, forKey: .forgetting)
        try values.encode(wandering, forKey: .wandering)
        try values.encode(isFree, forKey: .isFree)
        try values.encode(seen, forKey: .seen)
        try values.encode(origin, forKey: .origin)
        try values.encode(covariance, forKey: .covariance)
        try values.encode(weights, forKey: .weights)
        try values.encode(offsets, forKey: .offsets)
        try values.encode(factors, forKey: .factors)
    }

    /// - Parameter isFree: whether targets may be anywhere, as values are; a class's share is within 0 … 1.
    init(inputs: Int, outputs: Int, forgetting: Double = 0.9995, wandering: Double = 0, isFree: Bool) {
        self.inputs = inputs
        self.outputs = outputs
        self.forgetting = forgetting
        self.wandering = wandering
        self.isFree = isFree
        covariance = []
        weights = Array(repeating: 0, count: outputs * (inputs + 1))
        offsets = Array(repeating: 0, count: inputs)
        factors = offsets
        row = Array(repeating: 0, count: inputs + 1)
        gain = row
        row[0] = 1
        resetCovariance()
    }

    /// Nothing is known: what is already in the weights stays.
    private mutating func resetCovariance() {
        covariance = Array(repeating: 0, count: size * size)
        for i in 0..<size { covariance[i * (size + 1)] = 1 }
        if isFree { covariance[0] = 1000 }
    }

    mutating func add(outputs more: Int) {
        weights += repeatElement(0, count: more * size)
        outputs += more
    }

    /// The same with more inputs, which were 0 so far; nil where they are too many.
    func widened(to wider: Int) -> LeastSquares? {
        guard wider <= LeastSquares.inputLimit else { return nil }
        var other = LeastSquares(
            inputs: wider, outputs: outputs, forgetting: forgetting, wandering: wandering, isFree: isFree)
        (other.seen, other.origin) = (seen, origin)
        for i in 0..<size {
            for j in 0..<size { other.covariance[i * other.size + j] = covariance[i * size + j] }
            for k in 0..<outputs { other.weights[k * other.size + i] = weights[k * size + i] }
        }
        for j in 0..<inputs { (other.offsets[j], other.factors[j]) = (offsets[j], factors[j]) }
        // A new one has been 0 all along: its first value is what it is measured by, from the next refresh on.
        return other
    }

    // MARK: Predicting

    /// Takes a sample in hand: its scaled features, and the scaler that did it. Shape: (inputs).
    mutating func take(_ z: UnsafePointer<Float>, _ scale: FeatureScale) {
        for j in 0..<inputs { row[j + 1] = coordinate(z[j], j, scale) }
    }

    /// One output for the sample in hand.
    func output(_ k: Int) -> Double {
        var sum = origin
        for i in 0..<size { sum += weights[k * size + i] * row[i] }
        return sum
    }

    /// The first output for any sample, scaled. Shape: (inputs).
    func value(_ z: UnsafePointer<Float>, _ scale: FeatureScale) -> Double {
        var sum = origin + weights[0]
        for j in 0..<inputs { sum += weights[j + 1] * coordinate(z[j], j, scale) }
        return sum
    }

    /// The same for a sample as it came.
    func value(_ x: (Int) -> Float, _ scale: FeatureScale) -> Double {
        var sum = origin + weights[0]
        for j in 0..<inputs where scale.factors[j] != 0 {
            let x = Double(x(j))
            sum += weights[j + 1] * ((x.isFinite ? x : scale.means[j]) - offsets[j]) * factors[j]
        }
        return sum
    }

    @inline(__always)
    private func coordinate(_ z: Float, _ j: Int, _ scale: FeatureScale) -> Double {
        scale.factors[j] == 0 ? 0 : (scale.means[j] + Double(z) / Double(scale.factors[j]) - offsets[j]) * factors[j]
    }

    // MARK: Learning

    /// Learns the sample in hand.
    ///
    /// - Parameters:
    ///   - scale: that of the sample.
    ///   - weight: above 0; as if the sample had come so often at once.
    ///   - target: of each output.
    mutating func learn(_ scale: FeatureScale, weight: Float = 1, _ target: (Int) -> Double) {
        if seen == 0, isFree { origin = target(0) }
        seen += 1
        covariance[0] += wandering
        let remainder = forgetting / Double(weight)
        var denominator = takeIn(remainder)
        if !(denominator >= remainder) {  // rounding has spoiled it
            resetCovariance()
            denominator = takeIn(remainder)
        }
        for k in 0..<outputs {
            let error = (target(k) - output(k)) / denominator
            for i in 0..<size { weights[k * size + i] += gain[i] * error }
        }
        if seen <= 4096 ? seen & (seen - 1) == 0 : seen % 4096 == 0 { refresh(scale) }
    }

    /// Takes the row in hand into the covariance P, and leaves P·row, as it was before, in the gain.
    ///
    /// - Returns: the given remainder + rowᵀ·P·row; where that is less than the remainder, which no covariance can be,
    ///   nothing was taken in.
    private mutating func takeIn(_ remainder: Double) -> Double {
        let (size, inputs, forgetting) = (size, inputs, forgetting)
        return covariance.withUnsafeMutableBufferPointer { covariance in
            gain.withUnsafeMutableBufferPointer { gain in
                row.withUnsafeBufferPointer { row in
                    gain.update(repeating: 0)
                    // P is symmetric: row by row, all sums at once, each in the order of the features.
                    for i in 0..<size {
                        let (x, own) = (row[i], covariance.baseAddress! + i * size)
                        for j in 0..<size { gain[j] += x * own[j] }
                    }
                    var (denominator, trace) = (remainder, 0.0)
                    for i in 0..<size { denominator += row[i] * gain[i] }
                    guard denominator >= remainder else { return denominator }
                    for i in 1..<max(size, 1) { trace += covariance[i * (size + 1)] }
                    let growth = trace < Double(inputs) ? 1 / forgetting : 1
                    // gainᵢ · gainⱼ first: then P stays symmetric to the bit, without which it would not stay positive.
                    let scale = 1 / denominator
                    for i in 0..<size {
                        let (factor, own) = (gain[i], covariance.baseAddress! + i * size)
                        for j in 0..<size { own[j] = (own[j] - factor * gain[j] * scale) * growth }
                    }
                    return denominator
                }
            }
        }
    }

    /// Takes over the scaler's moments of now. The map stays: with u' = a·u + b, w' = w / a and w₀' = w₀ − Σ w·b / a; the
    /// covariance, being of the weights, goes the same way from both sides.
    private mutating func refresh(_ scale: FeatureScale) {
        var a = [Double](repeating: 1, count: size)
        var b = [Double](repeating: 0, count: size)
        for j in 0..<inputs where scale.factors[j] != 0 {
            let factor = Double(scale.factors[j])
            if factors[j] == 0 {  // the first time that it varies: from the prior
                for i in 0..<size {
                    covariance[i * size + j + 1] = 0
                    covariance[(j + 1) * size + i] = 0
                }
                covariance[(j + 1) * (size + 1)] = 1
                for k in 0..<outputs { weights[k * size + j + 1] = 0 }
            } else {
                a[j + 1] = factor / factors[j]
                b[j + 1] = (offsets[j] - scale.means[j]) * factor
            }
            (offsets[j], factors[j]) = (scale.means[j], factor)
        }
        for k in 0..<outputs {
            for i in 1..<size {
                weights[k * size] -= weights[k * size + i] * b[i] / a[i]
                weights[k * size + i] /= a[i]
            }
        }
        for _ in 0..<2 {  // the rows, and after a transposition the columns
            for column in 0..<size {
                for i in 1..<size {
                    covariance[column] -= covariance[i * size + column] * b[i] / a[i]
                    covariance[i * size + column] /= a[i]
                }
            }
            for i in 0..<size {
                for j in 0..<i { covariance.swapAt(i * size + j, j * size + i) }
            }
        }
        // Divided by aᵢ and aⱼ in another order, halves would differ in the last bit, and that would grow for ever.
        for i in 0..<size {
            for j in 0..<i { covariance[i * size + j] = covariance[j * size + i] }
        }
    }
}

/// How features are scaled at one moment. Shapes: (inputs).
struct FeatureScale {
    let means: UnsafePointer<Double>
    /// One over the deviation; 0 where there is none.
    let factors: UnsafePointer<Float>
}
