// The examples that stand in public docstrings, run.

import AsyncAlgorithms
import Eddy
import Foundation
import Testing

@Suite struct DocumentationTests {
    // MARK: Backprop

    @Test func activationsAndLosses() {
        #expect(Activation.sigmoid(0) == 0.5)
        #expect(Activation.sigmoid.derivative(at: 0, value: 0.5) == 0.25)
        #expect(abs(Loss.crossEntropy.value(outputs: [0, 0], target: .label(1)) - 0.693147) < 1e-6)
        #expect(Loss.crossEntropy.gradient(outputs: [0, 0], target: .label(1)) == [0.5, -0.5])
    }

    @Test func graph() {
        var graph = Graph()
        let x = graph.leaf(3, "x")
        let y = graph.leaf(4, "y")
        let t = graph.add(x, y)
        let z = graph.multiply(t, t)
        #expect(graph[z] == [49])
        #expect(graph.backward(from: z)[x] == [14])
    }

    @Test func network() throws {
        let layers: [Layer] = [.dense(16, .relu), .dense(3)]
        #expect(layers[1].outputs == 3)
        let network = try Network(
            inputs: 2, layers: [.dense(8, .tanh), .dense(1)], loss: .binaryCrossEntropy, optimizer: .sgd(0.3), seed: 1)
        let loss = network.learn([0.5, -1], target: 1)
        #expect(try #require(loss) > 0)
        let seen = network.graph(features: [0.5, -1], target: .values([1]))
        let gradients = seen.graph.backward(from: seen.loss!)
        #expect(gradients[seen.weights[0]].count == 16)
    }

    @Test func optimizerAndRandom() {
        let optimizer = Optimizer.sgd(0.05, momentum: 0.9)
        #expect(optimizer.description == "sgd(0.05, momentum: 0.9)")
        var random = SeededRandom(seed: 1)
        var same = SeededRandom(seed: 1)
        #expect(random.uniform(in: -1...1) == same.uniform(in: -1...1))
    }

    // MARK: Samples

    @Test func samples() throws {
        let sample = Sample([5.1, 3.5, 1.4, 0.2], label: "setosa")
        #expect(sample.label == .text("setosa"))
        var chunk = SampleChunk(inputs: 2)
        try chunk.append(Sample([0.5, -1], label: 1))
        #expect(chunk.count == 1)
        var labels: Labels = [1, .none, 0]
        labels.append("setosa")
        #expect(labels[3] == .text("setosa") && labels[1] == .none && labels.count == 4)
        #expect(try LabelColumn(parsing: "price,size") == .several([.name("price"), .name("size")]))
        #expect(Configuration().ofOutput(0) == Configuration())
        let several = try Learner()
        let steps = several.learn(try SampleChunk([Sample([0.5, -1], label: 1.5, furtherLabels: ["red"])]))
        #expect(steps.outputs[1].steps.classes == ["red"] && steps.losses.count == 1)
        let error = SampleError(line: 17, column: 3, field: "age", expected: "number", got: "abc")
        #expect(error.description == "line=17 column=3 field=age expected=number got=\"abc\"")
    }

    @Test func decoder() throws {
        let session = try LearningSession()
        var decoder = SampleDecoder(schema: session.schema)
        var bytes = Array("x,y,label\n0.5,1,true\n".utf8)[...]
        let chunk = decoder.decode(&bytes)
        let rest = decoder.finish()
        #expect(chunk.samples.count == 1 && rest.isEmpty)
        #expect(chunk.proposal?.schema.inputs == ["x", "y"])
    }

    // MARK: Learning

    @Test func learner() throws {
        var configuration = Configuration()
        configuration.hiddenLayers = [.dense(64, .tanh)]
        let learner = try Learner(configuration)
        let steps = learner.learn(try SampleChunk([Sample([1, 2], label: "a"), Sample([2, 1], label: "b")]))
        #expect(try #require(steps.meanLoss) > 0)
    }

    @Test func session() async throws {
        let session = try LearningSession(
            inputs: 4, layers: [.dense(16, .relu), .dense(3)], loss: .crossEntropy, optimizer: .sgd(0.05))
        let samples = [Sample([5.1, 3.5, 1.4, 0.2], label: 0), Sample([7, 3.2, 4.7, 1.4], label: 1)]
        var losses: [Double] = []
        for try await steps in samples.async.learned(by: session) { losses.append(steps.meanLoss ?? 0) }
        #expect(losses.count == 2)
        guard case .class = try await session.predict([5.1, 3.5, 1.4, 0.2]) else {
            Issue.record("expected a class")
            return
        }
    }

    @Test func bytes() async throws {
        let session = try LearningSession()
        let bytes = [Array("1,2,a\n3,".utf8), Array("4,b\n".utf8)].async
        var learned = 0
        for await chunk in bytes.samples(for: session).learned(by: session) { learned += chunk.learned }
        #expect(learned == 2)
    }

    @Test func losses() async throws {
        let session = try LearningSession()
        var windows = session.losses.makeAsyncIterator()
        try await session.learn(Sample([1, 2], label: "a"))
        let window = try #require(await windows.next())
        #expect(window.mean > 0 && window.count == 1)
    }

    // MARK: Looking

    @Test func histories() {
        var history = LossHistory()
        history.append(losses: [0.7, 0.5], errors: [1, 0], firstStep: 1, time: 1_732_160_000, baseline: 0.69)
        #expect(abs(history.rows(by: .steps, points: 1).first!.mean - 0.6) < 1e-6)
        #expect(Histogram([0, 1, 2, 9], bins: 3).counts == [3, 0, 1])
        let now = 100.0
        var latency = LatencyHistogram()
        latency.record(0.000_15, at: now)
        #expect(latency.quantile(0.99, at: now)! > 0.000_1)
    }

    @Test func observations() async throws {
        let session = try LearningSession()
        await session.observe()
        let samples = [
            Sample([5.1, 3.5, 1.4, 0.2], label: "setosa"), Sample([7, 3.2, 4.7, 1.4], label: "versicolor"),
        ]
        await session.learn(try SampleChunk(samples + samples))
        let rows = await session.withObservations { $0.history.rows(by: .time, points: 500) }
        #expect(rows?.reduce(0) { $0 + $1.count } == 4)
        let matrix = try #require(await session.withObservations { $0.confusion } ?? nil)
        #expect(matrix.total[0][1] <= 2 && matrix.classes.count == 2)

        let frozen = try #require(await session.frozen())
        let explanation = try frozen.explain([5.1, 3.5, 1.4, 0.2], label: "setosa", of: "W1[0,2]")
        #expect(explanation.layers[0].gradient?.count == 32 && explanation.paths?.paths.count == 3)
        #expect(frozen.weightMaps().layers[0].map.count == 32 * 4)
        let recent = try #require(await session.withObservations { $0.recent })
        #expect(try frozen.surface(x: 0, y: 1, around: recent).values.count == 48 * 48)
    }
}
