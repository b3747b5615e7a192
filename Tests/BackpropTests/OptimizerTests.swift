// Every rule: PyTorch's numbers, a parabola, a curved valley, L1, what is kept, and what is refused.

@testable import Backprop
import Foundation
import Testing

// MARK: - PyTorch

private struct Golden: Decodable {
    struct Case: Decodable {
        let sizes: [Int]
        let rule: String
        let constants: [String: [Double]]
        let clip: Float?
        let l1: Float
        let l2: Float
        let initial: [Float]
        let features: [[Float]]
        let targets: [[Float]]
        let losses: [Float]
        let final: [Float]

        /// Our rule with PyTorch's constants, where given, and else with our defaults.
        var optimizer: Optimizer {
            func constant(_ name: String, _ usual: Double, at place: Int = 0) -> Double {
                constants[name]?[place] ?? usual
            }
            var optimizer: Optimizer
            switch rule {
            case "sgd": optimizer = .sgd(0.1, momentum: Float(constant("momentum", 0)))
            case "nesterov": optimizer = .nesterov(0.1, momentum: Float(constant("momentum", 0.9)))
            case "adagrad": optimizer = .adaGrad(epsilon: constant("eps", 1e-10))
            case "rmsprop": optimizer = .rmsProp(decay: constant("alpha", 0.99), epsilon: constant("eps", 1e-8))
            case "cocob": optimizer = .cocob(alpha: constant("alpha", 100))
            default:
                optimizer = rule == "adam" ? .adam() : .adamW()
                let (beta1, beta2) = (constant("betas", 0.9), constant("betas", 0.999, at: 1))
                let epsilon = constant("eps", 1e-8)
                optimizer.rule =
                    rule == "adam"
                    ? .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
                    : .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon)
            }
            if let rate = constants["lr"] { optimizer.learningRate = Float(rate[0]) }
            optimizer.clip = clip
            optimizer.l1 = l1
            optimizer.l2 = l2
            return optimizer
        }
    }

    let cases: [Case]
}

@Test func fortyStepsOfEveryRule_giveTheNumbersOfPyTorch() throws {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/optimizers", withExtension: "json"))
    let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    #expect(golden.cases.count == 13)
    for golden in golden.cases {
        let network = try Network(
            inputs: golden.sizes[0], layers: [.dense(golden.sizes[1], .tanh), .dense(golden.sizes[2])],
            loss: .crossEntropy, optimizer: golden.optimizer)
        network.flatParameters = golden.initial
        for step in golden.losses.indices {
            let loss = try #require(network.learn(golden.features[step], targets: golden.targets[step]))
            #expect(abs(loss - golden.losses[step]) <= 2e-5, "\(golden.optimizer) step \(step)")
        }
        // Float32 sums in another order. Where a gradient is near zero, √v divides what rounding left of it: some 10⁻⁵.
        let differences = zip(network.flatParameters, golden.final).map { abs($0 - $1) / max(1, abs($1)) }
        #expect(differences.max()! <= 2e-5, "\(golden.optimizer)")
    }
}

@Test func aRateFactor_isARateAsManyTimesAsHigh() throws {
    let rules: [Optimizer] = [
        .sgd(0.05), .sgd(0.05, schedule: .inverseTime(decay: 0.1), momentum: 0.5), .adam(0.01),
        .adaGrad(0.05, clip: 0.5),
    ]
    for optimizer in rules {
        for kernels in Kernels.available {
            var twice = optimizer
            twice.learningRate *= 2
            let (raised, other) = (try small(optimizer), try small(twice))
            (raised.kernels, other.kernels) = (kernels, kernels)
            raised.rateFactor = 2
            for i in 0..<50 {
                for network in [raised, other] {
                    _ = network.learn([Float(i % 3), 1 - Float(i % 4)], target: Float(i % 2))
                }
            }
            #expect(raised.flatParameters == other.flatParameters, "\(optimizer), \(kernels)")
            #expect(raised.layerNorms.map(\.updateRatio) == other.layerNorms.map(\.updateRatio))
            raised.rateFactor = 1
            _ = (raised.learn([1, 1], target: 1), other.learn([1, 1], target: 1))
            #expect(raised.flatParameters != other.flatParameters)
        }
    }
    func small(_ optimizer: Optimizer) throws -> Network {
        try Network(inputs: 2, layers: [.dense(5, .tanh), .dense(2)], loss: .crossEntropy, optimizer: optimizer)
    }
}

// MARK: - Functions of few variables

/// The rule applied to the gradients of a function of up to sixteen variables.
private func descent(
    _ optimizer: Optimizer, from start: [Float], steps: Int, gradient: ([Float]) -> [Float]
) -> [Float] {
    func lanes(_ values: [Float]) -> Lanes {
        var lanes = Lanes()
        for (k, value) in values.enumerated() { lanes[k] = value }
        return lanes
    }
    var w = lanes(start)
    var state: UpdateStep.State = (Lanes(), Lanes(), Lanes(), Lanes(), optimizer.rule.startBlock == nil ? Lanes() : w)
    for step in 0..<steps {
        let g = lanes(gradient(start.indices.map { w[$0] }))
        w = UpdateStep(optimizer, at: UInt64(step)).weight(w, along: g, &state)
    }
    return start.indices.map { w[$0] }
}

private let forParabola: [Optimizer] = [
    .sgd(0.05), .sgd(0.02, momentum: 0.9), .nesterov(0.02), .adaGrad(1), .rmsProp(0.002), .adam(0.02),
    .adamW(0.02, l2: 0),
    .cocob(),
]

/// f = (x − 3)² + 10 (y + 2)², from (0, 0): a bowl ten times as steep one way as the other.
@Test(arguments: forParabola)
func parabola_isDescendedToItsBottom(_ optimizer: Optimizer) {
    let end = descent(optimizer, from: [0, 0], steps: 4000) { w in [2 * (w[0] - 3), 20 * (w[1] + 2)] }
    #expect(abs(end[0] - 3) < 0.01 && abs(end[1] + 2) < 0.01, "\(end)")
}

private let forValley: [Optimizer] = [
    .sgd(0.001), .sgd(0.0002, momentum: 0.9), .nesterov(0.0002), .adaGrad(0.5), .rmsProp(0.001), .adam(0.01),
    .adamW(0.01, l2: 0), .cocob(),
]

/// Rosenbrock's f = (1 − x)² + 100 (y − x²)², from (−1, 1): a curved valley, whose lowest point is (1, 1).
@Test(arguments: forValley)
func rosenbrocksValley_isFollowedToItsLowestPoint(_ optimizer: Optimizer) {
    let end = descent(optimizer, from: [-1, 1], steps: 40_000) { w in
        let slope = w[1] - w[0] * w[0]
        return [-2 * (1 - w[0]) - 400 * w[0] * slope, 200 * slope]
    }
    #expect(abs(end[0] - 1) < 0.05 && abs(end[1] - 1) < 0.1, "\(end)")
}

/// What makes COCOB free of a learning rate: its weights do not depend on the scale of the gradients.
@Test func cocob_isFreeOfScale() {
    func end(_ scale: Float) -> [Float] {
        descent(.cocob(), from: [0, 0], steps: 100) { w in [2 * scale * (w[0] - 3), 20 * scale * (w[1] + 2)] }
    }
    // Powers of two, so that nothing is rounded otherwise.
    #expect(end(1) == end(0x1p20))
    #expect(end(1) == end(0x1p-20))
}

@Test func l1_bringsWeightsWithoutUseToZero_andL2DoesNot() {
    let useless: ([Float]) -> [Float] = { w in [2 * (w[0] - 3), 0] }
    let lasso = descent(.sgd(0.01, l1: 0.5), from: [1, 1], steps: 2000, gradient: useless)
    #expect(abs(lasso[0] - 2.75) < 0.01, "soft threshold: 3 − l1 / 2, not \(lasso[0])")
    #expect(abs(lasso[1]) <= 0.01 * 0.5)
    let ridge = descent(.sgd(0.01, l2: 0.5), from: [1, 1], steps: 100, gradient: useless)
    #expect(ridge[1] > 0.5)
}

// MARK: - In a network

private let everyRule: [Optimizer] = [
    .sgd(0.05), .sgd(0.02, momentum: 0.9), .nesterov(0.02), .adaGrad(0.05), .rmsProp(0.002), .adam(0.01), .adamW(0.01),
    .cocob(), .adam(0.02, schedule: .inverseTime(decay: 0.001), clip: 1, l1: 0.0001, l2: 0.001),
]

private func parabolaSides(_ count: Int, seed: UInt64) -> [([Float], Float)] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in
        let x = [random.uniform(in: -1.7...1.7), random.uniform(in: -1.7...1.7)]
        return (x, x[0] > x[1] * x[1] - 0.8 ? 1 : 0)
    }
}

@Test(arguments: everyRule)
func curvedBoundary_isLearnedByEveryRule(_ optimizer: Optimizer) throws {
    let network = try Network(
        inputs: 2, layers: [.dense(16, .tanh), .dense(2)], loss: .crossEntropy, optimizer: optimizer, seed: 3)
    var losses: [Float] = []
    for (x, label) in parabolaSides(8000, seed: 4) { losses.append(try #require(network.learn(x, target: label))) }
    let last = losses.suffix(1000).reduce(0, +) / 1000
    #expect(last < 0.35, "\(optimizer): \(last)")
    #expect(network.layerNorms.allSatisfy { $0.updateRatio > 0 && $0.updateRatio < 0.5 }, "\(network.layerNorms)")
}

/// State, step and parameters are all that is to be saved.
@Test(arguments: everyRule)
func parametersStateAndStep_areAllThatLearningDependsOn(_ optimizer: Optimizer) throws {
    func network() throws -> Network {
        try Network(inputs: 2, layers: [.dense(20, .relu), .dense(2)], loss: .crossEntropy, optimizer: optimizer)
    }
    let (one, other) = (try network(), try network())
    let samples = parabolaSides(300, seed: 5)
    for (x, label) in samples.prefix(150) { _ = one.learn(x, target: label) }
    #expect(one.flatState.count == optimizer.rule.stateBlocks)
    other.flatParameters = one.flatParameters
    other.flatState = one.flatState
    other.restore(step: one.step, gradientNorms: one.smoothedGradientNorms)
    for (x, label) in samples.suffix(150) { #expect(one.learn(x, target: label) == other.learn(x, target: label)) }
    #expect(one.parameterHash == other.parameterHash)
    #expect(one.flatState == other.flatState)
    let grown = try one.replacingHead(outputs: 3, loss: .crossEntropy, keepingOutputs: true)
    #expect(grown.flatState.count == one.flatState.count)
    #expect(grown.flatState.first?.prefix(60) == one.flatState.first?.prefix(60))
}

/// A gradient whose square would overflow in the sums that a rule keeps, and a stream of the longest that may be.
@Test(arguments: everyRule)
func hugeGradients_leaveWeightsAndStateFinite(_ optimizer: Optimizer) throws {
    let network = try Network(
        inputs: 3, layers: [.dense(8, .relu), .dense(1)], loss: .huber(delta: 1e8), optimizer: optimizer, seed: 2)
    var random = SeededRandom(seed: 6)
    for step in 0..<2000 {
        let size: Float = [1, 1e4, 1e8, 1e-15, 1e-25, 1e18][step % 6]
        let x = (0..<3).map { _ in random.uniform(in: -size...size) }
        _ = network.learn(x, target: random.uniform(in: -1...1) * size)
    }
    #expect(network.flatParameters.allSatisfy { $0.isFinite })
    #expect(network.flatState.allSatisfy { $0.allSatisfy { $0.isFinite } })
    #expect(network.step > 0)
}

@Test func constantsThatMakeNoSense_areRefused() {
    let bad: [(Optimizer, String)] = [
        (.nesterov(0.1, momentum: 1), "momentum"), (.adaGrad(epsilon: 0), "epsilon"), (.rmsProp(decay: 1), "decay"),
        (.adam(beta1: -0.1), "beta1"), (.adam(beta2: 1), "beta2"), (.adam(beta1: 0.99, beta2: 0.9), "beta1²"),
        (.adamW(epsilon: .nan), "epsilon"), (.adam(l1: -1), "L1"), (.adam(l1: .nan), "L1"), (.adam(l2: 1000), "L2"),
        (.cocob(alpha: 0.5), "alpha"), (Optimizer(.cocob(alpha: 100), learningRate: 0.1), "no learning rate"),
    ]
    for (optimizer, word) in bad {
        #expect {
            try optimizer.validate()
        } throws: {
            "\($0)".contains(word)
        }
    }
    for optimizer in everyRule { #expect(throws: Never.self) { try optimizer.validate() } }
}

@Test func descriptions_nameTheRuleAndWhatIsNotUsual() {
    #expect("\(Optimizer.sgd(0.1, momentum: 0.9, clip: 4))" == "sgd(0.1, momentum: 0.9, clip: 4.0)")
    #expect("\(Optimizer.adam())" == "adam(0.001)")
    #expect("\(Optimizer.adamW(beta2: 0.99))" == "adamw(0.001, beta2: 0.99, l2: 0.01)")
    #expect("\(Optimizer.cocob(clip: 4))" == "cocob(clip: 4.0)")
}
