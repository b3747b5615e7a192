// Forward, loss, backward, update: for every sample of a chunk, in order.
//
// One call takes a chunk of flat arrays and learns it sample by sample. Nothing is averaged over a chunk, so any split
// of a stream into chunks gives the same bits. What follows is the readable form; CBackpropKernels has the fast one,
// which a sweep over random architectures shows to give the same bits.
//
// Nothing non-finite reaches a weight: all deltas of a sample are computed before anything is
// written, and the sample is rejected if its loss, an activation or a gradient is not finite or the
// update would be longer than 10⁹. Weights then stay finite for longer than any stream runs.

/// Samples in flat arrays, and where their results go. The memory is the caller's.
public struct NetworkChunk {
    public let count: Int
    /// (count, inputStride), row-major, each row padded with zeros, 64-byte aligned (see ``AlignedBuffer``).
    /// nil where they are sparse.
    public let inputs: UnsafePointer<Float>?
    /// The inputs that are not zero, where `inputs` does not have all.
    public let sparse: SparseRows?
    /// (count, targetStride). NaN first: no label, predict only.
    public let targets: UnsafePointer<Float>
    /// (count), each scaling its sample's update; nil where all are 1.
    public let weights: UnsafePointer<Float>?
    /// (count, outputs): probabilities after a cross-entropy, else values; from before the update.
    public let predictions: UnsafeMutablePointer<Float>
    /// (count): from before the update; NaN where there was no label.
    public let losses: UnsafeMutablePointer<Float>

    public init(
        count: Int, inputs: UnsafePointer<Float>, targets: UnsafePointer<Float>, weights: UnsafePointer<Float>?,
        predictions: UnsafeMutablePointer<Float>, losses: UnsafeMutablePointer<Float>
    ) {
        self.count = count
        self.inputs = inputs
        self.sparse = nil
        self.targets = targets
        self.weights = weights
        self.predictions = predictions
        self.losses = losses
    }

    /// Samples given by their inputs that are not zero.
    ///
    /// Under plain SGD, AdaGrad and COCOB without L1 and L2, learning has the bits of the dense form. Under other rules a
    /// weight also changes where its input is zero, and that is left out: weights and optimizer state of the first layer
    /// rest while their input is zero (as in PyTorch's SparseAdam), so that a sample costs what its inputs do.
    public init(
        count: Int, sparse: SparseRows, targets: UnsafePointer<Float>, weights: UnsafePointer<Float>?,
        predictions: UnsafeMutablePointer<Float>, losses: UnsafeMutablePointer<Float>
    ) {
        self.count = count
        self.inputs = nil
        self.sparse = sparse
        self.targets = targets
        self.weights = weights
        self.predictions = predictions
        self.losses = losses
    }
}

extension Network {
    /// The longest update, η‖g‖, that is taken for learning rather than for an accident. Rules that divide by the size of
    /// past gradients also take no gradient that is longer than this: its square, summed up, would overflow.
    public static let longestUpdate: Float = 1e9

    /// Predicts, scores and learns each sample of the chunk.
    ///
    /// - Returns: the number of samples done. Fewer than the chunk holds: the next one was rejected, because
    ///   its prediction, loss or gradient is not finite or beyond ``longestUpdate``, and changed nothing.
    public func run(_ chunk: NetworkChunk) -> Int {
        if loss == .crossEntropy {
            for target in UnsafeBufferPointer(start: chunk.targets, count: chunk.count) where !target.isNaN {
                precondition(target >= 0 && target < Float(self.outputs), "class \(target) of \(self.outputs) outputs")
            }
        }
        chunk.sparse?.check(count: chunk.count, inputs: inputs)
        return kernels == .swift
            ? Kernels.flushingSubnormals { runReadably(chunk) } : fast.run(chunk, of: self, step: &step)
    }

    private func runReadably(_ chunk: NetworkChunk) -> Int {
        let stride = inputStride
        let outputs = outputs
        let targetStride = targetStride
        return dense.withUnsafeBufferPointer { dense in
            for i in 0..<chunk.count {
                let row = chunk.inputs.map { $0 + i * stride } ?? UnsafePointer(sparseRow.floats)
                let x = UnsafeRawPointer(row).assumingMemoryBound(to: Lanes.self)
                let places = chunk.sparse?.scatter(i, into: sparseRow.floats)
                defer { chunk.sparse?.clear(i, from: sparseRow.floats) }
                let target = chunk.targets + i * targetStride
                let prediction = chunk.predictions + i * outputs

                forward(dense, x, places)
                if target[0].isNaN {
                    chunk.losses[i] = .nan
                    predict(dense, into: prediction)
                    guard allFinite(prediction, outputs) else { return i }
                } else {
                    let loss = score(dense, target, into: prediction)
                    guard loss.isFinite, allFinite(prediction, outputs) else { return i }
                    let update = UpdateStep(optimizer, at: step, factor: rateFactor)
                    guard backward(dense, x, places, weight: chunk.weights?[i] ?? 1, learningRate: update.rate)
                    else { return i }
                    chunk.losses[i] = loss
                    self.update(dense, x, places, update)
                }
            }
            return chunk.count
        }
    }

    // MARK: Forward

    /// `places`: where a sparse sample is not zero.
    private func forward(_ dense: UnsafeBufferPointer<DenseLayer>, _ x: UnsafePointer<Lanes>, _ places: [Int]?) {
        var input = x
        for (l, layer) in dense.enumerated() {
            if l == 0, let places { layer.forward(input, places: places) } else { layer.forward(input) }
            input = UnsafePointer(layer.output)
        }
    }

    /// The outputs as probabilities or values.
    private func predict(_ dense: UnsafeBufferPointer<DenseLayer>, into prediction: UnsafeMutablePointer<Float>) {
        let head = dense[dense.count - 1]
        let z = floats(head.output)
        switch loss {
        case .squared, .huber: for k in 0..<head.outputs { prediction[k] = z[k] }
        case .binaryCrossEntropy: for k in 0..<head.outputs { prediction[k] = Elementary.sigmoid(z[k]) }
        case .crossEntropy: _ = softmax(head, into: prediction)
        }
    }

    /// Softmax of the head's logits; returns (log of the shifted sum, the shift).
    private func softmax(
        _ head: DenseLayer, into prediction: UnsafeMutablePointer<Float>
    ) -> (logSum: Float, highest: Float) {
        let z = floats(head.output)
        var highest = -Float.greatestFiniteMagnitude
        for k in 0..<head.outputs where z[k] > highest { highest = z[k] }
        let e = floats(head.delta)  // which the loss overwrites
        var (even, odd) = (Lanes(), Lanes())
        for block in 0..<head.outputLanes {
            head.delta[block] = Elementary.exp(head.output[block] - highest)
            for k in block * 16..<block * 16 + 16 where k >= head.outputs { e[k] = 0 }
            if block % 2 == 0 { even += head.delta[block] } else { odd += head.delta[block] }
        }
        let sum = acrossLanes(even + odd)
        for k in 0..<head.outputs { prediction[k] = e[k] / sum }
        return (Elementary.log(sum), highest)
    }

    // MARK: Loss

    /// The loss; leaves ∂loss/∂outputs in the head's delta.
    private func score(
        _ dense: UnsafeBufferPointer<DenseLayer>, _ target: UnsafePointer<Float>,
        into prediction: UnsafeMutablePointer<Float>
    ) -> Float {
        let head = dense[dense.count - 1]
        let z = floats(head.output)
        let dy = floats(head.delta)
        var value: Float = 0
        switch loss {
        case .squared:
            for k in 0..<head.outputs {
                prediction[k] = z[k]
                let e = z[k] - target[k]
                value += e * e
                dy[k] = 2 * e
            }
        case .huber(let delta):
            let delta = Float(delta)
            for k in 0..<head.outputs {
                prediction[k] = z[k]
                let e = z[k] - target[k]
                let a = abs(e)
                value += a <= delta ? 0.5 * e * e : delta * (a - 0.5 * delta)
                dy[k] = min(max(e, -delta), delta)
            }
        case .binaryCrossEntropy:
            for k in 0..<head.outputs {
                let p = Elementary.sigmoid(z[k])
                prediction[k] = p
                value += max(z[k], 0) - z[k] * target[k] + Elementary.log1p(Elementary.exp(-abs(z[k])))
                dy[k] = p - target[k]
            }
        case .crossEntropy:
            let label = Int(target[0])
            let (logSum, highest) = softmax(head, into: prediction)
            value = logSum - (z[label] - highest)
            for k in 0..<head.outputs { dy[k] = prediction[k] - (k == label ? 1 : 0) }
        }
        return value
    }

    // MARK: Backward

    /// Every layer's dz, scaled by the sample's weight and the clip; false, and nothing written to a weight, where the
    /// gradient is not finite or too long.
    private func backward(
        _ dense: UnsafeBufferPointer<DenseLayer>, _ x: UnsafePointer<Lanes>, _ places: [Int]?, weight: Float,
        learningRate: Float
    ) -> Bool {
        let last = dense.count - 1
        for k in dense[last].outputs..<dense[last].outputLanes * 16 { floats(dense[last].delta)[k] = 0 }
        if weight != 1 {
            for k in 0..<dense[last].outputLanes { dense[last].delta[k] = dense[last].delta[k] * weight }
        }
        dense[last].applyDerivative()
        var squares: Float = 0  // ‖g‖² over all layers
        var l = last
        while true {
            if l < last {
                dense[l + 1].backward(into: dense[l].delta)
                dense[l].applyDerivative()
            }
            let input = l == 0 ? x : UnsafePointer(dense[l - 1].output)
            let inputLanes = l == 0 ? inputStride / 16 : dense[l - 1].outputLanes
            // Each layer's gradient is x dzᵀ (and dz for the bias), so ‖g‖² = ‖dz‖² · (‖x‖² + 1).
            let d = UnsafePointer(dense[l].delta)
            let ofInput =
                if l == 0, let places {
                    sumOfSquares(floats(x), places: places)
                } else {
                    dot(input, input, lanes: inputLanes)
                }
            let square = dot(d, d, lanes: dense[l].outputLanes) * (ofInput + 1)
            squaredNorms[l] = square
            squares += square
            if l == 0 { break }
            l -= 1
        }
        var norm = squares.squareRoot()
        guard norm.isFinite else { return false }
        var scale: Float = 1
        if let clip = optimizer.clip, norm > clip {
            scale = clip / norm
            norm = clip
            for layer in dense {
                for k in 0..<layer.outputLanes { layer.delta[k] = layer.delta[k] * scale }
            }
        }
        let factor = optimizer.rule.isAdaptive ? max(learningRate, 1) : learningRate
        guard norm * factor <= Network.longestUpdate else { return false }
        for l in 0..<dense.count {
            let norm = squaredNorms[l].squareRoot() * scale
            gradientNorms[l] += (norm - gradientNorms[l]) * Network.normSmoothing
        }
        return true
    }

    /// The weight of the newest sample in a layer's smoothed gradient norm.
    static var normSmoothing: Float { 0.01 }

    // MARK: Update

    private func update(
        _ dense: UnsafeBufferPointer<DenseLayer>, _ x: UnsafePointer<Lanes>, _ places: [Int]?, _ update: UpdateStep
    ) {
        var input = x
        for (l, layer) in dense.enumerated() {
            if l == 0, let places { layer.update(input, places: places, update) } else { layer.update(input, update) }
            input = UnsafePointer(layer.output)
        }
        step &+= 1
    }
}

@inline(__always)
private func allFinite(_ values: UnsafePointer<Float>, _ count: Int) -> Bool {
    for k in 0..<count where !values[k].isFinite { return false }
    return true
}
