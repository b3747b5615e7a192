// Trace: a forward and a backward pass written down, for `eddy explain`.
//
// Per node, what a lecture draws on it: its value, and on each way into it the local
// derivative, the upstream gradient, and their product, which is what goes back. As data
// (Codable) for a dashboard and as text for a terminal. Values are not rounded in the data;
// JSON has no NaN or infinity, so an encoder has to be told what to do with them.

import Foundation

/// What happened in a graph, node by node.
///
///     print(graph.trace(from: z))
public struct Trace: Sendable, Codable, Equatable {
    /// One node, with its value from the forward pass and its gradient from the backward pass.
    public struct Node: Sendable, Codable, Equatable {
        public let name: String
        /// The operation in a word, such as `multiply`.
        public let operation: String
        /// The names of the nodes it computes from.
        public let inputs: [String]
        /// Its elements.
        public let value: [Double]
        /// ∂output/∂node, element by element, summed over all that the node feeds: the upstream
        /// gradient for its own edges.
        public let gradient: [Double]
        /// The ways back into its inputs, at most the limit; the ones that send the most, in order.
        public let edges: [Edge]
        /// How many more edges there are.
        public let omittedEdges: Int
    }

    /// What one element sends back to one element of an input.
    public struct Edge: Sendable, Codable, Equatable {
        /// The element that the gradient goes to, such as `W[0,2]`.
        public let to: String
        /// The element that it comes from.
        public let from: String
        /// The local derivative, ∂from/∂to.
        public let derivative: Double
        /// The gradient of the element that it comes from.
        public let upstream: Double
        /// derivative × upstream: a term of the sum that is the gradient of `to`.
        public let sent: Double
    }

    /// The nodes in forward order, the output last.
    public let forward: [Node]
    /// The same nodes in backward order, the output first.
    public var backward: [Node] { forward.reversed() }
}

extension Graph {
    /// Writes down the forward and the backward pass of a scalar output.
    ///
    /// - Parameters:
    ///   - nodes: the nodes of interest; by default all that the output depends on.
    ///   - edgeLimit: how many edges to list at a node (a matrix of 784 × 64 has 100,352); the largest are kept.
    public func trace(from output: Node, of nodes: [Node]? = nil, edgeLimit: Int = 64) -> Trace {
        let gradients = backward(from: output)
        let needed = ancestors(of: output)
        let interest = nodes.map(Set.init)
        let traced = self.nodes.filter { needed[$0.index] && interest?.contains($0) ?? true }
        return Trace(forward: traced.map { traceNode($0, gradients, edgeLimit: edgeLimit) })
    }

    private func traceNode(_ node: Node, _ gradients: Gradients, edgeLimit: Int) -> Trace.Node {
        var edges: [Edge] = []
        forEachEdge(into: node) { edges.append($0) }
        let count = edges.count
        func sent(_ edge: Edge) -> Double { edge.derivative * gradients.values[edge.to] }
        if count > edgeLimit {
            let bySize = edges.indices.sorted { abs(sent(edges[$0])) > abs(sent(edges[$1])) }
            edges = bySize.prefix(edgeLimit).sorted().map { edges[$0] }
        }
        return Trace.Node(
            name: name(of: node), operation: operation(of: node).word, inputs: inputs(of: node).map { name(of: $0) },
            value: self[node], gradient: gradients[node],
            edges: edges.map {
                Trace.Edge(
                    to: name(at: $0.from), from: name(at: $0.to), derivative: $0.derivative,
                    upstream: gradients.values[$0.to], sent: sent($0))
            },
            omittedEdges: count - edges.count)
    }
}

extension Trace: CustomStringConvertible {
    /// Both passes as text, numbers to six significant digits.
    ///
    ///     forward
    ///       x        3   parameter
    ///       y        4   parameter
    ///       x+y      7   add(x, y)
    ///       (x+y)^2  49  multiply(x+y, x+y)
    ///     backward: derivative × upstream = sent
    ///       (x+y)^2  gradient 1
    ///         x+y  7 × 1 = 7
    ///         x+y  7 × 1 = 7
    ///       x+y      gradient 14
    ///         x  1 × 14 = 14
    ///         y  1 × 14 = 14
    public var description: String {
        let names = forward.map(\.name.count).max() ?? 0
        let values = forward.map { Trace.format($0.value) }
        let width = values.map(\.count).max() ?? 0
        var lines = ["forward"]
        for (node, value) in zip(forward, values) {
            let inputs = node.inputs.isEmpty ? "" : "(\(node.inputs.joined(separator: ", ")))"
            lines.append("  \(pad(node.name, names))  \(pad(value, width))  \(node.operation)\(inputs)")
        }
        lines.append("backward: derivative × upstream = sent")
        for node in backward where !node.edges.isEmpty {
            lines.append("  \(pad(node.name, names))  gradient \(Trace.format(node.gradient))")
            let targets = node.edges.map(\.to.count).max() ?? 0
            for edge in node.edges {
                let numbers =
                    "\(Trace.format(edge.derivative)) × \(Trace.format(edge.upstream)) = \(Trace.format(edge.sent))"
                lines.append("    \(pad(edge.to, targets))  \(numbers)")
            }
            if node.omittedEdges > 0 { lines.append("    and \(Trace.counted(node.omittedEdges, "smaller one"))") }
        }
        lines.append("gradients")
        for node in forward where node.inputs.isEmpty {
            lines.append("  \(pad(node.name, names))  \(Trace.format(node.gradient))")
        }
        return lines.joined(separator: "\n")
    }
}

extension Trace {
    /// A number to six significant digits, `-0` as `0`.
    static func format(_ x: Double) -> String { String(format: "%.6g", x == 0 ? 0 : x) }

    /// A vector, or its only element; a long one is cut after eight elements.
    static func format(_ x: [Double]) -> String {
        guard x.count != 1 else { return format(x[0]) }
        let shown = x.prefix(8).map { format($0) } + (x.count > 8 ? ["… \(x.count) in all"] : [])
        return "[\(shown.joined(separator: ", "))]"
    }

    /// `1 path`, `2 paths`, `countless paths`.
    static func counted(_ count: Int, _ noun: String) -> String {
        "\(count == .max ? "countless" : "\(count)") \(noun)\(count == 1 ? "" : "s")"
    }
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
