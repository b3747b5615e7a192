// How training goes: a table with a line at every power of two, after Vowpal Wabbit's, and a bar on a terminal.

import Eddy
import Foundation

/// The table, to standard output.
struct ProgressTable {
    private let unit: LossUnit
    private let isQuiet: Bool
    private var total = 0.0
    private var sinceLast = 0.0
    private var count = 0
    private var countAtLast = 0
    private var next = 1
    private var newest: (label: Label, prediction: Prediction)?

    init(unit: LossUnit, isQuiet: Bool) {
        self.unit = unit
        self.isQuiet = isQuiet
        if !isQuiet {
            Terminal.say("   average       since      sample       current       current")
            Terminal.say("      loss        last     counter         label       predict")
        }
    }

    mutating func add(_ steps: StepChunk, _ samples: SampleChunk, task: LearningTask?) {
        for i in 0..<steps.count where !steps.losses[i].isNaN {
            let loss = Double(steps.losses[i])
            total += loss
            sinceLast += loss
            count += 1
            if count == next {
                next *= 2
                row(samples.labels[i], steps.prediction(at: i), task)
            }
            newest = steps.prediction(at: i).map { (samples.labels[i], $0) }
        }
    }

    /// The last line, where it is not there yet.
    mutating func finish(_ learner: Learner) {
        if count > countAtLast, let newest { row(newest.label, newest.prediction, learner.task) }
    }

    private mutating func row(_ label: Label, _ prediction: Prediction?, _ task: LearningTask?) {
        let unit = task == .classification ? unit : .nats
        let mean = unit.from(nats: total / Double(count))
        let recent = unit.from(nats: sinceLast / Double(count - countAtLast))
        sinceLast = 0
        countAtLast = count
        if isQuiet { return }
        if Terminal.isInteractive { Terminal.write(ProgressBar.erase) }  // the bar comes back below the row
        let labelText =
            switch label {
            case .none: ""
            case .number(let value): value == value.rounded() && abs(value) < 1e7 ? String(Int(value)) : "\(value)"
            case .text(let name): name
            }
        let predictionText =
            switch prediction {
            case nil: ""
            case .value(let value): String(format: "%.4f", value)
            case .class(let name, _): name
            }
        let columns = [figure(mean), figure(recent), "\(count)", labelText, predictionText]
        let widths = [10, 12, 12, 14, 14]
        Terminal.say(
            zip(columns, widths).map { text, width in
                String(repeating: " ", count: max(1, width - text.count)) + text.prefix(width)
            }.joined())
    }
}

/// The bar, to standard error, where that is a terminal.
struct ProgressBar {
    /// What takes the bar off its line.
    static let erase = "\r\u{1B}[K"

    private let total: Int?
    private let isShown: Bool
    private let start = ContinuousClock.now
    private var shown = ContinuousClock.now
    private var bytes = 0
    private var samples: UInt64 = 0

    init(files: [String], epochs: Int, isQuiet: Bool) {
        let sizes = files.map { InputFile.size($0) }
        total = sizes.contains(where: { $0 == nil }) ? nil : sizes.reduce(0) { $0 + $1! } * epochs
        isShown = Terminal.isInteractive && !isQuiet
    }

    mutating func advance(bytes: Int, samples: UInt64) {
        self.bytes += bytes
        self.samples = samples
        guard isShown, ContinuousClock.now - shown > .milliseconds(200) else { return }
        shown = .now
        Terminal.write(ProgressBar.erase + text)
    }

    func finish() {
        if isShown { Terminal.write(ProgressBar.erase) }
    }

    private var text: String {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let rate = "\(Int(Double(samples) / seconds)) samples/s"
        guard let total, total > 0 else { return "\(samples) samples, \(rate)" }
        let share = min(1, Double(bytes) / Double(total))
        let filled = Int(share * 30)
        let left = Int((seconds / max(share, 1e-6) * (1 - share)).rounded(.up))
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: 30 - filled)
        return "[\(bar)] \(Int(share * 100)) %, \(rate), \(left) s left"
    }
}
