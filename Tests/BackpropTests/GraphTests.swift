// The graph's arithmetic: every operation's derivative against central differences, the
// broadcast rules, changing leaves, and the gradient as a sum over all paths.

import Backprop
import Testing

@Suite struct GraphTests {
    typealias Build = @Sendable (inout Graph) -> Graph.Node

    /// Graphs with one interesting operation each, at points away from kinks.
    static let operations = arithmetic + losses + activations

    static let arithmetic: [(name: String, build: Build)] = [
        ("add", { graph in graph.add(a(&graph), b(&graph)) }),
        ("add a scalar", { graph in graph.add(a(&graph), scalar(&graph)) }),
        ("add to a scalar", { graph in graph.add(scalar(&graph), a(&graph)) }),
        ("multiply", { graph in graph.multiply(a(&graph), b(&graph)) }),
        ("multiply by a scalar", { graph in graph.multiply(a(&graph), scalar(&graph)) }),
        ("multiply a scalar", { graph in graph.multiply(scalar(&graph), a(&graph)) }),
        (
            "square",
            { graph in
                let x = a(&graph)
                return graph.multiply(x, x)
            }
        ),
        ("matrixVector", { graph in graph.matrixVector(graph.leaf([0.5, -1.5, 2, 0.25, 1, -0.75], "W"), a(&graph)) }),
        ("exp", { graph in graph.exp(a(&graph)) }),
        ("log", { graph in graph.log(graph.leaf([0.2, 1, 7], "x")) }),
        ("reciprocal", { graph in graph.reciprocal(a(&graph)) }),
        ("sum", { graph in graph.sum(a(&graph)) }),
    ]

    static let losses: [(name: String, build: Build)] = [
        ("squared", { graph in graph.loss(.squared, a(&graph), target: .values([1, 2, -3])) }),
        ("huber inside", { graph in graph.loss(.huber(delta: 10), a(&graph), target: .values([1, 2, -3])) }),
        ("huber outside", { graph in graph.loss(.huber(delta: 0.1), a(&graph), target: .values([1, 2, -3])) }),
        ("binaryCrossEntropy", { graph in graph.loss(.binaryCrossEntropy, a(&graph), target: .values([1, 0, 0.3])) }),
        ("crossEntropy", { graph in graph.loss(.crossEntropy, a(&graph), target: .label(1)) }),
    ]

    static let activations: [(name: String, build: Build)] = Activation.allCases.filter(\.isDifferentiable).map {
        function in (function.rawValue, { graph in graph.activation(function, a(&graph)) })
    }

    static func a(_ graph: inout Graph) -> Graph.Node { graph.leaf([0.3, -1.2, 2.5], "a") }
    static func b(_ graph: inout Graph) -> Graph.Node { graph.leaf([-0.7, 0.9, 1.1], "b") }
    static func scalar(_ graph: inout Graph) -> Graph.Node { graph.leaf(-1.7, "s") }

    @Test(arguments: operations.map(\.name))
    func everyOperation_agreesWithCentralDifferences(name: String) throws {
        var graph = Graph()
        let result = try #require(Self.operations.first { $0.name == name }).build(&graph)
        // Weights that differ, so that a derivative sent to the wrong element is seen.
        let weights = graph.constant((0..<graph.count(of: result)).map { 0.5 + Double($0) })
        let weighted = graph.multiply(result, weights)
        let output = graph.sum(weighted)
        let check = GradientCheck(graph, output: output)
        #expect(check.entries.count == graph.parameters.reduce(0) { $0 + graph.count(of: $1) })
        // Differences are good to about 1e-10 (see GradientCheck), here of gradients of about 1.
        #expect(check.worst!.relativeError < 1e-8, "\(check.worst!)")
    }

    @Test func squareOfSum_hasDerivativeTwiceTheSum_overTwoPaths() {
        var graph = Graph()
        let x = graph.leaf(3, "x")
        let y = graph.leaf(4, "y")
        let t = graph.add(x, y, "x+y")
        let z = graph.multiply(t, t, "(x+y)^2")
        #expect(graph[z] == [49])
        let gradients = graph.backward(from: z)
        #expect(gradients[x] == [14])
        #expect(gradients[y] == [14])
        #expect(gradients[t] == [14])

        let paths = graph.paths(from: x, to: z)
        #expect(paths.count == 2)
        #expect(paths.largest.map(\.product) == [7, 7])
        #expect(paths.largest.map(\.share) == [0.5, 0.5])
        #expect(paths.largest[0].elements == ["x", "x+y", "(x+y)^2"])
        #expect(paths.largest[0].derivatives == [1, 7])
        #expect(paths.rest == 0)
    }

    @Test func setLeaf_computesWhatFollowsAgain() {
        var graph = Graph()
        let x = graph.leaf([1, 2], "x")
        let before = graph.exp(x)
        let y = graph.leaf(10, "y")
        let z = graph.add(graph.multiply(x, y), x)
        graph.set(x, to: [3, 4])
        #expect(graph[z] == [33, 44])
        #expect(graph[before].map { ($0 * 1e6).rounded() } == [20_085_537, 54_598_150])  // e³, e⁴
        graph.set(y, to: [1])
        #expect(graph[z] == [6, 8])
    }

    @Test func nodeBesideTheWay_leavesTheGradientAlone() {
        var graph = Graph()
        let x = graph.leaf(0, "x")
        let beside = graph.log(x)  // −∞, with an infinite derivative, but nothing uses it
        let z = graph.add(x, x)
        let after = graph.multiply(z, z)
        let gradients = graph.backward(from: z)
        #expect(gradients[x] == [2])
        #expect(gradients[beside] == [0])
        #expect(gradients[after] == [0])
    }

    @Test func step_learnsByItsSurrogate_andTheCheckSaysItIsNoGradient() {
        var graph = Graph()
        let x = graph.leaf(0.5, "x")
        let y = graph.activation(.step, x)
        #expect(graph[y] == [1])
        #expect(graph.backward(from: y)[x] == [1])
        #expect(GradientCheck(graph, output: y).entries[0].numeric == 0)
        #expect(GradientCheck(graph, output: y).worst!.relativeError == 1)
    }

    @Test func constants_areNotChecked_butHaveGradients() {
        var graph = Graph()
        let c = graph.constant(2, "c")
        let x = graph.leaf(3, "x")
        let z = graph.multiply(c, x)
        #expect(GradientCheck(graph, output: z).entries.map(\.name) == ["x"])
        #expect(graph.backward(from: z)[c] == [3])
    }

    @Test func names_tellRowAndColumnOfAMatrix() {
        var graph = Graph()
        let w = graph.leaf([1, 2, 3, 4, 5, 6], "W")
        let x = graph.leaf([1, 1, 1], "x")
        let z = graph.matrixVector(w, x)
        #expect(graph[z] == [6, 15])
        #expect(graph.name(of: w, element: 5) == "W[1,2]")
        #expect(graph.name(of: x, element: 2) == "x[2]")
        #expect(graph.name(of: z) == "matrixVector2")
    }

    // MARK: - Paths

    @Test(arguments: 0..<60)
    func randomGraph_gradientIsTheSumOverAllPaths_andAgreesWithDifferences(seed: UInt64) {
        var random = Random(seed: seed)
        let (graph, output) = Self.randomGraph(&random)
        let gradients = graph.backward(from: output)
        for leaf in graph.parameters {
            for element in 0..<graph.count(of: leaf) {
                let paths = graph.paths(from: leaf, element: element, to: output, limit: 100_000)
                let gradient = gradients[leaf, element]
                #expect(paths.gradient == gradient)
                #expect(paths.largest.count == paths.count && paths.rest == 0)
                let magnitudes = paths.largest.map { abs($0.product) }
                // Sums of the same terms in another order: a few roundings of the largest.
                let tolerance = 1e-12 * (1 + magnitudes.reduce(0, +))
                #expect(
                    abs(magnitudes.isEmpty ? gradient : paths.largest.reduce(-gradient) { $0 + $1.product })
                        <= tolerance)
                #expect(magnitudes == magnitudes.sorted(by: >))

                // A short list is the head of the long one, and the rest is what is missing.
                let short = graph.paths(from: leaf, element: element, to: output, limit: 3)
                #expect(short.largest.count == min(3, paths.count) && short.count == paths.count)
                for (a, b) in zip(short.largest, paths.largest) {
                    #expect(abs(abs(a.product) - abs(b.product)) <= 1e-12 * abs(b.product))
                }
                #expect(abs(short.largest.reduce(short.rest) { $0 + $1.product } - gradient) <= tolerance)
            }
        }
        let worst = GradientCheck(graph, output: output).worst
        #expect(worst!.relativeError < 1e-6, "\(worst!)")
    }

    /// A graph in which nodes are used again and again, smooth, with values kept near 1.
    static func randomGraph(_ random: inout Random) -> (Graph, Graph.Node) {
        var graph = Graph()
        var nodes = (0..<3).map { graph.leaf((0..<2).map { _ in random.uniform(-1, 1) }, "leaf\($0)") }
        let w = graph.leaf((0..<4).map { _ in random.uniform(-1, 1) }, "W")
        for _ in 0..<6 {
            let (a, b) = (nodes[random.below(nodes.count)], nodes[random.below(nodes.count)])
            switch random.below(6) {
            case 0: nodes.append(graph.add(a, b))
            case 1: nodes.append(graph.multiply(a, b))
            case 2: nodes.append(graph.matrixVector(w, a))
            case 3: nodes.append(graph.activation(.tanh, a))
            case 4: nodes.append(graph.activation(.sigmoid, a))
            default: nodes.append(graph.exp(graph.activation(.tanh, a)))
            }
        }
        let output = graph.add(graph.loss(.crossEntropy, nodes.last!, target: .label(0)), graph.sum(nodes[4]))
        return (graph, output)
    }

    @Test func pathsOfEqualSize_areListedWithoutExploringThemAll() {
        // t ← t + t, forty times: 2⁴⁰ paths, all equal.
        var graph = Graph()
        let x = graph.leaf(1, "x")
        var t = x
        for _ in 0..<40 { t = graph.add(t, t) }
        let paths = graph.paths(from: x, to: t)
        #expect(paths.count == 1 << 40)
        #expect(paths.largest.count == 50)
        #expect(Set(paths.largest.map(\.product)) == [1])
        #expect(paths.gradient == 0x1p40)
        #expect(paths.rest == 0x1p40 - 50)
    }

    @Test func countOfPaths_saturates() {
        var graph = Graph()
        let x = graph.leaf(1, "x")
        var t = x
        for _ in 0..<100 { t = graph.multiply(t, graph.add(t, graph.constant(-0.5))) }
        let paths = graph.paths(from: x, to: t)
        #expect(paths.count == .max)
        #expect(paths.largest.count == 50)
        #expect(paths.description.contains("all others"))
    }

    @Test func deadPaths_areListedWithProductZeroAndNoShare() {
        var graph = Graph()
        let x = graph.leaf(-1, "x")
        let y = graph.activation(.relu, x)
        let paths = graph.paths(from: x, to: y)
        #expect(paths.count == 1)
        #expect(paths.largest[0].product == 0)
        #expect(paths.largest[0].share == nil)
        let unconnected = graph.leaf(1)
        let none = graph.paths(from: x, to: unconnected)
        #expect(none.count == 0 && none.largest.isEmpty && none.rest == 0)
    }

    @Test func infiniteDerivatives_doNotTrap() {
        var graph = Graph()
        let x = graph.leaf(0, "x")
        let z = graph.multiply(graph.log(x), x)
        let paths = graph.paths(from: x, to: z)
        #expect(paths.count == 2)
        #expect(!paths.gradient.isFinite)
        #expect(GradientCheck(graph, output: z).worst!.relativeError == .infinity)
    }
}

extension GraphTests {
    /// SplitMix64 (Steele, Lea and Flood 2014), so that a failing seed fails everywhere.
    struct Random {
        private var state: UInt64
        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }

        mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
        mutating func uniform(_ low: Double, _ high: Double) -> Double {
            low + (high - low) * Double(next() >> 11) * 0x1p-53
        }
    }
}
