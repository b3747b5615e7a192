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
    public var flatParameters: [Float] {
        get { flat(\.weights, \.bias) }
        set {
            precondition(
                newValue.count == parameterCount, "expected \(parameterCount) parameters, got \(newValue.count)")
            setFlat(newValue, \.weights, \.bias)
        }
    }

    /// The momentum of each parameter, in the order of ``flatParameters``; empty without momentum.
    public var flatVelocity: [Float] {
        get { velocity == nil ? [] : flat(\.weightVelocity!, \.biasVelocity!) }
        set {
            guard velocity != nil else { return }
            precondition(
                newValue.count == parameterCount, "expected \(parameterCount) velocities, got \(newValue.count)")
            setFlat(newValue, \.weightVelocity!, \.biasVelocity!)
        }
    }

    private typealias View = KeyPath<DenseLayer, UnsafeMutablePointer<Lanes>>

    /// Zero has one sign here (+ 0): one that was flushed may have either, and nothing that follows depends on it.
    private func flat(_ weights: View, _ bias: View) -> [Float] {
        var all: [Float] = []
        all.reserveCapacity(parameterCount)
        for view in dense {
            let weights = floats(view[keyPath: weights])
            for output in 0..<view.outputs {
                for input in 0..<view.inputs { all.append(weights[view.index(input: input, output: output)] + 0) }
            }
            for output in 0..<view.outputs { all.append(floats(view[keyPath: bias])[output] + 0) }
        }
        return all
    }

    private func setFlat(_ all: [Float], _ weights: View, _ bias: View) {
        var next = all.makeIterator()  // + 0: no weight is −0 (see DenseLayer.swift)
        for view in dense {
            let (weights, bias) = (floats(view[keyPath: weights]), floats(view[keyPath: bias]))
            for output in 0..<view.outputs {
                for input in 0..<view.inputs { weights[view.index(input: input, output: output)] = next.next()! + 0 }
            }
            for output in 0..<view.outputs { bias[output] = next.next()! + 0 }
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
            let updateNorm: Float
            if let velocity = view.weightVelocity {
                updateNorm = optimizer.learningRate(at: step) * dot(velocity, velocity, lanes: lanes).squareRoot()
            } else {
                updateNorm = optimizer.learningRate(at: step) * gradientNorms[l]
            }
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

/// How strongly a layer is learning.
public struct LayerNorms: Sendable, Hashable, Codable {
    /// ‖∂loss/∂(W, b)‖ = ‖dz‖·√(‖x‖² + 1), smoothed over some 100 samples.
    public var gradient: Float
    /// ‖(W, b)‖.
    public var weights: Float
    /// ‖update‖ / ‖(W, b)‖ of one sample; some 10⁻³ is healthy.
    public var updateRatio: Float
}
