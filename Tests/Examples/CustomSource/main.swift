// A source of one's own: an AsyncSequence that reads a file piece by piece, and one that ticks.
//
//     EDDY_EXAMPLES=1 swift run CustomSource Tests/EddyTests/Fixtures/iris.csv

import Eddy
import Foundation

/// The bytes of a file, in buffers. The next is read when the learner has taken the last.
struct FileBytes: AsyncSequence {
    let path: String

    func makeAsyncIterator() -> Iterator { Iterator(file: FileHandle(forReadingAtPath: path)) }

    struct Iterator: AsyncIteratorProtocol {
        let file: FileHandle?

        mutating func next() async throws -> [UInt8]? {
            guard let data = try file?.read(upToCount: 1_024), !data.isEmpty else { return nil }
            return Array(data)
        }
    }
}

let session = try LearningSession()
for try await learned in FileBytes(path: CommandLine.arguments[1]).samples(for: session).learned(by: session) {
    for rejection in learned.rejections { print(rejection) }
}
print("file: \(await session.step) samples of \(session.schema.current?.inputs.joined(separator: ", ") ?? "nothing")")

/// What a machine reports. Its properties are the columns, one of them is the label.
struct Reading: Encodable, Sendable {
    var fan: Double
    var isOpen: Bool
    var temperature: Double?
}

/// A reading each millisecond.
struct Machine: AsyncSequence, AsyncIteratorProtocol {
    var ticks = 0

    mutating func next() async throws -> Reading? {
        guard ticks < 200 else { return nil }
        try await Task.sleep(for: .milliseconds(1))
        ticks += 1
        let fan = Double(ticks % 10) / 10
        return Reading(fan: fan, isOpen: ticks % 3 == 0, temperature: 60 - 20 * fan - (ticks % 3 == 0 ? 5 : 0))
    }

    func makeAsyncIterator() -> Machine { self }
}

let machine = try LearningSession()
for try await _ in Machine().learned(by: machine, label: \.temperature) {}
let columns = machine.schema.current?.inputs.joined(separator: ", ") ?? "nothing"
print("machine: \(await machine.step) readings of \(columns)")
