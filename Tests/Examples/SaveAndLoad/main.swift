// Save a learner to a file and go on from there: the same weights to the bit.
//
//     EDDY_EXAMPLES=1 swift run SaveAndLoad

import AsyncAlgorithms
import Eddy
import Foundation

func samples(_ numbers: Range<Int>) -> some AsyncSequence<[Sample], Never> & Sendable {
    let samples = numbers.map { number in
        Sample([Float(number % 13), Float(number % 7)], label: number % 13 > number % 7 ? "more" : "less")
    }
    return samples.async.chunks(ofCount: 50)
}

let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).eddy").path
defer { try? FileManager.default.removeItem(atPath: path) }

// Half of the stream, then a file.
let session = try LearningSession()
for await _ in samples(0..<2_000).learned(by: session) {}
try await session.save(to: path)

// A learner from the file, and the one that never stopped, learn the other half.
let loaded = try LearningSession.load(path)
print("loaded at step \(await loaded.step)")
for await _ in samples(2_000..<4_000).learned(by: loaded) {}
for await _ in samples(2_000..<4_000).learned(by: session) {}

let (one, other) = (await session.snapshot(), await loaded.snapshot())
print("both at step \(one.step) and \(other.step), equal to the bit: \(one.parameterHash == other.parameterHash)")
