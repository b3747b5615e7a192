// PyTorch's numbers: ten steps of nine networks (scripts/golden.py).

import Backprop
import Foundation
import Testing

private struct Golden: Decodable {
    struct Case: Decodable {
        let sizes: [Int]
        let activation: Activation
        let loss: String
        let learningRate: Float
        let momentum: Float
        let clip: Float?
        let l2: Float
        let initial: [Float]
        let features: [[Float]]
        let targets: [[Float]]
        let losses: [Float]
        let final: [Float]
    }

    let cases: [Case]

    static func load() throws -> Golden {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/golden", withExtension: "json"))
        return try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }
}

@Test func tenStepsOfEveryNetwork_giveTheNumbersOfPyTorch() throws {
    let golden = try Golden.load()
    #expect(golden.cases.count == 9)
    for golden in golden.cases {
        var layers = golden.sizes.dropFirst().map { Layer.dense($0, golden.activation) }
        layers[layers.count - 1].activation = .identity
        let losses: [String: Loss] = [
            "squared": .squared, "huber": .huber(delta: 1), "binaryCrossEntropy": .binaryCrossEntropy,
            "crossEntropy": .crossEntropy,
        ]
        let network = try Network(
            inputs: golden.sizes[0], layers: layers, loss: losses[golden.loss]!,
            optimizer: .sgd(golden.learningRate, momentum: golden.momentum, clip: golden.clip, l2: golden.l2))
        network.flatParameters = golden.initial
        for step in golden.losses.indices {
            let loss = try #require(network.learn(golden.features[step], targets: golden.targets[step]))
            // Float32 sums in another order, and another exp: some 10⁻⁶ relative after ten steps.
            #expect(
                abs(loss - golden.losses[step]) <= 1e-5 * max(1, golden.losses[step]), "\(golden.sizes) step \(step)")
        }
        for (index, (ours, theirs)) in zip(network.flatParameters, golden.final).enumerated() {
            #expect(abs(ours - theirs) <= 1e-5 * max(1, abs(theirs)), "\(golden.sizes) parameter \(index)")
        }
        #expect(zip(network.flatParameters, golden.initial).contains { $0 != $1 }, "something was learned")
    }
}
