// A prediction is made before the label is looked at: what that means for each figure, and for what is told.

import Foundation
import Testing

@testable import Eddy

/// The sample of a stream without its label.
private func question(_ stream: SampleChunk, _ index: Int) -> SampleChunk {
    var question = stream[index..<index + 1]
    question.labels = [.none]
    return question
}

@Suite struct HonestFiguresTests {
    private static let profiles = [Profile.best, .fast]

    private func learner(_ profile: Profile) throws -> Learner {
        var configuration = Configuration()
        configuration.profile = profile
        return try Learner(configuration)
    }

    // MARK: Classes that nobody has seen

    @Test(arguments: profiles) func everyLabelANewOne_isAnAccuracyOfZero(profile: Profile) throws {
        var random = TestRandom(seed: 81)
        let learner = try learner(profile)
        for i in 0..<25 {
            let steps = try learner.learn([.random(in: 0...1, using: &random), Float(i)], .text("class \(i)"))
            #expect(steps.learned == 1 && steps.targets == [Float(i)] && steps.losses[0].isFinite)
            #expect((steps.prediction(at: 0) == nil) == (i == 0))
            if i == 1 { #expect(steps.prediction(at: 0) == .class("class 0", probability: 1)) }
        }
        for span in MetricsSpan.allCases {
            let figures = try #require(learner.metrics.classification(over: span))
            #expect(figures.accuracy == 0 && figures.macroF1 == 0 && figures.balancedAccuracy == 0)
            #expect(figures.kappa <= 0 && figures.classes.allSatisfy { $0.recall == 0 && $0.precision == 0 })
            #expect(figures.brierScore > 0.5 && figures.brierScore <= 1)
            #expect(figures.reliability.allSatisfy { $0.accuracy == 0 })
        }
        #expect(learner.metrics.accuracy == 0 && learner.metrics.recentError == 0)
        // All but the first have a confidence.
        let all = try #require(learner.metrics.classification(over: .all))
        #expect(all.reliability.reduce(0) { $0 + $1.samples } == 24)
    }

    @Test(arguments: profiles, LateClassStream.allCases)
    func aPrediction_namesNoClassWhoseLabelHasNotCome(profile: Profile, kind: LateClassStream) throws {
        let stream = try kind.samples()
        for pieces in [1, 256] {
            let learner = try learner(profile)
            var known: Set<String> = []
            for first in stride(from: 0, to: stream.count, by: pieces) {
                let steps = learner.learn(stream[first..<min(stream.count, first + pieces)])
                for i in 0..<steps.count {
                    if case .class(let name, let probability)? = steps.prediction(at: i) {
                        #expect(known.contains(name), "sample \(first + i)")
                        #expect(probability > 0 && probability <= 1)
                        if known.count == 1 { #expect(probability == 1) }
                    }
                    guard !steps.targets[i].isNaN, steps.task(at: i) == .classification else { continue }
                    known.insert(steps.classes[Int(steps.targets[i])])
                }
            }
        }
    }

    /// The first sample of a class is predicted as one without a label would be, to the bit.
    @Test(arguments: profiles, LateClassStream.allCases)
    func aNewClassesSample_isPredictedAsItsUnlabelledCopy(profile: Profile, kind: LateClassStream) throws {
        let stream = try kind.samples()
        let learner = try learner(profile)
        var news = 0
        for i in 0..<stream.count {
            let classes = learner.classes.count
            let wasClassification = learner.task == .classification
            let before = i % 97 == 1 ? try state(learner) : nil
            let asked = learner.head == nil ? nil : learner.learn(question(stream, i))
            if let before { #expect(try state(learner) == before, "asking changes nothing") }
            let steps = learner.learn(stream[i..<i + 1])
            guard wasClassification, learner.classes.count > classes else { continue }
            news += 1
            #expect(steps.predictions[0].bitPattern == asked?.predictions[0].bitPattern)
            #expect(steps.probabilities[0].bitPattern == asked?.probabilities[0].bitPattern)
            #expect(steps.targets[0] == Float(classes) && steps.predictions[0] < Float(classes))
        }
        #expect(news >= 2)
    }

    /// Without scaling, which takes in a labelled sample's features first, that holds of every sample.
    @Test(arguments: LateClassStream.allCases)
    func everySample_isPredictedAsItsUnlabelledCopy(kind: LateClassStream) throws {
        let stream = try kind.samples()
        let learner = try Learner(plain())
        var compared = 0
        for i in 0..<stream.count {
            guard learner.head != nil else {
                #expect(learner.learn(stream[i..<i + 1]).prediction(at: 0) == nil)
                continue
            }
            let task = learner.task
            let asked = learner.learn(question(stream, i))
            let inputs = learner.encoder!.width
            let steps = learner.learn(stream[i..<i + 1])
            // A column or word that is new has an input from its first labelled sample on; a class is no value.
            guard !steps.targets[0].isNaN, learner.encoder!.width == inputs, learner.task == task else { continue }
            compared += 1
            #expect(steps.predictions[0].bitPattern == asked.predictions[0].bitPattern, "sample \(i)")
            #expect(steps.probabilities[0].bitPattern == asked.probabilities[0].bitPattern, "sample \(i)")
        }
        #expect(compared > 100)
    }

    /// A labelled sample's features are taken into the scale before it is predicted; which of the known labels it has makes
    /// no difference to the prediction.
    @Test(arguments: profiles, LateClassStream.allCases)
    func theLabel_makesNoDifferenceToThePrediction(profile: Profile, kind: LateClassStream) throws {
        let stream = try kind.samples()
        let learner = try learner(profile)
        for i in 0..<stream.count {
            var other: StepChunk?
            let classes = learner.classes
            if i % 17 == 3, learner.task == .classification, let head = learner.head,
                case .target(let target) = head.meaning(of: stream.labels[i], configuration: learner.configuration),
                !target.isNaN
            {
                let copy = try ModelFile.decode(try state(learner)).0
                var changed = stream[i..<i + 1]
                let name = classes[(Int(target) + 1) % classes.count]
                changed.labels = head.classes.isNumeric ? [.number(Float(name)!)] : [.text(name)]
                other = copy.learn(changed)
                #expect(classes.count == 1 || other!.targets[0] != target)
            }
            let steps = learner.learn(stream[i..<i + 1])
            guard let other else { continue }
            #expect(steps.predictions[0].bitPattern == other.predictions[0].bitPattern, "sample \(i)")
            #expect(steps.probabilities[0].bitPattern == other.probabilities[0].bitPattern, "sample \(i)")
        }
    }

    /// 1714 of 1797 in the order of the data set: what a count of right answers gives that knows nothing of Eddy's metrics.
    @Test func digits_areCountedHonestly() throws {
        let stream = try samples("digits")
        let learner = try Learner()
        var (right, told) = (0, Set<String>())
        for i in 0..<stream.count {
            guard case .number(let label) = stream.labels[i] else { continue }
            let steps = learner.learn(stream[i..<i + 1])
            if case .class(let name, _)? = steps.prediction(at: 0) {
                #expect(told.contains(name))
                if Float(name) == label { right += 1 }
            }
            told.insert("\(Int(label))")
        }
        #expect(learner.metrics.accuracy == Double(right) / 1797)
        #expect(right == 1714)
    }

    // MARK: Before anything is known

    @Test(arguments: profiles) func theFirstValue_hasALoss_andIsInNoFigureOfErrors(profile: Profile) throws {
        let learner = try learner(profile)
        let first = try learner.learn([1, 2], 1000.5)
        #expect(first.prediction(at: 0) == nil && first.task(at: 0) == .regression && first.learned == 1)
        #expect(first.losses[0] > 0 && first.targets == [1000.5] && first.errors[0].isNaN)
        #expect(learner.metrics.regression == nil && learner.metrics.summary(for: .regression).mae == nil)
        #expect(learner.metrics.meanLoss == Double(first.losses[0]))
        var (targets, predictions): ([Double], [Double]) = ([], [])
        for i in 0..<20 {
            let target = 1000 + Float(i % 7)
            let steps = try learner.learn([Float(i), 2], .number(target))
            targets.append(Double(target))
            predictions.append(Double(steps.predictions[0]))
        }
        let mean = targets.reduce(0, +) / 20
        let squares = zip(targets, predictions).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let deviations = targets.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        for span in MetricsSpan.allCases {
            let figures = try #require(learner.metrics.regression(over: span))
            if span == .decayed {
                #expect(figures.rootMeanSquaredError < 900)
                continue
            }
            #expect(figures.samples == 21)
            #expect(abs(figures.rootMeanSquaredError - (squares / 20).squareRoot()) < 1e-9 * squares)
            #expect(abs(figures.r2 - (1 - squares / deviations)) < 1e-9 * max(1, squares / deviations))
        }
        let loaded = try JSONDecoder().decode(Metrics.self, from: JSONEncoder().encode(learner.metrics))
        #expect(loaded == learner.metrics && loaded.isSound)
    }

    @Test(arguments: profiles) func theSampleThatTurnsClassesIntoValues_hasNoPrediction(profile: Profile) throws {
        for pieces in [1, 30] {
            let learner = try learner(profile)
            var stream = SampleChunk(inputs: 1)
            for i in 0..<30 {
                let label: Float = i < 20 ? Float(i % 3) : Float(i) + 0.5
                try stream.append(Sample([Float(i)], label: .number(label)))
            }
            var predictions: [Prediction?] = []
            var tasks: [LearningTask?] = []
            for first in stride(from: 0, to: 30, by: pieces) {
                let steps = learner.learn(stream[first..<first + pieces])
                predictions += (0..<pieces).map { steps.prediction(at: $0) }
                tasks += (0..<pieces).map { steps.task(at: $0) }
            }
            #expect(predictions.indices.filter { predictions[$0] == nil } == [0, 20])
            #expect(tasks == (0..<30).map { $0 < 20 ? .classification : .regression })
            #expect(learner.metrics.regression(over: .all)?.samples == 10)
        }
    }

    @Test func anOldMetricsRecord_isStillRead() throws {
        var metrics = Metrics(recentWindow: 3)
        metrics.scoreValues(3, targets: [1, 2, 4], predictions: [1, 1, 1], losses: [0, 1, 9])
        let data = try JSONEncoder().encode(metrics)
        // Nothing that came since is written where there is nothing to say.
        #expect(!String(decoding: data, as: UTF8.self).contains("unscored"))
        #expect(!String(decoding: data, as: UTF8.self).contains("npredicted"))
        #expect(try JSONDecoder().decode(Metrics.self, from: data) == metrics)
    }

    @Test func aValueThatWasNotPredicted_leavesTheWindowAgain() throws {
        var metrics = Metrics(recentWindow: 3)
        let nan = Float.nan
        metrics.scoreValues(
            6, targets: [5, 1, 2, 3, 4, 5], predictions: [nan, 2, 4, 3, 1, 1], losses: [25, 1, 4, 0, 9, 16])
        #expect(metrics.recentError == 7.0 / 3)
        #expect(metrics.meanAbsoluteError == 2)
        #expect(metrics.regression(over: .all)?.samples == 6 && metrics.regression(over: .recent)?.samples == 3)
        #expect(metrics.targetVariance > 0 && metrics.isSound)
        var cut = Metrics(recentWindow: 3)
        cut.scoreValues(1, targets: [5], predictions: [nan], losses: [25])
        #expect(cut.recentError == 0 && cut.regression(over: .recent) == nil)
        cut.scoreValues(
            5, targets: [1, 2, 3, 4, 5], predictions: [2, 4, 3, 1, 1], losses: [1, 4, 0, 9, 16])
        #expect(cut == metrics)
    }
}
