// The same bits from every form of the training step: Swift and C, every instruction set of this machine, any chunks,
// updates deferred or not.

@testable import Backprop
import Testing

@Suite struct KernelTests {
    /// Every rule, alone and with all that may be added.
    private let everyOptimizer: [Optimizer] = [
        .sgd(0.05, l1: 0.01), .sgd(0.02, momentum: 0.9, l1: 0.001), .nesterov(0.01), .nesterov(0.02, l1: 0.01, l2: 0.1),
        .adaGrad(0.05), .adaGrad(0.05, schedule: .inverseTime(decay: 0.01), clip: 0.5, l2: 0.01), .rmsProp(),
        .rmsProp(0.02, decay: 0.9, clip: 1, l1: 0.001), .adam(0.01), .adam(0.01, beta2: 0.99, l1: 0.01, l2: 0.01),
        .adam(0.02, schedule: .exponential(halfLife: 100), clip: 1), .adamW(0.01), .adamW(0.01, l1: 0.01, l2: 0.1),
        .cocob(), .cocob(alpha: 10, clip: 1), .cocob(l1: 0.01, l2: 0.001),
    ]

    /// A stream of samples, some unlabelled, some weighted, with some share of zeros among the inputs.
    private struct Stream {
        var inputs: Int
        var features: [Float] = []
        var targets: [Float] = []
        var weights: [Float] = []
        var count: Int { weights.count }

        init(_ count: Int, inputs: Int, targetStride: Int, loss: Loss, outputs: Int, zeros: Double, seed: UInt64) {
            self.inputs = inputs
            var random = SeededRandom(seed: seed, stream: 1)
            for _ in 0..<count {
                for _ in 0..<inputs {
                    let isZero = Double(random.uniform(in: 0...1)) < zeros
                    features.append(isZero ? (random.uniform(in: 0...1) < 0.5 ? -0.0 : 0) : random.uniform(in: -2...2))
                }
                let isLabelled = random.uniform(in: 0...1) < 0.9
                for _ in 0..<targetStride {
                    let value: Float
                    switch loss {
                    case .crossEntropy: value = Float(Int(random.uniform(in: 0...Float(outputs) - 0.01)))
                    case .binaryCrossEntropy: value = random.uniform(in: 0...1) < 0.5 ? 0 : 1
                    default: value = random.uniform(in: -1...1)
                    }
                    targets.append(isLabelled ? value : .nan)
                }
                weights.append(random.uniform(in: 0...1) < 0.8 ? 1 : random.uniform(in: 0...3))
            }
        }
    }

    private func outcome(
        _ network: Network, _ stream: Stream, kernels: Kernels, defers: Bool, chunks: () -> Int
    ) -> Outcome {
        network.kernels = kernels
        network.mayDefer = defers
        let stride = network.inputStride
        var predictions: [UInt32] = []
        var losses: [UInt32] = []
        var first = 0
        while first < stream.count {
            let count = min(chunks(), stream.count - first)
            let x = AlignedBuffer(count: count * stride)
            for i in 0..<count {
                let row = (first + i) * stream.inputs
                for j in 0..<stream.inputs { x.floats[i * stride + j] = stream.features[row + j] }
            }
            var prediction = [Float](repeating: 0, count: count * network.outputs)
            var loss = [Float](repeating: 0, count: count)
            let done = stream.targets.withUnsafeBufferPointer { targets in
                stream.weights.withUnsafeBufferPointer { weights in
                    network.run(
                        NetworkChunk(
                            count: count, inputs: x.floats,
                            targets: targets.baseAddress! + first * network.targetStride,
                            weights: weights.baseAddress! + first, predictions: &prediction, losses: &loss))
                }
            }
            predictions += prediction.prefix(done * network.outputs).map(\.bitPattern)
            losses += loss.prefix(done).map { $0.isNaN ? 0 : $0.bitPattern }
            first += done < count ? done + 1 : done  // a sample that is rejected is passed over
        }
        return Outcome(network, predictions: predictions, losses: losses)
    }

    private func expectSameBits(
        _ stream: Stream, seed: UInt64, _ description: String, network: () throws -> Network
    ) throws {
        let reference = outcome(try network(), stream, kernels: .swift, defers: false) { 64 }
        #expect(reference.step > 0, "\(description)")
        var random = SeededRandom(seed: seed, stream: 2)
        for kernels in Kernels.available {
            for defers in [false, true] {
                let other = outcome(try network(), stream, kernels: kernels, defers: defers) {
                    Int(random.uniform(in: 1...90))
                }
                #expect(other == reference, "\(kernels), deferred \(defers): \(description)")
            }
        }
    }

    @Test(arguments: 0..<320)
    func randomArchitecture_hasTheSameBitsInEveryForm(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed, stream: 3)
        func pick<T>(_ choices: [T]) -> T {
            choices[min(Int(random.uniform(in: 0...1) * Float(choices.count)), choices.count - 1)]
        }
        let widths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 130, 200]
        let inputs = pick([1, 2, 3, 4, 5, 8, 15, 16, 17, 30, 33, 48, 50, 64, 70, 130, 300])
        let loss = pick([Loss.squared, .huber(delta: 0.3), .binaryCrossEntropy, .crossEntropy])
        var layers = (0..<pick([0, 1, 1, 1, 2, 3])).map { _ in Layer.dense(pick(widths), pick(Activation.allCases)) }
        let outputs = loss == .crossEntropy ? pick([2, 3, 4, 5, 10, 16, 17, 40]) : pick([1, 1, 1, 2, 5, 20])
        layers.append(.dense(outputs, loss.isCrossEntropy ? .identity : pick([.identity, .identity, .tanh, .relu])))
        let plain = [
            Optimizer.sgd(0.05), .sgd(0.05), .sgd(0.1, clip: 0.5), .sgd(0.02, momentum: 0.9),
            .sgd(0.05, l2: 0.01), .sgd(0.02, momentum: 0.5, clip: 1, l2: 0.001),
            .sgd(0.1, schedule: .inverseTime(decay: 0.01)), .sgd(0.1, schedule: .exponential(halfLife: 100)),
        ]
        let optimizer = seed % 2 == 0 ? pick(plain) : pick(everyOptimizer)
        let stream = Stream(
            300, inputs: inputs, targetStride: loss == .crossEntropy ? 1 : outputs, loss: loss, outputs: outputs,
            zeros: pick([0, 0, 0.1, 0.5, 0.9]), seed: seed)
        let widthsText = ([inputs] + layers.map(\.outputs)).map(String.init).joined(separator: "-")
        try expectSameBits(stream, seed: seed, "\(widthsText) \(layers.map(\.activation)) \(loss) \(optimizer)") {
            try Network(inputs: inputs, layers: layers, loss: loss, optimizer: optimizer, seed: seed)
        }
    }

    /// Around the widths up to which two layers with a softmax have a form of their own; one sample is to be rejected.
    @Test(arguments: [1, 15, 16, 17, 64, 127, 128, 129], [1, 16, 17, 32, 33])
    func twoLayers_haveTheSameBitsWhateverTheirWidths(_ inputs: Int, _ width: Int) throws {
        for (classes, activation) in [(2, Activation.relu), (4, .tanh), (5, .relu), (12, .tanh), (13, .relu)] {
            var stream = Stream(
                120, inputs: inputs, targetStride: 1, loss: .crossEntropy, outputs: classes, zeros: 0.2, seed: 6)
            stream.features[70 * inputs] = 3e38
            for optimizer in [Optimizer.sgd(0.05), .sgd(0.5, schedule: .inverseTime(decay: 0.01), clip: 0.5)] {
                try expectSameBits(stream, seed: 8, "\(inputs)-\(width)-\(classes) \(activation), \(optimizer)") {
                    try Network(
                        inputs: inputs, layers: [.dense(width, activation), .dense(classes)], loss: .crossEntropy,
                        optimizer: optimizer, seed: 3)
                }
            }
        }
    }

    /// First layers that are deferred, in both layouts, dense and sparse.
    @Test(arguments: [(300, 130, 0.0), (300, 130, 0.3), (300, 130, 0.8), (1030, 260, 0.0), (1030, 260, 0.5)])
    func largeFirstLayer_hasTheSameBitsDeferredOrNot(_ inputs: Int, _ width: Int, _ zeros: Double) throws {
        let stream = Stream(
            400, inputs: inputs, targetStride: 1, loss: .crossEntropy, outputs: 10, zeros: zeros, seed: 5)
        for optimizer in [Optimizer.sgd(0.01), .sgd(0.05, clip: 1)] {
            try expectSameBits(stream, seed: 7, "\(inputs)-\(width), zeros \(zeros), \(optimizer)") {
                try Network(
                    inputs: inputs, layers: [.dense(width, .relu), .dense(40, .relu), .dense(10)], loss: .crossEntropy,
                    optimizer: optimizer, seed: 3)
            }
        }
    }

    /// More than 128 rectified units of which none is dead: there is no list of the live ones.
    @Test func liveUnitsAll_learnAlike() throws {
        let stream = Stream(100, inputs: 4, targetStride: 1, loss: .crossEntropy, outputs: 20, zeros: 0, seed: 2)
        for layers in [[Layer.dense(144, .relu), .dense(20)], [.dense(150, .relu), .dense(140, .relu), .dense(30)]] {
            try expectSameBits(stream, seed: 3, "\(layers)") {
                let network = try Network(
                    inputs: 4, layers: layers, loss: .crossEntropy, optimizer: .sgd(0.001), seed: 4)
                for layer in layers.indices.dropLast() {
                    for unit in 0..<network.dense[layer].outputs { floats(network.dense[layer].bias)[unit] = 9 }
                }
                return network
            }
        }
    }

    /// Second layers whose update is written before the first layer's deltas are known; one sample is to be rejected for
    /// these alone, and one for the second's own.
    @Test(arguments: [
        [Layer.dense(40)], [.dense(33, .relu), .dense(5)], [.dense(130, .tanh), .dense(20, .relu), .dense(3)],
    ])
    func secondLayer_hasTheSameBitsEarlyOrNot(_ layers: [Layer]) throws {
        for (inputs, width) in [(20, 129), (300, 200)] {
            var stream = Stream(
                300, inputs: inputs, targetStride: 1, loss: .crossEntropy, outputs: layers.last!.outputs, zeros: 0.1,
                seed: 11)
            for i in 0..<stream.count { stream.features[i * inputs] = 0 }
            stream.features[90 * inputs] = 1e15
            stream.features[180 * inputs + 1] = 1e18
            for i in [90, 180] { (stream.targets[i], stream.weights[i]) = (0, 1) }
            for optimizer in [
                Optimizer.sgd(0.01), .sgd(0.05, schedule: .exponential(halfLife: 100)), .sgd(0.05, clip: 1),
            ] {
                try expectSameBits(stream, seed: 12, "\(inputs)-\(width)-\(layers), \(optimizer)") {
                    let network = try Network(
                        inputs: inputs, layers: [.dense(width, .relu)] + layers, loss: .crossEntropy,
                        optimizer: optimizer, seed: 3)
                    let first = network.dense[0]
                    for unit in 0..<width { floats(first.weights)[first.index(input: 0, output: unit)] = 0 }
                    return network
                }
            }
        }
    }

    /// A sum that overflows leaves NaN in the padding behind it, which is no input of the next layer.
    @Test(arguments: Kernels.available)
    func overflow_staysInsideTheLayers(_ kernels: Kernels) throws {
        let network = try Network(
            inputs: 2, layers: [.dense(144, .relu), .dense(130, .relu), .dense(1024)], loss: .crossEntropy,
            optimizer: .sgd(0.01))
        network.kernels = kernels
        let hash = network.parameterHash
        for i in 0..<50 { _ = network.predict([3e38, Float(i) * 1e37]) }
        #expect(network.learn([3e38, 3e38], target: 1) == nil)
        #expect(network.parameterHash == hash)
        #expect(network.learn([1, 2], target: 1) != nil)
    }

    /// What a sample left behind that was rejected must not reach the next.
    @Test(arguments: Kernels.available)
    func rejectedSample_leavesTheNextAlone(_ kernels: Kernels) throws {
        let network = try Network(
            inputs: 2, layers: [.dense(40, .relu), .dense(20, .tanh)], loss: .squared, optimizer: .sgd(0.01))
        network.kernels = kernels
        let targets = [Float](repeating: 0.1, count: 20)
        #expect(network.learn([3e38, 3e38], targets: targets) == nil)
        #expect(network.learn([0.5, 0.5], targets: targets) != nil)
    }

    @Test func chunkedArithmetic_leavesOutWhatIsNotLearned() throws {
        let network = try Network(
            inputs: 300, layers: [.dense(100, .relu), .dense(1)], loss: .squared, optimizer: .sgd(0.001))
        network.arithmetic = .chunked
        let x = AlignedBuffer(count: 4 * network.inputStride)
        for i in 0..<4 {  // unlabelled and huge, good, not finite, good
            for j in 0..<300 { x.floats[i * network.inputStride + j] = [3e36, 0.1, .infinity, 0.1][i] }
        }
        let targets: [Float] = [.nan, 1, 1, 1]
        var predictions = [Float](repeating: 0, count: 4)
        var losses = predictions
        let done = network.run(
            NetworkChunk(
                count: 4, inputs: x.floats, targets: targets, weights: nil, predictions: &predictions, losses: &losses))
        #expect(done == 2 && network.step == 1)
        #expect(network.flatParameters.allSatisfy { $0.isFinite })
    }

    /// The chunked form is the same algebra: after hundreds of samples weights and losses differ by rounding alone. And it
    /// has the same bits on every instruction set, for the same chunks.
    @Test(arguments: [(300, 130), (1030, 260)])
    func chunkedArithmetic_differsByRoundingAlone(_ inputs: Int, _ width: Int) throws {
        let stream = Stream(
            600, inputs: inputs, targetStride: 1, loss: .crossEntropy, outputs: 10, zeros: 0.2, seed: 9)
        func network(_ arithmetic: Arithmetic) throws -> Network {
            let network = try Network(
                inputs: inputs, layers: [.dense(width, .relu), .dense(10)], loss: .crossEntropy, optimizer: .sgd(0.01),
                seed: 3)
            network.arithmetic = arithmetic
            return network
        }
        let (one, other) = (try network(.sequential), try network(.chunked))
        let exact = outcome(one, stream, kernels: .chosen, defers: true) { 50 }
        let chunked = outcome(other, stream, kernels: .chosen, defers: true) { 50 }
        let (weights, others) = (one.flatParameters, other.flatParameters)
        let difference = zip(weights, others).map { abs($0 - $1) }.max()!
        let size = weights.map { abs($0) }.max()!
        #expect(exact != chunked, "the chunked form did not run")
        #expect(difference < 1e-5 * size, "\(difference) of \(size)")
        for (a, b) in zip(exact.losses, chunked.losses) {
            #expect(abs(Float(bitPattern: a) - Float(bitPattern: b)) < 1e-4)
        }
        for kernels in Kernels.available where kernels != .swift {
            #expect(try outcome(network(.chunked), stream, kernels: kernels, defers: true) { 50 } == chunked)
        }
    }

    @Test func pendingUpdate_isWrittenBeforeWeightsAreRead() throws {
        func network(defers: Bool) throws -> Network {
            let network = try Network(
                inputs: 200, layers: [.dense(100, .relu), .dense(3)], loss: .crossEntropy, optimizer: .sgd(0.1))
            network.mayDefer = defers
            return network
        }
        let (eager, deferred) = (try network(defers: false), try network(defers: true))
        let x = (0..<200).map { Float($0 % 7) / 7 - 0.4 }
        for step in 0..<5 {
            #expect(eager.learn(x, target: Float(step % 3)) == deferred.learn(x, target: Float(step % 3)))
            #expect(eager.weights(of: 0) == deferred.weights(of: 0))
            #expect(eager.layerNorms == deferred.layerNorms)
        }
        #expect(
            try eager.replacingHead(outputs: 4, loss: .crossEntropy, keepingOutputs: true).parameterHash
                == (try deferred.replacingHead(outputs: 4, loss: .crossEntropy, keepingOutputs: true).parameterHash))
    }

    @Test(arguments: Kernels.available)
    func elementaryFunctions_haveTheSameBitsInC(_ kernels: Kernels) {
        var random = SeededRandom(seed: 1, stream: 4)
        let special: [Float] = [0, -0.0, 1, -1, 0.625, -0.625, 9.1, 9.2, 87.2, 87.4, -87.4, 88.4, 1e-30, -1e-30, 3e38]
        let x = AlignedBuffer(count: 16 * 2000)
        for i in 0..<x.count { x.floats[i] = i < special.count ? special[i] : random.uniform(in: -20...20) }
        let found = kernels.elementary(x)
        var wrong = 0
        for i in 0..<x.count {
            let value = x.floats[i]
            let lanes = Lanes(repeating: value)
            if found.exp[i].bitPattern != Elementary.exp(value).bitPattern { wrong += 1 }
            if found.sigmoid[i].bitPattern != Elementary.sigmoid(value).bitPattern { wrong += 1 }
            if found.tanh[i].bitPattern != Elementary.tanh(lanes)[0].bitPattern { wrong += 1 }
            if value >= 0, value <= 1, found.log1p[i].bitPattern != Elementary.log1p(value).bitPattern { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    @Test(arguments: Kernels.available)
    func sampleBeyondBounds_isRejectedAndChangesNothing(_ kernels: Kernels) throws {
        for (inputs, layers) in [
            (30, [Layer.dense(1)]), (2, [.dense(8, .tanh), .dense(1)]), (20, [.dense(40, .relu), .dense(1)]),
            (400, [.dense(100, .relu), .dense(1)]),
        ] {
            for loss in [Loss.squared, .binaryCrossEntropy] {
                let network = try Network(inputs: inputs, layers: layers, loss: loss, optimizer: .sgd(0.01))
                network.kernels = kernels
                let x = [Float](repeating: 0.5, count: inputs)
                #expect(network.learn(x, target: 1) != nil)
                let (hash, norms) = (network.parameterHash, network.smoothedGradientNorms)
                #expect(network.learn([Float](repeating: 3e38, count: inputs), target: 1) == nil)
                #expect(network.learn(x, target: 3e38) == nil)
                #expect(network.parameterHash == hash && network.smoothedGradientNorms == norms && network.step == 1)
                #expect(network.learn(x, target: 1) != nil)
            }
        }
    }
}
