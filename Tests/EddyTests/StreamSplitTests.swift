// Chunks are transport: any split of a stream gives the same bits in weights, metrics, classes and steps.

import Testing

@testable import Eddy

@Suite struct StreamSplitTests {
    /// What a stream left behind, and what was said on the way.
    private struct Outcome: Equatable {
        var state: [UInt8]
        var hash: UInt64?
        var metrics: Metrics
        var steps: [String]
        var bits: [[UInt32]]
    }

    private func learn(_ stream: SampleChunk, _ configuration: Configuration, pieces: [Int]) throws -> Outcome {
        let learner = try Learner(configuration)
        var steps: [String] = []
        var bits: [[UInt32]] = []
        var first = 0
        var next = 0
        while first < stream.count {
            let count = min(pieces[next % pieces.count], stream.count - first)
            next += 1
            #expect(learner.step == UInt64(bits.filter { Float(bitPattern: $0[0]).isNaN == false }.count))
            let chunk = learner.learn(stream[first..<first + count])
            #expect(chunk.count == count)
            for i in 0..<count {
                let rejection = chunk.rejections.first { $0.index == i }?.error
                #expect(rejection.map { $0.line == i + 1 } ?? true)
                steps.append("\(chunk.prediction(at: i).map { "\($0)" } ?? "none") \(rejection?.expected ?? "")")
                bits.append([chunk.losses[i].bitPattern, chunk.predictions[i].bitPattern])
            }
            first += count
        }
        return Outcome(
            state: try state(learner), hash: learner.network?.parameterHash, metrics: learner.metrics, steps: steps,
            bits: bits)
    }

    private func check(_ stream: SampleChunk, _ configuration: Configuration = Configuration()) throws {
        var random = TestRandom(seed: 9)
        let whole = try learn(stream, configuration, pieces: [stream.count])
        var splits = [[1], [2, 3], [255, 1, 256, 257]]
        for longest in [10, 100, 1_000] {
            splits.append((0..<50).map { _ in .random(in: 1...longest, using: &random) })
        }
        for pieces in splits {
            let isEqual = try learn(stream, configuration, pieces: pieces) == whole
            #expect(isEqual, "pieces of \(pieces.prefix(6))")
        }
    }

    @Test(arguments: ["breast_cancer", "iris", "digits", "trump_approval", "phishing"])
    func aDataSetInAnyChunks_givesTheSameBits(name: String) throws { try check(try samples(name)) }

    @Test(arguments: [true, false])
    func anEventfulStreamInAnyChunks_givesTheSameBits(scaling: Bool) throws {
        let stream = try eventful()
        var configuration = plain(scaling: scaling)
        configuration.optimizer = .sgd(
            0.05, schedule: .inverseSquareRoot(decay: 0.001), momentum: 0.9, clip: 2, l2: 1e-4)
        configuration.classLimit = 12
        configuration.recentWindow = 100
        try check(stream, configuration)
        // It is as eventful as it says.
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        #expect(learner.task == .regression)
        #expect(!steps.rejections.isEmpty && steps.predicted > 50 && steps.learned > 800)
    }

    /// Classes that come late, questions, weights, samples that are rejected, and then numbers that are no classes.
    private func eventful() throws -> SampleChunk {
        var random = TestRandom(seed: 10)
        var chunk = SampleChunk(inputs: 3)
        for i in 0..<1_200 {
            var sample = Sample((0..<3).map { _ in .random(in: -3...3, using: &random) })
            let known = min(12, 2 + i / 50)
            sample.label = .number(Float(Int.random(in: 0..<known, using: &random)))
            if i >= 800 { sample.label = .number(sample.features[0] * 100 + 0.25) }
            if random.oneIn(5) { sample.weight = .random(in: 0...3, using: &random) }
            if random.oneIn(12) { sample.label = .none }
            if random.oneIn(30) { sample.features[1] = 1e30 }  // beyond, unless scaled
            // Beyond the limit of classes; beyond all numbers.
            if random.oneIn(40) { sample.label = i < 800 ? .number(20) : .number(3e38) }
            if i >= 800, random.oneIn(40) { sample.label = "a word" }
            try chunk.append(sample)
        }
        return chunk
    }

    @Test func namedClassesInAnyChunks_giveTheSameBits() throws {
        var random = TestRandom(seed: 11)
        var chunk = SampleChunk(inputs: 2)
        for i in 0..<600 {
            let name = "class \(Int.random(in: 0...i / 20, using: &random))"
            try chunk.append(Sample([Float(i % 7), .random(in: 0...9, using: &random)], label: .text(name)))
        }
        try check(chunk)
        try check(chunk, plain(hidden: []))
    }

    @Test(arguments: [Loss.squared, .huber(delta: 0.5), .binaryCrossEntropy])
    func otherLossesInAnyChunks_giveTheSameBits(loss: Loss) throws {
        try check(try samples("phishing"), Configuration(layers: [.dense(5, .relu), .dense(1)], loss: loss))
    }

    @Test func learningIsTheSame_whateverTheBytesCameIn() throws {
        let bytes = try fixture("iris")
        let whole = try Learner()
        _ = whole.learn(try samples("iris"))
        let learner = try Learner()
        var decoder = SampleDecoder(schema: SchemaClaim())
        for byte in bytes {
            var one = [byte][...]
            _ = learner.learn(decoder.decode(&one).samples)
        }
        #expect(try state(learner) == state(whole))
    }
}
