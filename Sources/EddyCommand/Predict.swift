// eddy predict: a saved model's answers, one a line, learning nothing.

import ArgumentParser
import Eddy
import EddyServer
import Foundation
import NIOCore

struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a saved model's prediction for every sample, and learns nothing.",
        discussion: """
            Samples may have labels or not; labels are not looked at. One line for every data line: the value, or the
            class and its probability, or !error and what is wrong. The exit status is 1 if there was an error.
            """)

    @Option(help: "The model file, from --save.", completion: .file(extensions: ["eddy"]))
    var load: String

    @Argument(help: "Files of samples; - or nothing for standard input.", completion: .file())
    var files: [String] = []

    @Flag(help: "Print JSON objects.")
    var json = false

    @OptionGroup var format: FormatOptions

    func run() throws {
        let (learner, schema) = try MultiOutputLearner.load(load)
        guard let schema else { throw CommandError("\(load): the model has learned nothing yet") }
        var errors = 0
        for file in files.isEmpty ? ["-"] : files {
            var decoder = SampleDecoder(format: format.format, label: format.labelColumn, schema: SchemaClaim(schema))
            var replies = ReplyWriter(style: json ? .json : .predictions)
            try InputFile.read(file) { bytes in
                var rest = bytes[...]
                while !rest.isEmpty { errors += answer(decoder.decode(&rest, limit: 4096), learner, &replies) }
                return true
            }
            errors += answer(decoder.finish(), learner, &replies)
        }
        if errors > 0 { throw ExitCode(1) }
    }

    /// Prints the replies to a chunk; the number of errors among them.
    private func answer(_ chunk: DecodedChunk, _ learner: MultiOutputLearner, _ replies: inout ReplyWriter) -> Int {
        let steps = learner.learn(chunk.samples.withoutLabels())
        var errors = steps.rejections.count
        var next = 0
        for event in chunk.events {
            let error: SampleError
            switch event.kind {
            case .rejected(let rejected), .refusedDirective(let rejected): error = rejected
            case .directive(let directive):
                error = SampleError(line: event.line, expected: "samples", got: "!" + directive)
            case .lateLabel(let label):
                error = SampleError(line: event.line, expected: "samples", got: "a label for \(label.id)")
            case .foreign(let why): error = SampleError(line: event.line, expected: "samples", got: why)
            }
            replies.write(steps, next..<event.index, chunk)
            replies.reject(error)
            next = event.index
            errors += 1
        }
        replies.write(steps, next..<steps.count, chunk)
        FileHandle.standardOutput.write(Data(buffer: replies.take()))
        return errors
    }
}

extension Data {
    init(buffer: ByteBuffer) { self.init(buffer.readableBytesView) }
}
