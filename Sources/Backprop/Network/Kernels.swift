// Which form of the training step runs: the C kernels of an instruction set, or the readable Swift.
//
// They give the same bits, so this decides speed alone.

internal import CBackpropKernels

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A form of the training step. All give the same bits.
///
///     EDDY_KERNELS=baseline eddy bench kernels
public enum Kernels: String, Sendable, Hashable, CaseIterable {
    /// The readable form, in Swift: some ten times slower.
    case swift
    /// For every machine: SSE2 on x86-64, NEON on arm64.
    case baseline
    case avx2
    case avx512

    /// The form that networks use: the widest that this machine has, or the one that the environment variable
    /// `EDDY_KERNELS` names, if the machine has it.
    public static let chosen: Kernels = named.flatMap { available.contains($0) ? $0 : nil } ?? available.last!

    /// The forms that this machine can run, the slowest first.
    public static let available: [Kernels] = {
        let widest = eddy_widest_kernels().rawValue
        return [.swift] + [.baseline, .avx2, .avx512].filter { $0.code.rawValue <= widest }
    }()

    /// What is wrong with `EDDY_KERNELS`; nil where nothing is.
    public static let environmentError: ArchitectureError? = {
        guard let text = environmentValue, named.map({ !available.contains($0) }) ?? true else { return nil }
        let forms = available.map(\.rawValue).joined(separator: ", ")
        return ArchitectureError("EDDY_KERNELS=\(text): this machine has \(forms)")
    }()

    private static var named: Kernels? { environmentValue.flatMap { Kernels(rawValue: $0) } }

    private static var environmentValue: String? {
        getenv("EDDY_KERNELS").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The C kernels' number; `swift` has none of its own.
    var code: eddy_kernels {
        switch self {
        case .swift, .baseline: EDDY_BASELINE
        case .avx2: EDDY_AVX2
        case .avx512: EDDY_AVX512
        }
    }
}

extension Kernels {
    /// Takes labelled rows into running moments, and writes all rows standardised by these.
    ///
    /// - Parameters:
    ///   - features: (count, inputs).
    ///   - labels: (count), NaN for a row that changes no moments.
    ///   - means: (inputs, padded to sixteen with zeros), 64-byte aligned, as are `squares` and `rows`.
    ///   - seen: labelled rows so far.
    ///   - rows: (count, stride), the stride a multiple of sixteen.
    package func standardise(
        _ features: UnsafePointer<Float>, count: Int, inputs: Int, labels: UnsafePointer<Float>,
        means: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>, seen: inout Double, bound: Float,
        into rows: UnsafeMutablePointer<Float>, stride: Int
    ) {
        withUnsafeMutablePointer(to: &seen) { seen in
            var all = eddy_standardisation(
                count: Int64(count), inputs: Int32(inputs), padded: Int32(AlignedBuffer.padded(inputs)),
                features: features, labels: labels, means: means, squares: squares, seen: seen, bound: bound,
                rows: rows, stride: Int64(stride))
            eddy_standardise(code, &all)
        }
    }

    /// Runs `body` with subnormal numbers taken for zero, as all forms of a step do.
    static func flushingSubnormals<Result>(_ body: () -> Result) -> Result {
        let mode = eddy_flush_subnormals()
        defer { eddy_restore(mode) }
        return body()
    }

    /// Reads and writes every Float of a block once: the least that a step takes that touches each weight once.
    public func pass(over block: AlignedBuffer) {
        precondition(block.count % 64 == 0, "\(block.count) Floats: expected a multiple of 64")
        eddy_pass(code, block.floats, Int64(block.count))
    }

    /// exp, log1p, sigmoid and tanh of whole lanes by the C kernels, to be compared with ``Elementary``.
    func elementary(_ x: AlignedBuffer) -> (exp: [Float], log1p: [Float], sigmoid: [Float], tanh: [Float]) {
        let results = (0..<4).map { _ in AlignedBuffer(count: x.count) }
        eddy_elementary(
            code, Int64(x.count / 16), x.floats, results[0].floats, results[1].floats, results[2].floats,
            results[3].floats)
        let arrays = results.map { Array(UnsafeBufferPointer(start: $0.floats, count: x.count)) }
        return (arrays[0], arrays[1], arrays[2], arrays[3])
    }
}

/// How the sums of a network are ordered.
public enum Arithmetic: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sample by sample: the same bits on every machine and for any chunks.
    case sequential
    /// A large first layer takes eight samples of a chunk at once, each still learned before the next is predicted: the
    /// same algebra with fewer passes over the weights. The rounding then depends on how a stream is cut into chunks,
    /// and so do the last bits. Networks whose first layer is small, or whose optimizer has momentum or L2, and
    /// ``Kernels/swift`` stay sequential.
    case chunked
}

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
                weight_velocity: view.weightVelocity.map { floats($0) },
                bias_velocity: view.biasVelocity.map { floats($0) }, output: floats(view.output),
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
        network.pointee.momentum = owner.velocity == nil ? 0 : optimizer.momentum
        network.pointee.l2 = optimizer.l2
        let firstBytes = Int(layers[0].by_output ? layers[0].outputs : layers[0].inputs) * Int(layers[0].stride) * 4
        let isLarge = firstBytes > KernelNetwork.deferredBytes && owner.velocity == nil && optimizer.l2 == 0
        network.pointee.blocks.is_used = isLarge && owner.arithmetic == .chunked
        network.pointee.defers = isLarge && owner.mayDefer && !network.pointee.blocks.is_used
        if !network.pointee.defers { settle(owner.kernels) }
        if network.pointee.blocks.is_used, blocks == nil { makeBlocks() }
        let isConstant = optimizer.schedule == .constant
        if rates.count < (isConstant ? 1 : chunk.count) { rates = Array(repeating: 0, count: chunk.count) }
        for i in 0..<(isConstant ? 1 : chunk.count) { rates[i] = optimizer.learningRate(at: step &+ UInt64(i)) }
        return rates.withUnsafeBufferPointer { rates in
            var views = eddy_chunk(
                count: Int64(chunk.count), input_stride: Int64(owner.inputStride),
                target_stride: Int64(owner.targetStride), outputs: Int64(owner.outputs), inputs: chunk.inputs,
                targets: chunk.targets, weights: chunk.weights, rates: rates.baseAddress!,
                rate_stride: isConstant ? 0 : 1, predictions: chunk.predictions, losses: chunk.losses)
            return Int(eddy_run(owner.kernels.code, network, &views, &step))
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
