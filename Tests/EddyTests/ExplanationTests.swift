// Explanations, against the graph that they are not made from.

import Foundation
import Testing

@testable import Eddy

@Suite struct ExplanationTests {
    /// A learner of random shape, activations, loss and scaling after some random samples, and one of them.
    private func randomLearner(seed: UInt64) throws -> (learner: Learner, features: [Float], label: Label) {
        var random = TestRandom(seed: seed)
        let inputs = Int.random(in: 1...6, using: &random)
        var configuration = Configuration()
        configuration.hiddenLayers = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            .dense(Int.random(in: 1...9, using: &random), Activation.allCases.randomElement(using: &random)!)
        }
        configuration.scaling = Bool.random(using: &random)
        configuration.seed = seed
        let kind = Int.random(in: 0...3, using: &random)
        switch kind {
        case 0: configuration.task = .regression
        case 1: (configuration.task, configuration.loss) = (.regression, .huber(delta: 0.7))
        case 2: (configuration.task, configuration.loss) = (.classification, .binaryCrossEntropy)
        default: configuration.task = .classification
        }
        let learner = try Learner(configuration)
        func sample() -> Sample {
            let features = (0..<inputs).map { _ in Float.random(in: -2...2, using: &random) }
            switch kind {
            case 0, 1: return Sample(features, label: .number(Float.random(in: -3...3, using: &random)))
            case 2: return Sample(features, label: .number(Float.random(in: 0...1, using: &random).rounded()))
            default: return Sample(features, label: .text("c\(Int.random(in: 0...3, using: &random))"))
            }
        }
        let samples = (0..<40).map { _ in sample() }
        _ = learner.learn(try SampleChunk(samples))
        return (learner, samples[39].features, samples[39].label)
    }

    private func target(_ label: Label, _ features: [Float], _ learner: Learner) throws -> Target {
        if learner.task == .regression, case .number(let value) = label {
            return .values([Double(learner.networkTarget(value, for: features))])
        }
        let index = try #require(learner.classIndex(of: label))
        return learner.network!.loss == .crossEntropy ? .label(index) : .values([Double(index)])
    }

    /// Words and categories: few, so that a sample is a row, or many, so that it is a list.
    @Test(arguments: [(3, Profile.fast), (3, .best), (400, .fast), (400, .best)])
    func terms_countAsInLearning(words: Int, profile: Profile) throws {
        var configuration = Configuration()
        configuration.profile = profile
        let learner = try Learner(configuration)
        func sample(_ i: Int, label: Label = .none) -> Sample {
            let terms = [Term("w\(i % words)"), Term("w\((i * 7 + 1) % words)", 2.5)]
            return Sample([Float(i % 5)], label: label, terms: terms)
        }
        for i in 0..<500 { _ = learner.learn(try SampleChunk([sample(i, label: .text(i % 3 == 0 ? "a" : "b"))])) }
        #expect(learner.encoder!.isSparse == (words > 3))
        let frozen = try #require(learner.frozen())
        for i in 500..<520 {
            let row = try SampleChunk([sample(i)])
            let told = try frozen.explain(row.features, terms: row.terms, label: "a")
            #expect(told.prediction == learner.learn(row).prediction(at: 0), "the bits of the learner itself")
            let names = told.sample.terms.map { told.inputs[$0.input] }
            #expect(Set(names) == Set(sample(i).terms.map(\.name)))
            #expect(told.sample.terms.map(\.value).reduce(0, +) == 3.5)
            guard profile == .fast, case .class(_, let probability) = told.prediction else { continue }
            let known = Loss.softmax(told.layers.last!.h).prefix(2)
            let likeliest = known.max()! / known.reduce(0, +)
            #expect(abs(likeliest - Double(probability)) < 1e-5, "the network's own way forward, of the classes known")
            let without = try frozen.explain(row.features, label: "a")
            #expect(without.sample.terms.isEmpty && without.layers[0].z != told.layers[0].z)
        }
        // A word that was never seen counts for nothing.
        let known = try SampleChunk([sample(500)])
        let odd = try SampleChunk([Sample([0], terms: sample(500).terms + [Term("never")])])
        #expect(
            try frozen.explain([0], terms: known.terms, label: "b").loss
                == frozen.explain([0], terms: odd.terms, label: "b").loss)
    }

    @Test(arguments: 1...60)
    func explanation_equalsTheGraphsBackward(seed: UInt64) throws {
        let (learner, features, label) = try randomLearner(seed: seed)
        let network = try #require(learner.network)
        let frozen = try #require(learner.frozen())
        let told = try frozen.explain(features, label: label)
        let scaled = learner.scaled(features)
        #expect(told.sample.scaled == scaled && told.step == 40)

        let seen = network.graph(features: scaled, target: try target(label, features, learner))
        let loss = try #require(seen.loss)
        let gradients = seen.graph.backward(from: loss)
        #expect(told.loss == seen.graph[loss][0])
        #expect(told.input.gradient == gradients[seen.inputs])
        for (l, layer) in told.layers.enumerated() {
            #expect(layer.z == seen.graph[seen.sums[l]] && layer.h == seen.graph[seen.activations[l]])
            #expect(layer.upstream == gradients[seen.activations[l]] && layer.gradient == gradients[seen.sums[l]])
            #expect(layer.bias == seen.graph[seen.biases[l]] && layer.biasGradient == gradients[seen.biases[l]])
            let (inputs, outputs) = (layer.shape[0], layer.shape[1])
            let (weights, dW) = (seen.graph[seen.weights[l]], gradients[seen.weights[l]])
            for i in 0..<inputs {
                for k in 0..<outputs {
                    #expect(layer.weights![i * outputs + k] == weights[k * inputs + i])
                    #expect(layer.weightGradient![i * outputs + k] == dW[k * inputs + i])
                }
            }
            let norm = (dW + gradients[seen.biases[l]]).reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(abs(layer.gradientNorm! - norm) <= 1e-12 * max(norm, 1))
            #expect(layer.weights! == network.weights(of: l).map { Double($0) })
        }
        #expect(try told.prediction == learner.predict(features), "the bits of the learner itself")
    }

    @Test(arguments: 1...40)
    func paths_sumToTheGradientOfTheirElement(seed: UInt64) throws {
        let (learner, features, label) = try randomLearner(seed: seed)
        let frozen = try #require(learner.frozen())
        let told = try frozen.explain(features, label: label)
        let (single, layer) = (told.layers.count == 1, told.layers[0])
        let (inputs, outputs) = (layer.shape[0], layer.shape[1])
        for unit in 0..<outputs {
            for input in 0..<inputs {
                let name = "W\(single ? "" : "1")[\(unit),\(input)]"
                let found = try #require(try frozen.explain(features, label: label, of: name, pathLimit: 1000).paths)
                let gradient = layer.weightGradient![input * outputs + unit]
                #expect(found.value == layer.weights![input * outputs + unit])
                #expect(found.paths.gradient == gradient && found.paths.output == "loss")
                let sum = found.paths.largest.reduce(found.paths.rest) { $0 + $1.product }
                #expect(abs(sum - gradient) <= 1e-9 * max(1, abs(gradient)))
            }
        }
    }

    @Test func elements_areFoundByTheirNames() throws {
        let frozen = try iris()
        let features: [Float] = [5.1, 3.5, 1.4, 0.2]
        let told = try frozen.explain(features, label: "setosa")
        for (name, value, gradient) in [
            ("x[2]", Double(told.sample.scaled[2]), told.input.gradient![2]),
            ("b1[3]", told.layers[0].bias[3], told.layers[0].biasGradient![3]),
            ("z1[31]", told.layers[0].z[31], told.layers[0].gradient![31]),
            ("h1[0]", told.layers[0].h[0], told.layers[0].upstream![0]),
            ("W2[3,31]", told.layers[1].weights![31 * 4 + 3], told.layers[1].weightGradient![31 * 4 + 3]),
            ("o[1]", told.layers[1].h[1], told.layers[1].upstream![1]), ("loss", told.loss!, 1),
        ] {
            let found = try #require(try frozen.explain(features, label: "setosa", of: name).paths)
            #expect(found.value == value && found.paths.gradient == gradient && found.paths.source == name)
        }
        #expect(try frozen.explain(features, of: "x[2]").paths == nil, "no label, no way to a loss")
        #expect(try frozen.explain(features, of: "loss").paths == nil)
    }

    private func iris(hidden: [Layer] = [.dense(32, .relu)]) throws -> FrozenLearner {
        var configuration = Configuration()
        configuration.hiddenLayers = hidden
        let learner = try Learner(configuration)
        _ = learner.learn(try samples("iris"))
        let names = ["sepal length", "sepal width", "petal length", "petal width"]
        return try #require(learner.frozen(schema: Schema(names: names)))
    }

    // MARK: Errors

    @Test func questionsThatCannotBeAnswered_areToldWhatWasExpected() throws {
        let frozen = try iris()
        let features: [Float] = [5.1, 3.5, 1.4, 0.2]
        func reason(_ features: [Float], _ label: Label = .none, of element: String? = nil, paths: Int = 50) -> String {
            do throws(QuestionError) {
                _ = try frozen.explain(features, label: label, of: element, pathLimit: paths)
                return "none"
            } catch { return error.description }
        }
        #expect(reason([1, 2]) == "expected 4 features, got 2")
        #expect(reason([1, 2, .nan, 4]) == "expected a finite number for petal length, got nan")
        #expect(reason(features, "rose").contains("3 classes setosa, versicolor, virginica as the label, got \"rose\""))
        #expect(reason(features, 7).hasSuffix("got 7"))
        for name in [
            "W9[0,0]", "W1[99,0]", "W1[0,99]", "W1[0]", "W1", "x[4]", "x[-1]", "z1[0", "one", "", "[", "W1[0,0]]",
            "b1[0,0]", "W1[99999999999999999999,0]",
        ] {
            #expect(
                reason(features, "setosa", of: name).contains("element up to W1[31,3], or W2".prefix(24)), "\(name)")
        }
        #expect(reason(features, "setosa", of: "x[0]", paths: 0) == "expected 1 to 1000 paths, got 0")
        #expect(reason(features, "setosa", of: "x[0]", paths: 1001).contains("1000 paths"))
        let regression = try Learner()
        _ = regression.learn(try samples("trump_approval"))
        let values = try #require(regression.frozen())
        #expect(throws: QuestionError.self) {
            try values.explain(Array(repeating: 0, count: values.inputs), label: "high")
        }
        #expect(try Learner().frozen() == nil)
    }

    @Test func largeNetworks_areTruncated_thenWithoutPaths_thenRefused() throws {
        func frozen(_ hidden: Int) throws -> FrozenLearner {
            let learner = try Learner(
                Configuration(layers: [.dense(hidden, .relu), .dense(2)], loss: .crossEntropy))
            _ = learner.learn(try SampleChunk([Sample(Array(repeating: 1, count: 97), label: 1)]))
            return try #require(learner.frozen())
        }
        let features = [Float](repeating: 1, count: 97)
        let whole = try frozen(39).explain(features, label: 1)
        #expect(!whole.truncated && whole.layers[0].weights?.count == 97 * 39)
        let truncated = try frozen(41).explain(features, label: 1, of: "W1[40,96]")
        #expect(truncated.truncated && truncated.layers.allSatisfy { $0.weights == nil && $0.weightGradient == nil })
        #expect(truncated.layers[0].gradient?.count == 41 && truncated.paths != nil)
        let large = try frozen(3_100)
        #expect(throws: QuestionError.self) { try large.explain(features, label: 1, of: "x[0]") }
        #expect(try large.explain(features, label: 1).loss != nil)
        #expect(try large.explain(features, label: 1, of: "x[0]", isBounded: false).paths != nil)
        let huge = try frozen(40_001)
        #expect(throws: QuestionError.self) { try huge.explain(features, label: 1) }
    }

    // MARK: JSON

    /// The keys at every level, as the web side's contract has them.
    @Test(arguments: [true, false])
    func json_hasTheKeysOfTheContract(isLabelled: Bool) throws {
        let told = try iris().explain(
            [5.1, 3.5, 1.4, 0.2], label: isLabelled ? "setosa" : .none, sampleStep: isLabelled ? 7 : nil, of: "W1[0,2]")
        let json = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(told)) as? [String: Any])
        #expect(
            Set(json.keys) == [
                "step", "sample", "inputs", "outputs", "prediction", "probability", "loss", "lossName", "bits",
                "truncated", "layers", "input", "paths",
            ])
        let sample = try #require(json["sample"] as? [String: Any])
        #expect(Set(sample.keys) == ["step", "features", "scaled", "label"])
        #expect(json["outputs"] as? [String] == ["setosa", "versicolor", "virginica", "(reserve)"])
        #expect(json["prediction"] is String && json["probability"] is NSNumber && json["lossName"] is String)
        let layers = try #require(json["layers"] as? [[String: Any]])
        for layer in layers {
            #expect(
                Set(layer.keys) == [
                    "activation", "shape", "z", "h", "derivative", "upstream", "gradient", "errorShare",
                    "gradientNorm", "weights", "bias", "weightGradient", "biasGradient",
                ])
            for key in ["upstream", "gradient", "errorShare", "gradientNorm", "weightGradient", "biasGradient"] {
                #expect((layer[key] is NSNull) == !isLabelled, "\(key)")
            }
        }
        #expect(layers[0]["shape"] as? [Int] == [4, 32] && (layers[0]["weights"] as? [Double])?.count == 128)
        let input = try #require(json["input"] as? [String: Any])
        #expect(Set(input.keys) == ["gradient", "errorShare"])
        guard isLabelled else {
            #expect(json["loss"] is NSNull && json["bits"] is NSNull && json["paths"] is NSNull)
            #expect(sample["step"] is NSNull && sample["label"] is NSNull)
            return
        }
        #expect(sample["step"] as? Int == 7 && sample["label"] as? String == "setosa")
        let paths = try #require(json["paths"] as? [String: Any])
        #expect(Set(paths.keys) == ["source", "output", "value", "gradient", "count", "largest", "rest"])
        for path in try #require(paths["largest"] as? [[String: Any]]) {
            #expect(Set(path.keys) == ["elements", "derivatives", "product", "share"])
        }
    }

    @Test func numbersThatAreNotFinite_areNull() throws {
        var told = try iris().explain([5.1, 3.5, 1.4, 0.2], label: "setosa")
        told.loss = .infinity
        told.layers[0].z[1] = .nan
        let json = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(told)) as? [String: Any])
        #expect(json["loss"] is NSNull)
        let z = try #require((json["layers"] as? [[String: Any]])?[0]["z"] as? [Any])
        #expect(z.count == 32 && z[1] is NSNull && z[0] is NSNumber)
    }

    @Test func errorShares_addUpFromLayerToLayer() throws {
        let told = try iris(hidden: [.dense(5, .sigmoid)]).explain([5.1, 3.5, 1.4, 0.2], label: "setosa")
        let sums = (told.layers.map { $0.errorShare! } + [told.input.errorShare!]).map { $0.reduce(0, +) }
        #expect(abs(sums[1]) < 1e-9, "softmax: target and probabilities both add up to 1")
        for sum in sums { #expect(abs(sum - sums[1]) < 1e-9, "what is shared is neither more nor less") }
    }
}
