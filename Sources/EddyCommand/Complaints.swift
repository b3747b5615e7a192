// What is wrong with samples, told to the person at the terminal: the first ten, then their number.

import Eddy

/// Errors to standard error, each with its file.
struct Complaints {
    var file = ""
    private(set) var count = 0

    mutating func add(_ error: SampleError) {
        count += 1
        if count <= 10 { Terminal.complain("\(file): \(error)") }
    }

    /// What the decoder could not take from a chunk.
    mutating func add(_ chunk: DecodedChunk) {
        for event in chunk.events {
            switch event.kind {
            case .rejected(let error), .refusedDirective(let error): add(error)
            case .directive(let directive):
                add(SampleError(line: event.line, expected: "samples", got: "!" + directive))
            case .lateLabel(let label):
                add(SampleError(line: event.line, expected: "samples", got: "a label for \(label.id)"))
            case .foreign(let why): add(SampleError(line: event.line, expected: "samples", got: why))
            }
        }
    }

    /// What the learner would not take of a chunk.
    mutating func add(_ steps: StepChunk, of chunk: DecodedChunk) {
        for rejection in steps.rejections {
            var error = rejection.error
            error.line = chunk.lines[rejection.index]
            add(error)
        }
    }

    func finish() {
        if count > 10 { Terminal.complain("and \(count - 10) more errors") }
    }
}
