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

    @Option(help: "A sample of that model as a line of any text format, with its label; its words count too.")
    var sample: String?

    @Option(help: "Which of the model's several outputs. (default: the first)")
    var output: String?

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
        let index = try self.output.map { name in
            guard !learner.isAlone, let index = learner.names.firstIndex(of: name) else {
                let names = learner.isAlone ? "none, as there is one output" : learner.names.joined(separator: ", ")
                throw CommandError("--output \(name): expected \(names)")
            }
            return index
        }
        guard let schema, let frozen = learner.frozen(output: index ?? 0, schema: schema) else {
            throw CommandError("\(load!): the model has learned nothing yet")
        }
        let sample = try parse(self.sample!, schema)
        let label = sample.label(0, ofOutput: index ?? 0)
        if !learner.isAlone { print("output    \(learner.names[index ?? 0])\n") }
        func explained(of element: String? = nil) throws -> Explanation {
            do throws(QuestionError) {
                return try frozen.explain(
                    sample.features, terms: sample.terms, label: label, of: element, pathLimit: paths,
                    isBounded: false)
            } catch {
                throw CommandError("--\(element == nil ? "sample" : "weight"): \(error)")
            }
        }
        let explanation = try explained()
        printForward(explanation)
        guard let loss = explanation.loss else {
            print("\nno label: no loss, and nothing to send back")
            return
        }
        printLoss(loss, explanation)
        printBackward(explanation)
        printErrorShares(explanation)
        let chosen = try chosenWeight(explanation)
        print("\nthe weight from \(chosen.input) into \(chosen.sum)")
        print(try explained(of: chosen.name).paths!.paths)
    }

    private func parse(_ line: String, _ schema: Schema) throws -> SampleChunk {
        var decoder = SampleDecoder(schema: SchemaClaim(schema))
        var bytes = Array((line + "\n").utf8)[...]
        let chunk = decoder.decode(&bytes)
        for event in chunk.events {
            if case .rejected(let error) = event.kind { throw CommandError("--sample: \(error)") }
        }
        guard chunk.samples.count == 1 else {
            throw CommandError("--sample: expected one sample, got \(chunk.samples.count)")
        }
        return chunk.samples
    }

    private func printForward(_ explanation: Explanation) {
        print("inputs                    given        as the network sees it")
        let sample = explanation.sample
        for (j, value) in Array(sample.features.enumerated()) + sample.terms.map({ ($0.input, $0.value) }) {
            let (name, given) = (explanation.inputs[j], short(Double(value)))
            print("  \(column(name, 20)) \(column(given, 14)) \(short(Double(sample.scaled[j])))")
        }
        print("\nforward   z = Wx + b, h = f(z)")
        for (l, layer) in explanation.layers.enumerated() {
            print("  layer \(l + 1), \(layer.z.count) \(layer.activation.rawValue) units")
            for k in layer.z.indices {
                let names = [explanation.name("z", l, k), explanation.name("h", l, k)]
                let meaning = l == explanation.layers.count - 1 ? output(k, explanation) : ""
                print(
                    "    \(column(names[0], 8)) \(column(short(layer.z[k]), 12)) \(column(names[1], 8)) "
                        + "\(column(short(layer.h[k]), 12)) \(meaning)")
            }
        }
        switch explanation.prediction {
        case .value(let value): print("\nprediction \(value)")
        case .class(let name, let probability): print("\nprediction \(name), probability \(probability)")
        }
    }

    /// What an output stands for.
    private func output(_ k: Int, _ explanation: Explanation) -> String {
        guard case .class = explanation.prediction, explanation.outputs.count > 1 else { return "" }
        return explanation.outputs[k] == "(reserve)" ? "in reserve, for a class to come" : explanation.outputs[k]
    }

    private func printLoss(_ loss: Double, _ explanation: Explanation) {
        if let bits = explanation.bits {
            print("loss       \(short(loss)) nats = \(short(bits)) bits, the surprise −log p of the label")
        } else {
            print("loss       \(short(loss)) (\(explanation.lossName), on the scaled target)")
        }
    }

    private func printBackward(_ explanation: Explanation) {
        print("\nbackward   dz = dh · f′(z), dW = dz xᵀ, db = dz, dx = Wᵀ dz")
        for (l, layer) in explanation.layers.enumerated().reversed() {
            guard let dh = layer.upstream, let dz = layer.gradient, let norm = layer.gradientNorm else { continue }
            print("  layer \(l + 1)   ‖gradient‖ \(short(norm))")
            for k in dz.indices {
                print(
                    "    \(column(explanation.name("z", l, k), 8)) upstream \(column(short(dh[k]), 12)) "
                        + "f′(z) \(column(short(layer.derivative[k]), 10)) dz \(short(dz[k]))")
            }
        }
    }

    /// The proportional form in which backpropagation is first taught: each unit gets back the share of the error that it
    /// contributed. Not the gradient; beside it.
    private func printErrorShares(_ explanation: Explanation) {
        let layers = explanation.layers
        guard let errors = layers[layers.count - 1].errorShare else { return }
        print("\nerror shared in proportion to contributions w·a (target − output; not the gradient)")
        print("  outputs    \(errors.map { short($0) }.joined(separator: "  "))")
        for (l, layer) in layers.enumerated().reversed() {
            guard var sentBack = l == 0 ? explanation.input.errorShare : layers[l - 1].errorShare,
                let mixed = layer.mixedSigns
            else { continue }
            if l == 0 {  // those of the inputs listed above, and of others that count
                let (scaled, columns) = (explanation.sample.scaled, explanation.sample.features.count)
                sentBack = sentBack.indices.filter { $0 < columns || scaled[$0] != 0 }.map { sentBack[$0] }
            }
            let note = mixed > 0 ? "   (\(mixed) of \(layer.z.count) by magnitude: signs are mixed)" : ""
            print(
                "  \(l == 0 ? "inputs  " : "layer \(l) ")   \(sentBack.map { short($0) }.joined(separator: "  "))\(note)"
            )
        }
    }

    /// The weight asked for, or the first layer's steepest, and what it connects.
    private func chosenWeight(_ explanation: Explanation) throws -> (name: String, input: String, sum: String) {
        var (l, unit, input) = (0, 0, 0)
        if let weight {
            guard let place = explanation.place(ofWeight: weight) else {
                let last = explanation.layers.enumerated().map { l, layer in
                    explanation.name(ofWeight: (l, layer.shape[1] - 1, layer.shape[0] - 1))
                }
                throw CommandError("--weight \(weight): expected one up to \(last.joined(separator: ", or "))")
            }
            (l, unit, input) = place
        } else {
            var steepest = -1.0  // dW = dz xᵀ
            for (i, dz) in (explanation.layers[0].gradient ?? []).enumerated() {
                for (j, x) in explanation.sample.scaled.enumerated() where abs(dz * Double(x)) > steepest {
                    steepest = abs(dz * Double(x))
                    (unit, input) = (i, j)
                }
            }
        }
        return (
            explanation.name(ofWeight: (l, unit, input)), l == 0 ? explanation.inputs[input] : "h\(l)[\(input)]",
            explanation.name("z", l, unit)
        )
    }
}

// The names that elements have in the graph.
extension Explanation {
    /// `z1[3]` or `h1[3]`; without the layer in a network of one, and without the unit in a layer of one. The last
    /// activation is `o`.
    fileprivate func name(_ stem: String, _ layer: Int, _ unit: Int) -> String {
        let number = layers.count == 1 ? "" : "\(layer + 1)"
        let name = stem == "h" && layer == layers.count - 1 ? "o" : stem + number
        return layers[layer].z.count == 1 ? name : "\(name)[\(unit)]"
    }

    fileprivate func name(ofWeight place: (layer: Int, unit: Int, input: Int)) -> String {
        let name = layers.count == 1 ? "W" : "W\(place.layer + 1)"
        return layers[place.layer].shape == [1, 1] ? name : "\(name)[\(place.unit),\(place.input)]"
    }

    fileprivate func place(ofWeight name: String) -> (layer: Int, unit: Int, input: Int)? {
        let numbers = name.split { !$0.isNumber }.compactMap { Int($0) }
        let layer = layers.count == 1 ? 0 : (numbers.first ?? 0) - 1
        guard layers.indices.contains(layer) else { return nil }
        let indices = layers[layer].shape == [1, 1] ? [0, 0] : Array(numbers.suffix(2))
        guard indices.count == 2, indices[0] < layers[layer].shape[1], indices[1] < layers[layer].shape[0],
            self.name(ofWeight: (layer, indices[0], indices[1])) == name
        else { return nil }
        return (layer, indices[0], indices[1])
    }
}

/// Six significant digits.
private func short(_ value: Double) -> String { String(format: "%.6g", value) }

/// Text in a column of a given width.
private func column(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
