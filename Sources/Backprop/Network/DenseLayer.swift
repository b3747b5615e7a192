// The three passes over a dense layer's weights, sixteen Floats at a time.
//
//     forward    z = xW + b                 y = f(z)
//     backward   dx = W·dz ⊙ f′(y)          (dx belongs to the layer below)
//     update     W ← W − η · x dzᵀ          b ← b − η · dz
//
// Two layouts, chosen by the layer's shape alone, so that the order of every sum is too:
//
// - `byInput`: one row of weights an input, (inputs, outputs) row-major, rows padded to sixteen.
//   A row is scaled by x[j] and added: no sum across lanes in the forward pass.
// - `byOutput`: one row an output. For up to four outputs, where the other layout would
//   multiply mostly padding; a row's products are summed lane by lane, then across lanes in
//   a fixed tree.
//
// Padding is zero in weights, activations and deltas, and stays zero.

/// How a layer's weights lie in memory.
enum WeightLayout: Equatable {
    case byInput
    case byOutput

    init(outputs: Int) { self = outputs <= 4 ? .byOutput : .byInput }
}

/// Views into the network's flat blocks for one layer. Owned by the ``Network``, whose blocks outlive it.
struct DenseLayer {
    let inputs: Int
    let outputs: Int
    let activation: Activation
    let layout: WeightLayout
    let rows: Int  // byInput: inputs; byOutput: outputs
    let rowLanes: Int  // of sixteen Floats each
    let outputLanes: Int
    let weights: UnsafeMutablePointer<Lanes>  // (rows, rowLanes)
    let bias: UnsafeMutablePointer<Lanes>  // (outputLanes)
    let weightVelocity: UnsafeMutablePointer<Lanes>?  // as weights, with momentum only
    let biasVelocity: UnsafeMutablePointer<Lanes>?
    let output: UnsafeMutablePointer<Lanes>  // y, (outputLanes)
    let delta: UnsafeMutablePointer<Lanes>  // dz, (outputLanes)

    /// The index of one weight among the layer's Floats.
    @inline(__always)
    func index(input: Int, output: Int) -> Int {
        switch layout {
        case .byInput: input * rowLanes * 16 + output
        case .byOutput: output * rowLanes * 16 + input
        }
    }

    // MARK: Forward

    /// y = f(xW + b).
    @inline(__always)
    func forward(_ x: UnsafePointer<Lanes>) {
        switch layout {
        case .byInput:
            let scalars = UnsafeRawPointer(x).assumingMemoryBound(to: Float.self)
            for block in 0..<outputLanes {
                var sum = bias[block]
                var row = weights + block
                for j in 0..<inputs {
                    sum += row.pointee * scalars[j]
                    row += rowLanes
                }
                output[block] = sum
            }
        case .byOutput:
            let z = floats(output)
            let b = floats(bias)
            for i in 0..<outputs {
                z[i] = dot(weights + i * rowLanes, x, lanes: rowLanes) + b[i]
            }
        }
        applyActivation()
    }

    @inline(__always)
    private func applyActivation() {
        switch activation {
        case .identity: break
        case .step: for k in 0..<outputLanes { output[k] = Lanes().replacing(with: 1, where: output[k] .> 0) }
        case .sigmoid:
            for k in 0..<outputLanes { output[k] = Elementary.sigmoid(output[k]) }
            let y = floats(output)  // sigmoid(0) is ½: padding goes back to zero
            for k in outputs..<outputLanes * 16 { y[k] = 0 }
        case .tanh: for k in 0..<outputLanes { output[k] = Elementary.tanh(output[k]) }
        case .relu:  // negated, so that NaN stays NaN
            for k in 0..<outputLanes { output[k] = output[k].replacing(with: 0, where: output[k] .<= 0) }
        case .leakyReLU:
            for k in 0..<outputLanes {
                output[k] = output[k].replacing(with: output[k] * Float(Activation.leak), where: output[k] .<= 0)
            }
        }
    }

    // MARK: Backward

    /// dx = W·dz, into the delta of the layer below, before its activation's derivative.
    @inline(__always)
    func backward(into dx: UnsafeMutablePointer<Lanes>) {
        switch layout {
        case .byInput:
            let scalars = floats(dx)
            for j in 0..<inputs { scalars[j] = dot(weights + j * rowLanes, delta, lanes: rowLanes) }
        case .byOutput:
            let dz = floats(delta)
            for block in 0..<rowLanes {
                var sum = Lanes()
                for i in 0..<outputs { sum += weights[i * rowLanes + block] * dz[i] }
                dx[block] = sum
            }
        }
    }

    /// dz = dy ⊙ f′(y), in place.
    @inline(__always)
    func applyDerivative() {
        switch activation {
        case .identity, .step: break  // step: the straight-through estimate, no gradient
        case .sigmoid: for k in 0..<outputLanes { delta[k] = delta[k] * (output[k] * (1 - output[k])) }
        case .tanh: for k in 0..<outputLanes { delta[k] = delta[k] * (1 - output[k] * output[k]) }
        case .relu:
            for k in 0..<outputLanes { delta[k] = delta[k].replacing(with: 0, where: output[k] .<= 0) }
        case .leakyReLU:
            for k in 0..<outputLanes {
                delta[k] = delta[k].replacing(with: delta[k] * Float(Activation.leak), where: output[k] .<= 0)
            }
        }
    }

    // MARK: Update

    /// W ← W − η·x dzᵀ and b ← b − η·dz; with momentum and L2 where the optimizer has them.
    @inline(__always)
    func update(_ x: UnsafePointer<Lanes>, learningRate: Float, optimizer: Optimizer) {
        if let weightVelocity, let biasVelocity {
            eachRow(x) { w, v, gradient in
                let g = gradient + optimizer.l2 * w
                let velocity = optimizer.momentum * v + g
                v = velocity
                w -= learningRate * velocity
            } velocity: {
                weightVelocity
            }
            for k in 0..<outputLanes {
                biasVelocity[k] = optimizer.momentum * biasVelocity[k] + delta[k]
                bias[k] -= learningRate * biasVelocity[k]
            }
        } else {
            for k in 0..<outputLanes { bias[k] -= learningRate * delta[k] }
            if optimizer.l2 != 0 {
                let decay = 1 - learningRate * optimizer.l2
                for k in 0..<rows * rowLanes { weights[k] = weights[k] * decay }
            }
            descend(x, learningRate)
        }
    }

    /// The plain case: one multiplication and one subtraction a weight.
    @inline(__always)
    private func descend(_ x: UnsafePointer<Lanes>, _ learningRate: Float) {
        switch layout {
        case .byInput:
            let scalars = UnsafeRawPointer(x).assumingMemoryBound(to: Float.self)
            for j in 0..<rows {
                let g = learningRate * scalars[j]
                let row = weights + j * rowLanes
                for k in 0..<rowLanes { row[k] -= delta[k] * g }
            }
        case .byOutput:
            let dz = floats(delta)
            for i in 0..<rows {
                let g = learningRate * dz[i]
                let row = weights + i * rowLanes
                for k in 0..<rowLanes { row[k] -= x[k] * g }
            }
        }
    }

    /// Calls `body` with each weight vector, its velocity and its gradient x·dz.
    @inline(__always)
    private func eachRow(
        _ x: UnsafePointer<Lanes>, _ body: (inout Lanes, inout Lanes, Lanes) -> Void,
        velocity: () -> UnsafeMutablePointer<Lanes>
    ) {
        let velocity = velocity()
        let scalars =
            layout == .byInput ? UnsafeRawPointer(x).assumingMemoryBound(to: Float.self) : UnsafePointer(floats(delta))
        let vector = layout == .byInput ? UnsafePointer(delta) : x
        for r in 0..<rows {
            for k in r * rowLanes..<(r + 1) * rowLanes {
                body(&weights[k], &velocity[k], vector[k - r * rowLanes] * scalars[r])
            }
        }
    }
}

// MARK: - Sums in a fixed order

@inline(__always)
func floats(_ lanes: UnsafeMutablePointer<Lanes>) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(lanes).assumingMemoryBound(to: Float.self)
}

/// Σ aₖ·bₖ: lane by lane, then across the sixteen lanes by halves.
@inline(__always)
func dot(_ a: UnsafePointer<Lanes>, _ b: UnsafePointer<Lanes>, lanes: Int) -> Float {
    var sum = a[0] * b[0]
    for k in 1..<max(lanes, 1) { sum += a[k] * b[k] }
    return acrossLanes(sum)
}

/// The sum of sixteen lanes by halves: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
@inline(__always)
func acrossLanes(_ v: Lanes) -> Float {
    let eight = v.lowHalf + v.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}
