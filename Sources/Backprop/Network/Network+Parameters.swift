// Parameters in and out, in the shapes that people use, and the norms of layers.

extension Network {
    /// Weights of a layer. Shape: (inputs, outputs), row-major.
    public func weights(of layer: Int) -> [Float] {
        let view = dense[layer]
        return [Float](unsafeUninitializedCapacity: view.inputs * view.outputs) { buffer, count in
            for input in 0..<view.inputs {
                for output in 0..<view.outputs {
                    buffer[input * view.outputs + output] =
                        floats(view.weights)[view.index(input: input, output: output)]
                }
            }
            count = view.inputs * view.outputs
        }
    }

    /// Biases of a layer. Shape: (outputs).
    public func bias(of layer: Int) -> [Float] {
        let view = dense[layer]
        return Array(UnsafeBufferPointer(start: floats(view.bias), count: view.outputs))
    }

    /// All parameters, for each layer W (outputs, inputs) row-major and then b: PyTorch's order.
    ///
    /// Set, they are where COCOB begins anew; other rules keep their state.
    public var flatParameters: [Float] {
        get { flat { $0.weights } }
        set {
            setFlat(newValue) { $0.weights }
            if let start = optimizer.rule.startBlock {
                for block in 0..<stateBlocks {
                    setFlat(block == start ? newValue : newValue.map { _ in 0 }) { $0.state! + block * $0.stateStride }
                }
            }
        }
    }

    /// What the optimizer keeps for each parameter: blocks in the order of ``flatParameters``, as many as its rule has.
    public var flatState: [[Float]] {
        get { (0..<stateBlocks).map { block in flat { $0.state! + block * $0.stateStride } } }
        set {
            precondition(newValue.count == stateBlocks, "expected \(stateBlocks) blocks, got \(newValue.count)")
            for (block, values) in newValue.enumerated() { setFlat(values) { $0.state! + block * $0.stateStride } }
        }
    }

    /// Numbers that the optimizer keeps for each parameter.
    public var stateBlocks: Int { optimizer.rule.stateBlocks }

    /// Of each layer, the weights and behind them the bias, or a block of their state.
    ///
    /// Zero has one sign here (+ 0): one that was flushed may have either, and nothing that follows depends on it.
    private func flat(_ block: (DenseLayer) -> UnsafeMutablePointer<Lanes>) -> [Float] {
        var all: [Float] = []
        all.reserveCapacity(parameterCount)
        for view in dense {
            let values = floats(block(view))
            for output in 0..<view.outputs {
                for input in 0..<view.inputs { all.append(values[view.index(input: input, output: output)] + 0) }
            }
            for output in 0..<view.outputs { all.append(values[view.index(bias: output)] + 0) }
        }
        return all
    }

    private func setFlat(_ all: [Float], _ block: (DenseLayer) -> UnsafeMutablePointer<Lanes>) {
        precondition(all.count == parameterCount, "expected \(parameterCount) numbers, got \(all.count)")
        var next = all.makeIterator()  // + 0: no weight is −0 (see DenseLayer.swift)
        for view in dense {
            let values = floats(block(view))
            for output in 0..<view.outputs {
                for input in 0..<view.inputs { values[view.index(input: input, output: output)] = next.next()! + 0 }
            }
            for output in 0..<view.outputs { values[view.index(bias: output)] = next.next()! + 0 }
        }
    }

    /// What a fresh start or a load sets beside the parameters.
    public func restore(step: UInt64, gradientNorms: [Float]) {
        precondition(gradientNorms.count == layers.count)
        self.step = step
        for (l, norm) in gradientNorms.enumerated() { self.gradientNorms[l] = norm }
    }

    /// Each layer's ‖gradient‖, smoothed with weight 0.01 for the newest sample. Shape: (layers).
    public var smoothedGradientNorms: [Float] { layers.indices.map { gradientNorms[$0] } }

    /// Norms of each layer; a pass over all weights, so for snapshots.
    public var layerNorms: [LayerNorms] {
        zip(layers.indices, dense).map { l, view in
            let lanes = view.rows * view.rowLanes + view.outputLanes
            let weightNorm = dot(view.weights, view.weights, lanes: lanes).squareRoot()
            let updateNorm = rateFactor * optimizer.updateNorm(of: view, gradient: gradientNorms[l], at: step)
            return LayerNorms(
                gradient: gradientNorms[l], weights: weightNorm,
                updateRatio: weightNorm > 0 ? updateNorm / weightNorm : 0)
        }
    }

    /// A hash of every parameter's bits (FNV-1a, 64 bits): equal hashes mean equal learning.
    public var parameterHash: UInt64 {
        var hash = FNV1a()
        for value in flatParameters { hash.add(value) }
        return hash.value
    }
}

extension Optimizer {
    /// ‖update‖ of a layer: of the last sample where the state tells it, else of a gradient of this norm.
    fileprivate func updateNorm(of layer: DenseLayer, gradient: Float, at step: UInt64) -> Float {
        let rate = learningRate(at: step)
        guard let state = layer.state else { return rate * gradient }
        let lanes = layer.rows * layer.rowLanes + layer.outputLanes
        // AdaGrad, RMSProp and COCOB do not keep the gradient: it is taken to be spread over the weights as past ones were,
        // p, each of which its own step size h scales: ‖g‖ · √(Σ(h p)² / Σp²).
        var (scaled, past) = (Lanes(), Lanes())
        switch rule {
        case .sgd, .nesterov: return rate * dot(state, state, lanes: lanes).squareRoot()
        case .adam(_, _, let epsilon), .adamW(_, _, let epsilon):
            let (first, second) = rule.corrections(at: step == 0 ? 0 : step - 1)
            for k in 0..<lanes {
                let divisor = state[layer.stateStride + k].squareRoot() * second + Float(epsilon)
                let update = state[k] * (rate * first) / divisor
                scaled += update * update
            }
            return acrossLanes(scaled).squareRoot()
        case .adaGrad(let epsilon), .rmsProp(_, let epsilon):
            for k in 0..<lanes {
                let root = state[k].squareRoot()
                let update = root * rate / (root + Float(epsilon))
                scaled += update * update
                past += state[k]
            }
        case .cocob(let alpha):
            for k in 0..<lanes {
                let (largest, sum) = (state[k], state[layer.stateStride + k])
                let (all, least) = (sum + largest, largest * Float(alpha))
                let divisor = largest * all.replacing(with: least, where: least .> all)
                let gain =
                    (largest + state[2 * layer.stateStride + k]) / divisor.replacing(with: 1, where: divisor .<= 0)
                let update = sum * gain.replacing(with: 0, where: divisor .<= 0)
                scaled += update * update
                past += sum * sum
            }
        }
        let (above, below) = (acrossLanes(scaled), acrossLanes(past))
        return below > 0 ? gradient * (above / below).squareRoot() : 0
    }
}

/// How strongly a layer is learning.
public struct LayerNorms: Sendable, Hashable, Codable {
    /// ‖∂loss/∂(W, b)‖ = ‖dz‖·√(‖x‖² + 1), smoothed over some 100 samples.
    public var gradient: Float
    /// ‖(W, b)‖.
    public var weights: Float
    /// ‖update‖ / ‖(W, b)‖ of one sample; some 10⁻³ is healthy.
    public var updateRatio: Float
}
