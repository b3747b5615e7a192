// One sample forward and backward in plain loops, in Double: the numbers of `Graph.backward`, without a graph.
//
// For explanations and maps, where the graph's edges would take most of the time. Sums are taken in the graph's
// order, so that the two agree to the bit; that they do is a test.

import Backprop

/// A sample's sums, activations and gradients, layer by layer. Per layer, first layer first; shape of each: (outputs).
struct BackwardPass {
    /// z = Wx + b.
    private(set) var sums: [[Double]] = []
    /// h = f(z).
    private(set) var activations: [[Double]] = []
    /// f′(z).
    private(set) var derivatives: [[Double]] = []
    /// ∂loss/∂h; empty without a target, as all below.
    private(set) var upstream: [[Double]] = []
    /// ∂loss/∂z, which is the bias's gradient too; the weights' is its product with the layer's input.
    private(set) var gradients: [[Double]] = []
    /// ∂loss/∂x. Shape: (inputs).
    private(set) var inputGradient: [Double] = []
    private(set) var loss: Double?
    /// The features as the network sees them. Shape: (inputs).
    let features: [Double]

    var outputs: [Double] { activations[activations.count - 1] }

    init(_ learner: FrozenLearner, features: [Float], target: Target?) {
        self.features = features.map { Double($0) }
        forward(learner)
        guard let target else { return }
        loss = learner.loss.value(outputs: outputs, target: target)
        backward(learner, learner.loss.gradient(outputs: outputs, target: target))
    }

    /// The input of a layer. Shape: (its inputs).
    func input(of layer: Int) -> [Double] { layer == 0 ? features : activations[layer - 1] }

    /// ‖(∂loss/∂W, ∂loss/∂b)‖ of a layer: its gradient is rank one, so ‖dz‖·√(‖x‖² + 1).
    func gradientNorm(of layer: Int) -> Double {
        let square = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 } }
        return (square(gradients[layer]) * (square(input(of: layer)) + 1)).squareRoot()
    }

    private mutating func forward(_ learner: FrozenLearner) {
        for (l, layer) in learner.layers.enumerated() {
            let input = input(of: l)
            var z = [Double](repeating: 0, count: layer.outputs)
            z.withUnsafeMutableBufferPointer { z in
                learner.weights[l].withUnsafeBufferPointer { weights in  // (inputs, outputs)
                    for (j, x) in input.enumerated() {
                        let row = j * z.count
                        for i in 0..<z.count { z[i] += Double(weights[row + i]) * x }
                    }
                }
                for (i, bias) in learner.biases[l].enumerated() { z[i] += Double(bias) }
            }
            let h = z.map { layer.activation($0) }
            sums.append(z)
            activations.append(h)
            derivatives.append(zip(z, h).map { layer.activation.derivative(at: $0, value: $1) })
        }
    }

    private mutating func backward(_ learner: FrozenLearner, _ outputGradient: [Double]) {
        var dh = outputGradient.map { $0 + 0 }
        for l in learner.layers.indices.reversed() {
            let dz = zip(derivatives[l], dh).map { $0 * $1 + 0 }  // + 0, as sums do: no gradient is −0
            upstream.insert(dh, at: 0)
            gradients.insert(dz, at: 0)
            dh = dz.withUnsafeBufferPointer { dz in
                learner.weights[l].withUnsafeBufferPointer { weights in
                    input(of: l).indices.map { j in
                        var sum = 0.0
                        for i in 0..<dz.count { sum += Double(weights[j * dz.count + i]) * dz[i] }
                        return sum
                    }
                }
            }
        }
        inputGradient = dh
    }
}
