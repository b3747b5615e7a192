// The learner: what it finds out, what changes it and what must not, in which order it predicts, scores and learns.

import Foundation
import Testing

@testable import Eddy

/// Everything that affects a learner's future, as bytes.
func state(_ learner: Learner) throws -> [UInt8] { try ModelFile.encode(learner, schema: nil) }

/// A small configuration, without scaling unless said.
func plain(hidden: [Layer] = [.dense(8, .tanh)], scaling: Bool = false, seed: UInt64 = 1) -> Configuration {
    var configuration = Configuration()
    configuration.hiddenLayers = hidden
    configuration.scaling = scaling
    configuration.seed = seed
    return configuration
}

/// What one network does with nothing configured.
func fast() -> Configuration {
    var configuration = Configuration()
    configuration.profile = .fast
    return configuration
}

extension Learner {
    /// One sample's step.
    @discardableResult
    func learn(_ features: [Float], _ label: Label, weight: Float = 1) throws -> StepChunk {
        learn(try SampleChunk([Sample(features, label: label, weight: weight)]))
    }
}

@Suite struct LearnerTests {
    // MARK: Task discovery

    @Test(
        arguments: [
            ("setosa", LearningTask.classification), ("", .classification), (true, .classification),
            (0, .classification),
            (1, .classification), (-1, .classification), (31, .classification), (32, .regression), (-2, .regression),
            (0.5, .regression), (1e9, .regression), ("2.5", .classification),
        ] as [(Label, LearningTask)])
    func theFirstLabel_decidesTheTask(label: Label, task: LearningTask) throws {
        let learner = try Learner(fast())
        try learner.learn([1, 2], label)
        #expect(learner.task == task)
        #expect(learner.step == 1)
        #expect(learner.network?.outputs == (task == .regression ? 1 : 2))
        #expect(learner.network?.loss == (task == .regression ? .squared : .crossEntropy))
    }

    @Test func aGivenTask_settlesIt() throws {
        var configuration = plain()
        configuration.task = .regression
        let regression = try Learner(configuration)
        try regression.learn([1], 3)
        #expect(regression.task == .regression)
        #expect(try regression.learn([1], "x").rejections.count == 1)
        configuration.task = .classification
        let classification = try Learner(configuration)
        try classification.learn([1], 0.5)
        try classification.learn([1], 700)
        #expect(classification.task == .classification)
        #expect(classification.classes == ["0.5", "700"])
    }

    @Test func aNumberThatIsNoClass_turnsNumericClassesIntoRegression_andSaysSo() throws {
        let learner = try Learner(fast())
        var found: [String] = []
        learner.onDiscovery = { found.append($0) }
        for i in 0..<20 { try learner.learn([Float(i), 1], .number(Float(i % 3))) }
        #expect(learner.task == .classification)
        try learner.learn([7, 1], 2.5)
        #expect(learner.task == .regression)
        #expect(learner.classes.isEmpty)
        #expect(learner.step == 21, "steps count on")
        #expect(learner.metrics.meanLoss > 0 && learner.metrics.regression == nil, "no value was predicted yet")
        #expect(learner.head?.targets.count == 21)
        #expect(found.count == 5)  // the task, three classes, and the change
        #expect(found.last?.contains("regression") == true)
    }

    @Test func namedClasses_stayClasses_whateverNumberComes() throws {
        let learner = try Learner()
        for label in ["a", 2.5, 1000] as [Label] { try learner.learn([1], label) }
        #expect(learner.task == .classification)
        #expect(learner.classes == ["a", "2.5", "1000"])
    }

    @Test func aChunkInWhichTheTaskChanges_tellsEachStepInItsOwnTerms() throws {
        let learner = try Learner()
        let samples = [0, 1, 1, 2.5, 3.5].map { Sample([1, 2], label: .number($0)) }
        let steps = learner.learn(try SampleChunk(samples))
        guard case .class("0", 1) = steps.prediction(at: 1), case .class(let name, _) = steps.prediction(at: 2),
            case .value = steps.prediction(at: 4)
        else {
            Issue.record("\((0..<5).map { steps.prediction(at: $0) })")
            return
        }
        #expect(["0", "1"].contains(name))
        #expect(steps.prediction(at: 0) == nil, "nothing is known")
        #expect(steps.prediction(at: 3) == nil, "a class is no prediction of a value")
        #expect((0..<5).map { steps.task(at: $0) == .classification } == [true, true, true, false, false])
    }

    // MARK: Classes

    @Test func aNewClass_takesAnOutputBegunFromSeedAndIndex_andIsThenScored() throws {
        let learner = try Learner(plain(seed: 5))
        for i in 0..<50 { try learner.learn([Float(i % 7), 1], .number(Float(i % 2))) }
        let before = try #require(learner.network)
        #expect(before.outputs == 3)

        let grown = try before.replacingHead(outputs: 4, loss: .crossEntropy, keepingOutputs: true)
        grown.reinitializeOutput(2)
        let fresh = try Network(
            inputs: 2, layers: grown.layers, loss: .crossEntropy, optimizer: grown.optimizer, seed: 5)
        func output(_ network: Network, _ k: Int) -> [Float] {
            let all = network.weights(of: 1)
            return stride(from: k, to: all.count, by: 4).map { all[$0] } + [network.bias(of: 1)[k]]
        }
        #expect(output(grown, 2) == output(fresh, 2), "whatever was learned before")
        #expect(output(grown, 3) == output(fresh, 3))
        #expect(output(grown, 1) != output(fresh, 1))

        let probabilities = grown.predict([3, 1])
        let loss = try #require(grown.learn([3, 1], target: 2))
        let steps = try learner.learn([3, 1], 2)
        #expect(steps.losses == [loss])
        #expect(abs(loss + log(probabilities[2])) < 1e-5)
        #expect(learner.network?.parameterHash == grown.parameterHash)
        #expect(learner.classes == ["0", "1", "2"])
    }

    @Test func beyondTheClassLimit_aNewClassIsRejected() throws {
        var configuration = plain()
        configuration.classLimit = 3
        let learner = try Learner(configuration)
        for name in ["a", "b", "c"] { try learner.learn([1], .text(name)) }
        let before = try state(learner)
        let steps = try learner.learn([1], "d")
        #expect(steps.rejections.count == 1)
        #expect(steps.rejections[0].error.expected.contains("a, b, c"))
        #expect(try state(learner) == before)
        #expect(try learner.learn([1], "c").learned == 1)
    }

    @Test func givenClasses_keepTheirOrder_andNoOtherComes() throws {
        var configuration = plain()
        configuration.classes = ["no", "yes", "maybe"]
        let learner = try Learner(configuration)
        try learner.learn([1], "maybe")
        #expect(learner.classes == ["no", "yes", "maybe"])
        #expect(learner.network?.outputs == 3)
        #expect(try learner.learn([1], "never").rejections.count == 1)
    }

    @Test func fixedOutputs_makeWholeNumbersTheirOwnIndex() throws {
        for first in [0, 2] as [Float] {
            let learner = try Learner(Configuration(layers: [.dense(3)], loss: .crossEntropy))
            _ = try learner.learn([1], .none)
            try learner.learn([1], .number(first))
            #expect(learner.classes == ["0", "1", "2"])
            #expect(try learner.learn([1], 3).rejections.count == 1)
        }
    }

    // MARK: What changes nothing

    @Test(arguments: [[1, 2, 1, 0], [0.5, 9.5, 7.5, -3.5]] as [[Float]])
    func unlabelledSamples_changeNoBit(labels: [Float]) throws {
        var random = TestRandom(seed: 8)
        let (with, without) = (try Learner(), try Learner())
        for i in 0..<200 {
            let sample = Sample([.random(in: -5...5, using: &random), .random(in: 0...1e6, using: &random)])
            let question = with.learn(try SampleChunk([sample]))
            #expect(question.learned == 0)
            #expect(try state(with) == state(without))
            var labelled = sample
            labelled.label = .number(labels[i % 4])
            let chunk = try SampleChunk([labelled])
            let (one, other) = (with.learn(chunk), without.learn(chunk))
            #expect(one.losses[0].bitPattern == other.losses[0].bitPattern)
        }
        #expect(with.step == 200)
    }

    @Test(arguments: [
        Configuration(), plain(), Configuration(layers: [.dense(3)], loss: .crossEntropy),
        Configuration(layers: [.dense(1)], loss: .binaryCrossEntropy),
        Configuration(layers: [.dense(1)], loss: .squared),
    ])
    func beforeTheFirstLabel_aQuestionIsRefused_andChangesNothing(configuration: Configuration) throws {
        for task in [nil, LearningTask.classification, .regression] {
            var configuration = configuration
            if configuration.loss == nil { configuration.task = task }
            let learner = try Learner(configuration)
            let before = try state(learner)
            let steps = try learner.learn([1, 2], .none)
            #expect(steps.rejections.count == 1)
            #expect(steps.prediction(at: 0) == nil)
            #expect(throws: SampleError.self) { try learner.predict([1, 2]) }
            #expect(try state(learner) == before)
            #expect(try learner.learn([1, 2, 3], 1).learned == 1, "the number of inputs is still open")
        }
    }

    @Test(arguments: [1, 3, 700] as [Label])
    func aRejectedSample_leavesEveryBit_evenOfAClassItBrought(label: Label) throws {
        var found: [String] = []
        let learner = try Learner(plain())
        let huge: [Float] = [1e30, -1e30]
        for i in 0..<30 { try learner.learn([Float(i % 5), Float(i % 3)], .number(Float(i % 3))) }
        learner.onDiscovery = { found.append($0) }
        let before = try state(learner)
        for weight in [1, 0.5] as [Float] {
            let steps = try learner.learn(huge, label, weight: weight)
            #expect(steps.rejections.map(\.index) == [0])
            #expect(steps.losses[0].isNaN && steps.prediction(at: 0) == nil)
            #expect(try state(learner) == before)
        }
        #expect(found.isEmpty, "nothing was found out")
        // Among others in one chunk it is as if it had not been there.
        let good = (0..<10).map { Sample([Float($0), 1], label: .number(Float($0 % 4))) }
        let clean = try Learner(plain())
        for i in 0..<30 { try clean.learn([Float(i % 5), Float(i % 3)], .number(Float(i % 3))) }
        _ = clean.learn(try SampleChunk(good))
        var mixed = good
        for place in [0, 3, 3, 7] { mixed.insert(Sample(huge, label: label), at: place) }
        #expect(learner.learn(try SampleChunk(mixed)).rejections.count == 4)
        #expect(try state(learner) == state(clean))
    }

    @Test func aFirstSampleThatIsRejected_leavesEverythingOpen() throws {
        for scaling in [true, false] {
            let learner = try Learner(plain(scaling: scaling))
            let before = try state(learner)
            #expect(try learner.learn([1, 2], 3e38).rejections.count == 1)
            #expect(try state(learner) == before)
            #expect(learner.task == nil)
            #expect(try learner.learn([1, 2, 3], "x").learned == 1)
        }
        var configuration = plain()
        configuration.task = .regression
        let learner = try Learner(configuration)
        #expect(try learner.learn([1, 2], "x").rejections.count == 1)
        #expect(learner.network == nil)
    }

    @Test func inAScaledRegression_aRejectedTarget_leavesEveryBit() throws {
        let learner = try Learner(fast())
        for i in 0..<30 { try learner.learn([Float(i)], .number(Float(i) + 0.5)) }
        let before = try state(learner)
        #expect(try learner.learn([5], 3e38).rejections.count == 1)
        #expect(try state(learner) == before)
    }

    @Test func theWrongNumberOfFeatures_isRejected() throws {
        let learner = try Learner()
        try learner.learn([1, 2], 1)
        let before = try state(learner)
        #expect(try learner.learn([1, 2, 3], 1).rejections.count == 1)
        #expect(try learner.learn([], 1).rejections.count == 1)
        #expect(try state(learner) == before)
        #expect(try Learner().learn([], 1).learned == 1, "its class alone is something")
    }

    @Test func anImpossibleSample_isNotEvenChunked() throws {
        for features in [[-Float.infinity], [.infinity], [1, 2]] {
            var chunk = SampleChunk(inputs: 1)
            #expect(throws: SampleError.self) { try chunk.append(Sample(features, label: 1)) }
            #expect(chunk.isEmpty && chunk.features.isEmpty)
        }
        #expect(throws: SampleError.self) { try SampleChunk([Sample([1], label: .number(.nan))]) }
        #expect(throws: SampleError.self) { try SampleChunk([Sample([1], weight: -1)]) }
        #expect(throws: SampleError.self) { try SampleChunk([Sample([1], weight: .infinity)]) }
    }

    @Test func targetsOfAnySize_keepEveryFigureFinite() throws {
        let learner = try Learner()
        for target in [1e18, 2e18, 5e36, -3e36, 3e38, 0.5, 1e38] as [Float] {
            let steps = try learner.learn([1, 2], .number(target))
            #expect(steps.losses[0].isNaN || steps.losses[0].isFinite)
            #expect(steps.predictions[0].isNaN || steps.predictions[0].isFinite)
            let m = learner.metrics
            let figures = [m.meanLoss, m.recentLoss, m.meanAbsoluteError, m.rootMeanSquaredError, m.targetVariance]
            #expect(figures.allSatisfy { $0.isFinite })
        }
    }

    // MARK: Test, then train

    @Test func aStep_isWhatWasPredictedBeforeTheUpdate() throws {
        for labels in [[0, 1, 2], [0.5, 40, -7]] as [[Float]] {
            let learner = try Learner(plain())
            try learner.learn([0.3, 0.1], .number(labels[0]))
            for i in 0..<100 {
                let features = [Float(i % 7) / 7, Float(i % 5) / 5]
                let label = labels[i % 3]
                let predicted = try learner.predict(features)
                let steps = try learner.learn(features, .number(label))
                #expect(steps.prediction(at: 0) == predicted, "a class that is new is no exception")
                if case .value(let value) = predicted {
                    #expect(steps.losses[0] == (value - label) * (value - label))
                }
                // As long as one class is known it is certain, before and after.
                if learner.classes.count == 1 { continue }
                #expect(try learner.predict(features) != predicted, "and then it learned")
            }
        }
    }

    @Test func aWeight_scalesTheUpdate_notTheLoss() throws {
        func learner() throws -> Learner {
            let learner = try Learner(plain())
            for i in 0..<10 { try learner.learn([Float(i), 1], .number(Float(i % 2))) }
            return learner
        }
        let (one, none, two) = (try learner(), try learner(), try learner())
        let weights = try #require(none.network?.parameterHash)
        let losses = try [one.learn([3, 1], 1), none.learn([3, 1], 1, weight: 0), two.learn([3, 1], 1, weight: 2)].map(
            \.losses[0])
        #expect(Set(losses).count == 1)
        #expect(none.network?.parameterHash == weights)
        #expect(one.network?.parameterHash != two.network?.parameterHash)
        #expect(none.step == 11, "it was scored, and counts")
    }

    // MARK: Online scaling

    @Test func aLabelledSample_updatesTheStatistics_thenIsScaled() throws {
        let learner = try Learner(plain(scaling: true))
        let column: [Float] = [3, 5, 10, -4, 5]
        for (i, value) in column.enumerated() {
            try learner.learn([value, 7], .number(Float(i % 2)))
            let seen = column.prefix(i + 1).map { Double($0) }
            let mean = seen.reduce(0, +) / Double(seen.count)
            let variance = seen.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(seen.count)
            let scaled = learner.scaled([value, 7])
            let expected = variance > 0 ? (Double(value) - mean) / variance.squareRoot() : 0
            #expect(abs(Double(scaled[0]) - expected) < 1e-6)
            #expect(scaled[1] == 0, "what never varied says nothing")
        }
        #expect(learner.scaled([1e30, 7])[0] == FeatureScaler.bound)
    }

    /// The other way round, a first sample far from the rest would be scored by statistics that know nothing of it.
    @Test func aStep_isOfTheSampleAsScaledByStatisticsThatKnowIt() throws {
        let learner = try Learner(plain(scaling: true))
        for (i, value) in [3, 5, 10, -4, 5, 900].enumerated() {
            let before = try ModelFile.decode(state(learner)).0
            let steps = try learner.learn([Float(value), 7], .number(Float(i % 2)))
            guard i > 1, let network = before.network else { continue }  // both classes have come
            let known = network.predict(learner.scaled([Float(value), 7]))[..<2]
            #expect(steps.probabilities[0] == known.max()! / known.reduce(0, +), "of the classes known")
        }
    }
}
