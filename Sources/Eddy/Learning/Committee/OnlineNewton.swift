// Weights that learn from each sample as much as its curvature allows.
//
// The online Newton step (Hazan, Agarwal and Kale, Machine Learning 69, 2007): the outer products of all gradients so
// far stand for the curvature, and a step is the gradient times their inverse. Experts say much the same, so the
// directions in which they differ are seen rarely and weakly; a plain gradient step hardly moves along these, and this
// does. With squared errors it is recursive least squares. Old samples are forgotten, as in ``LeastSquares``.

/// Coefficients learned by online Newton steps, from 0 or wherever they begin.
struct OnlineNewton: Sendable, Codable {
    private static let forgetting = 0.999

    private(set) var coefficients: [Double]
    /// Of the summed outer products. Shape: (coefficients, coefficients).
    private var inverse: [Double]
    /// A coefficient's variance at first.
    private let prior: Double

    init(from start: [Double], prior: Double) {
        (coefficients, self.prior) = (start, prior)
        inverse = []
        reset()
    }

    /// No curvature is known: the coefficients stay.
    private mutating func reset() {
        let count = coefficients.count
        inverse = Array(repeating: 0, count: count * count)
        for i in 0..<count { inverse[i * (count + 1)] = prior }
    }

    /// Whether figures read from a file can be such.
    func isSound(count: Int) -> Bool {
        coefficients.count == count && inverse.count == count * count && prior > 0 && prior < 1e6
            && (coefficients + inverse).allSatisfy { abs($0) < 1e12 }
    }

    /// Takes `x` into the curvature, and moves so far along its direction. Shape: (coefficients).
    mutating func move(along x: [Double], by amount: Double) {
        let count = x.count
        var trace = 0.0
        for i in 0..<count { trace += inverse[i * (count + 1)] }
        let growth = trace < prior * Double(count) ? 1 / OnlineNewton.forgetting : 1
        var direction = [Double](repeating: 0, count: count)
        var denominator = 1.0
        for i in 0..<count {
            var sum = 0.0
            for j in 0..<count { sum += inverse[i * count + j] * x[j] }
            direction[i] = sum * growth
            denominator += direction[i] * x[i]
        }
        guard denominator >= 1 else { return reset() }  // rounding has spoiled it
        // directionᵢ · directionⱼ first: then the inverse stays symmetric to the bit, and positive.
        let scale = 1 / denominator
        for i in 0..<count {
            for j in 0..<count {
                inverse[i * count + j] = inverse[i * count + j] * growth - direction[i] * direction[j] * scale
            }
            coefficients[i] += direction[i] * scale * amount
        }
    }
}
