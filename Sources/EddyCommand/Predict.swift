// eddy predict: a saved model's answers, one a line, learning nothing.

import ArgumentParser
import Eddy
import Foundation

struct Predict: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a saved model's prediction for every sample, and learns nothing.",
        discussion: """
            Samples may have labels or not; labels are not looked at. One line for every data line: the value, or the
            class and its probability, or !error and what is wrong. The exit status is 1 if there was an error, and 3 if more
            than half of the lines were rejected.
            """)

    @Option(help: "The model file, from --save.", completion: .file(extensions: ["eddy"]))
    var load: String

    @Argument(help: "Files of samples; - or nothing for standard input.", completion: .file())
    var files: [String] = []

    @Flag(help: "Print JSON objects.")
    var json = false

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let session = try LearningSession.load(load)
        guard session.schema.current != nil else { throw CommandError("\(load): the model has learned nothing yet") }
        var (rejected, lines) = (UInt64(0), UInt64(0))
        for file in files.isEmpty ? ["-"] : files {
            try InputFile.check(file)
            var replies = FileBytes(path: file)
                .samples(of: format.format, label: format.labelColumn, for: session).predicted(by: session)
                .replies(as: json ? .json : .predictions).makeAsyncIterator()
            while let text = try await replies.next(isolation: nil) {
                FileHandle.standardOutput.write(Data(text))
            }
            rejected += replies.tally.rejected
            lines += replies.tally.processed
        }
        if 2 * rejected > lines {
            Terminal.complain(
                "\(rejected) of \(lines) lines were rejected: look at the errors, and at --format and --label")
            throw ExitCode(3)
        }
        if rejected > 0 { throw ExitCode(1) }
    }
}
