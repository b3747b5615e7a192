import Testing

@testable import Backprop
@testable import Eddy

@Suite struct LogisticRegressionTests {
    /// Iris, standardised, and the kinds by number.
    private func iris() throws -> (rows: [[Float]], labels: [Int]) {
        let samples = try samples("iris")
        var rows = (0..<samples.count).map { Array(samples.features[$0 * 4..<$0 * 4 + 4]) }
        for j in 0..<4 {
            let column = rows.map { Double($0[j]) }
            let mean = column.reduce(0, +) / 150
            let deviation = (column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 150).squareRoot()
            for i in rows.indices { rows[i][j] = Float((column[i] - mean) / deviation) }
        }
        return (rows, (0..<150).map { $0 / 50 })
    }

    /// Recorded from scikit-learn 1.9.1, LogisticRegression(C=1), the constants with a ridge of 0.1.
    @Test func theFit_isScikitLearns() throws {
        let (rows, labels) = try iris()
        let loss = SoftmaxObjective(inputs: 4, outputs: 3, count: 150, ridge: (1, 0.1))
        for (i, row) in rows.enumerated() { loss.set(i, row, label: labels[i], weight: 1) }
        var weights = [Float](repeating: 0, count: 15)
        LBFGS(iterations: 200, tolerance: 0).minimise(&weights, scale: 1 / 76) { loss($0, gradient: &$1) }
        var gradient = weights
        #expect(abs(loss(weights, gradient: &gradient) - 31.761_197) < 2e-4)
        let expected: [(Int, [Double])] = [
            (0, [0.984942, 0.015058, 0]), (60, [0.021497, 0.961316, 0.017186]), (70, [0.011966, 0.430559, 0.557475]),
            (83, [0.001699, 0.436344, 0.561957]), (119, [0.000393, 0.469492, 0.530114]),
            (133, [0.002007, 0.580659, 0.417334]),
        ]
        for (i, shares) in expected {
            let powers = (0..<3).map { k in
                Double(Elementary.exp((0..<5).reduce(0) { $0 + weights[k * 5 + $1] * ($1 < 4 ? rows[i][$1] : 1) }))
            }
            for k in 0..<3 { #expect(abs(powers[k] / powers.reduce(0, +) - shares[k]) < 1e-3, "\(i), \(k)") }
        }
    }

    @Test func theGradient_isThatOfTheLoss() throws {
        var random = TestRandom(seed: 51)
        let loss = SoftmaxObjective(inputs: 3, outputs: 4, count: 21, ridge: (0.5, 0.1))
        for i in 0..<21 {
            loss.set(
                i, (0..<3).map { _ in .random(in: -2...2, using: &random) }, label: i % 4,
                weight: .random(in: 0...2, using: &random))
        }
        let w = (0..<16).map { _ in Float.random(in: -1...1, using: &random) }
        var (gradient, ignored) = (w, w)
        _ = loss(w, gradient: &gradient)
        for place in 0..<16 {
            var (below, above) = (w, w)
            below[place] -= 1e-2
            above[place] += 1e-2
            let slope = (loss(above, gradient: &ignored) - loss(below, gradient: &ignored)) / 2e-2
            #expect(abs(Double(gradient[place]) - slope) < 2e-3, "\(place): \(gradient[place]), \(slope)")
        }
    }

    @Test func lbfgs_goesDownRosenbrocksValley() {
        var x: [Float] = [-1.2, 1]
        LBFGS(iterations: 100, tolerance: 0).minimise(&x, scale: 1e-3) { x, gradient in
            let (a, b) = (1 - x[0], x[1] - x[0] * x[0])
            gradient = [-2 * a - 400 * x[0] * b, 200 * b]
            return Double(a * a + 100 * b * b)
        }
        #expect(abs(x[0] - 1) < 1e-2 && abs(x[1] - 1) < 2e-2, "\(x)")
    }

    /// A slope of noisy labels is found, and is calm where it is not known.
    @Test(arguments: [Float(1), 1e5])
    func noisyLabels_areCalmlyTold_whateverSamplesWeigh(weight: Float) throws {
        var random = TestRandom(seed: 52)
        let (recent, reservoir) = (ReplayMemory(.recent, inputs: 2), ReplayMemory(.reservoir, inputs: 2))
        var logistic = LogisticRegression(inputs: 2)
        var scaler = FeatureScaler(inputs: 2, isRobust: true)
        var factors: [Float] = [0, 0]
        var p: [Float] = [0, 0]
        logistic.predict([500, 1], classes: 2, outputs: 2, into: &p)
        #expect(p == [0.5, 0.5])
        var place = SeededRandom(seed: 1)
        for _ in 0..<2000 {
            let x: [Float] = [.random(in: 400...600, using: &random), .random(in: -1...1, using: &random)]
            let isUp = random.oneIn(4) ? !(x[0] > 500) : x[0] > 500
            scaler.update(x)
            scaler.factors(into: &factors)
            x.asRow {
                reservoir.insert($0, target: isUp ? 1 : 0, weight: weight, &place)
                recent.insert($0, target: isUp ? 1 : 0, weight: weight, &place)
            }
            factors.withUnsafeBufferPointer {
                logistic.learn(
                    from: recent, reservoir, scaler.scale(factors: $0.baseAddress!), classes: 2)
            }
        }
        logistic.predict([590, 0], classes: 2, outputs: 2, into: &p)
        #expect(p[1] > 0.7 && p[1] < 0.95, "\(p)")
        logistic.predict([500, 0], classes: 2, outputs: 2, into: &p)
        #expect(abs(p[1] - 0.5) < 0.1, "\(p)")
        let wider = logistic.widened(to: 3)
        var q = p
        wider.predict([500, 0, 77], classes: 2, outputs: 2, into: &q)
        #expect(p == q)
        #expect(logistic.isSound(inputs: 2, classes: 2) && !logistic.isSound(inputs: 3, classes: 2))
    }
}
