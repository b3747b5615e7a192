// Traces: the two passes as text and as data.

import Backprop
import Foundation
import Testing

@Suite struct TraceTests {
    func squareOfSum() throws -> (Graph, Graph.Node) {
        var graph = Graph()
        let z = try Graph.Expression("(x+y)^2").record(in: &graph, values: ["x": 3, "y": 4])
        return (graph, z)
    }

    @Test func squareOfSum_readsAsInALecture() throws {
        let (graph, z) = try squareOfSum()
        #expect(
            graph.trace(from: z).description == """
                forward
                  x        3   parameter
                  y        4   parameter
                  x+y      7   add(x, y)
                  (x+y)^2  49  multiply(x+y, x+y)
                backward: derivative × upstream = sent
                  (x+y)^2  gradient 1
                    x+y  7 × 1 = 7
                    x+y  7 × 1 = 7
                  x+y      gradient 14
                    x  1 × 14 = 14
                    y  1 × 14 = 14
                gradients
                  x        14
                  y        14
                """)
        #expect(
            graph.paths(from: graph.parameters[0], to: z).description == """
                gradient of (x+y)^2 with respect to x: 14, over 2 paths
                  7 (50 %)  x → ×1 → x+y → ×7 → (x+y)^2
                  7 (50 %)  x → ×1 → x+y → ×7 → (x+y)^2
                """)
    }

    @Test func trace_holdsValuesAndGradients_inBothOrders() throws {
        let (graph, z) = try squareOfSum()
        let trace = graph.trace(from: z)
        #expect(trace.forward.map(\.name) == ["x", "y", "x+y", "(x+y)^2"])
        #expect(trace.backward.map(\.name) == ["(x+y)^2", "x+y", "y", "x"])
        #expect(trace.forward.map(\.value) == [[3], [4], [7], [49]])
        #expect(trace.forward.map(\.gradient) == [[14], [14], [14], [1]])
        let edges = trace.forward[2].edges
        #expect(edges.map(\.to) == ["x", "y"] && edges.map(\.from) == ["x+y", "x+y"])
        #expect(edges.map { [$0.derivative, $0.upstream, $0.sent] } == [[1, 14, 14], [1, 14, 14]])
        #expect(graph.trace(from: z, of: [graph.parameters[1]]).forward.map(\.name) == ["y"])
    }

    @Test func whatIsSentToAnElement_addsUpToItsGradient() {
        var random = GraphTests.Random(seed: 3)
        let (graph, output) = GraphTests.randomGraph(&random)
        let trace = graph.trace(from: output, edgeLimit: .max)
        var sums: [String: Double] = [:]
        for edge in trace.forward.flatMap(\.edges) { sums[edge.to, default: 0] += edge.sent }
        for node in graph.nodes where node != output {
            for element in 0..<graph.count(of: node) {
                let sum = sums[graph.name(of: node, element: element)] ?? 0
                #expect(abs(sum - graph.backward(from: output)[node, element]) < 1e-12)
            }
        }
    }

    @Test func wideNode_listsItsLargestEdges_andCountsTheRest() {
        var graph = Graph()
        let w = graph.leaf((0..<20).map { Double($0) }, "W")
        let x = graph.leaf([0.1, -1000], "x")
        let z = graph.sum(graph.matrixVector(w, x, "Wx"), "z")
        let node = graph.trace(from: z, edgeLimit: 10).forward.first { $0.name == "Wx" }!
        #expect(node.edges.count == 10)
        #expect(node.omittedEdges == 30)
        #expect(node.edges.map(\.to) == (0..<10).map { "W[\($0),1]" })
        #expect(graph.trace(from: z, edgeLimit: 10).description.contains("and 30 smaller ones"))
    }

    @Test func traceAndPaths_surviveJSON() throws {
        let (graph, z) = try squareOfSum()
        let trace = graph.trace(from: z)
        #expect(try JSONDecoder().decode(Trace.self, from: JSONEncoder().encode(trace)) == trace)
        let paths = graph.paths(from: graph.parameters[0], to: z)
        #expect(try JSONDecoder().decode(Paths.self, from: JSONEncoder().encode(paths)) == paths)
        let share = ErrorShare(weights: [3, 2], inputs: [1, 1], errors: [0.6])
        #expect(try JSONDecoder().decode(ErrorShare.self, from: JSONEncoder().encode(share)) == share)
    }

    @Test func numbers_haveSixSignificantDigits_andLongVectorsAreCut() {
        var graph = Graph()
        let x = graph.leaf((0..<12).map { Double($0) / 3 }, "x")
        let z = graph.sum(x, "z")
        let text = graph.trace(from: z, edgeLimit: 1).description
        #expect(text.contains("[0, 0.333333, 0.666667, 1, 1.33333, 1.66667, 2, 2.33333, … 12 in all]"))
    }
}
