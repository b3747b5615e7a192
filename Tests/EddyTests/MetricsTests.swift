// Metrics against a plain recomputation from the steps, and the figures that a newcomer is promised.

import Foundation
import Testing

@testable import Eddy

@Suite struct MetricsTests {
    private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * max(1, abs(a), abs(b)) }
    private func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }

    @Test(arguments: ["breast_cancer", "iris", "digits", "bananas"], [1, 50, 1_000])
    func aClassificationsMetrics_areThoseOfItsSteps(name: String, window: Int) throws {
        let stream = try samples(name)
        var configuration = Configuration()
        configuration.recentWindow = window
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        let losses = steps.losses.map { Double($0) }
        var right: [Double] = []
        var counts: [Label: Double] = [:]
        for (i, label) in stream.labels.enumerated() {
            counts[label, default: 0] += 1
            guard case .class(let name, let probability) = steps.prediction(at: i) else {
                #expect(i == 0, "only before the first label there is no class")
                right.append(0)
                continue
            }
            let isRight = label == .text(name) || label == Float(name).map { .number($0) }
            right.append(isRight ? 1 : 0)
            // A right answer's loss is the surprise of its probability. While one class is known it is certain, and the
            // loss is that of two.
            if counts.count == 1 { #expect(isRight && probability == 1) }
            if isRight, counts.count > 1 { #expect(abs(losses[i] + log(Double(probability))) < 1e-5) }
        }
        let m = learner.metrics
        #expect(m.learned == UInt64(stream.count))
        #expect(close(m.meanLoss, mean(losses)))
        #expect(close(try #require(steps.meanLoss), mean(losses)))
        #expect(close(m.recentLoss, mean(losses.suffix(window))))
        #expect(close(m.accuracy, mean(right)))
        #expect(close(m.recentError, mean(right.suffix(window))))
        let shares = counts.values.map { $0 / Double(stream.count) }
        #expect(close(m.labelEntropy, -shares.map { $0 * log($0) }.reduce(0, +)))
        #expect(close(m.majorityShare, shares.max()!))
        let summary = m.summary(for: .classification)
        #expect(summary.baseline == m.labelEntropy && summary.mae == nil && summary.accuracy == m.accuracy)
    }

    @Test(arguments: [true, false], [7, 1_000])
    func aRegressionsMetrics_areThoseOfItsSteps(scaling: Bool, window: Int) throws {
        let stream = try samples("trump_approval")
        var configuration = scaling ? Configuration() : plain(hidden: [])
        if !scaling { configuration.optimizer = .sgd(1e-12) }  // for features about 10⁵
        configuration.recentWindow = window
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        #expect(steps.rejections.isEmpty)
        var errors: [Double] = []
        var targets: [Double] = []
        for (i, label) in stream.labels.enumerated() {
            guard case .number(let target) = label else { return }
            targets.append(Double(target))
            guard case .value(let value) = steps.prediction(at: i) else {
                #expect(i == 0, "only before the first label there is no value")
                continue
            }
            errors.append(Double(value) - Double(target))
            let square = errors[i - 1] * errors[i - 1]
            #expect(abs(Double(steps.losses[i]) - square) <= 1e-3 * max(square, 1e-2))
        }
        let m = learner.metrics
        let losses = steps.losses.map { Double($0) }
        #expect(close(m.meanLoss, mean(losses)))
        #expect(close(m.recentLoss, mean(losses.suffix(window))))
        #expect(close(m.meanAbsoluteError, mean(errors.map { abs($0) })))
        #expect(close(m.rootMeanSquaredError, mean(errors.map { $0 * $0 }).squareRoot()))
        #expect(abs(m.recentError - mean(errors.suffix(window).map { abs($0) })) < 1e-4 * max(1, m.recentError))
        let average = mean(targets)
        #expect(close(m.targetVariance, mean(targets.map { ($0 - average) * ($0 - average) })))
        #expect(m.summary(for: .regression).baseline == m.targetVariance)
    }

    @Test func metricsOfAnotherTask_beginAnew_butStepsCountOn() throws {
        let learner = try Learner(plain())
        for i in 0..<50 { try learner.learn([Float(i % 5)], .number(Float(i % 2))) }
        let steps = try (0..<10).map { try learner.learn([Float($0)], .number(Float($0) + 0.5)) }
        #expect(learner.step == 60)
        #expect(close(learner.metrics.meanLoss, mean(steps.map { Double($0.losses[0]) })))
        #expect(learner.metrics.classCounts.isEmpty)
    }

    @Test func beforeTheFirstSample_everyFigureIsZero() {
        let m = Metrics()
        #expect([m.meanLoss, m.recentLoss, m.accuracy, m.recentError, m.meanAbsoluteError].allSatisfy { $0 == 0 })
        #expect([m.rootMeanSquaredError, m.labelEntropy, m.targetVariance, m.majorityShare].allSatisfy { $0 == 0 })
    }

    // MARK: What is promised

    @Test func breastCancer_withDefaults_isLearnedInOnePass() throws {
        let stream = try samples("breast_cancer")
        var losses: [Double] = []
        var accuracies: [Double] = []
        for seed in 1...10 as ClosedRange<UInt64> {
            var configuration = Configuration()
            configuration.seed = seed
            let learner = try Learner(configuration)
            #expect(learner.learn(stream).learned == 569)
            losses.append(learner.metrics.meanLoss)
            accuracies.append(learner.metrics.accuracy)
        }
        func median(_ values: [Double]) -> Double { (values.sorted()[4] + values.sorted()[5]) / 2 }
        #expect(median(losses) < 0.16, "nats, from \(losses.min()!) to \(losses.max()!)")
        #expect(median(accuracies) > 0.945, "from \(accuracies.min()!) to \(accuracies.max()!)")
    }

    @Test func iris_hasThreeClasses() throws {
        let learner = try Learner()
        _ = learner.learn(try samples("iris"))
        #expect(learner.task == .classification)
        #expect(learner.classes == ["setosa", "versicolor", "virginica"])
        #expect(learner.metrics.meanLoss < learner.metrics.labelEntropy)
    }

    @Test func digits_haveTenClassesByNumber_andAreLearned() throws {
        let learner = try Learner()
        _ = learner.learn(try samples("digits"))
        #expect(Set(learner.classes) == Set((0...9).map { "\($0)" }))
        #expect(learner.metrics.accuracy > 0.8)
    }

    @Test func trumpApproval_isARegression() throws {
        let learner = try Learner()
        #expect(learner.learn(try samples("trump_approval")).learned == 1001)
        #expect(learner.task == .regression)
        #expect(learner.metrics.meanLoss < learner.metrics.targetVariance)
    }
}
