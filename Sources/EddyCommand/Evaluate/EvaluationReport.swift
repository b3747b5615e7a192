// What an evaluation says, for programs; EvaluationText.swift and EvaluationPage.swift say it to people.

import Eddy
import Foundation

struct EvaluationReport: Encodable {
    /// Over the seeds.
    struct Figure: Encodable {
        let median: Double
        let lowest: Double
        let highest: Double

        /// - Parameter values: nil of nothing.
        init?(_ values: [Double]) {
            guard !values.isEmpty else { return nil }
            let spread = Spread(values)
            (median, lowest, highest) = (spread.median, spread.lowest, spread.highest)
        }
    }

    /// Answers that need no features. Those of the other task are nil.
    struct Reference: Encodable {
        var mostFrequentClass: Double?
        var lastClass: Double?
        /// Nats: the mean loss of always answering with the classes' frequencies, known beforehand.
        var labelEntropy: Double?
        var meanMAE: Double?
        var meanRMSE: Double?
        var lastMAE: Double?
        var lastRMSE: Double?
        /// Squared units: the mean squared error of always answering the mean, known beforehand.
        var targetVariance: Double?
    }

    struct MostRejected: Encodable {
        let count: UInt64
        let field: String?
        let expected: String
    }

    struct Pass: Encodable {
        let seed: UInt64
        let learned: UInt64
        let rejected: Int
        let samplesPerSecond: Double
        let weights: String
        let classification: BySpan<ClassificationFigures>?
        let regression: BySpan<RegressionFigures>?
        /// Changes found in the stream: the newest 256, and how many came before them.
        let drifts: DriftSeries
        /// What drift was not looked for in, though it was asked for, and why.
        let unwatched: String?
    }

    struct Entry: Encodable {
        let name: String
        let options: String
        let task: LearningTask?
        let network: String
        let classes: [String]
        let recentWindow: Int
        let figures: [String: Figure]
        let passes: [Pass]
        /// The pass of which the rest is: the one in the middle.
        let shownSeed: UInt64
        let doublings: [Prequential.Row]
        let curve: [Prequential.Point]
        let curveWindow: Int
        /// Shape: (label, predicted); empty for regression. A sample without a prediction is in no cell.
        let confusions: [[Int]]

        var shown: Pass { passes.first { $0.seed == shownSeed }! }
        var isClassification: Bool { task == .classification }
    }

    let version = EddyVersion.current
    let kernels = kernelsInUse()
    /// Which of several outputs this is about; absent of one.
    let output: String?
    let files: [String]
    let samples: UInt64
    let rejected: Int
    /// Samples without a label, which were not learned.
    let predicted: UInt64
    /// The label columns.
    let labels: [String]
    /// What was rejected most; absent where nothing was.
    let mostRejected: MostRejected?
    /// Errors of answers are the first contender's. Absent where no sample waited for its label.
    let lateLabels: LateReport?
    let seeds: Int
    let reference: Reference
    let configurations: [Entry]
    /// What the text says of labels, samples without one, and rejections.
    let notes: [String]

    private enum CodingKeys: CodingKey {
        case version, kernels, output, files, samples, rejected, predicted, labels, mostRejected, lateLabels, seeds
        case reference, configurations
    }

    /// - Parameter runs: of each contender, one for each seed.
    init(
        files: [String], _ complaints: Complaints, late: LateReport?, _ contenders: [Contender],
        _ runs: [[EvaluationRun]], output: String?
    ) {
        lateLabels = late
        (rejected, predicted) = (Int(complaints.count), complaints.tally.predicted)
        labels = complaints.tally.labels
        mostRejected = complaints.tally.commonestRejection.map {
            MostRejected(count: $0.count, field: $0.field, expected: $0.expected)
        }
        notes = complaints.lines
        self.output = output
        self.files = files
        samples = runs.joined().map(\.output.step).max()!
        seeds = runs[0].count
        configurations = zip(contenders, runs).map { Entry($0, $1) }
        reference = Reference(runs.joined().first { $0.output.step > 0 } ?? runs[0][0])
    }

    /// One object, of several outputs an array of them.
    static func json(_ reports: [EvaluationReport]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let json = reports.count == 1 ? try encoder.encode(reports[0]) : try encoder.encode(reports)
        return String(decoding: json, as: UTF8.self)
    }
}

extension EvaluationReport.Reference {
    fileprivate init(_ run: EvaluationRun) {
        let (metrics, baselines) = (run.output.metrics, run.course.baselines)
        let count = baselines.scored
        if run.output.task == .classification {
            mostFrequentClass = baselines.commonScore / count
            lastClass = baselines.lastScore / count
            labelEntropy = metrics.labelEntropy
        } else {
            meanMAE = baselines.commonScore / count
            meanRMSE = (baselines.commonSquares / count).squareRoot()
            lastMAE = baselines.lastScore / count
            lastRMSE = (baselines.lastSquares / count).squareRoot()
            targetVariance = metrics.targetVariance
        }
    }
}

extension EvaluationReport.Pass {
    fileprivate init(_ run: EvaluationRun) {
        let output = run.output
        seed = output.configuration.seed
        learned = output.step
        rejected = run.rejected
        samplesPerSecond = run.seconds > 0 ? Double(output.step) / run.seconds : 0
        weights = output.weights
        classification = output.metrics.classification
        regression = output.metrics.regression
        drifts = run.drifts
        unwatched = output.unwatched
    }

    /// The figures of a table, by the names of its columns.
    fileprivate var named: [String: Double] {
        var named = ["samplesPerSecond": samplesPerSecond]
        if let all = classification?.all {
            named.merge([
                "accuracy": all.accuracy, "meanLoss": all.meanLoss, "balancedAccuracy": all.balancedAccuracy,
                "macroF1": all.macroF1, "kappa": all.kappa, "brierScore": all.brierScore,
                "calibrationError": all.calibrationError,
            ]) { $1 }
            named["recentAccuracy"] = classification?.recent.accuracy
            named["recentAUC"] = classification?.recent.rocAUC
        }
        if let all = regression?.all {
            named.merge([
                "mae": all.meanAbsoluteError, "rmse": all.rootMeanSquaredError, "r2": all.r2, "meanLoss": all.meanLoss,
            ]) { $1 }
            named["medianError"] = all.medianError
            named["error90"] = all.error90
            named["error99"] = all.error99
            named["recentMAE"] = regression?.recent.meanAbsoluteError
        }
        return named
    }
}

extension EvaluationReport.Entry {
    fileprivate init(_ contender: Contender, _ runs: [EvaluationRun]) {
        let middle = runs.sorted { $0.score < $1.score }[(runs.count - 1) / 2]
        let output = middle.output
        name = contender.name
        options = contender.words
        task = output.task
        network = output.network
        classes = output.classes
        recentWindow = output.configuration.recentWindow
        passes = runs.map { EvaluationReport.Pass($0) }
        let named = passes.map(\.named)
        figures = Set(named.flatMap(\.keys)).reduce(into: [:]) { figures, key in
            figures[key] = EvaluationReport.Figure(named.compactMap { $0[key] })
        }
        shownSeed = output.configuration.seed
        doublings = middle.course.rows
        curve = middle.course.curve
        curveWindow = middle.course.window
        confusions = middle.course.confusions
    }
}

extension EvaluationRun {
    /// Accuracy or mean absolute error, to put passes in order.
    fileprivate var score: Double {
        output.task == .classification ? output.metrics.accuracy : output.metrics.meanAbsoluteError
    }
}

/// A column of the tables in text and on the page.
struct EvaluationColumn {
    let key: String
    let title: String
    let digits: Int

    var isHigherBetter: Bool {
        switch key {
        case "accuracy", "macroF1", "balancedAccuracy", "kappa", "recentAUC", "r2", "samplesPerSecond": true
        default: false
        }
    }

    static func columns(_ task: LearningTask?) -> [EvaluationColumn] {
        task == .classification
            ? [
                EvaluationColumn(key: "accuracy", title: "accuracy", digits: 4),
                EvaluationColumn(key: "meanLoss", title: "loss, nats", digits: 4),
                EvaluationColumn(key: "macroF1", title: "macro F1", digits: 4),
                EvaluationColumn(key: "balancedAccuracy", title: "balanced", digits: 4),
                EvaluationColumn(key: "kappa", title: "kappa", digits: 4),
                EvaluationColumn(key: "recentAUC", title: "recent AUC", digits: 4),
                EvaluationColumn(key: "brierScore", title: "Brier", digits: 4),
                EvaluationColumn(key: "calibrationError", title: "calibration", digits: 4),
                EvaluationColumn(key: "samplesPerSecond", title: "samples/s", digits: 0),
            ]
            : [
                EvaluationColumn(key: "mae", title: "MAE", digits: 4),
                EvaluationColumn(key: "rmse", title: "RMSE", digits: 4),
                EvaluationColumn(key: "r2", title: "R²", digits: 4),
                EvaluationColumn(key: "medianError", title: "median error", digits: 4),
                EvaluationColumn(key: "error90", title: "90 %", digits: 4),
                EvaluationColumn(key: "error99", title: "99 %", digits: 4),
                EvaluationColumn(key: "recentMAE", title: "recent MAE", digits: 4),
                EvaluationColumn(key: "samplesPerSecond", title: "samples/s", digits: 0),
            ]
    }

    /// The median, and where there are several seeds the range.
    func median(_ entry: EvaluationReport.Entry) -> String { entry.figures[key].map { number($0.median) } ?? "–" }

    func range(_ entry: EvaluationReport.Entry) -> String? {
        guard entry.passes.count > 1, let figure = entry.figures[key] else { return nil }
        return "\(number(figure.lowest))–\(number(figure.highest))"
    }

    /// Rates with three digits, as they never repeat.
    func number(_ value: Double) -> String {
        if digits > 0 { return decimal(value, digits) }
        return value < 1e6 ? decimal(value / 1e3, value < 1e5 ? 1 : 0) + " k" : decimal(value / 1e6, 2) + " M"
    }
}

extension EvaluationReport {
    var task: LearningTask? { configurations.first?.task }

    /// Rows of the tables for answers that need no features: their names, and their figures by column.
    var references: [(name: String, figures: [String: Double])] {
        if let mostFrequent = reference.mostFrequentClass, let last = reference.lastClass {
            return [
                ("most frequent class so far", ["accuracy": mostFrequent]), ("last label", ["accuracy": last]),
                ("labels' entropy", ["meanLoss": reference.labelEntropy ?? 0]),
            ]
        }
        return [
            ("mean so far", ["mae": reference.meanMAE ?? 0, "rmse": reference.meanRMSE ?? 0]),
            ("last label", ["mae": reference.lastMAE ?? 0, "rmse": reference.lastRMSE ?? 0]),
            ("deviation of all labels", ["rmse": (reference.targetVariance ?? 0).squareRoot()]),
        ]
    }
}
