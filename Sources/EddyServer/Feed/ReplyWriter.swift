// Replies, in the style that the client asked for, gathered into one buffer a chunk.

import Eddy
import NIOCore

/// What a feed says back.
public enum ReplyStyle: String, Sendable, Hashable, CaseIterable {
    /// Errors as they happen, at most some ten a second, and a summary at the end.
    case summary
    /// One line for every data line: a prediction, or an error.
    case predictions
    /// The same as JSON objects.
    case json
    /// The number of data lines processed, after every chunk.
    case acks
    /// Nothing.
    case none
}

package struct ReplyWriter: Sendable {
    package var style: ReplyStyle {
        didSet { classes = [] }  // each style has its own texts
    }
    /// What replies to samples of several outputs, where there are any.
    private var several = OutputReplies()
    private var out = ByteBuffer()
    /// The classes of the last chunk, and what a reply says of each before its probability, as bytes.
    private var classes: [String] = []
    private var classTexts: [[UInt8]] = []

    /// This connection's totals.
    package private(set) var tally = FeedTally()
    private var acknowledged: UInt64 = 0
    private var errors = ErrorBudget()

    package init(style: ReplyStyle) { self.style = style }

    /// What is to be sent, and an empty buffer again.
    package mutating func take() -> ByteBuffer {
        defer { out = ByteBuffer() }
        return out
    }

    // MARK: Data lines

    /// Replies to samples `range` of a chunk.
    package mutating func write(_ steps: StepChunk, _ range: Range<Int>, _ chunk: DecodedChunk) {
        var rejection = steps.rejections.firstIndex { $0.index >= range.lowerBound } ?? steps.rejections.endIndex
        var step = steps.stepsBefore
        if !steps.outputs.isEmpty { tally.note(outputs: steps, range) }
        if steps.rejections.isEmpty, style != .predictions, style != .json {
            return tally.note(steps, range)
        }
        if style == .json, range.lowerBound > 0 {
            for loss in steps.losses[..<range.lowerBound] where !loss.isNaN { step += 1 }
        }
        prepareClasses(steps.classes)
        for i in range {
            if rejection < steps.rejections.endIndex, steps.rejections[rejection].index == i {
                var error = steps.rejections[rejection].error
                error.line = chunk.lines[i]
                reject(error)
                rejection += 1
                continue
            }
            let loss = steps.losses[i]
            if loss.isNaN {
                tally.predicted += 1
            } else {
                tally.learned += 1
                step += 1
                tally.lossSum += Double(loss)
                tally.isRegression = steps.probabilities[i].isNaN
            }
            if steps.predictions[i].isNaN, steps.predictions(at: i).allSatisfy({ $0 == nil }) {
                sayThatItWaits(line: chunk.lines[i], id: chunk.samples.identifiers[i] ?? "")
                continue
            }
            if !steps.outputs.isEmpty {
                let id = chunk.samples.identifiers[i]
                several.write(steps, i, line: chunk.lines[i], id: id, step: step, style, into: &out)
                continue
            }
            switch style {
            case .predictions: writePrediction(steps, i)
            case .json: writeJSON(steps, i, chunk, step: step)
            case .summary, .acks, .none: break
            }
        }
    }

    /// Replies to a sample that waits for its label, and of which nothing can be said yet.
    private mutating func sayThatItWaits(line: Int, id: String) {
        switch style {
        case .predictions: say("!waiting line=\(line) id=\(JSONText.quoted(id))")
        case .json: say("{\"line\":\(line),\"id\":\(JSONText.quoted(id)),\"prediction\":null}")
        case .summary, .acks, .none: break
        }
    }

    private mutating func prepareClasses(_ names: [String]) {
        guard style == .predictions || style == .json, classes != names else { return }
        classes = names
        classTexts = names.map { name in
            Array((style == .json ? "\(JSONText.quoted(name)),\"probability\":" : name + " ").utf8)
        }
    }

    private mutating func writePrediction(_ steps: StepChunk, _ i: Int) {
        writeOutcome(steps, i)
        out.writeInteger(UInt8(ascii: "\n"))
    }

    private mutating func writeJSON(_ steps: StepChunk, _ i: Int, _ chunk: DecodedChunk, step: UInt64) {
        out.writeStaticString("{\"line\":")
        write(UInt64(chunk.lines[i]))
        if let id = chunk.samples.identifiers[i] { out.writeString(",\"id\":\(JSONText.quoted(id))") }
        out.writeStaticString(",\"prediction\":")
        writeOutcome(steps, i)
        let loss = steps.losses[i]
        if !loss.isNaN {
            out.writeStaticString(",\"loss\":")
            write(loss)
            out.writeStaticString(",\"step\":")
            write(step)
        }
        out.writeStaticString("}\n")
    }

    /// The value, or the class and its probability.
    private mutating func writeOutcome(_ steps: StepChunk, _ i: Int) {
        let probability = steps.probabilities[i]
        if probability.isNaN {
            write(steps.predictions[i])
        } else {
            out.writeBytes(classTexts[Int(steps.predictions[i])])
            write(probability)
        }
    }

    private mutating func write(_ value: Float) {
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: ShortestFloat.room) { bytes in
            ShortestFloat.write(value, to: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
    }

    private mutating func write(_ number: UInt64) {
        var digits = 1
        var rest = number / 10
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: digits) { bytes in
            rest = number
            for place in (0..<digits).reversed() {
                bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            return digits
        }
    }

    /// A data line that was not taken.
    package mutating func reject(_ error: SampleError) {
        tally.note(error)
        switch style {
        case .predictions: sayError(error)
        case .json:
            var text = "{\"line\":\(error.line)"
            if let column = error.column { text += ",\"column\":\(column)" }
            if let field = error.field { text += ",\"field\":\(JSONText.quoted(field))" }
            text +=
                ",\"error\":{\"expected\":\(JSONText.quoted(error.expected)),\"got\":\(JSONText.quoted(error.got))}}"
            out.writeString(text + "\n")
        case .summary, .acks: if errors.allowsOne() { sayError(error) }
        case .none: break
        }
    }

    // MARK: Other lines

    mutating func sayError(_ error: SampleError) {
        if style != .none { say("!error \(error)") }
    }

    mutating func say(_ line: String) {
        out.writeString(line)
        out.writeInteger(UInt8(ascii: "\n"))
    }

    mutating func endChunk() {
        if style == .acks, tally.processed > acknowledged {
            acknowledged = tally.processed
            say("!ack \(acknowledged)")
        }
    }

    mutating func end() {
        guard style == .summary else { return }
        if errors.suppressed > 0 { say("!suppressed errors=\(errors.suppressed)") }
        say(
            "!summary accepted=\(tally.accepted) learned=\(tally.learned) predicted=\(tally.predicted) "
                + "rejected=\(tally.rejected) mean_loss=\(tally.meanLoss.map(JSONText.rounded) ?? "none") "
                + "unit=\(tally.unit)")
        for output in tally.outputs {
            say(
                "!output name=\(JSONText.quoted(output.name)) learned=\(output.learned) "
                    + "mean_loss=\(output.meanLoss.map(JSONText.rounded) ?? "none") unit=\(output.unit)")
        }
    }
}

/// What became of one sender's data lines.
package struct FeedTally: Sendable {
    package fileprivate(set) var learned: UInt64 = 0
    package fileprivate(set) var predicted: UInt64 = 0
    package private(set) var rejected: UInt64 = 0
    fileprivate var lossSum = 0.0
    package fileprivate(set) var isRegression = false
    /// The first ten.
    package private(set) var errors: [SampleError] = []

    /// Of several outputs, each one's own; else empty.
    package private(set) var outputs: [OutputTally] = []

    /// One of several outputs.
    package struct OutputTally: Sendable {
        package let name: String
        package fileprivate(set) var learned: UInt64 = 0
        fileprivate var lossSum = 0.0
        fileprivate var isRegression: Bool?

        package var meanLoss: Double? { learned > 0 ? lossSum / Double(learned) : nil }
        package var unit: String { isRegression == true ? "squared" : isRegression == false ? "nats" : "none" }
    }

    /// Of the mean loss: mixed where outputs have different ones.
    package var unit: String {
        let units = Set(outputs.map(\.unit)).subtracting(["none"])
        return units.count > 1 ? "mixed" : units.first ?? (isRegression ? "squared" : "nats")
    }

    package var accepted: UInt64 { learned + predicted }
    package var processed: UInt64 { accepted + rejected }
    package var meanLoss: Double? { learned > 0 ? lossSum / Double(learned) : nil }

    /// Each output's own losses.
    fileprivate mutating func note(outputs steps: StepChunk, _ range: Range<Int>) {
        if outputs.count != steps.outputs.count { outputs = steps.outputs.map { OutputTally(name: $0.name) } }
        for (index, output) in steps.outputs.enumerated() {
            for i in range where !output.steps.losses[i].isNaN {
                outputs[index].learned += 1
                outputs[index].lossSum += Double(output.steps.losses[i])
                outputs[index].isRegression = output.steps.probabilities[i].isNaN
            }
        }
    }

    /// Samples none of which was rejected.
    fileprivate mutating func note(_ steps: StepChunk, _ range: Range<Int>) {
        var (learned, sum) = (0, lossSum)
        for loss in steps.losses[range] where !loss.isNaN {
            learned += 1
            sum += Double(loss)
        }
        lossSum = sum
        self.learned += UInt64(learned)
        predicted += UInt64(range.count - learned)
        if learned > 0, let last = range.last { isRegression = steps.probabilities[last].isNaN }
    }

    mutating func note(_ error: SampleError) {
        rejected += 1
        if errors.count < 10 { errors.append(error) }
    }
}

/// At most ten errors at once, and ten a second after that; the rest are counted.
struct ErrorBudget: Sendable {
    private var left = 10.0
    private var refilled = ContinuousClock.now
    private(set) var suppressed = 0

    mutating func allowsOne() -> Bool {
        let now = ContinuousClock.now
        left = min(10, left + 10 * ((now - refilled) / .seconds(1)))
        refilled = now
        if left >= 1 {
            left -= 1
            return true
        }
        suppressed += 1
        return false
    }
}

enum JSONText {
    /// A string as JSON writes it.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default:
                if scalar.value < 0x20 {
                    quoted += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }

    /// A number to four digits after the point, for people; in full where that would be 0.
    static func rounded(_ value: Double) -> String {
        let rounded = (value * 10_000).rounded() / 10_000
        return rounded == 0 && value != 0 ? "\(value)" : "\(rounded)"
    }
}
