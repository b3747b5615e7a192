// Maps of weights, histograms and surfaces, against the learner that they are copied from.

import Foundation
import Testing

@testable import Eddy

@Suite struct FrozenLearnerTests {
    private func session(_ name: String, hidden: [Layer] = [.dense(32, .relu)]) async throws -> LearningSession {
        var configuration = Configuration()
        configuration.hiddenLayers = hidden
        let session = try LearningSession(configuration)
        await session.observe()
        await session.learn(try samples(name))
        return session
    }

    @Test(arguments: ["iris", "trump_approval", "phishing"])
    func thawedLearner_predictsAndLearnsWithTheSameBits(name: String) async throws {
        let session = try await session(name)
        let thawed = try #require(await session.frozen()).thawed()
        let stream = try samples(name)
        #expect(thawed.network?.parameterHash == (await session.snapshot().parameterHash))
        for i in 0..<20 {
            let features = stream[i..<i + 1].features
            #expect(try thawed.predict(features) == (await session.predict(features)))
        }
    }

    @Test func frozenLearner_staysAsItWas() async throws {
        let session = try await session("iris")
        let frozen = try #require(await session.frozen())
        let before = try frozen.explain([5.1, 3.5, 1.4, 0.2]).prediction
        await session.learn(try samples("iris"))
        #expect(try frozen.explain([5.1, 3.5, 1.4, 0.2]).prediction == before && frozen.step == 150)
        #expect(try await session.predict([5.1, 3.5, 1.4, 0.2]) != before)
        #expect(frozen.inputNames == ["x0", "x1", "x2", "x3"] && frozen.norms.count == 2)
    }

    // MARK: Maps

    @Test func smallLayers_areMappedWeightByWeight() async throws {
        let frozen = try #require(await session("iris").frozen())
        let layer = frozen.weightMaps().layers[0]
        #expect(layer.shape == [4, 32] && layer.rows == 32 && layer.columns == 4 && !layer.pooled)
        let weights = try frozen.thawed().network!.weights(of: 0)  // (inputs, outputs)
        #expect(layer.scale == weights.map(abs).max())
        for unit in 0..<32 {
            for input in 0..<4 {
                let value = Float(Int8(bitPattern: layer.map[unit * 4 + input])) * layer.scale / 127
                #expect(abs(value - weights[input * 32 + unit]) <= layer.scale / 254 * 1.001)
            }
        }
    }

    @Test func largeLayers_arePooledByLargestMagnitude() async throws {
        let (inputs, units) = (150, 97)
        let frozen = try #require(
            await session("digits", hidden: [.dense(inputs, .tanh), .dense(units, .relu)]).frozen())
        let layer = frozen.weightMaps().layers[1]
        #expect(layer.rows == 64 && layer.columns == 64 && layer.pooled && layer.map.count == 4096)
        let weights = try frozen.thawed().network!.weights(of: 1)
        for row in 0..<64 {
            for column in 0..<64 {
                var largest: Float = 0
                for unit in units * row / 64..<units * (row + 1) / 64 {
                    for input in inputs * column / 64..<inputs * (column + 1) / 64
                    where abs(weights[input * units + unit]) > abs(largest) {
                        largest = weights[input * units + unit]
                    }
                }
                let value = Float(Int8(bitPattern: layer.map[row * 64 + column])) * layer.scale / 127
                #expect(abs(value - largest) <= layer.scale / 254 * 1.001)
            }
        }
    }

    @Test func weightsOfZero_areMapped() throws {
        var configuration = Configuration()
        configuration.initialization = .zeros
        configuration.hiddenLayers = []
        let learner = try Learner(configuration)
        _ = learner.learn(try SampleChunk([Sample([0, 0], label: "a")]))
        let layer = try #require(learner.frozen()).weightMaps().layers[0]
        #expect(layer.scale == 0 && layer.map.allSatisfy { $0 == 0 })
    }

    @Test func histograms_areOfWeightsAndOfTheGraphsGradient() async throws {
        let frozen = try #require(await session("iris").frozen())
        let features: [Float] = [6, 3, 4, 1.3]
        let told = try frozen.explain(features, label: "versicolor")
        let histograms = try frozen.histograms(features: features, label: "versicolor")
        for (layer, histogram) in zip(told.layers, histograms) {
            let (weights, gradients) = (layer.weights!.map { Float($0) }, layer.weightGradient!.map { Float($0) })
            #expect(histogram.weights == Histogram(weights, bins: 24))
            #expect(histogram.gradients == Histogram(gradients, bins: 24))
        }
        #expect(try frozen.histograms().allSatisfy { $0.gradients == nil })
        #expect(throws: QuestionError.self) { try frozen.histograms(features: [1], label: "setosa") }
        let large = try #require(await session("digits", hidden: [.dense(700, .relu)]).frozen())
        #expect(try large.histograms(features: Array(repeating: 0, count: 64), label: 1)[0].gradients == nil)
    }

    // MARK: Surface

    @Test func surfaceOfClasses_isWhatTheSessionWouldSay() async throws {
        let session = try await session("iris")
        let (x, y, size) = (2, 3, 20)
        let recent = try #require(await session.withObservations { $0.recent })
        let frozen = try #require(await session.frozen())
        let surface = try frozen.surface(x: x, y: y, size: size, around: recent)
        let stream = try samples("iris")
        let columns = (0..<4).map { j in (0..<150).map { stream.features[$0 * 4 + j] } }
        let span = columns[x].max()! - columns[x].min()!
        #expect(abs(surface.x.min - (columns[x].min()! - span / 20)) < 1e-5)
        #expect(abs(surface.x.max - (columns[x].max()! + span / 20)) < 1e-5)
        for (row, column) in [(0, 0), (0, 19), (19, 0), (10, 7)] {
            var features = columns.map { values in Float(values.reduce(0) { $0 + Double($1) } / 150) }
            features[x] = surface.x.min + (surface.x.max - surface.x.min) * Float(column) / 19
            features[y] = surface.y.max + (surface.y.min - surface.y.max) * Float(row) / 19
            guard case .class(let name, let probability) = try await session.predict(features) else {
                Issue.record("no class")
                continue
            }
            #expect(surface.classes[Int(surface.values[row * size + column])] == name)
            #expect(abs(Float(surface.certainty![row * size + column]) / 255 - probability) < 0.005)
        }
        #expect(surface.samples.count == 150 && surface.samples[0].step == 150 && surface.low == nil)
        let right = surface.samples.filter(\.isRight).count
        #expect(abs(Double(right) / 150 - (await session.snapshot().metrics.accuracy!)) < 1e-9)
    }

    @Test func surfaceOfARegression_spansLowToHigh() async throws {
        let session = try await session("trump_approval")
        let recent = try #require(await session.withObservations { $0.recent })
        let surface = try #require(await session.frozen()).surface(x: 0, y: 1, around: recent)
        #expect(surface.values.count == 48 * 48 && surface.certainty == nil && surface.samples.count == 300)
        let (low, high) = (try #require(surface.low), try #require(surface.high))
        #expect(low < high && surface.values.min() == 0 && surface.values.max() == 255)
    }

    @Test func surfaceAsJSON_hasTheContractsKeys() async throws {
        let session = try await session("iris")
        let recent = try #require(await session.withObservations { $0.recent })
        let surface = try #require(await session.frozen()).surface(x: 0, y: 1, size: 8, around: recent)
        let json = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(surface)) as? [String: Any])
        #expect(
            Set(json.keys) == [
                "step", "task", "classes", "x", "y", "size", "values", "certainty", "low", "high", "others", "samples",
            ])
        #expect(Data(base64Encoded: try #require(json["values"] as? String))?.count == 64)
        #expect(json["low"] is NSNull && (json["samples"] as? [[Double]])?.first?.count == 5)
        let map = try JSONEncoder().encode(try #require(await session.frozen()).weightMaps())
        let maps = try #require(try JSONSerialization.jsonObject(with: map) as? [String: Any])
        let layer = try #require((maps["layers"] as? [[String: Any]])?.first)
        #expect(Set(layer.keys) == ["shape", "activation", "rows", "columns", "pooled", "scale", "map"])
        #expect(Data(base64Encoded: try #require(layer["map"] as? String))?.count == 128)
    }

    @Test func surfacesThatCannotBe_areToldWhy() async throws {
        let session = try await session("iris")
        let recent = try #require(await session.withObservations { $0.recent })
        let frozen = try #require(await session.frozen())
        for (x, y, size) in [(0, 4, 10), (-1, 0, 10), (1, 1, 10), (0, 1, 1), (0, 1, 129)] {
            #expect(throws: QuestionError.self) { try frozen.surface(x: x, y: y, size: size, around: recent) }
        }
        #expect(throws: QuestionError.self) { try frozen.surface(x: 0, y: 1, around: RecentSamples()) }
    }

    /// Gaps and words do not come into a plane of columns, be samples rows or lists.
    @Test(arguments: [60, 600])
    func surfaceOfColumns_beside_gapsAndWords(words: Int) throws {
        let learner = try Learner()
        let stream = try motley(count: 400, seed: 81, words: words)
        let steps = learner.learn(stream)
        #expect(learner.encoder!.isSparse == (words > 128))
        var recent = RecentSamples()
        recent.classes = learner.classes
        recent.append(stream, steps, from: 0, firstStep: 1)
        let surface = try #require(learner.frozen()).surface(x: 0, y: 2, size: 8, around: recent)
        #expect(surface.x.max < 3 && surface.y.min > -3 && Set(surface.values).count > 1)
        #expect(!surface.samples.isEmpty && surface.samples.allSatisfy { !$0.x.isNaN && !$0.y.isNaN })
        #expect(throws: QuestionError.self) { try learner.frozen()!.surface(x: 0, y: 3, around: recent) }
    }

    @Test func surfaceOfWordsAlone_isRefused() throws {
        let learner = try Learner()
        let stream = try SampleChunk((0..<9).map { Sample(label: $0 % 2 == 0 ? "a" : "b", terms: [Term("w\($0)")]) })
        _ = learner.learn(stream)
        let error = #expect(throws: QuestionError.self) {
            try learner.frozen()!.surface(x: 0, y: 1, around: RecentSamples())
        }
        #expect(error?.expected == "a stream of two columns or more")
    }

    @Test func surfaceOfSamplesThatAreAllOne_hasWidth() throws {
        let learner = try Learner()
        let chunk = try SampleChunk([Sample([3e38, 0], label: "a"), Sample([3e38, 0], label: "b")])
        let steps = learner.learn(chunk)
        var recent = RecentSamples()
        recent.classes = ["a", "b"]
        recent.append(chunk, steps, from: 0, firstStep: 1)
        let surface = try #require(learner.frozen()).surface(x: 0, y: 1, size: 4, around: recent)
        #expect(surface.x.min < 3e38 && surface.x.max.isFinite && surface.y.min == -0.5 && surface.y.max == 0.5)
    }
}
