// The computation graph: a tape in Double, for teaching, checking and custom expressions.
//
// Every operation is computed when it is recorded, so the order of the tape is a forward
// pass, and the tape read from its end is a backward pass. Values are vectors, a scalar
// being a vector of one, and all their elements lie in one flat array; a `Node` is only an
// index. This is reverse-mode automatic differentiation (Linnainmaa 1970; Baydin et al.,
// JMLR 18, 2018), in the manner of micrograd, without an object and a closure a scalar.
//
// It is not fast, has no batches and no second derivatives: `Network` is the fast path,
// and that the two agree is a test.

/// A recorded computation, from which gradients, traces and paths can be read.
///
///     var graph = Graph()
///     let x = graph.leaf(3, "x")
///     let y = graph.leaf(4, "y")
///     let t = graph.add(x, y)
///     let z = graph.multiply(t, t)
///     graph[z]                                // [49]
///     graph.backward(from: z)[x]              // [14], which is 2(x + y)
public struct Graph: Sendable {
    /// A handle on one value of a graph; it means nothing in another graph.
    public struct Node: Hashable, Sendable {
        /// The position on the tape, from 0.
        public let index: Int
    }

    /// What the tape holds for one node.
    struct Entry: Sendable {
        var operation: Operation
        var inputs: [Node]
        var elements: Range<Int>  // where its value lies in `values`
        var name: String
        var columns: Int?  // set on a matrix, so that its elements are named by row and column
    }

    /// The tape, in the order of recording: a node's inputs always come before it.
    var tape: [Entry] = []

    /// All elements of all nodes, in the order of the tape.
    public internal(set) var values: [Double] = []

    /// An empty graph.
    public init() {}

    // MARK: - Recording

    /// Records a parameter: a leaf that `GradientCheck` checks and a learner may change.
    @discardableResult
    public mutating func leaf(_ value: [Double], _ name: String? = nil) -> Node {
        append(.leaf(.parameter), [], value, name)
    }

    /// Records a scalar parameter.
    @discardableResult
    public mutating func leaf(_ value: Double, _ name: String? = nil) -> Node { leaf([value], name) }

    /// Records a constant: a leaf that `GradientCheck` leaves alone. It has a gradient like any other.
    @discardableResult
    public mutating func constant(_ value: [Double], _ name: String? = nil) -> Node {
        append(.leaf(.constant), [], value, name)
    }

    /// Records a scalar constant.
    @discardableResult
    public mutating func constant(_ value: Double, _ name: String? = nil) -> Node { constant([value], name) }

    /// Records a + b, element by element; a scalar is added to every element.
    public mutating func add(_ a: Node, _ b: Node, _ name: String? = nil) -> Node { record(.add, [a, b], name) }

    /// Records a · b, element by element; a scalar multiplies every element.
    public mutating func multiply(_ a: Node, _ b: Node, _ name: String? = nil) -> Node {
        record(.multiply, [a, b], name)
    }

    /// Records W x, where W is (outputs, inputs) row-major and x is (inputs).
    public mutating func matrixVector(_ matrix: Node, _ vector: Node, _ name: String? = nil) -> Node {
        let (elements, columns) = (count(of: matrix), count(of: vector))
        precondition(
            columns > 0 && elements % columns == 0,
            "a matrix of \(elements) elements has no whole number of rows for a vector of \(columns)")
        let node = record(.matrixVector(rows: elements / columns, columns: columns), [matrix, vector], name)
        tape[matrix.index].columns = columns
        return node
    }

    /// Records f(x), element by element.
    public mutating func activation(_ function: Activation, _ x: Node, _ name: String? = nil) -> Node {
        record(.activation(function), [x], name)
    }

    /// Records eˣ, element by element.
    public mutating func exp(_ x: Node, _ name: String? = nil) -> Node { record(.exp, [x], name) }

    /// Records the natural logarithm, element by element: NaN below 0, −∞ at 0.
    public mutating func log(_ x: Node, _ name: String? = nil) -> Node { record(.log, [x], name) }

    /// Records 1/x, element by element; a / b is `multiply(a, reciprocal(b))`.
    public mutating func reciprocal(_ x: Node, _ name: String? = nil) -> Node { record(.reciprocal, [x], name) }

    /// Records the sum of a vector's elements, a scalar.
    public mutating func sum(_ x: Node, _ name: String? = nil) -> Node { record(.sum, [x], name) }

    /// Records the loss of outputs (logits, for the cross-entropies) against a target, a scalar.
    public mutating func loss(_ loss: Loss, _ outputs: Node, target: Target, _ name: String? = nil) -> Node {
        switch target {
        case .values(let values):
            precondition(
                values.count == count(of: outputs),
                "\(count(of: outputs)) outputs cannot be scored against \(values.count) targets")
        case .label(let label):
            precondition(
                (0..<count(of: outputs)).contains(label),
                "label \(label) is not one of \(count(of: outputs)) classes")
        }
        return record(.loss(loss, target), [outputs], name)
    }

    private mutating func record(_ operation: Operation, _ inputs: [Node], _ name: String?) -> Node {
        precondition(
            inputs.allSatisfy { tape.indices.contains($0.index) }, "an input of \(operation) is not of this graph")
        let zeros = [Double](repeating: 0, count: resultCount(of: operation, inputs))
        let node = append(operation, inputs, zeros, name)
        evaluate(node)
        return node
    }

    private mutating func append(
        _ operation: Operation, _ inputs: [Node], _ value: [Double], _ name: String?
    ) -> Node {
        precondition(!value.isEmpty, "a node has at least one element")
        let node = Node(index: tape.count)
        let elements = values.count..<values.count + value.count
        let name = name ?? "\(operation.word)\(node.index)"
        tape.append(Entry(operation: operation, inputs: inputs, elements: elements, name: name))
        values += value
        return node
    }

    // MARK: - Reading

    /// Every node, in the order of recording.
    public var nodes: [Node] { tape.indices.map(Node.init(index:)) }

    /// Every leaf recorded with `leaf`, in that order.
    public var parameters: [Node] { nodes.filter { operation(of: $0) == .leaf(.parameter) } }

    /// A node's value.
    public subscript(_ node: Node) -> [Double] { Array(values[tape[node.index].elements]) }

    /// One element of a node's value.
    public subscript(_ node: Node, _ element: Int) -> Double { values[position(of: node, element)] }

    /// How many elements a node has.
    public func count(of node: Node) -> Int { tape[node.index].elements.count }

    /// The name given when it was recorded, or one made of its operation and index, such as `add2`.
    public func name(of node: Node) -> String { tape[node.index].name }

    /// What a node computes.
    public func operation(of node: Node) -> Operation { tape[node.index].operation }

    /// What a node computes from.
    public func inputs(of node: Node) -> [Node] { tape[node.index].inputs }

    /// The name of one element: `b[2]`, `W[2,0]` (row, column) for a matrix, the bare name for a scalar.
    public func name(of node: Node, element: Int) -> String {
        let entry = tape[node.index]
        guard entry.elements.count > 1 else { return entry.name }
        guard let columns = entry.columns else { return "\(entry.name)[\(element)]" }
        return "\(entry.name)[\(element / columns),\(element % columns)]"
    }

    /// Where an element lies in `values`.
    func position(of node: Node, _ element: Int) -> Int {
        let elements = tape[node.index].elements
        precondition((0..<elements.count).contains(element), "\(name(of: node)) has no element \(element)")
        return elements.lowerBound + element
    }

    // MARK: - Changing

    /// Gives a leaf another value of the same shape and computes again whatever follows it on the tape.
    ///
    ///     graph.set(x, to: [5])
    public mutating func set(_ leaf: Node, to value: [Double]) {
        precondition(inputs(of: leaf).isEmpty, "\(name(of: leaf)) is computed, not a leaf")
        precondition(
            value.count == count(of: leaf), "\(name(of: leaf)) has \(count(of: leaf)) elements, got \(value.count)")
        values.replaceSubrange(tape[leaf.index].elements, with: value)
        for node in nodes[(leaf.index + 1)...] { evaluate(node) }
    }

    // MARK: - Backward

    /// The gradient of a scalar node with respect to every element of every node.
    ///
    /// The chain rule, summed over all paths: the tape is walked from its end, and every edge
    /// adds local derivative × upstream gradient to its input. A node's own gradient is
    /// complete when the walk reaches it, since all that it feeds comes later on the tape.
    public func backward(from output: Node) -> Gradients {
        precondition(count(of: output) == 1, "\(name(of: output)) is no scalar: record a loss or a sum first")
        let needed = ancestors(of: output)
        var gradients = [Double](repeating: 0, count: values.count)
        gradients[tape[output.index].elements.lowerBound] = 1
        for node in nodes.reversed() where needed[node.index] {
            forEachEdge(into: node) { edge in gradients[edge.from] += edge.derivative * gradients[edge.to] }
        }
        return Gradients(values: gradients, ranges: tape.map(\.elements))
    }

    /// Which nodes the output depends on, itself included.
    ///
    /// Skipping the others is not for speed: a logarithm of 0 beside the way would send back 0 · ∞.
    func ancestors(of output: Node) -> [Bool] {
        var needed = [Bool](repeating: false, count: tape.count)
        needed[output.index] = true
        for node in nodes[...output.index].reversed() where needed[node.index] {
            for input in inputs(of: node) { needed[input.index] = true }
        }
        return needed
    }
}

/// The gradient of one scalar with respect to everything in a graph, zero where there is no way to it.
public struct Gradients: Sendable, Equatable {
    /// In the layout of ``Graph/values``.
    public let values: [Double]
    let ranges: [Range<Int>]

    /// The gradient with respect to a node, in the node's shape.
    public subscript(_ node: Graph.Node) -> [Double] { Array(values[ranges[node.index]]) }

    /// The gradient with respect to one element of a node.
    public subscript(_ node: Graph.Node, _ element: Int) -> Double { values[ranges[node.index].lowerBound + element] }
}
