// eddy train: files through the learner, with a progress table and a bar.

import ArgumentParser
import Eddy
import Foundation
import Synchronization

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learns from files or standard input, sample by sample.",
        discussion: """
            eddy train samples.csv --epochs 5 --save model.eddy
            zcat samples.csv.gz | eddy train -

            The table has a line whenever the number of samples has doubled: the mean loss so far, the mean loss since
            the line before, and the newest sample's label and prediction (made before it was learned).
            """)

    @Argument(help: "Files of samples; - or nothing for standard input.", completion: .file())
    var files: [String] = []

    @Option(help: "Rounds over the files.")
    var epochs = 1

    @Option(help: "Go on with the model in this file.", completion: .file(extensions: ["eddy"]))
    var load: String?

    @Option(
        help: "Save the model to this file at the end, or when interrupted.", completion: .file(extensions: ["eddy"]))
    var save: String?

    @Flag(help: "Tell losses in bits rather than nats.")
    var bits = false

    @Flag(name: .shortAndLong, help: "Print the last lines only.")
    var quiet = false

    @OptionGroup var format: FormatOptions
    @OptionGroup(title: "Learning") var learning: LearningOptions

    func validate() throws {
        if epochs < 1 { throw ValidationError("epochs \(epochs): expected at least 1") }
        if epochs > 1, files.isEmpty || files.contains("-") {
            throw ValidationError("standard input can be read once: give files for more epochs")
        }
    }

    func run() throws {
        var (learners, schema, late) = try Train.learner(load, learning)
        let before = learners.step
        let files = files.isEmpty ? ["-"] : files
        for file in files { try InputFile.check(file) }
        if let save { try OutputFile.check(save) }
        Interrupt.watch()
        var table = ProgressTable(unit: bits ? .bits : .nats, isQuiet: quiet)
        var bar = ProgressBar(files: files, epochs: epochs, isQuiet: quiet)
        var complaints = Complaints()
        var drifts = DriftSeries([])
        let claim = SchemaClaim(schema)
        rounds: for _ in 0..<epochs {
            for file in files {
                complaints.file = file
                var decoder = SampleDecoder(format: format.format, label: format.labelColumn, schema: claim)
                try InputFile.read(file) { bytes in
                    var rest = bytes[...]
                    while !rest.isEmpty, !Interrupt.isSet {
                        let before = rest.count
                        learn(decoder.decode(&rest, limit: 4096), learners, claim, &late, &drifts, &table, &complaints)
                        bar.advance(bytes: before - rest.count, samples: learners.step)
                    }
                    return !Interrupt.isSet
                }
                if Interrupt.isSet { break rounds }  // what is cut off is not a line
                learn(decoder.finish(), learners, claim, &late, &drifts, &table, &complaints)
            }
        }
        bar.finish()
        table.finish(task: Train.task(learners))
        complaints.finish()
        Terminal.say(summary(learners, late, drifts, rejected: complaints.count))
        if let save {
            try learners.save(schema: claim.current, waiting: late, to: save)
            Terminal.say("saved to     \(save)")
        }
        if Interrupt.isSet { throw ExitCode(130) }
        if learners.step == before { throw CommandError("no sample was learned from \(files.joined(separator: ", "))") }
    }

    /// The task that says what the mean loss's unit is.
    private static func task(_ learners: MultiOutputLearner) -> LearningTask? {
        let tasks = learners.outputs.compactMap(\.task)
        return tasks.first { $0 == .regression } ?? tasks.first
    }

    static func learner(
        _ load: String?, _ learning: LearningOptions
    ) throws -> (MultiOutputLearner, Schema?, LateSamples) {
        guard let load else {
            return (
                try MultiOutputLearner(learning.configuration()), nil,
                LateSamples(limits: LateLabelLimits(seconds: .infinity))
            )
        }
        guard learning.isEmpty else {
            throw ValidationError("--load brings the model's own settings: leave the other learning options out")
        }
        return try MultiOutputLearner.loadAll(load)
    }

    /// Learns a chunk, and tells its errors. Samples wait for labels without a clock, so that runs repeat.
    private func learn(
        _ chunk: DecodedChunk, _ learners: MultiOutputLearner, _ claim: SchemaClaim, _ late: inout LateSamples,
        _ drifts: inout DriftSeries, _ table: inout ProgressTable, _ complaints: inout Complaints
    ) {
        var rest = late.begin(chunk)
        while let piece = late.next(of: &rest, seconds: 0) {
            if learners.step == 0 {
                learners.expectedSchema = claim.current
                learners.expectedNames = claim.current?.labels ?? []
            }
            var steps = learners.learn(piece.samples)
            late.settle(&steps)
            drifts.merge(DriftSeries(steps.drifts))
            table.add(steps, piece.samples, task: Train.task(learners))
            complaints.add(piece)
            complaints.add(steps, of: piece)
        }
    }

    private func summary(
        _ learners: MultiOutputLearner, _ late: LateSamples, _ drifts: DriftSeries, rejected: Int
    ) -> String {
        var lines = ["samples      \(learners.step) learned, \(rejected) rejected"]
        if let report = LateReport(late) { lines.append("late labels  \(report.words)") }
        lines += drifts.lines().map { "drift        \($0)" }
        for (learner, name) in zip(learners.outputs, learners.names) {
            if !learners.isAlone { lines.append("\noutput       \(name), \(learner.step) labels") }
            lines += figures(of: learner)
        }
        return lines.joined(separator: "\n")
    }

    private func figures(of learner: Learner) -> [String] {
        let unit: LossUnit = bits ? .bits : .nats
        let metrics = learner.metrics.summary(for: learner.task)
        var lines = learner.unwatched.map { ["drift        \($0)"] } ?? []
        switch learner.task {
        case .classification:
            lines.append(
                "mean loss    \(precise(unit.from(nats: metrics.meanLoss))) \(unit.rawValue) "
                    + "(labels' entropy \(figure(unit.from(nats: metrics.baseline))))")
            lines.append(
                "accuracy     \(precise(metrics.accuracy ?? 0)) (most frequent class \(figure(metrics.majority ?? 0)))")
            let counts = learner.metrics.classCounts.filter { $0 > 0 }
            if let least = counts.min(), let most = counts.max(), most > 2 * least,
                let figures = learner.metrics.classification(over: .all)
            {
                lines.append("balanced     \(precise(figures.balancedAccuracy)) (the mean recall of the classes)")
            }
            lines.append("classes      \(learner.classes.count): \(learner.classes.prefix(12).joined(separator: ", "))")
        case .regression:
            lines.append(
                "mean loss    \(precise(metrics.meanLoss)) squared units (variance \(figure(metrics.baseline)))")
            lines.append("MAE, RMSE    \(precise(metrics.mae ?? 0)), \(precise(metrics.rmse ?? 0))")
        case nil: break
        }
        if let network = learner.network {
            for vote in learner.votes.sorted(by: { $0.weight > $1.weight }).prefix(4) {
                lines.append("vote         \(String(format: "%.2f", vote.weight)) \(vote.name)")
            }
            let widths = ([network.inputs] + network.layers.map(\.outputs)).map { String($0) }.joined(separator: "-")
            lines.append("network      \(widths), \(network.parameterCount) parameters")
            lines.append("weights      \(String(network.parameterHash, radix: 16)) (hash)")
        }
        return lines
    }
}

/// A number for people: four digits after the point.
func figure(_ value: Double) -> String { String(format: "%.4f", value) }

/// A number to compare with another program's: six digits after the point.
private func precise(_ value: Double) -> String { String(format: "%.6f", value) }

/// Whether the user has pressed Ctrl-C; the work then ends in order. A second Ctrl-C ends it at once.
enum Interrupt {
    private static let flag = Atomic<Bool>(false)

    static func watch() {
        flag.store(false, ordering: .relaxed)  // a signal handler must find it made
        signal(SIGINT) { _ in
            Interrupt.flag.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }

    static var isSet: Bool { flag.load(ordering: .relaxed) }
}
