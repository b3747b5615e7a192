// Samples given by the inputs that are not zero, for hashed features: their cost is that of these inputs.
//
// Written into a row of zeros, a sample is what the dense form has, and the sums are the same to the bit. The readable form
// of the first layer is here; CBackpropKernels has the fast one (body/sparse.h).

/// Rows of inputs of which most are zero. The memory is the caller's.
///
///     // Two samples of a network with 1000 inputs: x[3] = 1, x[70] = 0.5; and x[999] = 2.
///     let places: [UInt32] = [3, 70, 999]
///     let values: [Float] = [1, 0.5, 2]
///     let ends = [2, 3]
public struct SparseRows {
    /// Of the inputs, ascending within a sample, each at most once.
    public let places: UnsafePointer<UInt32>
    /// As places; zeros are passed over.
    public let values: UnsafePointer<Float>
    /// (count): where in `places` each sample ends, and the next begins.
    public let ends: UnsafePointer<Int>
    /// Where the first sample begins.
    public let first: Int

    public init(
        places: UnsafePointer<UInt32>, values: UnsafePointer<Float>, ends: UnsafePointer<Int>, first: Int = 0
    ) {
        self.places = places
        self.values = values
        self.ends = ends
        self.first = first
    }

    func range(of sample: Int) -> Range<Int> { (sample == 0 ? first : ends[sample - 1])..<ends[sample] }

    /// A programmer's mistake here would be a write outside the weights.
    func check(count: Int, inputs: Int) {
        for sample in 0..<count {
            var next: UInt32 = 0
            for k in range(of: sample) {
                precondition(places[k] >= next, "sample \(sample): places are not ascending")
                next = places[k] + 1
            }
            precondition(next <= inputs, "sample \(sample): an input \(Int(next) - 1) of \(inputs)")
        }
    }

    /// Writes a sample into a row of zeros; returns the places that are not zero.
    func scatter(_ sample: Int, into row: UnsafeMutablePointer<Float>) -> [Int] {
        for k in range(of: sample) { row[Int(places[k])] = values[k] }
        return range(of: sample).filter { values[$0] != 0 }.map { Int(places[$0]) }
    }

    /// Takes it out again.
    func clear(_ sample: Int, from row: UnsafeMutablePointer<Float>) {
        for k in range(of: sample) { row[Int(places[k])] = 0 }
    }
}

/// ‖x‖² of a row with values in some places alone: by lanes and in the order of `dot`.
func sumOfSquares(_ x: UnsafePointer<Float>, places: [Int]) -> Float {
    var sums = (Lanes(), Lanes())
    for j in places {
        if j / 16 % 2 == 0 { sums.0[j % 16] += x[j] * x[j] } else { sums.1[j % 16] += x[j] * x[j] }
    }
    return acrossLanes(sums.0 + sums.1)
}

extension DenseLayer {
    /// y = f(xW + b), x being zero but in these places.
    func forward(_ x: UnsafePointer<Lanes>, places: [Int]) {
        let scalars = floats(x)
        switch layout {
        case .byInput(let sums):
            if inputs <= 128 { return forward(x) }  // where zeros have turns
            for block in 0..<outputLanes {
                var sum = (Lanes(), Lanes(), Lanes(), Lanes())
                for (turn, j) in places.enumerated() {
                    let term = weights[j * rowLanes + block] * scalars[j]
                    switch turn % sums {
                    case 0: sum.0 += term
                    case 1: sum.1 += term
                    case 2: sum.2 += term
                    default: sum.3 += term
                    }
                }
                output[block] = ((sum.0 + sum.1) + (sum.2 + sum.3)) + bias[block]
            }
        case .byOutput:
            for block in 0..<outputLanes { output[block] = Lanes() }
            for i in 0..<outputs {
                var sums = (Lanes(), Lanes())
                for j in places {
                    let term = floats(weights)[index(input: j, output: i)] * scalars[j]
                    if j / 16 % 2 == 0 { sums.0[j % 16] += term } else { sums.1[j % 16] += term }
                }
                floats(output)[i] = acrossLanes(sums.0 + sums.1) + floats(bias)[i]
            }
        }
        applyActivation()
    }

    /// The update of the weights of these inputs, and of the bias: all others rest, whatever the rule.
    func update(_ x: UnsafePointer<Lanes>, places: [Int], _ step: UpdateStep) {
        let isPlain = step.rule == .sgd(momentum: 0) && step.l1 == 0 && step.l2 == 0
        updateBias(step)
        switch layout {
        case .byInput:
            for j in places {
                let (row, g) = (j * rowLanes, step.rate * floats(x)[j])
                for k in 0..<rowLanes {
                    if isPlain {
                        weights[row + k] -= delta[k] * g
                    } else {
                        updateWeights(row + k, along: delta[k] * floats(x)[j], step)
                    }
                }
            }
        case .byOutput:
            for i in 0..<outputs {
                let (scalar, g) = (floats(delta)[i], step.rate * floats(delta)[i])
                for j in places {
                    if isPlain {
                        floats(weights)[index(input: j, output: i)] -= floats(x)[j] * g
                    } else {
                        var lane = SIMDMask<Lanes.MaskStorage>(repeating: false)
                        lane[j % 16] = true
                        updateWeights(i * rowLanes + j / 16, along: x[j / 16] * scalar, step, lanes: lane)
                    }
                }
            }
        }
    }
}
