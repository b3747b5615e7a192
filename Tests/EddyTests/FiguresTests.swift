// Every figure against scikit-learn's, on predictions recorded by scripts/metrics.py; and that neither chunks, files
// nor unlabelled samples change one.

import Foundation
import Testing

@testable import Eddy

@Suite struct FiguresTests {
    private struct Recorded: Decodable {
        struct Case: Decodable {
            let window: Int
            let outputs: Int?
            let targets: [Float]
            let predictions: [Float]
            let losses: [Float]
            let grains: [Float]?
            let figures: [String: [String: Value]]
        }
        enum Value: Decodable {
            case one(Double)
            case many([Double])

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let one = try? container.decode(Double.self) {
                    self = .one(one)
                } else {
                    self = .many(try container.decode([Double].self))
                }
            }
        }
        let classification: [Case]
        let regression: [Case]
    }

    private let recorded: Recorded

    init() throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/metrics", withExtension: "json"))
        recorded = try JSONDecoder().decode(Recorded.self, from: try Data(contentsOf: url))
    }

    /// Scores a case in pieces; every `gap` samples one without a label comes between, which must not count.
    private func metrics(of recorded: Recorded.Case, pieces: Int = 256, gap: Int = 5) -> Metrics {
        var metrics = Metrics(recentWindow: recorded.window)
        let outputs = recorded.outputs ?? 0
        var (targets, predictions, losses, probabilities) = ([Float](), [Float](), [Float](), [Float]())
        for i in recorded.targets.indices {
            if gap > 0, i % gap == 0 {
                targets.append(.nan)
                predictions.append(0)
                losses.append(.nan)
                probabilities += Array(repeating: 0.5, count: outputs)
            }
            targets.append(recorded.targets[i])
            predictions.append(recorded.predictions[i])
            losses.append(recorded.losses[i])
            if let grains = recorded.grains {
                probabilities += grains[i * outputs..<(i + 1) * outputs].map { $0 / 4096 }
            }
        }
        for first in stride(from: 0, to: targets.count, by: pieces) {
            let end = min(first + pieces, targets.count)
            func part(_ values: [Float]) -> [Float] { Array(values[first..<end]) }
            if outputs > 0 {
                metrics.scoreClasses(
                    end - first, targets: part(targets), predictions: part(predictions), losses: part(losses),
                    probabilities: Array(probabilities[first * outputs..<end * outputs]), outputs: outputs)
            } else {
                metrics.scoreValues(
                    end - first, targets: part(targets), predictions: part(predictions), losses: part(losses))
            }
        }
        return metrics
    }

    /// 10⁻¹² of the figure, or of 1: what is left of a share near 0 after a difference of sums.
    private func expect(
        _ got: Double?, _ wanted: Recorded.Value?, within tolerance: Double = 1e-12, _ what: String,
        _ location: SourceLocation = #_sourceLocation
    ) {
        guard let got, case .one(let wanted)? = wanted else {
            Issue.record("\(what): \(String(describing: got))", sourceLocation: location)
            return
        }
        #expect(abs(got - wanted) <= tolerance * max(1, abs(wanted)), "\(what)", sourceLocation: location)
    }

    @Test(arguments: MetricsSpan.allCases) func ofClasses_areThoseOfScikitLearn(span: MetricsSpan) throws {
        for (index, recorded) in recorded.classification.enumerated() {
            let figures = try #require(metrics(of: recorded).classification(over: span))
            let wanted = try #require(recorded.figures[span.rawValue])
            let what = "case \(index), \(span)"
            // Weights of the decayed are products where scikit-learn was given powers.
            expect(figures.samples, wanted["samples"], "samples, \(what)")
            expect(figures.meanLoss, wanted["meanLoss"], "mean loss, \(what)")
            // Each loss came as a single: half a unit in its last place is 6e-8 of it.
            expect(figures.meanLoss, wanted["logLoss"], within: 6e-8, "log loss, \(what)")
            expect(figures.accuracy, wanted["accuracy"], "accuracy, \(what)")
            expect(figures.balancedAccuracy, wanted["balancedAccuracy"], "balanced accuracy, \(what)")
            expect(figures.kappa, wanted["kappa"], "kappa, \(what)")
            expect(figures.macroF1, wanted["macroF1"], "F1, \(what)")
            expect(figures.brierScore, wanted["brierScore"], "Brier, \(what)")
            expect(figures.calibrationError, wanted["calibrationError"], "calibration, \(what)")
            if let area = wanted["rocAUC"] {
                expect(figures.rocAUC, area, "AUC, \(what)")
            } else {
                #expect(figures.rocAUC == nil && (span != .recent || recorded.window == 2))
            }
            for (name, values) in [
                ("precision", figures.classes.map(\.precision)), ("recall", figures.classes.map(\.recall)),
                ("f1", figures.classes.map(\.f1)),
            ] {
                guard case .many(let wanted)? = wanted[name] else {
                    Issue.record("\(name)")
                    continue
                }
                #expect(values.count == wanted.count)
                #expect(zip(values, wanted).allSatisfy { abs($0 - $1) <= 1e-12 }, "\(name), \(what)")
            }
        }
    }

    @Test(arguments: MetricsSpan.allCases) func ofValues_areThoseOfScikitLearn(span: MetricsSpan) throws {
        for (index, recorded) in recorded.regression.enumerated() {
            let figures = try #require(metrics(of: recorded).regression(over: span))
            let wanted = try #require(recorded.figures[span.rawValue])
            let what = "case \(index), \(span)"
            expect(figures.samples, wanted["samples"], "samples, \(what)")
            expect(figures.meanLoss, wanted["meanLoss"], "mean loss, \(what)")
            expect(figures.meanAbsoluteError, wanted["meanAbsoluteError"], "MAE, \(what)")
            expect(figures.rootMeanSquaredError, wanted["rootMeanSquaredError"], "RMSE, \(what)")
            expect(figures.r2, wanted["r2"], "R², \(what)")
            let quantiles = [
                ("medianError", figures.medianError), ("error90", figures.error90), ("error99", figures.error99),
            ]
            for (name, quantile) in quantiles {
                if span == .decayed {
                    #expect(quantile == nil)
                    continue
                }
                // Beyond the window those of everything are estimates; see the test below.
                if span == .recent || recorded.targets.count <= recorded.window {
                    expect(quantile, wanted[name], "\(name), \(what)")
                }
            }
        }
    }

    @Test func quantilesOfManyErrors_areWithinTheWidthOfABin() throws {
        for scale in [1e-30, 1e-3, 1, 1e20] {
            var spread = ErrorSpread()
            var random = TestRandom(seed: 4)
            var errors: [Double] = []
            for i in 0..<20_000 {
                let error = i % 10 == 0 ? 0 : scale * Double.random(in: -8...2, using: &random).magnitude
                spread.count(error)
                errors.append(error)
            }
            errors.sort()
            for share in [0.05, 0.3, 0.5, 0.9, 0.99, 1] {
                let exact = errors[Int(share * 19_999)]
                #expect(abs(try #require(spread.quantile(share)) - exact) <= 0.0079 * exact)
            }
        }
        var spread = ErrorSpread()
        #expect(spread.quantile(0.5) == nil)
        for error in [1e300, 0, 3e-45] { spread.count(error) }
        #expect(spread.quantile(0) == 0)
        #expect(try #require(spread.quantile(1)) > 3e38)
    }

    @Test(arguments: [1, 7, 100]) func chunks_filesAndUnlabelledSamples_changeNoBit(pieces: Int) throws {
        for recorded in recorded.classification + recorded.regression {
            let whole = metrics(of: recorded, pieces: .max / 2, gap: 0)
            let cut = metrics(of: recorded, pieces: pieces)
            #expect(cut == whole)
            let loaded = try JSONDecoder().decode(Metrics.self, from: JSONEncoder().encode(cut))
            #expect(loaded == whole && loaded.isSound)
        }
    }

    @Test func aClassMore_keepsWhatIsRecent() {
        var metrics = Metrics(recentWindow: 4)
        // Of one output, of two, and of three: class 1 against the others.
        metrics.scoreClasses(
            2, targets: [0, 1], predictions: [0, 1], losses: [0, 0], probabilities: [0.25, 0.75], outputs: 1)
        metrics.scoreClasses(
            2, targets: [0, 1], predictions: [0, 0], losses: [0, 0],
            probabilities: [0.5, 0.25, 0.25, 0.5, 0.375, 0.125],
            outputs: 3)
        let figures = metrics.classification(over: .recent)
        #expect(figures?.samples == 4)
        #expect(figures?.accuracy == 0.75)
        #expect(metrics.classification(over: .all)?.brierScore == (0.0625 + 0.0625 + 0.1875 + 0.328125) / 4)
        metrics.scoreClasses(
            2, targets: [2, 2], predictions: [2, 1], losses: [0, 0], probabilities: [0, 0, 1, 0, 1, 0], outputs: 3)
        // 2.5 of 3 pairs, 2 of 3, and 2 of 4.
        #expect(abs((metrics.classification(over: .recent)?.rocAUC ?? 0) - 2.0 / 3) < 1e-15)
        #expect(metrics.classification(over: .recent)?.classes.map(\.support) == [1, 1, 2])
    }

    @Test func probabilitiesOfManyClasses_areKeptInBoundedMemory() throws {
        var probabilities = RecentProbabilities(length: 1_000_000)
        let outputs = 1 << 12
        let row = (0..<outputs).map { Float($0) }
        for _ in 0..<100 { probabilities.append(1, row, outputs: outputs) }
        #expect(probabilities.count == RecentProbabilities.limit / outputs && probabilities.isSound)
        #expect(Array(probabilities.row(63)) == row)
    }

    @Test func labelsOfOneClass_haveNoAUC_andNoKappa() throws {
        var metrics = Metrics()
        metrics.scoreClasses(
            2, targets: [1, 1], predictions: [1, 1], losses: [0, 0], probabilities: [1, 1], outputs: 1)
        let figures = try #require(metrics.classification?.recent)
        #expect(figures.rocAUC == nil && figures.kappa == 0 && figures.macroF1 == 1 && figures.calibrationError == 0)
        #expect(metrics.regression == nil)
    }

    @Test func targetsThatDoNotVary_haveAnR2OfOneOrNone() throws {
        for (prediction, wanted) in [(Float(3), 1.0), (2, 0)] {
            var metrics = Metrics()
            metrics.scoreValues(2, targets: [3, 3], predictions: [prediction, prediction], losses: [0, 0])
            for span in MetricsSpan.allCases { #expect(metrics.regression(over: span)?.r2 == wanted) }
        }
    }

    @Test func hugeErrors_stayFinite() throws {
        var metrics = Metrics(recentWindow: 2)
        let huge = Float.greatestFiniteMagnitude
        for _ in 0..<1200 {
            metrics.scoreValues(2, targets: [huge, -huge], predictions: [-huge, huge], losses: [huge, huge])
        }
        let figures = try #require(metrics.regression)
        for span in [figures.all, figures.recent, figures.decayed] {
            #expect(span.rootMeanSquaredError.isFinite && span.meanAbsoluteError.isFinite && span.r2.isFinite)
        }
        #expect(metrics.recentError == 2 * Double(huge))
    }
}
