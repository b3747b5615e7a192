// Every figure of a learner's predictions, computed again from the raw distribution told of each sample.
//
// The arithmetic here shares nothing with Sources/Eddy/Metrics: a list of samples, their weights, and the definitions
// written out in loops.

import Foundation
import Testing

@testable import Eddy

@Suite struct NaiveFiguresTests {
    /// What is known of a learned sample: nothing else is computed from.
    private struct Raw {
        var target: Int
        var loss: Double
        /// Of each class, 0 for those that were not known; empty where there was no prediction.
        var distribution: [Double]
        /// The class told and its probability.
        var prediction: Int?
        var probability = 0.0
    }

    private struct Figures {
        var samples = 0.0
        var meanLoss = 0.0
        var accuracy = 0.0
        var balancedAccuracy = 0.0
        var kappa = 0.0
        var macroF1 = 0.0
        var brierScore = 0.0
        var calibrationError = 0.0
        var f1: [Double] = []
    }

    /// - Parameter outputs: classes; the distribution of one output is that of two classes.
    private func raw(_ stream: SampleChunk, _ configuration: Configuration) throws -> (rows: [Raw], learner: Learner) {
        let learner = try Learner(configuration)
        var rows: [Raw] = []
        for i in 0..<stream.count {
            let known = learner.classes.count
            let steps = learner.learn(stream[i..<i + 1])
            guard !steps.targets[0].isNaN else { continue }
            if learner.task == .regression { break }  // figures of the classes are gone
            var row = Raw(target: Int(steps.targets[0]), loss: Double(steps.losses[0]), distribution: [])
            if !steps.predictions[0].isNaN {
                let outputs = learner.network!.outputs
                let said = (0..<outputs).map { Double(learner.outputs[0].buffers!.predictions[$0]) }
                row.distribution = outputs == 1 ? [1 - said[0], said[0]] : said
                row.prediction = Int(steps.predictions[0])
                row.probability = Double(steps.probabilities[0])
                // It is of the classes known before the sample, adds up to 1, and the likeliest is told.
                let sum = row.distribution[..<known].reduce(0, +)
                #expect(abs(sum - 1) < 1e-5 && row.distribution[known...].allSatisfy { $0 == 0 })
                // Of one output the first class's is told as 1 − p in a Float.
                let rounding = outputs == 1 ? 1e-7 : 0
                #expect(abs(row.distribution[row.prediction!] - row.probability) <= rounding)
                #expect(abs(row.probability - row.distribution.max()!) <= rounding)
                if outputs == 1 { row.probability = row.distribution[row.prediction!] }
            }
            rows.append(row)
        }
        return (rows, learner)
    }

    private func naive(_ rows: [Raw], _ weights: [Double], classes: Int) -> Figures {
        var figures = Figures()
        let total = weights.reduce(0, +)
        figures.samples = total
        var (support, predicted, hits) = (
            Array(repeating: 0.0, count: classes), Array(repeating: 0.0, count: classes),
            Array(repeating: 0.0, count: classes)
        )
        var (bins, binHits, binSure) = (
            Array(repeating: 0.0, count: 10), Array(repeating: 0.0, count: 10), Array(repeating: 0.0, count: 10)
        )
        for (row, w) in zip(rows, weights) {
            figures.meanLoss += w * row.loss / total
            support[row.target] += w
            for k in 0..<classes {
                let p = k < row.distribution.count ? row.distribution[k] : 0
                let y = k == row.target ? 1.0 : 0
                figures.brierScore += w * (p - y) * (p - y) / 2 / total
            }
            guard let prediction = row.prediction else { continue }
            predicted[prediction] += w
            if prediction == row.target { hits[prediction] += w }
            let bin = max(0, Int((row.probability * 10).rounded(.up)) - 1)
            bins[bin] += w
            binSure[bin] += w * row.probability
            if prediction == row.target { binHits[bin] += w }
        }
        figures.accuracy = hits.reduce(0, +) / total
        let occurred = (0..<classes).filter { support[$0] > 0 }
        figures.balancedAccuracy = occurred.map { hits[$0] / support[$0] }.reduce(0, +) / Double(occurred.count)
        let chance = (0..<classes).map { support[$0] * predicted[$0] / total / total }.reduce(0, +)
        figures.kappa = chance < 1 - 1e-12 ? (figures.accuracy - chance) / (1 - chance) : 0
        figures.f1 = (0..<classes).map { k in
            let (precision, recall) = (hits[k] / max(predicted[k], 1e-300), hits[k] / max(support[k], 1e-300))
            return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
        }
        let present = (0..<classes).filter { support[$0] + predicted[$0] > 0 }
        figures.macroF1 = present.map { figures.f1[$0] }.reduce(0, +) / Double(present.count)
        let binned = bins.reduce(0, +)
        figures.calibrationError = zip(binSure, binHits).map { abs($0 - $1) }.reduce(0, +) / binned
        return figures
    }

    /// Every pair of a positive and a negative.
    private func area(_ rows: [Raw], classes: Int) -> Double? {
        func area(of k: Int) -> Double {
            func score(_ row: Raw) -> Double { k < row.distribution.count ? row.distribution[k] : 0 }
            let ups = rows.filter { $0.target == k }.map(score)
            let downs = rows.filter { $0.target != k }.map(score)
            var pairs = 0.0
            for up in ups { for down in downs { pairs += up > down ? 1 : up == down ? 0.5 : 0 } }
            return pairs / Double(ups.count * downs.count)
        }
        let present = (0..<classes).filter { k in rows.contains { $0.target == k } }
        if present.count < 2 { return nil }
        if present.count == 2 { return area(of: present[1]) }
        return present.map(area).reduce(0, +) / Double(present.count)
    }

    private func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * max(1, abs(a), abs(b)) }

    private func check(_ stream: SampleChunk, _ configuration: Configuration) throws {
        let (rows, learner) = try raw(stream, configuration)
        let window = configuration.recentWindow
        let classes = max(learner.classes.count, 2)
        for span in MetricsSpan.allCases {
            let part = span == .recent ? Array(rows.suffix(window)) : rows
            let weights = part.indices.map { i in
                span == .decayed ? pow(0.5, Double(part.count - 1 - i) / Double(window)) : 1
            }
            let wanted = naive(part, weights, classes: classes)
            let got = try #require(learner.metrics.classification(over: span))
            #expect(close(got.samples, wanted.samples) && close(got.meanLoss, wanted.meanLoss), "\(span)")
            #expect(close(got.accuracy, wanted.accuracy), "\(span)")
            #expect(close(got.balancedAccuracy, wanted.balancedAccuracy), "\(span)")
            #expect(close(got.kappa, wanted.kappa), "\(span)")
            #expect(close(got.macroF1, wanted.macroF1), "\(span)")
            #expect(zip(got.classes, wanted.f1).allSatisfy { close($0.f1, $1) }, "\(span)")
            #expect(got.classes.dropFirst(classes).allSatisfy { $0.support == 0 && $0.f1 == 0 })
            #expect(close(got.brierScore, wanted.brierScore), "\(span): \(got.brierScore), \(wanted.brierScore)")
            #expect(close(got.calibrationError, wanted.calibrationError), "\(span)")
            guard span == .recent else { continue }
            let wantedArea = area(part, classes: classes)
            #expect((got.rocAUC == nil) == (wantedArea == nil))
            if let area = got.rocAUC, let wantedArea { #expect(close(area, wantedArea), "\(area), \(wantedArea)") }
        }
        #expect(close(learner.metrics.accuracy, naive(rows, rows.map { _ in 1 }, classes: classes).accuracy))
    }

    @Test(arguments: ["digits", "iris", "names", "gaps", "words", "phishing", "breast_cancer"], [Profile.best, .fast])
    func figuresOfClasses_areThoseOfTheRawDistributions(name: String, profile: Profile) throws {
        let stream = try LateClassStream(rawValue: name)?.samples() ?? samples(name)
        for window in profile == .best ? [200] : [50, 1000] {
            var configuration = Configuration()
            configuration.profile = profile
            configuration.recentWindow = window
            try check(stream, configuration)
        }
    }

    @Test(arguments: [Loss.binaryCrossEntropy, .squared])
    func ofOneOutput_areToo(loss: Loss) throws {
        var configuration = Configuration(
            layers: [.dense(5, .relu), .dense(1, loss == .squared ? .sigmoid : .identity)], loss: loss)
        configuration.task = .classification
        try check(try samples("phishing"), configuration)
    }

    @Test(arguments: [Profile.best, .fast], [60, 2000])
    func figuresOfValues_areThoseOfTheRawPredictions(profile: Profile, window: Int) throws {
        let stream = try samples("trump_approval")
        var configuration = Configuration()
        configuration.profile = profile
        configuration.recentWindow = window
        let learner = try Learner(configuration)
        let steps = learner.learn(stream)
        for span in MetricsSpan.allCases {
            let all = Array(0..<stream.count)
            let part = span == .recent ? Array(all.suffix(window)) : all
            var (weight, weighed, absolute, squared, sum) = (0.0, 0.0, 0.0, 0.0, 0.0)
            var (loss, errors) = (0.0, [Double]())
            func w(_ i: Int) -> Double {
                span == .decayed ? pow(0.5, Double(stream.count - 1 - i) / Double(window)) : 1
            }
            for i in part {
                weight += w(i)
                loss += w(i) * Double(steps.losses[i])
                guard !steps.predictions[i].isNaN else { continue }
                let error = Double(steps.predictions[i]) - Double(steps.targets[i])
                weighed += w(i)
                absolute += w(i) * abs(error)
                squared += w(i) * error * error
                sum += w(i) * Double(steps.targets[i])
                errors.append(abs(error))
            }
            var deviations = 0.0
            for i in part where !steps.predictions[i].isNaN {
                let deviation = Double(steps.targets[i]) - sum / weighed
                deviations += w(i) * deviation * deviation
            }
            let got = try #require(learner.metrics.regression(over: span))
            #expect(close(got.samples, weight) && close(got.meanLoss, loss / weight), "\(span)")
            #expect(close(got.meanAbsoluteError, absolute / weighed), "\(span)")
            #expect(close(got.rootMeanSquaredError, (squared / weighed).squareRoot()), "\(span)")
            #expect(close(got.r2, 1 - squared / deviations), "\(span)")
            #expect(errors.count == part.count - (part.first == 0 ? 1 : 0))
            guard span == .recent || (span == .all && window > stream.count) else { continue }
            errors.sort()
            for (share, quantile) in [(0.5, got.medianError), (0.9, got.error90), (0.99, got.error99)] {
                let place = share * Double(errors.count - 1)
                let (low, high) = (errors[Int(place)], errors[min(Int(place) + 1, errors.count - 1)])
                let wanted = low + (high - low) * (place - place.rounded(.down))
                #expect(close(try #require(quantile), wanted), "\(span), \(share)")
            }
        }
    }
}
