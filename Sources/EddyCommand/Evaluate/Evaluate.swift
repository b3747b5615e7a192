// eddy evaluate: how well is a stream learned? One pass, every sample predicted before it is learned.

import ArgumentParser
import Eddy
import Foundation

struct Evaluate: ParsableCommand {
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

    func run() throws {
        let files = files.isEmpty ? ["-"] : files
        for file in files { try InputFile.check(file) }
        for output in [json, html].compactMap(\.self) where output != "-" { try OutputFile.check(output) }
        let contenders = try contenders()
        let runs = try contenders.map { contender in
            try (0..<UInt64(seeds)).map { EvaluationPass(try MultiOutputLearner(contender.configuration(seed: $0))) }
        }
        Interrupt.watch()
        var complaints = Complaints()
        var bar = ProgressBar(files: files, epochs: 1, isQuiet: false)
        let claim = SchemaClaim()
        var late = LateSamples(limits: LateLabelLimits(seconds: .infinity))
        // Decoded once and learned by all in turn, so that standard input will do, and all see the same machine.
        func learn(_ chunk: DecodedChunk) {
            var rest = late.begin(chunk)
            while let piece = late.next(of: &rest, seconds: 0) {
                complaints.add(piece)
                for (index, run) in runs.joined().enumerated() {
                    var steps = run.learn(piece.samples, claim)
                    if index == 0 {  // what the first takes is joined
                        late.settle(&steps)
                        complaints.add(steps, of: piece)
                    }
                }
            }
        }
        for file in files where !Interrupt.isSet {
            complaints.file = file
            var decoder = SampleDecoder(format: format.format, label: format.labelColumn, schema: claim)
            try InputFile.read(file) { bytes in
                var rest = bytes[...]
                while !rest.isEmpty, !Interrupt.isSet {
                    let before = rest.count
                    learn(decoder.decode(&rest, limit: 4096))
                    bar.advance(bytes: before - rest.count, samples: runs[0][0].learners.step)
                }
                return !Interrupt.isSet
            }
            if !Interrupt.isSet { learn(decoder.finish()) }  // what is cut off is not a line
        }
        bar.finish()
        complaints.finish()
        guard runs.joined().contains(where: { $0.learners.step > 0 }) else {
            throw CommandError("no sample was learned from \(files.joined(separator: ", "))")
        }
        for run in runs.joined() { run.finish() }
        let reports = runs[0][0].learners.outputs.indices.compactMap { output -> EvaluationReport? in
            guard runs.joined().contains(where: { $0.runs[output].learner.step > 0 }) else { return nil }
            return EvaluationReport(
                files: files, rejected: complaints.count, late: late, contenders,
                runs.map { $0.map { $0.runs[output] } },
                output: runs[0][0].name(of: output))
        }
        if json != "-" { Terminal.say(reports.map(\.text).joined(separator: "\n\n\n")) }
        if let json { try Evaluate.write(try EvaluationReport.json(reports), to: json) }
        if let html { try Evaluate.write(EvaluationPage.html(reports), to: html) }
        if Interrupt.isSet { throw ExitCode(130) }
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

/// What one pass shows of one output.
struct EvaluationRun {
    let learner: Learner
    fileprivate(set) var course: Prequential
    /// Seconds of learning, of all outputs, without reading and decoding.
    fileprivate(set) var seconds = 0.0
    fileprivate(set) var rejected = 0
    /// Changes found in the stream.
    fileprivate(set) var drifts = DriftSeries([])

    init(_ learner: Learner) {
        self.learner = learner
        course = Prequential(window: learner.configuration.recentWindow)
    }
}

/// One pass with one configuration and seed.
final class EvaluationPass {
    let learners: MultiOutputLearner
    /// Of each output.
    private(set) var runs: [EvaluationRun]

    init(_ learners: MultiOutputLearner) {
        self.learners = learners
        runs = [EvaluationRun(learners.first)]
    }

    func learn(_ samples: SampleChunk, _ claim: SchemaClaim) -> StepChunk {
        if learners.step == 0 {
            learners.expectedSchema = claim.current
            learners.expectedNames = claim.current?.labels ?? []
        }
        let start = ContinuousClock.now
        let steps = learners.learn(samples)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        while runs.count < learners.outputs.count { runs.append(EvaluationRun(learners.outputs[runs.count])) }
        for output in runs.indices {
            runs[output].seconds += seconds
            runs[output].rejected += steps.rejections.count
            let own = steps.outputs.isEmpty ? steps : steps.outputs[output].steps
            runs[output].drifts.merge(DriftSeries(own.drifts))
            runs[output].course.add(own)
        }
        return steps
    }

    func finish() {
        for output in runs.indices { runs[output].course.finish() }
    }

    /// Nil of one output.
    func name(of output: Int) -> String? { learners.isAlone ? nil : learners.names[output] }
}
