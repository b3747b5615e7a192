// The bridge from Network to the C kernels: the same memory, described in their terms.
//
// Whatever the kernels must remember between samples (lists of live inputs, an update that waits) is here and nowhere
// else; what the network owns (weights, activations, deltas, norms) they see through views.

internal import CBackpropKernels

/// A network as the C kernels see it: views into the network's blocks, and scratch memory of its own.
final class KernelNetwork {
    let network: UnsafeMutablePointer<eddy_network>
    private let layers: UnsafeMutablePointer<eddy_layer>
    private let depth: Int
    private var places: [UnsafeMutablePointer<UInt32>] = []
    private let pendingInput: AlignedBuffer
    private let pendingDelta: AlignedBuffer
    /// Learning rates of a chunk, where they change.
    private var rates: [Float] = [0]
    /// Adam's corrections, two for each learning rate.
    private var corrections: [Float] = [1, 1]

    private var blocks: AlignedBuffer?

    /// The bytes of a first layer from which its update waits for the next sample's forward pass: it then costs less to
    /// write weights while they are read than to fetch them twice.
    private static let deferredBytes = 32 << 10

    init(
        _ views: [DenseLayer], loss: Loss, gradientNorms: UnsafeMutablePointer<Float>,
        squares: UnsafeMutablePointer<Float>
    ) {
        depth = views.count
        layers = .allocate(capacity: depth)
        network = .allocate(capacity: 1)
        pendingInput = AlignedBuffer(count: views[0].inputs)
        pendingDelta = AlignedBuffer(count: views[0].outputs)
        for (l, view) in views.enumerated() {
            layers[l] = eddy_layer(
                inputs: Int32(view.inputs), outputs: Int32(view.outputs), stride: Int32(view.rowLanes * 16),
                padded_inputs: Int32(view.inputLanes * 16), padded_outputs: Int32(view.outputLanes * 16),
                activation: Int32(view.activation.code.rawValue), by_output: view.layout == .byOutput,
                weights: floats(view.weights), bias: floats(view.bias),
                state: view.state.map { floats($0) }, state_stride: Int64(view.stateStride * 16),
                output: floats(view.output),
                delta: floats(view.delta), live: nil, live_count: 0)
            layers[l].live = newPlaces(view)
        }
        network.initialize(to: eddy_network())
        network.pointee.layers = layers
        network.pointee.depth = Int32(depth)
        switch loss {
        case .squared: network.pointee.loss = Int32(EDDY_SQUARED.rawValue)
        case .huber(let delta):
            network.pointee.loss = Int32(EDDY_HUBER.rawValue)
            network.pointee.huber_delta = Float(delta)
        case .binaryCrossEntropy: network.pointee.loss = Int32(EDDY_BINARY_CROSS_ENTROPY.rawValue)
        case .crossEntropy: network.pointee.loss = Int32(EDDY_CROSS_ENTROPY.rawValue)
        }
        network.pointee.longest_update = Network.longestUpdate
        network.pointee.norm_smoothing = Network.normSmoothing
        network.pointee.gradient_norms = gradientNorms
        network.pointee.squares = squares
        network.pointee.pending.kept = pendingInput.floats
        network.pointee.pending.delta = pendingDelta.floats
        network.pointee.pending.live = newPlaces(views[0])
    }

    deinit {
        for list in places { list.deallocate() }
        layers.deallocate()
        network.deallocate()
    }

    /// Room for a list of live places and its filling.
    private func newPlaces(_ view: DenseLayer) -> UnsafeMutablePointer<UInt32> {
        let capacity = max(view.inputLanes, view.outputLanes) * 16 + 24
        let list = UnsafeMutablePointer<UInt32>.allocate(capacity: capacity)
        list.initialize(repeating: 0, count: capacity)
        places.append(list)
        return list
    }

    /// Runs a chunk; returns the samples done, and counts those learned in `step`.
    func run(_ chunk: NetworkChunk, of owner: Network, step: inout UInt64) -> Int {
        let optimizer = owner.optimizer
        network.pointee.clip = optimizer.clip ?? .infinity
        network.pointee.rule = Int32(optimizer.rule.code.rawValue)
        network.pointee.update = eddy_update(optimizer)
        let firstBytes = Int(layers[0].by_output ? layers[0].outputs : layers[0].inputs) * Int(layers[0].stride) * 4
        let isLarge = firstBytes > KernelNetwork.deferredBytes && optimizer.isPlain && chunk.sparse == nil
        network.pointee.blocks.is_used = isLarge && owner.arithmetic == .chunked
        network.pointee.defers = isLarge && owner.mayDefer && !network.pointee.blocks.is_used
        if !network.pointee.defers { settle(owner.kernels) }
        if network.pointee.blocks.is_used, blocks == nil { makeBlocks() }
        if chunk.sparse != nil { network.pointee.sparse_input = owner.sparseRow.floats }
        let isConstant = optimizer.schedule == .constant && optimizer.rule.corrections(at: step) == (1, 1)
        setRates(optimizer, owner.rateFactor, from: step, count: isConstant ? 1 : chunk.count)
        let ends = chunk.sparse.map { UnsafeRawPointer($0.ends).assumingMemoryBound(to: Int64.self) }
        return withUnsafePointers(rates, corrections) { rates, corrections in
            var views = eddy_chunk(
                count: Int64(chunk.count), input_stride: Int64(owner.inputStride),
                target_stride: Int64(owner.targetStride), outputs: Int64(owner.outputs), inputs: chunk.inputs,
                targets: chunk.targets, places: chunk.sparse?.places, values: chunk.sparse?.values,
                ends: ends, first_place: Int64(chunk.sparse?.first ?? 0), weights: chunk.weights, rates: rates,
                rate_stride: isConstant ? 0 : 1, corrections: corrections, predictions: chunk.predictions,
                losses: chunk.losses)
            return Int(eddy_run(owner.kernels.code, network, &views, &step))
        }
    }

    private func setRates(_ optimizer: Optimizer, _ factor: Float, from step: UInt64, count: Int) {
        if rates.count < count {
            rates = Array(repeating: 0, count: count)
            corrections = Array(repeating: 1, count: 2 * count)
        }
        let corrections = UpdateRule.Corrections(optimizer.rule)
        for i in 0..<count {
            rates[i] = optimizer.learningRate(at: step &+ UInt64(i)) * factor
            (self.corrections[2 * i], self.corrections[2 * i + 1]) = corrections(at: step &+ UInt64(i))
        }
    }

    private func makeBlocks() {
        let count = EDDY_BLOCK_SAMPLES * Int(layers[0].padded_outputs)
        let memory = AlignedBuffer(count: 2 * count)
        network.pointee.blocks.products = memory.floats
        network.pointee.blocks.deltas = memory.floats + count
        blocks = memory
    }

    /// Writes an update that waits.
    func settle(_ kernels: Kernels) {
        if network.pointee.pending.is_set { eddy_settle(kernels.code, network) }
    }
}

private func withUnsafePointers<Result>(
    _ a: [Float], _ b: [Float], _ body: (UnsafePointer<Float>, UnsafePointer<Float>) -> Result
) -> Result {
    a.withUnsafeBufferPointer { a in b.withUnsafeBufferPointer { b in body(a.baseAddress!, b.baseAddress!) } }
}

extension eddy_update {
    /// All but what changes from sample to sample.
    fileprivate init(_ optimizer: Optimizer) {
        self.init()
        (l1, l2, bound) = (optimizer.l1, optimizer.l2, Network.longestUpdate)
        switch optimizer.rule {
        case .sgd(let momentum), .nesterov(let momentum): decays.0 = momentum
        case .adaGrad(let epsilon): self.epsilon = Float(epsilon)
        case .rmsProp(let decay, let epsilon):
            (decays.0, gains.0, self.epsilon) = (Float(decay), Float(1 - decay), Float(epsilon))
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            decays = (Float(beta1), Float(beta2))
            gains = (Float(1 - beta1), Float(1 - beta2))
            self.epsilon = Float(epsilon)
        case .cocob(let alpha): self.alpha = Float(alpha)
        }
    }
}

extension UpdateRule {
    fileprivate var code: eddy_rule {
        switch self {
        case .sgd(let momentum): momentum == 0 ? EDDY_SGD : EDDY_MOMENTUM
        case .nesterov: EDDY_NESTEROV
        case .adaGrad: EDDY_ADAGRAD
        case .rmsProp: EDDY_RMSPROP
        case .adam: EDDY_ADAM
        case .adamW: EDDY_ADAMW
        case .cocob: EDDY_COCOB
        }
    }
}

extension Activation {
    fileprivate var code: eddy_activation {
        switch self {
        case .identity: EDDY_IDENTITY
        case .step: EDDY_STEP
        case .sigmoid: EDDY_SIGMOID
        case .tanh: EDDY_TANH
        case .relu: EDDY_RELU
        case .leakyReLU: EDDY_LEAKY_RELU
        }
    }
}
