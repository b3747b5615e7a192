// eddy check: are an architecture's gradients right?

import ArgumentParser
import Eddy
import Foundation

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks the gradients of an architecture against finite differences.",
        discussion: """
            eddy check --inputs 4 --layers 8,8 --activation tanh --outputs 3

            On random samples, it compares the gradient of every parameter with the central difference of the loss
            (both in double precision, on the graph), and the update that the fast network makes with that gradient
            (in single precision). The exit status is 1 where they differ.
            """)

    @Option(help: "The number of inputs.")
    var inputs = 4

    @Option(help: "The number of outputs.")
    var outputs = 3

    @Option(help: "Samples to check.")
    var samples = 10

    @OptionGroup(title: "Architecture") var learning: LearningOptions

    func validate() throws {
        for (name, value) in [("inputs", inputs), ("outputs", outputs), ("samples", samples)] where value < 1 {
            throw ValidationError("\(name) \(value): expected at least 1")
        }
    }

    func run() throws {
        let settings = try learning.configuration()
        let loss = settings.loss ?? (outputs == 1 ? .binaryCrossEntropy : .crossEntropy)
        let layers = settings.hiddenLayers + [.dense(outputs, settings.outputActivation)]
        let rate: Float = 0.01
        var random = SeededRandom(seed: settings.seed)
        var worst: (difference: GradientCheck.Entry?, update: Double) = (nil, 0)
        var checked = 0
        var skipped = 0
        while checked < samples, skipped < 100 * samples {
            let network = try Network(
                inputs: inputs, layers: layers, loss: loss, optimizer: .sgd(rate), initialization: .xavier,
                seed: random.next())
            let features = (0..<inputs).map { _ in random.uniform(in: -1...1) }
            let (floats, target) = randomTarget(loss, &random)
            let seen = network.graph(features: features, target: target)
            if isNearKink(seen, layers) {
                skipped += 1
                continue
            }
            checked += 1
            if layers.allSatisfy({ $0.activation.isDifferentiable }),
                let entry = GradientCheck(seen.graph, output: seen.loss!).worst,
                entry.relativeError >= worst.difference?.relativeError ?? 0
            {
                worst.difference = entry
            }
            worst.update = max(worst.update, updateError(network, seen, features, floats, rate))
        }
        guard checked > 0 else {
            throw CommandError("every random sample was at a kink: try another seed or activation")
        }
        report(layers, loss, checked, skipped, worst)
        if worst.difference.map({ $0.relativeError > 1e-6 }) ?? false || worst.update > 1e-3 { throw ExitCode(1) }
    }

    private func randomTarget(_ loss: Loss, _ random: inout SeededRandom) -> ([Float], Target) {
        switch loss {
        case .crossEntropy:
            let label = Int(random.next() % UInt64(outputs))
            return ([Float(label)], .label(label))
        case .binaryCrossEntropy:
            let bits = (0..<outputs).map { _ in Float(random.next() % 2) }
            return (bits, .values(bits.map { Double($0) }))
        case .squared, .huber:
            let values = (0..<outputs).map { _ in random.uniform(in: -1...1) }
            return (values, .values(values.map { Double($0) }))
        }
    }

    /// Whether a sum is so close to a kink that a finite difference would cross it.
    private func isNearKink(_ seen: NetworkGraph, _ layers: [Layer]) -> Bool {
        zip(seen.sums, layers).contains { sums, layer in
            switch layer.activation {
            case .relu, .leakyReLU, .step: seen.graph[sums].contains { abs($0) < 1e-4 }
            case .identity, .sigmoid, .tanh: false
            }
        }
    }

    /// How far the network's update is from the graph's gradient, relative to the gradient's length.
    private func updateError(
        _ network: Network, _ seen: NetworkGraph, _ features: [Float], _ target: [Float], _ rate: Float
    ) -> Double {
        let gradients = seen.graph.backward(from: seen.loss!)
        let expected = zip(seen.weights, seen.biases).flatMap { gradients[$0] + gradients[$1] }
        let before = network.flatParameters
        guard network.learn(features, targets: target) != nil else { return .infinity }
        let after = network.flatParameters
        var error = 0.0
        var length = 0.0
        for (index, gradient) in expected.enumerated() {
            let ours = Double(before[index] - after[index]) / Double(rate)
            error += (ours - gradient) * (ours - gradient)
            length += gradient * gradient
        }
        return length > 0 ? (error / length).squareRoot() : error.squareRoot()
    }

    private func report(
        _ layers: [Layer], _ loss: Loss, _ checked: Int, _ skipped: Int,
        _ worst: (difference: GradientCheck.Entry?, update: Double)
    ) {
        let widths = ([inputs] + layers.map(\.outputs)).map { String($0) }.joined(separator: "-")
        print(
            "network      \(widths), \(layers.dropLast().first?.activation.rawValue ?? "no hidden layer"), \(loss.name)"
        )
        print("samples      \(checked) checked, \(skipped) passed over for being at a kink")
        if let entry = worst.difference {
            print(
                "differences  worst \(entry.name): gradient \(entry.analytic), difference \(entry.numeric), "
                    + "relative error \(String(format: "%.2g", entry.relativeError)) (at most 1e-06)")
        } else {
            print("differences  none: a step unit learns by the perceptron rule, which is no gradient")
        }
        print("update       relative error \(String(format: "%.2g", worst.update)) in single precision (at most 0.001)")
    }
}
