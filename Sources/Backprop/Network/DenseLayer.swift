// The three passes over a dense layer's weights, in the readable form; CBackpropKernels does the same, to the bit, faster.
//
//     forward    z = xW + b                 y = f(z)
//     backward   dx = W·dz ⊙ f′(y)          (dx belongs to the layer below)
//     update     W ← W − η · x dzᵀ          b ← b − η · dz
//
// The order of every sum is a function of the layer's shape alone (``WeightLayout``). Inputs that are zero may be left out
// of updates, and products that are zero out of sums, which changes no bit: a sum that begins at +0 is not changed by
// ±0, nor is a weight, as none is ever −0.
//
// Subnormal numbers count as zero: the processor is told so (``Kernels``) while a step runs.
//
// Padding is zero in weights, activations and deltas, and stays zero.

/// How a layer's weights lie in memory, and so in which order sums over its inputs are taken.
enum WeightLayout: Equatable {
    /// One row of weights an input: (inputs, outputs) row-major, rows padded to sixteen. Row j is scaled by x[j] and added
    /// to one of `sums` partial sums, in turn; no sum across lanes in the forward pass. Of more than 128 inputs, those that
    /// are zero get no turn.
    case byInput(sums: Int)
    /// One row an output: its products with x are summed by sixteens, the even and the odd ones each, then across lanes.
    ///
    /// For few outputs, where the other layout would multiply mostly padding and sum across lanes for every input on the
    /// way back; and for a first layer too large for the cache, where the rows of dead units need no writing.
    case byOutput

    init(inputs: Int, outputs: Int, isFirst: Bool) {
        let isNarrow = outputs <= 4 || (outputs <= 16 && outputs < inputs && inputs <= 4096)
        let isVast = isFirst && outputs >= 256 && inputs * outputs > 1 << 18
        if isNarrow || isVast {
            self = .byOutput
        } else {
            self = .byInput(sums: outputs <= 32 ? 4 : outputs <= 64 ? 2 : 1)
        }
    }
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
    let state: UnsafeMutablePointer<Lanes>?  // (stateBlocks), each as weights and bias; nil where there is none
    let stateStride: Int  // lanes from one block to the next
    let stateBlocks: Int
    let output: UnsafeMutablePointer<Lanes>  // y, (outputLanes)
    let delta: UnsafeMutablePointer<Lanes>  // dz, (outputLanes)

    var inputLanes: Int { AlignedBuffer.padded(inputs) / 16 }

    /// The index of one weight among the layer's Floats.
    func index(input: Int, output: Int) -> Int {
        layout == .byOutput ? output * rowLanes * 16 + input : input * rowLanes * 16 + output
    }

    /// The index of one bias among the layer's Floats: they stand behind the weights, in parameters and in state.
    func index(bias output: Int) -> Int { rows * rowLanes * 16 + output }

    // MARK: Forward

    /// y = f(xW + b).
    func forward(_ x: UnsafePointer<Lanes>) {
        switch layout {
        case .byInput(let sums):
            let scalars = floats(x)
            let leavesOutZeros = inputs > 128
            for block in 0..<outputLanes {
                var sum = (Lanes(), Lanes(), Lanes(), Lanes())
                var turn = 0
                for j in 0..<inputs where !(leavesOutZeros && scalars[j] == 0) {
                    let term = weights[j * rowLanes + block] * scalars[j]
                    switch turn % sums {
                    case 0: sum.0 += term
                    case 1: sum.1 += term
                    case 2: sum.2 += term
                    default: sum.3 += term
                    }
                    turn += 1
                }
                output[block] = ((sum.0 + sum.1) + (sum.2 + sum.3)) + bias[block]
            }
        case .byOutput:
            for block in 0..<outputLanes { output[block] = Lanes() }
            for i in 0..<outputs {
                floats(output)[i] = dot(weights + i * rowLanes, x, lanes: rowLanes) + floats(bias)[i]
            }
        }
        applyActivation()
    }

    func applyActivation() {
        for k in 0..<outputLanes {
            let z = output[k]
            switch activation {
            case .identity: break
            case .step: output[k] = Lanes().replacing(with: 1, where: z .> 0)
            case .sigmoid: output[k] = Elementary.sigmoid(z)
            case .tanh: output[k] = Elementary.tanh(z)
            case .relu: output[k] = z.replacing(with: 0, where: z .<= 0)  // negated, so that NaN stays NaN
            case .leakyReLU: output[k] = z.replacing(with: z * Float(Activation.leak), where: z .<= 0)
            }
        }
        if activation == .sigmoid {  // sigmoid(0) is ½: padding goes back to zero
            for k in outputs..<outputLanes * 16 { floats(output)[k] = 0 }
        }
    }

    // MARK: Backward

    /// dx = W·dz, into the delta of the layer below, before its activation's derivative.
    func backward(into dx: UnsafeMutablePointer<Lanes>) {
        switch layout {
        case .byInput:
            for j in 0..<inputs {
                var sum = weights[j * rowLanes] * delta[0]
                for k in 1..<max(rowLanes, 1) { sum += weights[j * rowLanes + k] * delta[k] }
                floats(dx)[j] = acrossLanes(sum)
            }
        case .byOutput:
            for block in 0..<rowLanes {
                var sum = Lanes()
                for i in 0..<outputs { sum += weights[i * rowLanes + block] * floats(delta)[i] }
                dx[block] = sum
            }
        }
    }

    /// dz = dy ⊙ f′(y), in place.
    func applyDerivative() {
        for k in 0..<outputLanes {
            let (d, y) = (delta[k], output[k])
            switch activation {
            case .identity, .step: break  // step: the straight-through estimate, no gradient
            case .sigmoid: delta[k] = d * (y * (1 - y))
            case .tanh: delta[k] = d * (1 - y * y)
            case .relu: delta[k] = d.replacing(with: 0, where: y .<= 0)
            case .leakyReLU: delta[k] = d.replacing(with: d * Float(Activation.leak), where: y .<= 0)
            }
        }
    }

    // MARK: Update

    /// W ← W − η·x dzᵀ and b ← b − η·dz, or what the rule makes of these gradients.
    func update(_ x: UnsafePointer<Lanes>, _ step: UpdateStep) {
        // A weight's gradient is vector · scalar of its row.
        let vector = layout == .byOutput ? x : UnsafePointer(delta)
        let scalars = layout == .byOutput ? UnsafePointer(floats(delta)) : floats(x)
        guard step.rule == .sgd(momentum: 0) && step.l1 == 0 else {
            for r in 0..<rows {
                for k in 0..<rowLanes { updateWeights(r * rowLanes + k, along: vector[k] * scalars[r], step) }
            }
            updateBias(step)
            return
        }
        updateBias(step)
        if step.l2 != 0 {
            let decay = 1 - step.rate * step.l2
            // A product may underflow to −0, which is no weight's value.
            for k in 0..<rows * rowLanes { weights[k] = weights[k] * decay + 0 }
        }
        for r in 0..<rows {
            let g = step.rate * scalars[r]
            if g == 0 { continue }
            for k in 0..<rowLanes { weights[r * rowLanes + k] -= vector[k] * g }
        }
    }

    func updateBias(_ step: UpdateStep) {
        for k in 0..<outputLanes {
            let place = rows * rowLanes + k  // see index(bias:)
            var kept = state(at: place)
            weights[place] = step(weights[place], along: delta[k], &kept)
            keep(kept, at: place)
        }
    }

    /// Sixteen weights and their state; of these only those in `lanes`.
    func updateWeights(
        _ place: Int, along gradient: Lanes, _ step: UpdateStep,
        lanes: SIMDMask<Lanes.MaskStorage> = .init(repeating: true)
    ) {
        var kept = state(at: place)
        let updated = step.weight(weights[place], along: gradient, &kept)
        weights[place] = weights[place].replacing(with: updated, where: lanes)
        keep(kept, at: place, lanes: lanes)
    }

    private func state(at place: Int) -> UpdateStep.State {
        func block(_ b: Int) -> Lanes { b < stateBlocks ? state![b * stateStride + place] : Lanes() }
        return (block(0), block(1), block(2), block(3), block(4))
    }

    private func keep(
        _ kept: UpdateStep.State, at place: Int, lanes: SIMDMask<Lanes.MaskStorage> = .init(repeating: true)
    ) {
        guard let state else { return }
        for (b, block) in [kept.0, kept.1, kept.2, kept.3, kept.4].enumerated() where b < stateBlocks {
            let index = b * stateStride + place
            state[index] = state[index].replacing(with: block, where: lanes)
        }
    }
}

// MARK: - Sums in a fixed order

func floats(_ lanes: UnsafeMutablePointer<Lanes>) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(lanes).assumingMemoryBound(to: Float.self)
}

func floats(_ lanes: UnsafePointer<Lanes>) -> UnsafePointer<Float> {
    UnsafeRawPointer(lanes).assumingMemoryBound(to: Float.self)
}

/// Σ aₖ·bₖ: the even and the odd sixteens each in turn, then both, then across the lanes.
func dot(_ a: UnsafePointer<Lanes>, _ b: UnsafePointer<Lanes>, lanes: Int) -> Float {
    var (even, odd) = (Lanes(), Lanes())
    for k in stride(from: 0, to: lanes, by: 2) { even += a[k] * b[k] }
    for k in stride(from: 1, to: lanes, by: 2) { odd += a[k] * b[k] }
    return acrossLanes(even + odd)
}

/// The sum of sixteen lanes by halves: 8 + 8, 4 + 4, 2 + 2, 1 + 1.
@inline(__always)
func acrossLanes(_ v: Lanes) -> Float {
    let eight = v.lowHalf + v.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
}
