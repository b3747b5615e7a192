// How training goes: a table with a line at every power of two, after Vowpal Wabbit's, and a bar on a terminal.

import Eddy
import Foundation
import Synchronization

/// The table, to standard output.
struct ProgressTable {
    private let unit: LossUnit
    private let isQuiet: Bool
    private var total = 0.0
    private var sinceLast = 0.0
    private var count = 0
    private var countAtLast = 0
    private var next = 1
    /// Whether losses are in nats: no output has values.
    private var isOfClasses = true
    /// Of the newest sample: for several outputs, theirs.
    private var newest: (labels: [Label], predictions: [Prediction?])?

    init(unit: LossUnit, isQuiet: Bool) {
        self.unit = unit
        self.isQuiet = isQuiet
        if !isQuiet {
            Terminal.say("   average       since      sample       current       current")
            Terminal.say("      loss        last     counter         label       predict")
        }
    }

    mutating func add(_ steps: StepChunk, _ samples: SampleChunk) {
        for i in 0..<steps.count where !steps.losses[i].isNaN {
            let loss = Double(steps.losses[i])
            total += loss
            sinceLast += loss
            count += 1
            if count == next {
                next *= 2
                row(ProgressTable.labels(samples, i), steps.predictions(at: i))
            }
        }
        if let last = steps.losses.lastIndex(where: { !$0.isNaN }) {
            isOfClasses = steps.hasClassesAlone
            newest = (ProgressTable.labels(samples, last), steps.predictions(at: last))
        }
    }

    /// The last line, where it is not there yet.
    mutating func finish() {
        if count > countAtLast, let newest { row(newest.labels, newest.predictions) }
    }

    private static func labels(_ samples: SampleChunk, _ index: Int) -> [Label] {
        [samples.labels[index]] + samples.furtherLabels.map { $0[index] }
    }

    private static func text(_ label: Label) -> String {
        switch label {
        case .none: ""
        case .number(let value): value == value.rounded() && abs(value) < 1e7 ? String(Int(value)) : "\(value)"
        case .text(let name): name
        }
    }

    private static func text(_ prediction: Prediction?) -> String {
        switch prediction {
        case nil: "–"
        case .value(let value): String(format: "%.4f", value)
        case .class(let name, _): name
        }
    }

    private mutating func row(_ labels: [Label], _ predictions: [Prediction?]) {
        let unit = isOfClasses ? unit : .nats
        let mean = unit.from(nats: total / Double(count))
        let recent = unit.from(nats: sinceLast / Double(count - countAtLast))
        sinceLast = 0
        countAtLast = count
        if isQuiet { return }
        if Terminal.isInteractive { Terminal.write(ProgressBar.erase) }  // the bar comes back below the row
        let texts = [labels.map(ProgressTable.text), predictions.map(ProgressTable.text)]
        let columns = [figure(mean), figure(recent), "\(count)"] + texts.map { $0.joined(separator: ",") }
        let widths = [10, 12, 12, 14, 14]
        Terminal.say(
            zip(columns, widths).map { text, width in
                String(repeating: " ", count: max(1, width - text.count)) + text.prefix(width)
            }.joined())
    }
}

/// Bytes read by a task of its own.
final class ByteCount: Sendable {
    private let total = Atomic(0)

    var value: Int { total.load(ordering: .relaxed) }

    func count(_ bytes: Int) { total.add(bytes, ordering: .relaxed) }
}

/// The bar, to standard error, where that is a terminal.
struct ProgressBar {
    /// What takes the bar off its line.
    static let erase = "\r\u{1B}[K"

    private let total: Int?
    private let isShown: Bool
    private let start = ContinuousClock.now
    private var shown = ContinuousClock.now
    /// What was read so far.
    let bytes = ByteCount()
    private var samples: UInt64 = 0

    init(files: [String], epochs: Int, isQuiet: Bool) {
        let sizes = files.map { InputFile.size($0) }
        total = sizes.contains(where: { $0 == nil }) ? nil : sizes.reduce(0) { $0 + $1! } * epochs
        isShown = Terminal.isInteractive && !isQuiet
    }

    mutating func show(samples: UInt64) {
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
        let share = min(1, Double(bytes.value) / Double(total))
        let filled = Int(share * 30)
        let left = Int((seconds / max(share, 1e-6) * (1 - share)).rounded(.up))
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: 30 - filled)
        return "[\(bar)] \(Int(share * 100)) %, \(rate), \(left) s left"
    }
}
