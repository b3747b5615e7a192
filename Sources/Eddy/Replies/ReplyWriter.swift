// Replies to what was learned, in the style that the sender asked for.

/// Writes replies: to every sample, rejection and directive, in the order of the lines, and a summary at the end.
public struct ReplyWriter: Sendable {
    public private(set) var style: ReplyStyle {
        didSet { classes = [] }  // each style has its own texts
    }
    /// What replies to samples of several outputs, where there are any.
    private var several = OutputReplies()
    private var out = ReplyText()
    /// The classes of the last chunk, and what a reply says of each before its probability, as bytes.
    private var classes: [String] = []
    private var classTexts: [[UInt8]] = []

    /// The sender's totals.
    public private(set) var tally = SampleTally()
    private var acknowledged: UInt64 = 0
    private var errors = ErrorBudget()

    public init(style: ReplyStyle) { self.style = style }

    /// What is to be sent, leaving nothing.
    public mutating func take() -> [UInt8] { out.take() }

    /// Replies to a chunk that was learned or predicted.
    public mutating func reply(to chunk: LearnedChunk) {
        tally.add(chunk)
        var next = 0
        for event in chunk.events {
            write(chunk, next..<event.index)
            next = event.index
            switch event.kind {
            case .rejected(let error): reject(error)
            case .directive(let directive): obey(directive, line: event.line)
            case .refusedDirective(let error): sayError(error)
            case .foreign(let why): say("!error \(why)")
            case .lateLabel: break  // it has become its sample, or a rejection
            }
        }
        write(chunk, next..<chunk.count)
        if style == .acks, tally.processed > acknowledged {
            acknowledged = tally.processed
            say("!ack \(acknowledged)")
        }
    }

    /// What closes the replies: in the style `summary`, the totals.
    public mutating func end() {
        guard style == .summary else { return }
        if errors.suppressed > 0 { say("!suppressed errors=\(errors.suppressed)") }
        var summary =
            "!summary accepted=\(tally.accepted) learned=\(tally.learned) predicted=\(tally.predicted) "
            + "rejected=\(tally.rejected) mean_loss=\(tally.meanLoss.map(JSONText.rounded) ?? "none") "
            + "unit=\(tally.unit)"
        if !tally.labels.isEmpty { summary += " label=\(JSONText.quoted(tally.labels.joined(separator: ",")))" }
        if let most = tally.commonestRejection {
            let field = most.field.map { $0 + ": " } ?? ""
            summary += " most_rejected=\(JSONText.quoted("\(most.count) × \(field)expected \(most.expected)"))"
        }
        say(summary)
        for output in tally.outputs {
            say(
                "!output name=\(JSONText.quoted(output.name)) learned=\(output.learned) "
                    + "mean_loss=\(output.meanLoss.map(JSONText.rounded) ?? "none") unit=\(output.unit)")
        }
    }

    // MARK: Samples

    private mutating func write(_ chunk: LearnedChunk, _ range: Range<Int>) {
        let steps = chunk.steps
        if steps.rejections.isEmpty, style != .predictions, style != .json { return }
        var rejection = steps.rejections.firstIndex { $0.index >= range.lowerBound } ?? steps.rejections.endIndex
        var step = steps.stepsBefore
        if style == .json, range.lowerBound > 0 {
            for loss in steps.losses[..<range.lowerBound] where !loss.isNaN { step += 1 }
        }
        prepareClasses(steps.classes)
        for i in range {
            if rejection < steps.rejections.endIndex, steps.rejections[rejection].index == i {
                reject(chunk.located(steps.rejections[rejection]))
                rejection += 1
                continue
            }
            if !steps.losses[i].isNaN { step += 1 }
            let id = chunk.samples.identifiers[i]
            if !steps.hasPrediction(at: i), steps.losses[i].isNaN {
                sayThatItWaits(line: chunk.lines[i], id: id ?? "")
            } else if !steps.hasPrediction(at: i), style == .predictions {
                say("!none line=\(chunk.lines[i])")
            } else if !steps.outputs.isEmpty {
                several.write(steps, i, line: chunk.lines[i], id: id, step: step, style, into: &out)
            } else if style == .predictions {
                writePrediction(steps, i)
            } else if style == .json {
                writeJSON(steps, i, line: chunk.lines[i], id: id, step: step)
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
        out.write("\n" as StaticString)
    }

    private mutating func writeJSON(_ steps: StepChunk, _ i: Int, line: Int, id: String?, step: UInt64) {
        out.write("{\"line\":" as StaticString)
        out.write(UInt64(line))
        if let id { out.write(",\"id\":\(JSONText.quoted(id))" as String) }
        out.write(",\"prediction\":" as StaticString)
        if steps.hasPrediction(at: i) { writeOutcome(steps, i) } else { out.write("null" as StaticString) }
        let loss = steps.losses[i]
        if !loss.isNaN {
            out.write(",\"loss\":" as StaticString)
            out.write(loss)
            out.write(",\"step\":" as StaticString)
            out.write(step)
        }
        out.write("}\n" as StaticString)
    }

    /// The value, or the class and its probability.
    private mutating func writeOutcome(_ steps: StepChunk, _ i: Int) {
        let probability = steps.probabilities[i]
        if probability.isNaN {
            out.write(steps.predictions[i])
        } else {
            out.write(classTexts[Int(steps.predictions[i])])
            out.write(probability)
        }
    }

    // MARK: Other lines

    /// A data line that was not taken.
    private mutating func reject(_ error: SampleError) {
        switch style {
        case .predictions: sayError(error)
        case .json:
            var text = "{\"line\":\(error.line)"
            if let column = error.column { text += ",\"column\":\(column)" }
            if let field = error.field { text += ",\"field\":\(JSONText.quoted(field))" }
            text +=
                ",\"error\":{\"expected\":\(JSONText.quoted(error.expected)),\"got\":\(JSONText.quoted(error.got))}}"
            say(text)
        case .summary, .acks: if errors.allowsOne() { sayError(error) }
        case .none: break
        }
    }

    private mutating func obey(_ directive: String, line: Int) {
        let words = directive.split(separator: " ", maxSplits: 1).map { String($0) }
        switch words.first {
        case "ping": say("!pong")
        case "token": break  // it has been checked, or is not asked for
        case "reply":
            if words.count == 2, let style = ReplyStyle(rawValue: words[1]) {
                self.style = style
            } else {
                let styles = ReplyStyle.allCases.map(\.rawValue).joined(separator: ", ")
                let given = words.count == 2 ? words[1] : ""
                sayError(
                    SampleError(.directive, line: line, field: "reply", expected: "one of \(styles)", got: given))
            }
        default:
            sayError(
                SampleError(
                    .directive, line: line, expected: "!format, !reply, !label, !token or !ping",
                    got: "!" + directive.prefix(40)))
        }
    }

    private mutating func sayError(_ error: SampleError) {
        if style != .none { say("!error \(error)") }
    }

    private mutating func say(_ line: String) {
        out.write(line)
        out.write("\n" as StaticString)
    }
}

extension StepChunk {
    /// Whether anything was predicted for a sample, for any output.
    func hasPrediction(at index: Int) -> Bool {
        !predictions[index].isNaN || outputs.contains { !$0.steps.predictions[index].isNaN }
    }
}
