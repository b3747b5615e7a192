// The network against the graph, against finite differences, and against its own promises.

import Backprop
import Testing

private let losses: [Loss] = [.squared, .huber(delta: 0.7), .binaryCrossEntropy, .crossEntropy]
private let differentiable = Activation.allCases.filter(\.isDifferentiable)

/// A random network whose hidden layers have the activation.
private func network(
    _ activation: Activation, _ loss: Loss, hidden: [Int], inputs: Int = 5, outputs: Int = 3, seed: UInt64,
    optimizer: Optimizer = .sgd(0.1)
) throws -> Network {
    try Network(
        inputs: inputs, layers: hidden.map { .dense($0, activation) } + [.dense(outputs)], loss: loss,
        optimizer: optimizer, initialization: .xavier, seed: seed)
}

/// A target that fits the loss, as both forms take it.
private func target(_ loss: Loss, outputs: Int, _ random: inout SeededRandom) -> (floats: [Float], double: Target) {
    switch loss {
    case .crossEntropy:
        let label = Int(random.next() % UInt64(outputs))
        return ([Float(label)], .label(label))
    case .binaryCrossEntropy:
        let bits = (0..<outputs).map { _ in Float(random.next() % 2) }
        return (bits, .values(bits.map { Double($0) }))
    case .squared, .huber:
        let values = (0..<outputs).map { _ in random.uniform(in: -2...2) }
        return (values, .values(values.map { Double($0) }))
    }
}

@Test(arguments: differentiable, losses)
func gradients_equalFiniteDifferences_atEveryDepth(_ activation: Activation, _ loss: Loss) throws {
    for depth in 0...3 {
        var random = SeededRandom(seed: UInt64(depth + 17))
        var checked = 0
        for attempt in 0..<20 where checked < 2 {
            let network = try network(
                activation, loss, hidden: Array(repeating: 4, count: depth), seed: UInt64(100 * depth + attempt))
            let features = (0..<5).map { _ in random.uniform(in: -1...1) }
            let (_, target) = target(loss, outputs: 3, &random)
            let seen = network.graph(features: features, target: target)
            // Away from kinks: no sum of a ReLU, and no residual of a Huber loss, so close that a difference crosses it.
            let sums = seen.sums.dropLast().flatMap { seen.graph[$0] }
            if sums.contains(where: { abs($0) < 1e-3 }) { continue }
            if case .huber(let delta) = loss, case .values(let t) = target,
                zip(seen.graph[seen.outputs], t).contains(where: { abs(abs($0 - $1) - delta) < 1e-3 })
            {
                continue
            }
            checked += 1
            let worst = try #require(GradientCheck(seen.graph, output: seen.loss!).worst)
            #expect(worst.relativeError < 1e-6, "\(activation) \(loss) depth \(depth): \(worst)")
        }
        #expect(checked == 2)
    }
}

@Test(arguments: Activation.allCases, losses)
func oneUpdate_isTheGraphsGradientTimesTheLearningRate(_ activation: Activation, _ loss: Loss) throws {
    var random = SeededRandom(seed: 3)
    for trial in 0..<25 {
        let hidden = (0..<Int(random.next() % 4)).map { _ in 1 + Int(random.next() % 40) }
        let outputs = 2 + Int(random.next() % 20)
        let inputs = 1 + Int(random.next() % 40)
        let network = try network(
            activation, loss, hidden: hidden, inputs: inputs, outputs: outputs, seed: UInt64(trial),
            optimizer: .sgd(0.05))
        let features = (0..<inputs).map { _ in random.uniform(in: -1...1) }
        let (floats, target) = target(loss, outputs: outputs, &random)
        let seen = network.graph(features: features, target: target)
        // A sum so close to a kink that Float and Double may fall on different sides says nothing.
        if seen.sums.dropLast().flatMap({ seen.graph[$0] }).contains(where: { abs($0) < 1e-5 }) { continue }
        let gradients = seen.graph.backward(from: seen.loss!)
        let before = network.flatParameters
        let value = try #require(network.learn(features, targets: floats))
        let expectedLoss = seen.graph[seen.loss!][0]
        #expect(abs(Double(value) - expectedLoss) < 2e-5 * max(1, expectedLoss), "\(activation) \(loss)")
        let expected = zip(seen.weights, seen.biases).flatMap { gradients[$0] + gradients[$1] }
        for (index, (change, gradient)) in zip(zip(before, network.flatParameters), expected).enumerated() {
            let ours = Double(change.0 - change.1) / 0.05
            #expect(
                abs(ours - gradient) < 5e-5 * max(1, abs(gradient)),
                "\(activation) \(loss) \(hidden) parameter \(index)")
        }
    }
}

@Test(arguments: losses)
func predictions_areTheGraphsOutputs(_ loss: Loss) throws {
    let network = try network(.tanh, loss, hidden: [9], seed: 5)
    let features: [Float] = [0.1, -0.4, 0.9, 0, -1]
    let seen = network.graph(features: features, target: nil)
    let outputs = seen.graph[seen.outputs]
    let expected: [Double] =
        switch loss {
        case .squared, .huber: outputs
        case .binaryCrossEntropy: outputs.map { Activation.sigmoid($0) }
        case .crossEntropy: Loss.softmax(outputs)
        }
    for (ours, theirs) in zip(network.predict(features), expected) { #expect(abs(Double(ours) - theirs) < 1e-6) }
}

// MARK: Promises

private func flat(_ network: Network) -> [UInt32] { network.flatParameters.map(\.bitPattern) }

@Test(arguments: [
    Optimizer.sgd(0.1), .sgd(0.1, momentum: 0.9), .sgd(0.1, clip: 0.5),
    .sgd(0.1, schedule: .inverseTime(decay: 0.01), l2: 0.01),
])
func anySplitIntoChunks_givesBitEqualWeights(_ optimizer: Optimizer) throws {
    let count = 200
    let whole = try network(.relu, .crossEntropy, hidden: [20, 6], seed: 8, optimizer: optimizer)
    let stride = whole.inputStride
    let inputs = AlignedBuffer(count: count * stride)
    var random = SeededRandom(seed: 4)
    var targets: [Float] = []
    for i in 0..<count {
        for j in 0..<5 { inputs.floats[i * stride + j] = random.uniform(in: -2...2) }
        targets.append(i % 17 == 0 ? .nan : Float(random.next() % 3))
    }
    func learn(_ network: Network, _ range: Range<Int>) {
        var predictions = [Float](repeating: 0, count: count * 3)
        var losses = [Float](repeating: 0, count: count)
        let done = targets.withUnsafeBufferPointer { targets in
            network.run(
                NetworkChunk(
                    count: range.count, inputs: inputs.floats + range.lowerBound * stride,
                    targets: targets.baseAddress! + range.lowerBound, weights: nil, predictions: &predictions,
                    losses: &losses))
        }
        #expect(done == range.count)
    }
    learn(whole, 0..<count)
    for trial in 0..<10 {
        let split = try network(.relu, .crossEntropy, hidden: [20, 6], seed: 8, optimizer: optimizer)
        var next = 0
        while next < count {
            let end = min(count, next + 1 + Int(random.next() % UInt64(1 + trial * 7)))
            learn(split, next..<end)
            next = end
        }
        #expect(flat(split) == flat(whole))
        #expect(split.smoothedGradientNorms == whole.smoothedGradientNorms)
    }
}

@Test(arguments: Activation.allCases)
func rejectedSample_leavesEveryBitUnchanged(_ activation: Activation) throws {
    for loss in losses {
        for momentum: Float in [0, 0.9] {
            let network = try network(
                activation, loss, hidden: [8, 8], seed: 2, optimizer: .sgd(0.01, momentum: momentum))
            var random = SeededRandom(seed: 6)
            for _ in 0..<20 {
                _ = network.learn(
                    (0..<5).map { _ in random.uniform(in: -1...1) }, targets: target(loss, outputs: 3, &random).floats)
            }
            let before = flat(network)
            let state = network.flatState
            let norms = network.smoothedGradientNorms
            for bad: [Float] in [
                [.nan, 0, 0, 0, 0], [.infinity, 0, 0, 0, 0], [0, -.infinity, 0, 0, 0],
                Array(repeating: .greatestFiniteMagnitude, count: 5), [3e38, -3e38, 3e38, -3e38, 3e38],
            ] {
                #expect(network.learn(bad, targets: target(loss, outputs: 3, &random).floats) == nil, "\(loss) \(bad)")
                #expect(flat(network) == before)
                #expect(network.flatState == state)
                #expect(network.smoothedGradientNorms == norms)
                #expect(network.step == 20)
            }
        }
    }
}

@Test func whateverIsThrownAtIt_weightsStayFinite() throws {
    var random = SeededRandom(seed: 12)
    for activation in Activation.allCases {
        for loss in losses {
            let network = try network(activation, loss, hidden: [6], seed: 1, optimizer: .sgd(10, momentum: 0.9))
            for _ in 0..<300 {
                let magnitude = Float(sign: .plus, exponent: Int(random.next() % 250) - 120, significand: 1)
                let features = (0..<5).map { _ in random.uniform(in: -1...1) * magnitude }
                _ = network.learn(features, targets: target(loss, outputs: 3, &random).floats)
            }
            #expect(network.flatParameters.allSatisfy { $0.isFinite }, "\(activation) \(loss)")
        }
    }
}

@Test func samplesWithoutLabel_changeNothing() throws {
    let network = try network(.tanh, .crossEntropy, hidden: [4], seed: 2)
    let before = flat(network)
    _ = network.predict([1, 2, 3, 4, 5])
    #expect(flat(network) == before)
    #expect(network.step == 0)
}

@Test func initialWeights_followTheirBounds_andTheSeed() throws {
    let xavier = try Network(
        inputs: 40, layers: [.dense(30, .tanh), .dense(2)], loss: .crossEntropy, optimizer: .sgd(1),
        initialization: .xavier, seed: 3)
    let bound = (6.0 / 70).squareRoot()
    #expect(xavier.weights(of: 0).allSatisfy { abs(Double($0)) <= bound })
    #expect(xavier.weights(of: 0).contains { abs(Double($0)) > 0.95 * bound })
    let he = try Network(
        inputs: 40, layers: [.dense(30, .relu), .dense(2)], loss: .crossEntropy, optimizer: .sgd(1),
        initialization: .automatic, seed: 3)
    #expect(he.weights(of: 0).contains { abs(Double($0)) > 0.95 * (6.0 / 40).squareRoot() })
    #expect(xavier.bias(of: 0) == Array(repeating: 0, count: 30))
    let again = try Network(
        inputs: 40, layers: [.dense(30, .tanh), .dense(2)], loss: .crossEntropy, optimizer: .sgd(1),
        initialization: .xavier, seed: 3)
    #expect(again.parameterHash == xavier.parameterHash)
    let other = try Network(
        inputs: 40, layers: [.dense(30, .tanh), .dense(2)], loss: .crossEntropy, optimizer: .sgd(1),
        initialization: .xavier, seed: 4)
    #expect(other.parameterHash != xavier.parameterHash)
}

@Test func parameters_comeOutAsTheyWentIn() throws {
    for outputs in [1, 3, 4, 5, 17] {
        let network = try network(.relu, .squared, hidden: [3, 20], outputs: outputs, seed: 1)
        let values = (0..<network.parameterCount).map { Float($0) }
        network.flatParameters = values
        #expect(network.flatParameters == values)
        // W1 is (outputs, inputs) row-major in flat order, (inputs, outputs) in weights(of:).
        #expect(network.weights(of: 0)[1] == values[5])
    }
}

@Test func learningRates_followTheirSchedules() {
    #expect(Optimizer.sgd(0.5).learningRate(at: 1000) == 0.5)
    #expect(Optimizer.sgd(0.5, schedule: .inverseTime(decay: 1)).learningRate(at: 3) == 0.125)
    #expect(Optimizer.sgd(0.5, schedule: .inverseSquareRoot(decay: 1)).learningRate(at: 3) == 0.25)
    #expect(abs(Optimizer.sgd(0.5, schedule: .exponential(halfLife: 10)).learningRate(at: 20) - 0.125) < 1e-7)
}

@Test(arguments: [
    (0, [Layer.dense(1)], Loss.squared), (1, [], .squared), (1, [.dense(0)], .squared), (1, [.dense(1)], .crossEntropy),
    (1, [.dense(2, .tanh)], .crossEntropy), (1, [.dense(1)], .huber(delta: 0)), (1 << 20, [.dense(1 << 20)], .squared),
])
func architecturesThatMakeNoSense_areRefusedWithASentence(_ inputs: Int, _ layers: [Layer], _ loss: Loss) {
    #expect(throws: ArchitectureError.self) {
        try Network(inputs: inputs, layers: layers, loss: loss, optimizer: .sgd(0.1))
    }
}

@Test func deepSigmoids_loseTheirGradient_andReLUsDoNot() throws {
    // Seed 003: the sigmoid's derivative is at most ¼, so twelve of them leave little of the error.
    func ratio(_ activation: Activation) throws -> Float {
        let layers = Array(repeating: Layer.dense(16, activation), count: 12) + [.dense(2)]
        let network = try Network(
            inputs: 16, layers: layers, loss: .crossEntropy, optimizer: .sgd(1e-6),
            initialization: activation == .relu ? .he : .xavier, seed: 1)
        var random = SeededRandom(seed: 1)
        for _ in 0..<50 {
            _ = network.learn((0..<16).map { _ in random.uniform(in: -1...1) }, target: Float(random.next() % 2))
        }
        return network.smoothedGradientNorms.first! / network.smoothedGradientNorms.last!
    }
    let (sigmoid, relu) = (try ratio(.sigmoid), try ratio(.relu))
    #expect(sigmoid < 1e-5)
    #expect(relu > 1e-2)
}
