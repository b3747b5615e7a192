// The network that learns: dense layers, one sample at a time, without allocating.
//
// `Graph` says what backpropagation is; this does the same on flat blocks of Floats, layer by
// layer. That the two agree is tested on random networks, as are PyTorch's numbers. All
// parameters live in one aligned block, in each layer's layout (DenseLayer.swift); optimizer
// state has the same shape. The pass over samples itself is behind one call that takes a whole
// chunk: readable in Network+Step.swift, fast in CBackpropKernels, the same to the bit.

/// A feed-forward network with its loss and optimizer.
///
/// A class because it is large and is learned in place; it is not `Sendable`: one owner learns.
///
///     let network = try Network(inputs: 2, layers: [.dense(8, .tanh), .dense(1)],
///                               loss: .binaryCrossEntropy, optimizer: .sgd(0.3), seed: 1)
///     let loss = network.learn([0.5, -1], target: 1)
public final class Network {
    public let inputs: Int
    public let layers: [Layer]
    public let loss: Loss
    /// Its numbers may change on the way; its rule only to one with as many numbers for each parameter.
    public var optimizer: Optimizer {
        didSet {
            precondition(
                optimizer.rule.stateBlocks == oldValue.rule.stateBlocks, "\(oldValue) cannot become \(optimizer)")
        }
    }
    public let initialization: Initialization
    public let seed: UInt64
    /// Samples learned so far: t in the learning-rate schedule.
    public internal(set) var step: UInt64 = 0

    /// The version of layout and order of summation; another one gives other bits.
    public static let arithmeticVersion = 2

    /// Which form of the step runs; the bits are the same.
    public var kernels = Kernels.chosen {
        didSet { precondition(Kernels.available.contains(kernels), "this machine has no \(kernels)") }
    }
    /// What learning rates are multiplied by, for as long as that is wanted; at least 1, at most 2.
    public var rateFactor: Float = 1 {
        didSet { precondition((1...2).contains(rateFactor), "a learning rate \(rateFactor) times as high") }
    }
    /// How sums are ordered.
    public var arithmetic = Arithmetic.sequential
    /// Whether updates of a large first layer may wait for the next sample; the bits are the same.
    var mayDefer = true

    /// Activations and deltas of one sample, and each layer's view of its parameters, with nothing pending.
    var dense: [DenseLayer] {
        fast.settle(kernels)
        return views
    }
    private let views: [DenseLayer]
    let fast: KernelNetwork
    let parameters: AlignedBuffer
    let state: AlignedBuffer?  // (stateBlocks, parameters.count)
    private let scratch: AlignedBuffer
    /// One sample, padded, for the calls that take arrays.
    private let sample: AlignedBuffer
    /// Zeros, into which a sparse sample is written for its step.
    private(set) lazy var sparseRow = AlignedBuffer(count: inputs)

    /// ‖gradient‖ of each layer, smoothed over some 100 samples (see ``LayerNorms``).
    let gradientNorms: UnsafeMutablePointer<Float>  // (layers)
    let squaredNorms: UnsafeMutablePointer<Float>  // (layers), of one sample

    /// - Throws: ``ArchitectureError`` where the layers, loss and optimizer do not fit together.
    public init(
        inputs: Int, layers: [Layer], loss: Loss, optimizer: Optimizer, initialization: Initialization = .automatic,
        seed: UInt64 = 1
    ) throws(ArchitectureError) {
        try Network.validate(inputs: inputs, layers: layers, loss: loss)
        try optimizer.validate()
        self.inputs = inputs
        self.layers = layers
        self.loss = loss
        self.optimizer = optimizer
        self.initialization = initialization
        self.seed = seed

        let shapes = layers.indices.map { l in
            ParameterShape(inputs: l == 0 ? inputs : layers[l - 1].outputs, layer: layers[l], isFirst: l == 0)
        }
        let count = shapes.reduce(0) { $0 + $1.floats }
        parameters = AlignedBuffer(count: count)
        let blocks = optimizer.rule.stateBlocks
        state = blocks > 0 ? AlignedBuffer(count: blocks * count) : nil
        scratch = AlignedBuffer(count: layers.reduce(0) { $0 + 2 * AlignedBuffer.padded($1.outputs) })
        sample = AlignedBuffer(count: inputs)
        gradientNorms = .allocate(capacity: layers.count)
        gradientNorms.initialize(repeating: 0, count: layers.count)
        squaredNorms = .allocate(capacity: layers.count)
        squaredNorms.initialize(repeating: 0, count: layers.count)

        var views: [DenseLayer] = []
        var parameterLane = 0
        var scratchLane = 0
        for shape in shapes {
            views.append(
                shape.view(
                    weights: parameters.lanes + parameterLane, state: state.map { $0.lanes + parameterLane },
                    stateStride: count / 16, stateBlocks: blocks, scratch: scratch.lanes + scratchLane))
            parameterLane += shape.floats / 16
            scratchLane += 2 * shape.outputLanes
        }
        self.views = views
        fast = KernelNetwork(views, loss: loss, gradientNorms: gradientNorms, squares: squaredNorms)
        for layer in layers.indices { initialize(layer) }
    }

    deinit {
        gradientNorms.deallocate()
        squaredNorms.deallocate()
    }

    /// Throws with a sentence where an architecture cannot be built.
    public static func validate(inputs: Int, layers: [Layer], loss: Loss) throws(ArchitectureError) {
        if inputs < 1 || inputs > 1 << 24 { throw ArchitectureError("\(inputs) inputs: expected 1 to 16777216") }
        guard let last = layers.last else { throw ArchitectureError("no layers: expected at least one") }
        for layer in layers where layer.outputs < 1 || layer.outputs > 1 << 20 {
            throw ArchitectureError("a layer of \(layer.outputs) units: expected 1 to 1048576")
        }
        if layers.count > 256 { throw ArchitectureError("\(layers.count) layers: expected at most 256") }
        var weights = 0
        var width = inputs
        for layer in layers {
            weights += width * layer.outputs
            width = layer.outputs
        }
        if weights > 1 << 28 { throw ArchitectureError("\(weights) weights: expected at most 268435456 (1 GiB)") }
        if loss.isCrossEntropy && last.activation != .identity {
            throw ArchitectureError(
                "the last layer's activation is \(last.activation.rawValue), but cross-entropy takes logits: "
                    + "expected identity (the loss has the sigmoid or softmax in it)")
        }
        if loss == .crossEntropy && last.outputs < 2 {
            throw ArchitectureError("softmax cross-entropy over 1 output is always 0: expected 2 outputs or more")
        }
        if case .huber(let delta) = loss, !(delta > 0 && delta.isFinite) {
            throw ArchitectureError("Huber delta \(delta): expected a positive number")
        }
    }

    /// The number of outputs.
    public var outputs: Int { layers[layers.count - 1].outputs }

    /// The number of weights and biases.
    public var parameterCount: Int { views.reduce(0) { $0 + ($1.inputs + 1) * $1.outputs } }

    /// Floats from one sample's inputs to the next in a chunk: the inputs, padded to whole lanes with zeros.
    public var inputStride: Int { AlignedBuffer.padded(inputs) }

    // MARK: One sample

    /// What the network says of one sample: probabilities after a cross-entropy, else values. Shape: (outputs).
    ///
    /// - Parameter features: shape (inputs).
    public func predict(_ features: [Float]) -> [Float] {
        var prediction = [Float](repeating: 0, count: outputs)
        var loss: Float = 0
        var target = Float.nan
        run(features, &target, &prediction, &loss)
        return prediction
    }

    /// Learns one sample and returns its loss before the update, or nil where it was rejected (see ``Rejection``).
    ///
    /// - Parameter target: the class index for softmax cross-entropy, else the value of the one output.
    public func learn(_ features: [Float], target: Float) -> Float? { learn(features, targets: [target]) }

    /// The same for several outputs. Shape of targets: (outputs), or one class index.
    public func learn(_ features: [Float], targets: [Float]) -> Float? {
        precondition(targets.count == targetStride, "expected \(targetStride) targets, got \(targets.count)")
        var prediction = [Float](repeating: 0, count: outputs)
        var loss: Float = 0
        var targets = targets
        let done = targets.withUnsafeMutableBufferPointer { run(features, $0.baseAddress!, &prediction, &loss) }
        return done == 1 ? loss : nil
    }

    @discardableResult
    private func run(
        _ features: [Float], _ targets: UnsafeMutablePointer<Float>, _ prediction: UnsafeMutablePointer<Float>,
        _ loss: UnsafeMutablePointer<Float>
    ) -> Int {
        precondition(features.count == inputs, "expected \(inputs) features, got \(features.count)")
        for (j, feature) in features.enumerated() { sample.floats[j] = feature }
        return run(
            NetworkChunk(
                count: 1, inputs: sample.floats, targets: targets, weights: nil, predictions: prediction, losses: loss))
    }

    /// Numbers in one sample's target: one class index, or one value an output.
    public var targetStride: Int { loss == .crossEntropy ? 1 : outputs }

    // MARK: Beginnings

    /// Fresh weights for all units: the same as one by one, in the order in which they lie in memory.
    private func initialize(_ layer: Int) {
        let view = dense[layer]
        guard let bound = bound(of: layer) else { return }  // all zero, as new memory is
        guard case .byInput = view.layout else {
            for unit in 0..<view.outputs { initializeUnit(unit, of: layer) }
            return
        }
        var randoms = (0..<view.outputs).map { generator(of: $0, in: layer) }
        let weights = floats(view.weights)
        randoms.withUnsafeMutableBufferPointer { randoms in
            for input in 0..<view.inputs {
                let row = weights + input * view.rowLanes * 16
                for unit in 0..<view.outputs { row[unit] = randoms[unit].uniform(in: -bound...bound) }
            }
        }
        if let start = optimizer.rule.startBlock {
            (view.state! + start * view.stateStride).update(from: view.weights, count: view.rows * view.rowLanes)
        }
    }

    /// Weights begin uniform on [−b, b]; nil where b is zero.
    private func bound(of layer: Int) -> Float? {
        let bound = initialization.bound(
            inputs: views[layer].inputs, layer: layers[layer], isHead: layer > 0 && layer == layers.count - 1)
        return bound == 0 ? nil : bound
    }

    private func generator(of unit: Int, in layer: Int) -> SeededRandom {
        SeededRandom(seed: seed, stream: UInt64(layer) << 32 | UInt64(unit))
    }

    /// Fresh weights for one unit, a function of (seed, layer, unit) alone; its optimizer state is cleared.
    func initializeUnit(_ unit: Int, of layer: Int) {
        let view = dense[layer]
        let bound = bound(of: layer)
        var random = generator(of: unit, in: layer)
        for input in 0..<view.inputs {
            begin(view, view.index(input: input, output: unit), at: bound.map { random.uniform(in: -$0...$0) } ?? 0)
        }
        begin(view, view.index(bias: unit), at: 0)
    }

    private func begin(_ view: DenseLayer, _ index: Int, at value: Float) {
        floats(view.weights)[index] = value
        guard let state = view.state else { return }
        for block in 0..<view.stateBlocks {
            floats(state + block * view.stateStride)[index] = block == optimizer.rule.startBlock ? value : 0
        }
    }

    /// All weights anew, as they were before the first sample.
    public func reinitialize() {
        for layer in layers.indices {
            for unit in 0..<layers[layer].outputs { initializeUnit(unit, of: layer) }
        }
        step = 0
    }

    /// The outputs anew from their initial weights; the layers below stay as they are.
    public func reinitializeOutput(_ output: Int) { initializeUnit(output, of: layers.count - 1) }

    /// The same network with another last layer and loss: the layers below keep weights and optimizer
    /// state, and so do the outputs that both have where `keepingOutputs`; new ones begin from the seed.
    public func replacingHead(outputs: Int, loss: Loss, keepingOutputs: Bool) throws(ArchitectureError) -> Network {
        try reshaped(inputs: inputs, outputs: outputs, loss: loss, keepingOutputs: keepingOutputs)
    }

    /// The same network with more inputs, whose weights begin from the seed; as long as these inputs are 0 it predicts
    /// the same.
    public func widened(to inputs: Int) throws(ArchitectureError) -> Network {
        precondition(inputs >= self.inputs, "\(inputs) inputs are fewer than \(self.inputs)")
        return try reshaped(inputs: inputs, outputs: outputs, loss: loss, keepingOutputs: true)
    }

    private func reshaped(
        inputs: Int, outputs: Int, loss: Loss, keepingOutputs: Bool
    ) throws(ArchitectureError) -> Network {
        var layers = self.layers
        layers[layers.count - 1].outputs = outputs
        let other = try Network(
            inputs: inputs, layers: layers, loss: loss, optimizer: optimizer, initialization: initialization, seed: seed
        )
        other.kernels = kernels
        other.arithmetic = arithmetic
        other.mayDefer = mayDefer
        other.restore(step: step, gradientNorms: smoothedGradientNorms)
        let (ours, theirs) = (dense, other.dense)
        for layer in layers.indices where layer < layers.count - 1 || keepingOutputs {
            let (old, new) = (ours[layer], theirs[layer])
            for output in 0..<min(old.outputs, new.outputs) {
                for input in 0..<old.inputs {
                    copy(
                        old, old.index(input: input, output: output), to: new, new.index(input: input, output: output))
                }
                copy(old, old.index(bias: output), to: new, new.index(bias: output))
            }
        }
        return other
    }

    /// One parameter and its state.
    private func copy(_ old: DenseLayer, _ from: Int, to new: DenseLayer, _ to: Int) {
        floats(new.weights)[to] = floats(old.weights)[from]
        guard let ours = old.state, let theirs = new.state else { return }
        for block in 0..<old.stateBlocks {
            floats(theirs + block * new.stateStride)[to] = floats(ours + block * old.stateStride)[from]
        }
    }
}

/// The floats one layer takes in the flat blocks.
struct ParameterShape {
    let inputs: Int
    let layer: Layer
    let layout: WeightLayout
    let rows: Int
    let rowLanes: Int
    let outputLanes: Int

    init(inputs: Int, layer: Layer, isFirst: Bool) {
        self.inputs = inputs
        self.layer = layer
        layout = WeightLayout(inputs: inputs, outputs: layer.outputs, isFirst: isFirst)
        rows = layout == .byOutput ? layer.outputs : inputs
        rowLanes = AlignedBuffer.padded(layout == .byOutput ? inputs : layer.outputs) / 16
        outputLanes = AlignedBuffer.padded(layer.outputs) / 16
    }

    /// Weights and bias, padded.
    var floats: Int { (rows * rowLanes + outputLanes) * 16 }

    func view(
        weights: UnsafeMutablePointer<Lanes>, state: UnsafeMutablePointer<Lanes>?, stateStride: Int, stateBlocks: Int,
        scratch: UnsafeMutablePointer<Lanes>
    ) -> DenseLayer {
        DenseLayer(
            inputs: inputs, outputs: layer.outputs, activation: layer.activation, layout: layout, rows: rows,
            rowLanes: rowLanes, outputLanes: outputLanes, weights: weights, bias: weights + rows * rowLanes,
            state: state, stateStride: stateStride, stateBlocks: stateBlocks, output: scratch,
            delta: scratch + outputLanes)
    }
}
