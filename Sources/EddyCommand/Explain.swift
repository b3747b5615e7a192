// eddy explain: forward and backward, number by number.

import ArgumentParser
import Eddy
import Foundation

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows forward and backward, number by number, for an expression or for one sample of a model.",
        discussion: """
            eddy explain "(x+y)^2" x=3 y=4
            eddy explain "sigmoid(w*x+b)" w=0.5 x=2 b=-1
            eddy explain --load model.eddy --sample 5.1,3.5,1.4,0.2,setosa

            For each step: its value, its local derivatives, the gradient that reaches it (upstream times local,
            summed over all paths), and every path from a variable or weight to the end with its share.
            """)

    @Argument(help: "An expression of + - * / ^, exp, log, sigmoid, tanh, relu, leakyrelu, step, numbers and names.")
    var expression: String?

    @Argument(help: "The values of its names, such as x=3.")
    var values: [String] = []

    @Option(help: "A model file, from --save.", completion: .file(extensions: ["eddy"]))
    var load: String?

    @Option(help: "A sample of that model as a line of CSV or JSON, with its label.")
    var sample: String?

    @Option(
        help: "The weight whose paths are listed, such as W1[0,2]: layer 1, unit 0, input 2. (default: the steepest)")
    var weight: String?

    @Option(help: "How many paths are listed at most.")
    var paths = 50

    func validate() throws {
        if (expression == nil) == (load == nil) {
            throw ValidationError("give an expression with its values, or --load MODEL with --sample LINE")
        }
        if load != nil, sample == nil { throw ValidationError("give the --sample to explain") }
        if paths < 1 { throw ValidationError("paths \(paths): expected at least 1") }
    }

    func run() throws {
        if let expression { try explain(expression) } else { try explainSample() }
    }

    // MARK: An expression

    private func explain(_ source: String) throws {
        let expression: Graph.Expression
        do { expression = try Graph.Expression(source) } catch { throw CommandError("\(source): \(error)") }
        var named: [String: Double] = [:]
        for value in values {
            let parts = value.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let number = Double(parts[1]), number.isFinite else {
                throw CommandError("\(value): expected a name and a number, such as x=3")
            }
            named[String(parts[0])] = number
        }
        for name in named.keys.sorted() where !expression.variables.contains(name) {
            throw CommandError(
                "\(name): the expression has no such name, only \(expression.variables.joined(separator: ", "))")
        }
        var graph = Graph()
        let result: Graph.Node
        do { result = try expression.record(in: &graph, values: named) } catch {
            throw CommandError("\(source): \(error)")
        }
        print(graph.trace(from: result))
        let gradients = graph.backward(from: result)
        for variable in graph.parameters {
            print("\n∂(\(source))/∂\(graph.name(of: variable)) = \(short(gradients[variable][0]))")
            print(graph.paths(from: variable, to: result, limit: paths))
        }
    }

    // MARK: A sample

    private func explainSample() throws {
        let (learner, schema) = try Learner.load(load!)
        guard let network = learner.network, let schema else {
            throw CommandError("\(load!): the model has learned nothing yet")
        }
        let sample = try parse(self.sample!, schema)
        let scaled = learner.scaled(sample.features)
        let target = try target(sample.label, learner)
        let seen = network.graph(features: scaled, target: target)

        print("inputs                    given        as the network sees it")
        for (j, name) in schema.inputs.enumerated() {
            print("  \(column(name, 20)) \(column(short(Double(sample.features[j])), 14)) \(short(Double(scaled[j])))")
        }
        print("\nforward   z = Wx + b, h = f(z)")
        for (l, layer) in network.layers.enumerated() {
            print("  layer \(l + 1), \(layer.outputs) \(layer.activation.rawValue) units")
            let (z, h) = (seen.graph[seen.sums[l]], seen.graph[seen.activations[l]])
            for k in z.indices {
                let names = [seen.sums[l], seen.activations[l]].map { seen.graph.name(of: $0, element: k) }
                let meaning = l == network.layers.count - 1 ? output(k, learner) : ""
                print(
                    "    \(column(names[0], 8)) \(column(short(z[k]), 12)) \(column(names[1], 8)) "
                        + "\(column(short(h[k]), 12)) \(meaning)")
            }
        }
        try printPrediction(sample.features, learner)
        guard let loss = seen.loss, let target else {
            print("\nno label: no loss, and nothing to send back")
            return
        }
        printLoss(seen.graph[loss][0], network.loss)
        printBackward(network, seen, loss)
        printErrorShares(network, seen, target)
        try printPaths(network, seen, loss, schema)
    }

    /// What an output stands for.
    private func output(_ k: Int, _ learner: Learner) -> String {
        guard learner.task == .classification, learner.network!.outputs > 1 else { return "" }
        return k < learner.classes.count ? learner.classes[k] : "in reserve, for a class to come"
    }

    private func parse(_ line: String, _ schema: Schema) throws -> Sample {
        var decoder = SampleDecoder(schema: SchemaClaim(schema))
        var bytes = Array((line + "\n").utf8)[...]
        let chunk = decoder.decode(&bytes)
        for event in chunk.events {
            if case .rejected(let error) = event.kind { throw CommandError("--sample: \(error)") }
        }
        guard chunk.samples.count == 1 else {
            throw CommandError("--sample: expected one sample, got \(chunk.samples.count)")
        }
        return Sample(chunk.samples.features, label: chunk.samples.labels[0])
    }

    private func target(_ label: Label, _ learner: Learner) throws -> Target? {
        switch (label, learner.task) {
        case (.none, _), (_, nil): return nil
        case (.number(let value), .regression): return .values([Double(learner.scaledTarget(value))])
        case (.text(let name), .regression): throw CommandError("label \(name): expected a number")
        case (_, .classification):
            guard let index = learner.classIndex(of: label) else {
                throw CommandError("label: expected one of \(learner.classes.joined(separator: ", "))")
            }
            return learner.network!.loss == .crossEntropy ? .label(index) : .values([Double(index)])
        }
    }

    private func printPrediction(_ features: [Float], _ learner: Learner) throws {
        switch try learner.predict(features) {
        case .value(let value): print("\nprediction \(value)")
        case .class(let name, let probability): print("\nprediction \(name), probability \(probability)")
        }
    }

    private func printLoss(_ value: Double, _ loss: Loss) {
        if loss.isCrossEntropy {
            let bits = LossUnit.bits.from(nats: value)
            print("loss       \(short(value)) nats = \(short(bits)) bits, the surprise −log p of the label")
        } else {
            print("loss       \(short(value)) (\(loss.name), on the scaled target)")
        }
    }

    private func printBackward(_ network: Network, _ seen: NetworkGraph, _ loss: Graph.Node) {
        let gradients = seen.graph.backward(from: loss)
        print("\nbackward   dz = dh · f′(z), dW = dz xᵀ, db = dz, dx = Wᵀ dz")
        for l in network.layers.indices.reversed() {
            let (dh, dz) = (gradients[seen.activations[l]], gradients[seen.sums[l]])
            let (dW, db) = (gradients[seen.weights[l]], gradients[seen.biases[l]])
            let norm = (dW + db).reduce(0) { $0 + $1 * $1 }.squareRoot()
            print("  layer \(l + 1)   ‖gradient‖ \(short(norm))")
            let h = seen.graph[seen.activations[l]]
            let z = seen.graph[seen.sums[l]]
            for k in dz.indices {
                let local = network.layers[l].activation.derivative(at: z[k], value: h[k])
                print(
                    "    \(column(seen.graph.name(of: seen.sums[l], element: k), 8)) upstream \(column(short(dh[k]), 12)) "
                        + "f′(z) \(column(short(local), 10)) dz \(short(dz[k]))")
            }
        }
    }

    /// The proportional form in which backpropagation is first taught: each unit gets back the share of the error that it
    /// contributed. Not the gradient; beside it.
    private func printErrorShares(_ network: Network, _ seen: NetworkGraph, _ target: Target) {
        var errors: [Double]
        let outputs = seen.graph[seen.outputs]
        switch (network.loss, target) {
        case (.crossEntropy, .label(let label)):
            errors = Loss.softmax(outputs).enumerated().map { ($0.offset == label ? 1 : 0) - $0.element }
        case (.binaryCrossEntropy, .values(let t)): errors = zip(t, outputs).map { $0 - Activation.sigmoid($1) }
        case (_, .values(let t)): errors = zip(t, outputs).map { $0 - $1 }
        default: return
        }
        print("\nerror shared in proportion to contributions w·a (target − output; not the gradient)")
        print("  outputs    \(errors.map { short($0) }.joined(separator: "  "))")
        for l in network.layers.indices.reversed() {
            let inputs = l == 0 ? seen.graph[seen.inputs] : seen.graph[seen.activations[l - 1]]
            let share = ErrorShare(weights: seen.graph[seen.weights[l]], inputs: inputs, errors: errors)
            let mixed = share.rules.filter { $0 == .mixedSigns }.count
            let note = mixed > 0 ? "   (\(mixed) of \(share.rules.count) by magnitude: signs are mixed)" : ""
            print(
                "  \(l == 0 ? "inputs  " : "layer \(l) ")   \(share.sentBack.map { short($0) }.joined(separator: "  "))\(note)"
            )
            errors = share.sentBack
        }
    }

    private func printPaths(_ network: Network, _ seen: NetworkGraph, _ loss: Graph.Node, _ schema: Schema) throws {
        let gradients = seen.graph.backward(from: loss)
        let (layer, element) = try chosenWeight(network, gradients, seen)
        let node = seen.weights[layer]
        let inputs = layer == 0 ? network.inputs : network.layers[layer - 1].outputs
        let input = layer == 0 ? schema.inputs[element % inputs] : "h\(layer)[\(element % inputs)]"
        let sum = seen.graph.name(of: seen.sums[layer], element: element / inputs)
        print("\nthe weight from \(input) into \(sum)")
        print(seen.graph.paths(from: node, element: element, to: loss, limit: paths))
    }

    /// The weight asked for, or the first layer's steepest; as an element of its layer's W (outputs, inputs).
    private func chosenWeight(
        _ network: Network, _ gradients: Gradients, _ seen: NetworkGraph
    ) throws -> (layer: Int, element: Int) {
        guard let weight else {
            let first = gradients[seen.weights[0]]
            return (0, first.indices.max { abs(first[$0]) < abs(first[$1]) }!)
        }
        for (layer, node) in seen.weights.enumerated() {
            for element in 0..<seen.graph.count(of: node) where seen.graph.name(of: node, element: element) == weight {
                return (layer, element)
            }
        }
        let last = seen.weights.map { seen.graph.name(of: $0, element: seen.graph.count(of: $0) - 1) }
        throw CommandError("--weight \(weight): expected one up to \(last.joined(separator: ", or "))")
    }
}

/// Six significant digits.
private func short(_ value: Double) -> String { String(format: "%.6g", value) }

/// Text in a column of a given width.
private func column(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
