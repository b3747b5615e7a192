// Every example of the lecture notes that Eddy began with, as a claim.
//
// Two slips in the notes are not copied: the sigmoid's local gradient is y(1 − y) with
// maximum 0.25, and an add node's is 1 for both inputs.

import Backprop
import Foundation
import Testing

// MARK: - 000: error sent back in proportion, epochs

@Suite struct Seed000_ErrorSharedInProportion {
    @Test func error06_ofContributions3And2_isShared036And024() {
        let share = ErrorShare(weights: [3, 2], inputs: [1, 1], errors: [0.6])
        #expect(share.shares == [0.6, 0.4])
        #expect(share.rules == [.proportional])
        #expect(isClose(share.sentBack, [0.36, 0.24]))
        // It is the product w · a that counts, and a common sign changes nothing.
        #expect(isClose(ErrorShare(weights: [-1.5, -4], inputs: [2, 0.5], errors: [0.6]).sentBack, [0.36, 0.24]))
    }

    @Test func unitThatFeedsTwo_getsTheSumOfItsSharesOfBoth() {
        // (outputs, inputs): the first output took 3 and 2, the second 1 and 3.
        let share = ErrorShare(weights: [3, 2, 1, 3], inputs: [1, 1], errors: [0.6, -0.4])
        #expect(isClose(share.sentBack, [0.36 - 0.1, 0.24 - 0.3]))
    }

    @Test func sharing_goesBackThroughLayers_andLosesNothing() {
        let last = ErrorShare(weights: [3, 2], inputs: [0.5, 0.5], errors: [0.6])
        let first = ErrorShare(weights: [1, 1, 2, 6], inputs: [1, 1], errors: last.sentBack)
        #expect(isClose(first.sentBack, [0.18 + 0.06, 0.18 + 0.18]))
        #expect(isClose([first.sentBack.reduce(0, +)], [0.6]))
    }

    @Test func mixedSigns_areSharedByMagnitude_andSaySo() {
        let share = ErrorShare(weights: [3, -1], inputs: [1, 1], errors: [1])
        #expect(share.shares == [0.75, 0.25])
        #expect(share.rules == [.mixedSigns])
    }

    @Test func nothingContributed_sharesNothing() {
        let share = ErrorShare(weights: [3, -1, 0, .infinity], inputs: [0, 0], errors: [1, 1])
        #expect(share.shares == [0, 0, 0, 0])
        #expect(share.rules == [.none, .none])
        #expect(share.sentBack == [0, 0])
    }

    @Test func hugeContributions_doNotOverflow() {
        let huge = Double.greatestFiniteMagnitude
        #expect(ErrorShare(weights: [huge, huge], inputs: [1, 1], errors: [1]).shares == [0.5, 0.5])
        let tiny = Double.leastNonzeroMagnitude
        #expect(ErrorShare(weights: [tiny, tiny], inputs: [1, 1], errors: [1]).shares == [0.5, 0.5])
    }

    @Test func moreEpochs_lessError() {
        let samples: [(x: [Double], target: Double)] = [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
        var network = TwoLayers(
            w1: [1, 1, -1, -1], b1: [-0.5, 1.5], w2: [1, 1], b2: [-1.2], hidden: .sigmoid)
        let epochs = (0..<4).map { _ in
            (0..<150).map { _ in samples.map { network.learn($0.x, $0.target, rate: 0.5) }.reduce(0, +) }.last!
        }
        #expect(zip(epochs, epochs.dropFirst()).allSatisfy { $0 > $1 }, "\(epochs)")
    }
}

// MARK: - 001: z = W¹x + b¹, h = σ(z), o = W²h + b²

@Suite struct Seed001_TwoLayers {
    @Test func forwardAndBackward_giveTheNumbersComputedByHand() {
        let network = TwoLayers(w1: [0.1, 0.2, -0.3, 0.4], b1: [0, 0.1], w2: [1, -1], b2: [0.2], hidden: .sigmoid)
        let (graph, n) = network.graph([1, 2], target: 1)
        // z₁ = 0.1·1 + 0.2·2 + 0, z₂ = −0.3·1 + 0.4·2 + 0.1
        #expect(isClose(graph[n.z], [0.5, 0.6]))
        // 1/(1 + e^−0.5), 1/(1 + e^−0.6)
        #expect(isClose(graph[n.h], [0.6224593312018546, 0.6456563062257954]))
        // 0.62245… − 0.64565… + 0.2
        #expect(isClose(graph[n.o], [0.1768030249760592]))
        // (0.17680… − 1)²
        #expect(isClose(graph[n.loss], [0.6776532596885665]))

        let gradients = graph.backward(from: n.loss)
        // 2(o − 1) = −1.6463939500478816, times h
        #expect(isClose(gradients[n.b2], [-1.6463939500478816]))
        #expect(isClose(gradients[n.w2], [-1.0248132770415839, -1.0630046363804118]))
        // times W², times h(1 − h) = 0.2350037122015945, 0.2287842404566573
        #expect(isClose(gradients[n.b1], [-0.386908690007499, 0.376668989354140]))
        // times x = (1, 2)
        #expect(
            isClose(gradients[n.w1], [-0.386908690007499, -0.773817380014997, 0.376668989354140, 0.753337978708281]))
        #expect(GradientCheck(graph, output: n.loss).worst!.relativeError < 1e-8)
    }

    @Test func eachParameter_isCorrectedByItsOwnShareOfTheError() {
        var network = TwoLayers(w1: [0.1, 0.2, -0.3, 0.4], b1: [0, 0.1], w2: [1, -1], b2: [0.2], hidden: .sigmoid)
        let before = network
        let first = network.learn([1, 2], 1, rate: 0.1)
        #expect(isClose(network.b2, [before.b2[0] + 0.16463939500478816]))
        #expect(isClose(network.w1, [0.138690869000750, 0.277381738001500, -0.337666898935414, 0.324666202129172]))
        #expect(network.learn([1, 2], 1, rate: 0.1) < first)
    }

    @Test(arguments: [(3.0, 4.0), (-2, 5), (0.5, -0.5)])
    func squareOfSum_hasDerivativeTwiceTheSum(x: Double, y: Double) throws {
        var graph = Graph()
        let z = try Graph.Expression("(x+y)^2").record(in: &graph, values: ["x": x, "y": y])
        #expect(graph[z] == [(x + y) * (x + y)])
        for variable in graph.parameters { #expect(graph.backward(from: z)[variable] == [2 * (x + y)]) }
    }
}

// MARK: - 002: sigmoid, chain rule, cross-entropy, information

@Suite struct Seed002_ChainRuleAndInformation {
    @Test func sigmoidsDerivative_isYTimes1MinusY() {
        for x in stride(from: -6.0, through: 6, by: 0.75) {
            var graph = Graph()
            let leaf = graph.leaf(x)
            let y = graph.activation(.sigmoid, leaf)
            let value = 1 / (1 + exp(-x))
            #expect(isClose(graph.backward(from: y)[leaf], [value * (1 - value)]))
        }
    }

    @Test func chainRule_derivativeOfFOfG_isTheProductOfBoth() {
        // F = f(g(x)), f = log, g = exp + 1: F′ = 1/(eˣ + 1) · eˣ
        var graph = Graph()
        let x = graph.leaf(0.7, "x")
        let g = graph.add(graph.exp(x), graph.constant(1))
        let f = graph.log(g)
        let gradients = graph.backward(from: f)
        #expect(isClose(gradients[g], [1 / (exp(0.7) + 1)]))
        #expect(isClose(gradients[x], [1 / (exp(0.7) + 1) * exp(0.7)]))
    }

    @Test func softmaxCrossEntropy_isTheSurpriseOfTheLabel_andItsGradientProbabilityMinusTarget() {
        let logits = [1.0, 2, 0.5]
        let sum = logits.map { exp($0) }.reduce(0, +)
        var graph = Graph()
        let outputs = graph.leaf(logits)
        let loss = graph.loss(.crossEntropy, outputs, target: .label(0))
        #expect(isClose(graph[loss], [Information.surprise(exp(1) / sum)]))
        #expect(isClose(graph.backward(from: loss)[outputs], [exp(1) / sum - 1, exp(2) / sum, exp(0.5) / sum]))
    }

    @Test func crossEntropy_fallsToZeroAsTheAnswersProbabilityNears1() {
        let losses = [-2.0, 0, 2, 8, 40].map { Loss.crossEntropy.value(outputs: [$0, 0], target: .label(0)) }
        #expect(zip(losses, losses.dropFirst()).allSatisfy { $0 > $1 })
        #expect(losses.last! < 1e-15)
    }

    @Test func surprise_isNeverNegative_zeroForTheCertain_largerForTheRarer() {
        #expect(Information.surprise(1) == 0 && Information.surprise(1).sign == .plus)
        #expect(Information.surprise(0) == .infinity)
        let surprises = [1, 0.9, 0.5, 0.1, 1e-9].map { Information.surprise($0) }
        #expect(zip(surprises, surprises.dropFirst()).allSatisfy { 0 <= $0 && $0 < $1 })
    }

    @Test func surprise_ofIndependentEvents_adds() {
        #expect(isClose([Information.surprise(0.25 * 0.1)], [Information.surprise(0.25) + Information.surprise(0.1)]))
    }

    @Test func bits_countHalvings() {
        #expect(LossUnit.bits.from(nats: Information.surprise(0.5)) == 1)
        #expect(isClose([LossUnit.bits.from(nats: Information.surprise(1 / 8.0))], [3]))
        #expect(LossUnit.nats.from(nats: 0.7) == 0.7)
    }

    @Test func entropy_isHighestForTheEven_andZeroForTheCertain() {
        #expect(isClose([LossUnit.bits.from(nats: Information.entropy([1, 1, 1, 1]))], [2]))
        #expect(Information.entropy([0, 7, 0]) == 0)
        #expect(Information.entropy([]) == 0)
        #expect(Information.entropy([9, 1]) < Information.entropy([6, 4]))
        #expect(isClose([Information.entropy([3, 1])], [0.75 * log(4 / 3.0) + 0.25 * log(4)]))
        #expect(isClose([Information.entropy([0.75, 0.25])], [Information.entropy([3, 1])]))
    }
}

// MARK: - 003: nodes and their backward rules, local minima, vanishing gradients

@Suite struct Seed003_OperatorNodes {
    /// A two-input node's gradients when the gradient 5 flows in.
    func gradients(_ a: Double, _ b: Double, _ node: (inout Graph, Graph.Node, Graph.Node) -> Graph.Node) -> [Double] {
        var graph = Graph()
        let (x, y) = (graph.leaf(a), graph.leaf(b))
        let result = node(&graph, x, y)
        let output = graph.multiply(result, graph.constant(5))
        let gradients = graph.backward(from: output)
        return gradients[x] + gradients[y]
    }

    /// An activation's gradient at x when the gradient 5 flows in.
    func gradient(_ function: Activation, _ x: Double) -> Double {
        gradients(x, 0) { graph, x, _ in graph.activation(function, x) }[0]
    }

    @Test func addNode_passesTheGradientOn() {
        #expect(gradients(2, 3) { graph, x, y in graph.add(x, y) } == [5, 5])
    }

    @Test func multiplyNode_swapsItsInputs() {
        #expect(gradients(2, 3) { graph, x, y in graph.multiply(x, y) } == [15, 10])
    }

    @Test func reluNode_passesAbove0_andBlocksBelow() {
        #expect([2.0, 0, -2].map { gradient(.relu, $0) } == [5, 0, 0])
    }

    @Test func sigmoidNode_sendsYTimes1MinusY_atMostAQuarter() {
        let slopes = stride(from: -8.0, through: 8, by: 0.125).map { gradient(.sigmoid, $0) / 5 }
        #expect(slopes.max() == 0.25)
        #expect(gradient(.sigmoid, 0) == 1.25)
    }

    @Test func tanhNode_sends1MinusYSquared() {
        #expect(gradient(.tanh, 0) == 5)
        #expect(isClose([gradient(.tanh, 0.8)], [5 * (1 - tanh(0.8) * tanh(0.8))]))
    }

    @Test func descent_endsInTheMinimumNearItsStart() throws {
        let valley = try Graph.Expression("x^4 - 2*x^2 + 0.3*x")
        func descend(from start: Double) throws -> (x: Double, value: Double) {
            var graph = Graph()
            let output = try valley.record(in: &graph, values: ["x": start])
            let x = graph.parameters[0]
            for _ in 0..<500 { graph.set(x, to: [graph[x, 0] - 0.02 * graph.backward(from: output)[x, 0]]) }
            return (graph[x, 0], graph[output, 0])
        }
        let (left, right) = (try descend(from: -0.5), try descend(from: 0.5))
        #expect(left.x < -0.9 && right.x > 0.9)
        #expect(left.value < right.value - 0.5)  // one is the global minimum, the other only local
    }

    @Test func twelveSigmoidLayers_loseTheGradient_reluKeepsIt() {
        func firstToLast(_ function: Activation) -> Double {
            var random = GraphTests.Random(seed: 7)
            var graph = Graph()
            let (width, bound) = (16, (6.0 / 16).squareRoot())  // He et al. 2015
            var weights: [Graph.Node] = []
            var x = graph.constant((0..<width).map { _ in random.uniform(-1, 1) })
            for layer in 0..<12 {
                weights.append(graph.leaf((0..<width * width).map { _ in random.uniform(-bound, bound) }, "W\(layer)"))
                x = graph.activation(function, graph.matrixVector(weights[layer], x))
            }
            let loss = graph.loss(.crossEntropy, x, target: .label(0))
            let gradients = graph.backward(from: loss)
            func norm(_ node: Graph.Node) -> Double { gradients[node].reduce(0) { $0 + $1 * $1 }.squareRoot() }
            return norm(weights[0]) / norm(weights[11])
        }
        let (sigmoid, relu) = (firstToLast(.sigmoid), firstToLast(.relu))
        #expect(sigmoid < 1e-4, "\(sigmoid)")
        #expect(relu > 0.05, "\(relu)")
    }
}

// MARK: - 004: unit steps, the last layer, a unit that feeds two others

@Suite struct Seed004_StepsAndSharedUnits {
    @Test func networkOfUnitSteps_gives1ForX2And1() {
        // f₁, f₂, f₃ hidden and f₄ the output; the notes' figure gives no weights, these are ours:
        // p₁ = 2 − 1 = 1 → 1, p₂ = −2 + 1 = −1 → 0, p₃ = 0.5·2 + 0.5·1 = 1.5 → 1, p₄ = 1 + 0 + 0.5 − 1 = 0.5 → 1
        var graph = Graph()
        let x = graph.constant([2, 1], "x")
        let w = graph.leaf([1, -1, -1, 1, 0.5, 0.5], "w")
        let q = graph.activation(.step, graph.matrixVector(w, x), "q")
        let v = graph.leaf([1, 1, 0.5], "v")
        let p = graph.add(graph.matrixVector(v, q), graph.leaf(-1, "b"), "p4")
        let y = graph.activation(.step, p, "Y")
        #expect(graph[q] == [1, 0, 1])
        #expect(graph[p] == [0.5])
        #expect(graph[y] == [1])

        // With the perceptron rule in place of the step's derivative, target 0: ∂L/∂v = 2(Y − 0) · 1 · q.
        let loss = graph.loss(.squared, y, target: .values([0]), "L")
        #expect(graph.backward(from: loss)[v] == [2, 0, 2])
        // An unused unit's weight still gets its error: 2 · v · x.
        #expect(graph.backward(from: loss)[w] == [4, 2, 4, 2, 2, 1])
    }

    @Test func lastLayersGradient_isTheProductOfThreeDerivatives() {
        // p₂ = w q₁ + …, q₂ = f(p₂), L(q₂): ∂L/∂w = ∂L/∂q₂ · ∂q₂/∂p₂ · ∂p₂/∂w
        var graph = Graph()
        let q1 = graph.constant(0.8, "q1")
        let w = graph.leaf(0.5, "w")
        let q2 = graph.activation(.sigmoid, graph.multiply(w, q1, "p2"), "q2")
        let loss = graph.loss(.squared, q2, target: .values([1]), "L")
        let y = 1 / (1 + exp(-0.4))
        #expect(isClose(graph.backward(from: loss)[w], [2 * (y - 1) * (y * (1 - y)) * 0.8]))
        #expect(isClose(graph.paths(from: w, to: loss).largest[0].derivatives, [0.8, y * (1 - y), 2 * (y - 1)]))
    }

    @Test func unitThatFeedsTwo_hasTheSumOverBothPaths() {
        // w₁₁ → p₁ → q₁, then q₁ → p₂ → q₂ → L and q₁ → p₃ → q₃ → L
        var graph = Graph()
        let x = graph.constant(2, "x1")
        let w11 = graph.leaf(0.3, "w11")
        let q1 = graph.activation(.sigmoid, graph.multiply(w11, x, "p1"), "q1")
        let q2 = graph.activation(.sigmoid, graph.multiply(graph.leaf(0.7, "w12"), q1, "p2"), "q2")
        let q3 = graph.activation(.sigmoid, graph.multiply(graph.leaf(-1.1, "w13"), q1, "p3"), "q3")
        let error2 = graph.loss(.squared, q2, target: .values([1]), "L2")
        let error3 = graph.loss(.squared, q3, target: .values([1]), "L3")
        let loss = graph.add(error2, error3, "L")

        func slope(_ y: Double) -> Double { y * (1 - y) }
        let (y1, y2, y3) = (graph[q1, 0], graph[q2, 0], graph[q3, 0])
        let over2 = 2 * (y2 - 1) * slope(y2) * 0.7 * slope(y1) * 2
        let over3 = 2 * (y3 - 1) * slope(y3) * -1.1 * slope(y1) * 2
        #expect(isClose(graph.backward(from: loss)[w11], [over2 + over3]))

        let paths = graph.paths(from: w11, to: loss)
        #expect(paths.count == 2 && paths.rest == 0)
        #expect(isClose(paths.largest.map(\.product), [over3, over2]))  // the larger first
        #expect(
            paths.largest.map(\.elements) == [
                ["w11", "p1", "q1", "p3", "q3", "L3", "L"], ["w11", "p1", "q1", "p2", "q2", "L2", "L"],
            ])
        #expect(isClose([paths.largest.compactMap(\.share).reduce(0, +)], [1]))
    }

    @Test func stepUnit_learnsANDByThePerceptronRule() {
        let samples: [(x: [Double], target: Double)] = [([0, 0], 0), ([0, 1], 0), ([1, 0], 0), ([1, 1], 1)]
        var (w, b) = ([0.0, 0], [0.0])
        var errorsByEpoch: [Double] = []
        for _ in 0..<10 {
            var errors = 0.0
            for (x, target) in samples {
                var graph = Graph()
                let (wNode, bNode) = (graph.leaf(w, "w"), graph.leaf(b, "b"))
                let sum = graph.add(graph.matrixVector(wNode, graph.constant(x)), bNode)
                let y = graph.activation(.step, sum, "y")
                let loss = graph.loss(.squared, y, target: .values([target]))
                let gradients = graph.backward(from: loss)
                // Half of 2(y − t)·x is Rosenblatt's rule.
                #expect(gradients[wNode] == x.map { 2 * (graph[y, 0] - target) * $0 })
                w = zip(w, gradients[wNode]).map { $0 - 0.5 * $1 }
                b[0] -= 0.5 * gradients[bNode, 0]
                errors += graph[loss, 0]
            }
            errorsByEpoch.append(errors)
        }
        #expect(errorsByEpoch.first! > 0)
        #expect(errorsByEpoch.last == 0)
        #expect(samples.map { Activation.step(w[0] * $0.x[0] + w[1] * $0.x[1] + b[0]) } == [0, 0, 0, 1])
    }
}

// MARK: - Shared by the examples

/// The network of seed 001, as plain arrays that a graph is recorded from for every sample.
private struct TwoLayers {
    var w1: [Double], b1: [Double], w2: [Double], b2: [Double]
    var hidden: Activation

    struct Nodes { var w1, b1, w2, b2, z, h, o, loss: Graph.Node }

    func graph(_ x: [Double], target: Double) -> (Graph, Nodes) {
        var graph = Graph()
        let (w1, b1) = (graph.leaf(w1, "W1"), graph.leaf(b1, "b1"))
        let (w2, b2) = (graph.leaf(w2, "W2"), graph.leaf(b2, "b2"))
        let z = graph.add(graph.matrixVector(w1, graph.constant(x, "x"), "W1 x"), b1, "z")
        let h = graph.activation(hidden, z, "h")
        let o = graph.add(graph.matrixVector(w2, h, "W2 h"), b2, "o")
        let loss = graph.loss(.squared, o, target: .values([target]), "loss")
        return (graph, Nodes(w1: w1, b1: b1, w2: w2, b2: b2, z: z, h: h, o: o, loss: loss))
    }

    /// One step of gradient descent; returns the loss before it.
    mutating func learn(_ x: [Double], _ target: Double, rate: Double) -> Double {
        let (graph, nodes) = graph(x, target: target)
        let gradients = graph.backward(from: nodes.loss)
        func moved(_ value: [Double], _ node: Graph.Node) -> [Double] {
            zip(value, gradients[node]).map { $0 - rate * $1 }
        }
        (w1, b1) = (moved(w1, nodes.w1), moved(b1, nodes.b1))
        (w2, b2) = (moved(w2, nodes.w2), moved(b2, nodes.b2))
        return graph[nodes.loss, 0]
    }
}

/// Equal but for a few roundings (hand-computed numbers are given to 13 digits).
private func isClose(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 1e-12 * max(1, abs($0), abs($1)) }
}
