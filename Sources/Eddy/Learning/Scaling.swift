// Online standardisation: (x − mean) / deviation, both of what has been seen so far.
//
// Welford's recurrence (Technometrics 4, 1962) in Double, which neither overflows nor cancels over a
// stream without end. Deviations are of the population, M₂ / n. A feature that has never varied
// scales to 0.

/// Running mean and deviation of each feature. Shape of both: (inputs).
struct FeatureScaler: Sendable, Codable {
    private(set) var count: Double = 0
    private(set) var means: [Double]
    private(set) var squares: [Double]  // M₂ = Σ (x − mean)²
    private var marked: (count: Double, means: [Double], squares: [Double])

    /// The largest scaled feature, in deviations: one wild value must not throw the weights.
    static let bound: Float = 8

    init(inputs: Int) {
        means = Array(repeating: 0, count: inputs)
        squares = means
        marked = (0, means, squares)
    }

    /// Learns a sample's features. Shape: (inputs).
    @inline(__always)
    mutating func update(_ x: UnsafePointer<Float>) {
        count += 1
        let share = 1 / count
        let inputs = means.count
        means.withUnsafeMutableBufferPointer { means in
            squares.withUnsafeMutableBufferPointer { squares in
                for j in 0..<inputs {
                    let delta = Double(x[j]) - means[j]
                    means[j] += delta * share
                    squares[j] += delta * (Double(x[j]) - means[j])
                }
            }
        }
    }

    /// Writes the scaled features. Shapes: (inputs).
    @inline(__always)
    func scale(_ x: UnsafePointer<Float>, into scaled: UnsafeMutablePointer<Float>) {
        let inputs = means.count
        let bound = FeatureScaler.bound
        means.withUnsafeBufferPointer { means in
            squares.withUnsafeBufferPointer { squares in
                for j in 0..<inputs {
                    let deviation = (squares[j] / count).squareRoot()
                    let z = Float((Double(x[j]) - means[j]) / (deviation > 0 ? deviation : .infinity))
                    scaled[j] = max(min(z, bound), -bound) + 0
                }
            }
        }
    }

    /// Remembers the present state, without allocating.
    mutating func mark() {
        marked.count = count
        for j in means.indices {
            marked.means[j] = means[j]
            marked.squares[j] = squares[j]
        }
    }

    /// Goes back to the marked state.
    mutating func rollBack() {
        count = marked.count
        for j in means.indices {
            means[j] = marked.means[j]
            squares[j] = marked.squares[j]
        }
    }

    private enum CodingKeys: CodingKey { case count, means, squares }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        count = try container.decode(Double.self, forKey: .count)
        means = try container.decode([Double].self, forKey: .means)
        squares = try container.decode([Double].self, forKey: .squares)
        marked = (count, means, squares)
        guard squares.count == means.count else {
            throw DecodingError.dataCorruptedError(
                forKey: .squares, in: container, debugDescription: "not as many as means")
        }
    }
}

/// Running mean and deviation of one number.
struct RunningMoments: Sendable, Hashable, Codable {
    private(set) var count: Double = 0
    private(set) var mean: Double = 0
    private var squares: Double = 0

    mutating func update(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    }

    /// The same value several times at once (Chan, Golub and LeVeque 1979).
    mutating func update(_ value: Double, times: Double) {
        guard times > 0 else { return }
        let delta = value - mean
        let total = count + times
        mean += delta * (times / total)
        squares += delta * delta * (count * times / total)
        count = total
    }

    /// Of the population, in squared units.
    var variance: Double { count > 0 ? squares / count : 0 }

    /// The deviation, or 1 where nothing has varied yet.
    var scale: Double { squares > 0 ? variance.squareRoot() : 1 }
}
