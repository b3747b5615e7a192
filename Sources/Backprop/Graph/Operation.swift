// What a node can compute: the values, and right below them the local derivatives.
//
// The second table is all that the graph knows of calculus. It lists, for a node, its edges
// between single elements; backward passes, traces and paths are generic walks over those
// edges. A new operation is a line or two in each table, and the compiler asks for both.
// Subtraction and division are composed (a + (−1)·b, a · 1/b), so that the tables stay short.

import Foundation

extension Graph {
    /// What a node computes.
    public enum Operation: Sendable, Hashable {
        /// Whether a leaf is something to learn or something given.
        public enum Leaf: Sendable, Hashable { case parameter, constant }

        case leaf(Leaf)
        /// a + b, element by element; a scalar is added to every element.
        case add
        /// a · b, element by element; a scalar multiplies every element.
        case multiply
        /// W x, W being (rows, columns) row-major.
        case matrixVector(rows: Int, columns: Int)
        case activation(Activation)
        case exp
        case log
        /// 1/x.
        case reciprocal
        /// Σ xᵢ.
        case sum
        case loss(Loss, Target)

        /// The operation in one word, such as `sigmoid`; also the stem of an unnamed node's name.
        public var word: String {
            switch self {
            case .leaf(.parameter): "parameter"
            case .leaf(.constant): "constant"
            case .add: "add"
            case .multiply: "multiply"
            case .matrixVector: "matrixVector"
            case .activation(let function): function.rawValue
            case .exp: "exp"
            case .log: "log"
            case .reciprocal: "reciprocal"
            case .sum: "sum"
            case .loss(.squared, _): "squared"
            case .loss(.huber, _): "huber"
            case .loss(.binaryCrossEntropy, _): "binaryCrossEntropy"
            case .loss(.crossEntropy, _): "crossEntropy"
            }
        }
    }

    /// The influence of one element on another through one operation: ∂to/∂from.
    struct Edge: Sendable {
        var from: Int  // positions in `values`
        var to: Int
        var derivative: Double
    }

    /// Where a node's elements lie in `values`; a scalar's only element answers to every index.
    struct Elements {
        let range: Range<Int>
        subscript(_ i: Int) -> Int { range.lowerBound + (range.count == 1 ? 0 : i) }
        var indices: Range<Int> { 0..<range.count }
    }

    func elements(of node: Node) -> Elements { Elements(range: tape[node.index].elements) }

    /// How many elements an operation on these inputs gives.
    func resultCount(of operation: Operation, _ inputs: [Node]) -> Int {
        let counts = inputs.map { count(of: $0) }
        switch operation {
        case .add, .multiply:
            precondition(
                counts[0] == counts[1] || counts.contains(1),
                "cannot \(operation.word) \(counts[0]) and \(counts[1]) elements")
            return max(counts[0], counts[1])
        case .matrixVector(let rows, _): return rows
        case .sum, .loss: return 1
        case .leaf, .activation, .exp, .log, .reciprocal: return counts[0]
        }
    }

    /// The table of values: computes a node's elements from those of its inputs.
    mutating func evaluate(_ node: Node) {
        let inputs = tape[node.index].inputs
        guard let first = inputs.first, let last = inputs.last else { return }  // a leaf is set, not computed
        let (a, b, o) = (elements(of: first), elements(of: last), elements(of: node))

        switch operation(of: node) {
        case .leaf: break
        case .add: for i in o.indices { values[o[i]] = values[a[i]] + values[b[i]] }
        case .multiply: for i in o.indices { values[o[i]] = values[a[i]] * values[b[i]] }
        case .matrixVector(let rows, let columns):
            for r in 0..<rows {
                values[o[r]] = (0..<columns).reduce(0) { $0 + values[a[r * columns + $1]] * values[b[$1]] }
            }
        case .activation(let function): for i in o.indices { values[o[i]] = function(values[a[i]]) }
        case .exp: for i in o.indices { values[o[i]] = Foundation.exp(values[a[i]]) }
        case .log: for i in o.indices { values[o[i]] = Foundation.log(values[a[i]]) }
        case .reciprocal: for i in o.indices { values[o[i]] = 1 / values[a[i]] }
        case .sum: values[o[0]] = a.indices.reduce(0) { $0 + values[a[$1]] }
        case .loss(let loss, let target): values[o[0]] = loss.value(outputs: self[first], target: target)
        }
    }

    /// The table of local derivatives: every edge that ends in an element of this node.
    ///
    /// An operation that uses an input twice (t · t) has two edges from it, hence two paths.
    func forEachEdge(into node: Node, _ body: (Edge) -> Void) {
        let inputs = tape[node.index].inputs
        guard let first = inputs.first, let last = inputs.last else { return }  // nothing flows into a leaf
        let (a, b, o) = (elements(of: first), elements(of: last), elements(of: node))
        func edge(_ from: Int, _ to: Int, _ derivative: Double) {
            body(Edge(from: from, to: to, derivative: derivative))
        }

        switch operation(of: node) {
        case .leaf: break
        case .add: for i in o.indices { edge(a[i], o[i], 1); edge(b[i], o[i], 1) }
        case .multiply: for i in o.indices { edge(a[i], o[i], values[b[i]]); edge(b[i], o[i], values[a[i]]) }
        case .matrixVector(let rows, let columns):
            for r in 0..<rows {
                for c in 0..<columns { edge(a[r * columns + c], o[r], values[b[c]]) }  // ∂o/∂W = x
                for c in 0..<columns { edge(b[c], o[r], values[a[r * columns + c]]) }  // ∂o/∂x = W
            }
        case .activation(let function):
            for i in o.indices { edge(a[i], o[i], function.derivative(at: values[a[i]], value: values[o[i]])) }
        case .exp: for i in o.indices { edge(a[i], o[i], values[o[i]]) }
        case .log: for i in o.indices { edge(a[i], o[i], 1 / values[a[i]]) }
        case .reciprocal: for i in o.indices { edge(a[i], o[i], -values[o[i]] * values[o[i]]) }
        case .sum: for i in a.indices { edge(a[i], o[0], 1) }
        case .loss(let loss, let target):
            for (i, slope) in loss.gradient(outputs: self[first], target: target).enumerated() {
                edge(a[i], o[0], slope)
            }
        }
    }
}
