// A learner's state as a hash for each part, taken from memory and not from a file: the walk stays when the format changes.
//
// Large arrays of numbers are hashed by their bits, in the order that the types document. Small states with private
// members are hashed as the JSON of their Codable form with sorted keys, in which every number is written so that it
// reads back to the same bits.

import Backprop
import Foundation

@testable import Eddy

/// FNV-1a, 64 bits, of numbers and text.
struct GoldenHash {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    var hex: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func add(_ bits: some FixedWidthInteger) {
        withUnsafeBytes(of: bits.littleEndian) { bytes in
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
    }

    mutating func add(_ numbers: some Sequence<Float>) {
        for number in numbers { add(number.bitPattern) }
        add(UInt8(0xFF))
    }

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(UInt8(0xFF))
    }

    mutating func add(json value: (some Encodable)?) throws {
        guard let value else { return add("nil") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        add(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// Parts by name.
struct GoldenParts {
    private(set) var hashes: [String: String] = [:]

    mutating func set(_ name: String, _ fill: (inout GoldenHash) throws -> Void) rethrows {
        var hash = GoldenHash()
        try fill(&hash)
        hashes[name] = hash.hex
    }

    /// A figure that a reader of the fixture may want to see.
    mutating func set(_ name: String, figure: Int) { hashes[name] = "\(figure)" }
}

extension GoldenParts {
    /// The state of what learns one output.
    mutating func add(_ committee: Committee, prefix: String) throws {
        set(prefix + "networks") { hash in
            for racer in committee.racers { hash.add(racer.network.flatParameters) }
        }
        set(prefix + "optimizers") { hash in
            for racer in committee.racers {
                for block in racer.network.flatState { hash.add(block) }
                hash.add(racer.network.step)
                hash.add(racer.network.smoothedGradientNorms)
            }
        }
        guard let others = committee.others else { return }
        for (name, memory) in [("reservoir", others.reservoir), ("recent", others.recent)] {
            set(prefix + name) { hash in
                hash.add(memory.contents)
                hash.add(memory.seen)
            }
        }
        try set(prefix + "other experts") { hash in
            try hash.add(json: others.bayes)
            try hash.add(json: others.leastSquares)
            try hash.add(json: others.levels)
            try hash.add(json: others.forest?.record)
            hash.add(others.forest?.contents ?? [])
            try hash.add(json: others.logistic)
            hash.add(others.terms?.samples ?? [])
            hash.add(others.terms?.totals ?? [])
            hash.add(others.terms?.counts ?? [])
        }
        try set(prefix + "votes") { hash in
            try hash.add(json: others.classVote)
            try hash.add(json: others.valueVote)
            try hash.add(json: others.values)
            hash.add(others.leader)
        }
    }
}

/// The steps of a stream, gathered chunk by chunk.
struct GoldenSteps {
    private var (predictions, probabilities, losses) = (GoldenHash(), GoldenHash(), GoldenHash())
    private var (targets, rejections, drifts) = (GoldenHash(), GoldenHash(), GoldenHash())
    private var (samples, learned, rejected, alarms) = (0, 0, 0, 0)

    mutating func add(_ steps: StepChunk) {
        for i in 0..<steps.count {
            predictions.add(steps.predictions[i].bitPattern)
            probabilities.add(steps.probabilities[i].bitPattern)
            losses.add(steps.losses[i].bitPattern)
            targets.add(steps.targets[i].bitPattern)
        }
        for rejection in steps.rejections { rejections.add(samples + rejection.index) }
        for alarm in steps.drifts {
            drifts.add(alarm.step)
            drifts.add("\(alarm.detector) \(alarm.watched) \(alarm.column ?? "")")
            drifts.add((alarm.before ?? -1).bitPattern)
            drifts.add((alarm.now ?? -1).bitPattern)
        }
        samples += steps.count
        learned += steps.learned
        rejected += steps.rejections.count
        alarms += steps.drifts.count
    }

    func write(_ parts: inout GoldenParts, prefix: String) {
        for (name, hash) in [
            ("predictions", predictions), ("probabilities", probabilities), ("losses", losses), ("targets", targets),
            ("rejections", rejections), ("drifts", drifts),
        ] { parts.set(prefix + "steps: " + name) { $0 = hash } }
        parts.set(prefix + "samples", figure: samples)
        parts.set(prefix + "learned", figure: learned)
        parts.set(prefix + "rejected", figure: rejected)
        parts.set(prefix + "alarms", figure: alarms)
    }
}
