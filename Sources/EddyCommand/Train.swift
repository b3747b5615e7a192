// eddy train: files through the learner, with a progress table and a bar.

import ArgumentParser
import Eddy
import Foundation
import Synchronization

struct Train: AsyncParsableCommand {
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

    func run() async throws {
        let session = try Train.session(load, learning)
        let files = files.isEmpty ? ["-"] : files
        for file in files { try InputFile.check(file) }
        if let save { try OutputFile.check(save) }
        Interrupt.watch()
        var table = ProgressTable(unit: bits ? .bits : .nats, isQuiet: quiet)
        var bar = ProgressBar(files: files, epochs: epochs, isQuiet: quiet)
        var complaints = Complaints()
        var drifts = DriftSeries([])
        rounds: for _ in 0..<epochs {
            for file in files {
                complaints.file = file
                let learned = FileBytes(path: file, counted: bar.bytes.count)
                    .samples(
                        of: format.format, label: format.labelColumn, for: session, framing: .stream,
                        isCut: { Interrupt.isSet }  // what is cut off is not a line
                    ).learned(by: session)
                for try await chunk in learned {
                    drifts.merge(DriftSeries(chunk.steps.drifts))
                    table.add(chunk.steps, chunk.samples)
                    complaints.add(chunk)
                    bar.show(samples: chunk.steps.stepsBefore)
                    if Interrupt.isSet { break }
                }
                if Interrupt.isSet { break rounds }
            }
        }
        bar.finish()
        table.finish()
        complaints.finish()
        let late = await session.withCore { LateReport($0.lateLabels) }
        let (told, changes) = (complaints, drifts)
        Terminal.say(await session.withCore { summary($0, told, late, changes) })
        if let save {
            try await session.save(to: save)
            Terminal.say("saved to     \(save)")
        }
        if Interrupt.isSet { throw ExitCode(130) }
        try complaints.check()
    }

    /// A session that joins late labels without a time limit, so that runs repeat.
    static func session(_ load: String?, _ learning: LearningOptions) throws -> LearningSession {
        let late = LateLabelLimits(seconds: .infinity)
        guard let load else {
            return LearningSession(try StreamLearner(learning.configuration(), lateLabels: late), clock: { 0 })
        }
        guard learning.isEmpty else {
            throw ValidationError("--load brings the model's own settings: leave the other learning options out")
        }
        return LearningSession(try StreamLearner.load(load), clock: { 0 })
    }

    private func summary(
        _ core: StreamLearner, _ complaints: Complaints, _ late: LateReport?, _ drifts: DriftSeries
    ) -> String {
        let learner = core.learner
        var lines = ["samples      \(learner.step) learned, \(complaints.count) rejected"] + complaints.lines
        if let late { lines.append("late labels  \(late.words)") }
        lines += drifts.lines().map { "drift        \($0)" }
        for output in learner.outputs {
            if !learner.isAlone { lines.append("\noutput       \(output.name), \(output.step) labels") }
            lines += figures(of: output)
        }
        return lines.joined(separator: "\n")
    }

    private func figures(of output: LearnerOutput) -> [String] {
        let unit: LossUnit = bits ? .bits : .nats
        let metrics = output.metrics.summary(for: output.task)
        var lines = output.unwatched.map { ["drift        \($0)"] } ?? []
        switch output.task {
        case .classification:
            lines.append(
                "mean loss    \(precise(unit.from(nats: metrics.meanLoss))) \(unit.rawValue) "
                    + "(labels' entropy \(figure(unit.from(nats: metrics.baseline))))")
            lines.append(
                "accuracy     \(precise(metrics.accuracy ?? 0)) (most frequent class \(figure(metrics.majority ?? 0)))")
            let counts = output.metrics.classCounts.filter { $0 > 0 }
            if let least = counts.min(), let most = counts.max(), most > 2 * least,
                let figures = output.metrics.classification(over: .all)
            {
                lines.append("balanced     \(precise(figures.balancedAccuracy)) (the mean recall of the classes)")
            }
            lines.append("classes      \(output.classes.count): \(output.classes.prefix(12).joined(separator: ", "))")
        case .regression:
            lines.append(
                "mean loss    \(precise(metrics.meanLoss)) squared units (variance \(figure(metrics.baseline)))")
            if let mae = metrics.mae, let rmse = metrics.rmse {
                lines.append("MAE, RMSE    \(precise(mae)), \(precise(rmse))")
            }
        case nil: break
        }
        if let network = output.network {
            for vote in output.votes.sorted(by: { $0.weight > $1.weight }).prefix(4) {
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
