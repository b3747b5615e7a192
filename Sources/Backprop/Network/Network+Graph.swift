// The network's one sample as a graph: the same numbers, each with its derivative and its paths.
//
// In Double, with libm's functions. It teaches and it checks; it does not learn.

/// One sample's computation, node by node. All per layer, first layer first.
public struct NetworkGraph: Sendable {
    public var graph: Graph
    /// Shape: (inputs).
    public let inputs: Graph.Node
    /// Shape of each: (outputs, inputs), row-major.
    public let weights: [Graph.Node]
    /// Shape of each: (outputs).
    public let biases: [Graph.Node]
    /// z = Wx + b. Shape of each: (outputs).
    public let sums: [Graph.Node]
    /// f(z). Shape of each: (outputs).
    public let activations: [Graph.Node]
    /// The loss, where there was a target.
    public let loss: Graph.Node?

    public var outputs: Graph.Node { activations[activations.count - 1] }

    /// Records layers with given parameters.
    ///
    /// - Parameter parameters: for each layer W (outputs, inputs) row-major, then b.
    public init(features: [Double], layers: [Layer], parameters: [Double], loss: Loss, target: Target?) {
        var graph = Graph()
        var weights: [Graph.Node] = []
        var biases: [Graph.Node] = []
        var sums: [Graph.Node] = []
        var activations: [Graph.Node] = []
        inputs = graph.constant(features, "x")
        var input = inputs
        var width = features.count
        var rest = parameters[...]
        for (index, layer) in layers.enumerated() {
            let number = layers.count == 1 ? "" : "\(index + 1)"
            let isLast = index == layers.count - 1
            let w = graph.leaf(Array(rest.prefix(width * layer.outputs)), "W\(number)")
            rest = rest.dropFirst(width * layer.outputs)
            let b = graph.leaf(Array(rest.prefix(layer.outputs)), "b\(number)")
            rest = rest.dropFirst(layer.outputs)
            let product = graph.matrixVector(w, input, "W\(number)·\(index == 0 ? "x" : "h\(index)")")
            let z = graph.add(product, b, "z\(number)")
            input = graph.activation(layer.activation, z, isLast ? "o" : "h\(number)")
            weights.append(w)
            biases.append(b)
            sums.append(z)
            activations.append(input)
            width = layer.outputs
        }
        precondition(rest.isEmpty && width > 0, "\(parameters.count) parameters do not fit the layers")
        self.loss = target.map { graph.loss(loss, input, target: $0, "loss") }
        self.weights = weights
        self.biases = biases
        self.sums = sums
        self.activations = activations
        self.graph = graph
    }
}

extension Network {
    /// The graph of one sample under the present parameters.
    ///
    ///     let seen = network.graph(features: [0.5, -1], target: .values([1]))
    ///     let gradients = seen.graph.backward(from: seen.loss!)
    ///     gradients[seen.weights[0]]  // ∂loss/∂W, (outputs, inputs) row-major
    public func graph(features: [Float], target: Target?) -> NetworkGraph {
        NetworkGraph(
            features: features.map { Double($0) }, layers: layers, parameters: flatParameters.map { Double($0) },
            loss: loss, target: target)
    }
}
