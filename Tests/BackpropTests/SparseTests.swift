// Sparse samples: the bits of the dense form, the same in every form of the step, and rows that rest.

@testable import Backprop
import Testing

@Suite struct SparseTests {
    private struct Stream {
        var inputs: Int
        var features: [Float] = []  // (count, inputs)
        var targets: [Float] = []
        var weights: [Float] = []

        /// - Parameter live: the share of inputs that are not zero; some of the others are given as zeros.
        init(_ count: Int, inputs: Int, live: Float, seed: UInt64) {
            self.inputs = inputs
            var random = SeededRandom(seed: seed, stream: 1)
            for i in 0..<count {
                for _ in 0..<inputs {
                    features.append(random.uniform(in: 0...1) < live ? random.uniform(in: -2...2) : 0)
                }
                targets.append(i % 11 == 3 ? .nan : Float(random.next() % 3))
                weights.append(i % 7 == 2 ? 0.5 : 1)
            }
            features[5 * inputs + 2] = .infinity  // a sample that is rejected
        }
    }

    private func outcome(
        _ network: Network, _ stream: Stream, sparse: Bool, kernels: Kernels, chunk: Int
    ) -> Outcome {
        network.kernels = kernels
        let (inputs, stride, outputs) = (stream.inputs, network.inputStride, network.outputs)
        var (all, allLosses): ([UInt32], [UInt32]) = ([], [])
        var first = 0
        while first < stream.targets.count {
            let count = min(chunk, stream.targets.count - first)
            let x = AlignedBuffer(count: count * stride)
            var (places, values, ends): ([UInt32], [Float], [Int]) = ([0, 0], [9, 9], [])  // what `first` passes over
            for i in 0..<count {
                for j in 0..<inputs {
                    let value = stream.features[(first + i) * inputs + j]
                    x.floats[i * stride + j] = value
                    if value != 0 || j % 5 == 1 {
                        places.append(UInt32(j))
                        values.append(value)
                    }
                }
                ends.append(places.count)
            }
            var predictions = [Float](repeating: 0, count: count * outputs)
            var losses = [Float](repeating: 0, count: count)
            let targets = Array(stream.targets[first..<first + count])
            let weights = Array(stream.weights[first..<first + count])
            let done = places.withUnsafeBufferPointer { places in
                values.withUnsafeBufferPointer { values in
                    ends.withUnsafeBufferPointer { ends in
                        let rows = SparseRows(
                            places: places.baseAddress!, values: values.baseAddress!, ends: ends.baseAddress!, first: 2)
                        return network.run(
                            sparse
                                ? NetworkChunk(
                                    count: count, sparse: rows, targets: targets, weights: weights,
                                    predictions: &predictions, losses: &losses)
                                : NetworkChunk(
                                    count: count, inputs: x.floats, targets: targets, weights: weights,
                                    predictions: &predictions, losses: &losses))
                    }
                }
            }
            all += predictions.prefix(done * outputs).map(\.bitPattern)
            allLosses += losses.prefix(done).map { $0.isNaN ? 0 : $0.bitPattern }
            first += done < count ? done + 1 : done
        }
        return Outcome(network, predictions: all, losses: allLosses)
    }

    private static let shapes: [[Int]] = [
        [8, 5], [40, 20], [40, 3], [128, 33], [129, 33], [200, 3], [300, 16], [300, 32], [300, 40], [300, 130],
        [1030, 260],
        [4100, 9],
    ]

    private func network(_ shape: [Int], _ optimizer: Optimizer) throws -> Network {
        let layers: [Layer] = shape[1] == 3 ? [.dense(3)] : [.dense(shape[1], .relu), .dense(3)]
        return try Network(
            inputs: shape[0], layers: layers, loss: .crossEntropy, optimizer: optimizer, initialization: .he, seed: 3)
    }

    /// Rules under which a weight without a gradient stays as it is.
    @Test(arguments: shapes)
    func sparseSamples_giveTheBitsOfDenseOnes(_ shape: [Int]) throws {
        for optimizer in [Optimizer.sgd(0.05), .sgd(0.05, clip: 0.5), .adaGrad(0.05), .cocob()] {
            for live: Float in [0, 0.03, 0.3, 1] {
                let stream = Stream(60, inputs: shape[0], live: live, seed: 2)
                let dense = outcome(try network(shape, optimizer), stream, sparse: false, kernels: .chosen, chunk: 60)
                #expect(dense.step > 40)
                for kernels in Kernels.available {
                    let sparse = outcome(
                        try network(shape, optimizer), stream, sparse: true, kernels: kernels, chunk: 13)
                    #expect(sparse == dense, "\(shape), \(optimizer), \(live) live, \(kernels)")
                }
            }
        }
    }

    /// The others: one definition in every form, which is the dense one's where no input is zero.
    @Test(arguments: shapes)
    func rulesWithMemory_learnSparseSamplesAlikeInEveryForm(_ shape: [Int]) throws {
        for optimizer in [
            Optimizer.sgd(0.05, l2: 0.01), .sgd(0.02, momentum: 0.9), .nesterov(0.02), .rmsProp(), .adam(0.01),
            .adamW(0.01, l1: 0.01), .adaGrad(0.05, l1: 0.001, l2: 0.01), .sgd(0.1, l1: 0.01), .cocob(l2: 0.01),
        ] {
            for live: Float in [0.05, 1] {
                let stream = Stream(40, inputs: shape[0], live: live, seed: 4)
                let readable = outcome(try network(shape, optimizer), stream, sparse: true, kernels: .swift, chunk: 40)
                for kernels in Kernels.available where kernels != .swift {
                    let other = outcome(
                        try network(shape, optimizer), stream, sparse: true, kernels: kernels, chunk: 7)
                    #expect(other == readable, "\(shape), \(optimizer), \(live) live, \(kernels)")
                }
                let isSame = optimizer.rule != .sgd(momentum: 0) || optimizer.l1 != 0  // L2 of SGD is a factor before
                if live == 1, isSame {
                    let dense = outcome(
                        try network(shape, optimizer), stream, sparse: false, kernels: .chosen, chunk: 40)
                    #expect(dense == readable, "\(shape), \(optimizer)")
                }
            }
        }
    }

    @Test(arguments: Kernels.available)
    func rowsWithoutInput_rest(_ kernels: Kernels) throws {
        let network = try Network(
            inputs: 1000, layers: [.dense(8, .tanh), .dense(2)], loss: .crossEntropy, optimizer: .adam(0.01, l1: 0.01))
        network.kernels = kernels
        func learn(_ places: [UInt32]) {
            let (values, ends) = ([Float](repeating: 1, count: places.count), [places.count])
            var (predictions, loss): ([Float], Float) = ([0, 0], 0)
            places.withUnsafeBufferPointer { places in
                let rows = SparseRows(places: places.baseAddress!, values: values, ends: ends)
                let target: [Float] = [1]
                let chunk = NetworkChunk(
                    count: 1, sparse: rows, targets: target, weights: nil, predictions: &predictions, losses: &loss)
                #expect(network.run(chunk) == 1)
            }
        }
        learn([3, 70, 999])
        let (before, state) = (network.weights(of: 0), network.flatState)
        learn([4, 70])
        let after = network.weights(of: 0)
        for input in 0..<1000 {
            let row = input * 8..<input * 8 + 8
            #expect((before[row] == after[row]) == (input != 4 && input != 70), "input \(input)")
        }
        for (old, new) in zip(state, network.flatState) {
            #expect(old[999] == new[999] && old[70] != new[70])  // of unit 0
        }
    }

    @Test func sparseAndDenseChunks_mayTakeTurns() throws {
        // A first layer so large that dense updates wait for the next sample.
        let stream = Stream(64, inputs: 300, live: 0.1, seed: 6)
        let (one, other) = (try network([300, 130], .sgd(0.05)), try network([300, 130], .sgd(0.05)))
        let dense = outcome(one, stream, sparse: false, kernels: .chosen, chunk: 64)
        for quarter in 0..<4 {
            var part = stream
            part.features = Array(stream.features[quarter * 16 * 300..<(quarter + 1) * 16 * 300])
            part.targets = Array(stream.targets[quarter * 16..<(quarter + 1) * 16])
            part.weights = Array(stream.weights[quarter * 16..<(quarter + 1) * 16])
            _ = outcome(other, part, sparse: quarter % 2 == 1, kernels: .chosen, chunk: 16)
        }
        #expect(other.parameterHash == dense.parameters)
    }

    /// A unit's weights are the same whether it begins with its layer or alone.
    @Test func layerBegunAtOnce_hasTheWeightsOfItsUnits() throws {
        for shape in [[300, 40], [200, 3]] {
            let network = try network(shape, .cocob())
            let (hash, state) = (network.parameterHash, network.flatState)
            for layer in network.layers.indices {
                for unit in 0..<network.layers[layer].outputs { network.initializeUnit(unit, of: layer) }
            }
            #expect(network.parameterHash == hash && network.flatState == state)
        }
    }
}
