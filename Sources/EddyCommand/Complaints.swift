// What is wrong with samples, told to the person at the terminal: the first ten, then their number.

import ArgumentParser
import Eddy

/// Errors to standard error, each with its file.
struct Complaints {
    var file = ""
    /// What became of all lines.
    private(set) var tally = SampleTally()
    private var told = 0

    /// Lines that were not taken.
    var count: UInt64 { tally.rejected }

    /// Takes in what came of a chunk.
    mutating func add(_ chunk: LearnedChunk) {
        tally.add(chunk)
        for error in chunk.rejections { tell(error) }
        for event in chunk.events {
            switch event.kind {
            case .refusedDirective(let error): reject(error)
            case .directive(let directive):
                reject(SampleError(.notASample, line: event.line, expected: "samples", got: "!" + directive))
            case .foreign(let why): reject(SampleError(.format, line: event.line, expected: "samples", got: why))
            case .rejected, .lateLabel: break
            }
        }
    }

    /// What a feed would obey or refuse is no sample in a file.
    private mutating func reject(_ error: SampleError) {
        tally.reject(error)
        tell(error)
    }

    private mutating func tell(_ error: SampleError) {
        told += 1
        if told <= 10 { Terminal.complain("\(file): \(error)") }
    }

    func finish() {
        if told > 10 { Terminal.complain("and \(told - 10) more errors") }
    }

    /// What a summary says of samples without labels, and of what was rejected most.
    var lines: [String] {
        var lines: [String] = []
        if !tally.labels.isEmpty { lines.append("label        \(tally.labels.joined(separator: ", "))") }
        if tally.predicted > 0 { lines.append("predicted    \(tally.predicted) samples without a label, not learned") }
        if let most = tally.commonestRejection {
            let field = most.field.map { "\($0): " } ?? ""
            lines.append("rejected     most often, \(most.count) times: \(field)expected \(most.expected)")
        }
        return lines
    }

    /// - Throws: exit status 3 where a run lost most of its input, or learned fewer than two samples.
    func check() throws {
        guard tally.isFailure else { return }
        let rejected = 2 * tally.rejected > tally.processed
        Terminal.complain(
            rejected
                ? "\(tally.rejected) of \(tally.processed) lines were rejected: look at the errors above, and at --format and --label"
                : "fewer than two samples were learned: expected labelled samples, see --format and --label")
        throw ExitCode(3)
    }
}
