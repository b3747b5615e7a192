// eddy evaluate: how well is a stream learned? One pass, every sample predicted before it is learned.

import ArgumentParser
import Eddy
import Foundation

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reports how well files are learned, predicting every sample before learning it.",
        discussion: """
            eddy evaluate samples.csv
            eddy evaluate samples.csv --seeds 10 --html report.html
            eddy evaluate samples.csv --with "default:" --with "wide: --layers 64 --learning-rate 0.05"

            One pass over the files, as one stream; no sample is held out, as each is a test before it is a lesson
            (prequential evaluation). Beside the learner stand answers that need no features: the most frequent class
            or the mean so far, the last label, and the labels' entropy. With several seeds, figures are medians, with
            the lowest and the highest; curves, confusions and reliability are those of the seed in the middle.
            Figures count each sample once, whatever its importance weight.
            """)

    @Argument(help: "Files of samples; - or nothing for standard input.", completion: .file())
    var files: [String] = []

    @Option(
        name: .customLong("with"),
        help: ArgumentHelp(
            """
            A configuration to compare: its name, a colon, and learning options as below. May be repeated. \
            (default: one, of the options given)
            """, valueName: "NAME: OPTIONS"))
    var alternatives: [String] = []

    @Option(help: "Learn with so many seeds, each configuration's and those that follow it.")
    var seeds = 1

    @Option(help: "Write the report as JSON to this file; - for standard output, instead of text.", completion: .file())
    var json: String?

    @Option(help: "Write the report as one page with plots to this file.", completion: .file(extensions: ["html"]))
    var html: String?

    @OptionGroup var format: FormatOptions
    @OptionGroup(title: "Learning") var learning: LearningOptions

    func validate() throws {
        if !(1...1000).contains(seeds) { throw ValidationError("seeds \(seeds): expected 1 to 1000") }
        if !alternatives.isEmpty, !learning.isEmpty {
            throw ValidationError("learning options beside --with: give each configuration its own, inside --with")
        }
        if html == "-" { throw ValidationError("--html -: expected a file") }
        _ = try contenders()
    }

    func run() async throws {
        let files = files.isEmpty ? ["-"] : files
        for file in files { try InputFile.check(file) }
        for output in [json, html].compactMap(\.self) where output != "-" { try OutputFile.check(output) }
        let contenders = try contenders()
        let schema = SchemaClaim()
        let passes = try contenders.map { contender in
            try (0..<UInt64(seeds)).map { try EvaluationPass(contender.configuration(seed: $0), schema: schema) }
        }
        Interrupt.watch()
        var complaints = Complaints()
        var bar = ProgressBar(files: files, epochs: 1, isQuiet: false)
        let all = Array(passes.joined())
        // Decoded once and learned by all in turn, so that standard input will do, and all see the same machine.
        for file in files where !Interrupt.isSet {
            complaints.file = file
            let learned = FileBytes(path: file, counted: bar.bytes.count)
                .samples(
                    of: format.format, label: format.labelColumn, for: all[0].session, framing: .stream,
                    isCut: { Interrupt.isSet }  // what is cut off is not a line
                ).learned(by: all.map(\.session))
            for try await chunks in learned {
                complaints.add(chunks[0])
                for (pass, chunk) in zip(all, chunks) { pass.add(chunk) }
                bar.show(samples: chunks[0].steps.stepsBefore)
                if Interrupt.isSet { break }
            }
        }
        bar.finish()
        complaints.finish()
        var late: LateReport?
        for (index, pass) in all.enumerated() {
            await pass.finish()
            if index == 0 { late = await pass.session.withCore { LateReport($0.lateLabels) } }
        }
        let reports = all[0].runs.indices.compactMap { output -> EvaluationReport? in
            guard all.contains(where: { $0.runs[output].output.step > 0 }) else { return nil }
            return EvaluationReport(
                files: files, complaints, late: late, contenders, passes.map { $0.map { $0.runs[output] } },
                output: all[0].runs.count == 1 ? nil : all[0].runs[output].name)
        }
        if !reports.isEmpty {
            if json != "-" { Terminal.say(reports.map(\.text).joined(separator: "\n\n\n")) }
            if let json { try Evaluate.write(try EvaluationReport.json(reports), to: json) }
            if let html { try Evaluate.write(EvaluationPage.html(reports), to: html) }
        }
        if Interrupt.isSet { throw ExitCode(130) }
        try complaints.check()
    }

    private static func write(_ text: String, to path: String) throws {
        if path == "-" { return Terminal.say(text) }
        do { try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw CommandError("cannot write \(path): \(error.localizedDescription)")
        }
    }

    /// The configurations, in the order given.
    private func contenders() throws -> [Contender] {
        if alternatives.isEmpty {
            return [
                Contender(
                    name: learning.isEmpty ? "default" : "as given", words: "", base: try learning.configuration())
            ]
        }
        let contenders = try alternatives.map { try Contender($0) }
        for (index, contender) in contenders.enumerated()
        where contenders[..<index].contains(where: { $0.name == contender.name }) {
            throw ValidationError("--with \(contender.name): the name is taken")
        }
        return contenders
    }
}

/// A configuration that is evaluated.
struct Contender {
    let name: String
    /// The options, as they were written.
    let words: String
    let base: Configuration
}

extension Contender {
    /// - Parameter text: `NAME: OPTIONS`, options in words as a shell would split them; quotes keep blanks.
    /// - Throws: `ValidationError` with the configuration's name.
    init(_ text: String) throws {
        guard let colon = text.firstIndex(of: ":") else {
            throw ValidationError(
                "--with \"\(text)\": expected a name, a colon and options, such as \"wide: --layers 64\"")
        }
        name = text[..<colon].trimmingCharacters(in: .whitespaces)
        words = text[text.index(after: colon)...].trimmingCharacters(in: .whitespaces)
        guard !name.isEmpty else { throw ValidationError("--with \"\(text)\": expected a name before the colon") }
        do {
            base = try LearningOptions.parse(Contender.split(words)).configuration()
        } catch {
            throw ValidationError("--with \(name): \(LearningOptions.message(for: error))")
        }
    }

    func configuration(seed offset: UInt64) -> Configuration {
        var configuration = base
        configuration.seed &+= offset
        return configuration
    }

    private static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in text {
            if character == quote {
                quote = nil
            } else if quote == nil, character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if quote == nil, character.isWhitespace {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        return words + (word.map { [$0] } ?? [])
    }
}

/// What a pass left of one output.
struct EvaluatedOutput: Sendable {
    let configuration: Configuration
    let step: UInt64
    let task: LearningTask?
    let classes: [String]
    let metrics: Metrics
    /// The widths of the network that is shown, and the hash of its weights; empty before the first sample.
    let network: String
    let weights: String
    let unwatched: String?

    init(_ output: LearnerOutput) {
        configuration = output.configuration
        (step, task, classes) = (output.step, output.task, output.classes)
        (metrics, unwatched) = (output.metrics, output.unwatched)
        network =
            output.network.map { network in
                ([network.inputs] + network.layers.map(\.outputs)).map { String($0) }.joined(separator: "-")
            } ?? ""
        weights = output.network.map { String($0.parameterHash, radix: 16) } ?? ""
    }
}

/// What one pass shows of one output.
struct EvaluationRun {
    let name: String
    let output: EvaluatedOutput
    let course: Prequential
    /// Seconds of learning, of all outputs, without reading and decoding.
    let seconds: Double
    let rejected: Int
    /// Changes found in the stream.
    let drifts: DriftSeries
}

/// One pass with one configuration and seed.
final class EvaluationPass {
    let session: LearningSession
    /// Of each output, once the pass is finished.
    private(set) var runs: [EvaluationRun] = []
    private let window: Int
    private var courses: [Prequential]
    private var drifts: [DriftSeries]
    private var rejected = 0

    init(_ configuration: Configuration, schema: SchemaClaim) throws {
        session = LearningSession(
            try StreamLearner(configuration, schema: schema, lateLabels: LateLabelLimits(seconds: .infinity)),
            clock: { 0 })
        window = configuration.recentWindow
        (courses, drifts) = ([Prequential(window: window)], [DriftSeries([])])
    }

    func add(_ chunk: LearnedChunk) {
        let steps = chunk.steps
        rejected += steps.rejections.count
        while courses.count < steps.outputs.count {
            courses.append(Prequential(window: window))
            drifts.append(DriftSeries([]))
        }
        for output in courses.indices {
            let own = steps.outputs.isEmpty ? steps : steps.outputs[output].steps
            drifts[output].merge(DriftSeries(own.drifts))
            courses[output].add(own)
        }
    }

    func finish() async {
        for output in courses.indices { courses[output].finish() }
        let seconds = await session.learningTime / .seconds(1)
        let outputs = await session.withCore { core in
            core.learner.outputs.map { (name: $0.name, output: EvaluatedOutput($0)) }
        }
        runs = outputs.indices.map { output in
            let isKnown = output < courses.count
            return EvaluationRun(
                name: outputs[output].name, output: outputs[output].output,
                course: isKnown ? courses[output] : Prequential(window: window), seconds: seconds, rejected: rejected,
                drifts: isKnown ? drifts[output] : DriftSeries([]))
        }
    }
}
