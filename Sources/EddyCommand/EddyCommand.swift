// The command line: one subcommand a file, wired from the library's parts.

import ArgumentParser
import Eddy
import Logging

@main
struct EddyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eddy",
        abstract: "Learns from streams, one sample at a time, while you watch.",
        discussion: """
            eddy serve                                starts the feed and the dashboard
            nc -N 127.0.0.1 7071 < samples.csv        pipes samples in
            eddy demo                                 feeds itself a stream that drifts
            """,
        version: EddyVersion.current,
        subcommands: [
            Serve.self, Demo.self, Train.self, Evaluate.self, Predict.self, Explain.self, Check.self, Watch.self,
            Bench.self,
        ])
}

/// How much is logged, to standard error.
struct LogOptions: ParsableArguments {
    @Option(help: "What is logged to standard error: debug, info, warning or error.")
    var logLevel: Logger.Level = .info

    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = logLevel
        return logger
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}

/// A sentence for the person at the terminal; the exit status is 1.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
