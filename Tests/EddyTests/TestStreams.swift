// What the tests of this module share: the data sets, a decoder driven in any pieces, and seeded randomness.

import Foundation
import Testing

@testable import Eddy

/// A data set of `Fixtures`, as bytes.
func fixture(_ name: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "csv"))
    return Array(try Data(contentsOf: url))
}

/// The samples of a data set in one chunk.
func samples(_ name: String) throws -> SampleChunk {
    var decoder = SampleDecoder(schema: SchemaClaim())
    var bytes = try fixture(name)[...]
    let chunk = decoder.decode(&bytes)
    #expect(chunk.events.isEmpty && decoder.finish().isEmpty)
    return chunk.samples
}

/// All that came of a stream's bytes, whatever pieces they came in.
struct Decoded: Equatable {
    struct Event: Equatable {
        let index: Int
        let line: Int
        let kind: DecodedEvent.Kind
    }

    /// The bits of each sample's features.
    var features: [[UInt32]] = []
    /// The keys of each sample's terms, and the bits of their values.
    var keys: [[UInt64]] = []
    var values: [[UInt32]] = []
    /// The names that were told, and how often one was told in all.
    var names: [UInt64: String] = [:]
    var namesTold = 0
    var labels: [Label] = []
    /// Each sample's labels for outputs beyond the first, without nones at the end.
    var furtherLabels: [[Label]] = []
    var weights: [Float] = []
    var identifiers: [Int: String] = [:]
    var lines: [Int] = []
    var events: [Event] = []
    var schema: Schema?

    var rows: [[Float]] { features.map { $0.map { Float(bitPattern: $0) } } }

    /// Each sample's terms by name.
    var terms: [[String: Float]] {
        zip(keys, values).map { keys, values in
            Dictionary(zip(keys, values).map { (names[$0] ?? "?", Float(bitPattern: $1)) }) { $0 + $1 }
        }
    }

    var errors: [SampleError] {
        events.compactMap { event in
            switch event.kind {
            case .rejected(let error), .refusedDirective(let error): error
            case .lateLabel, .directive, .foreign: nil
            }
        }
    }

    var directives: [String] {
        events.compactMap { if case .directive(let directive) = $0.kind { directive } else { nil } }
    }

    var isForeign: Bool {
        events.contains { if case .foreign = $0.kind { true } else { false } }
    }

    /// Takes in a chunk, and holds it to what every chunk promises.
    mutating func append(_ chunk: DecodedChunk) {
        let samples = chunk.samples
        let base = labels.count
        #expect(samples.features.count == samples.inputs * samples.count)
        #expect(chunk.lines.count == samples.count)
        #expect(samples.weights.isEmpty || samples.weights.count == samples.count)
        #expect(samples.features.allSatisfy { !$0.isInfinite && ($0 != 0 || $0.sign == .plus) })
        let terms = samples.terms
        #expect(terms.keys.count == terms.values.count)
        #expect(terms.values.allSatisfy { $0.isFinite && $0 != 0 })
        #expect(terms.isEmpty ? terms.ends.isEmpty : terms.ends.count == samples.count)
        #expect(terms.isEmpty || terms.ends.last == terms.keys.count)
        #expect(zip(terms.ends, terms.ends.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(terms.names.allSatisfy { names[$0.key] == nil })
        names.merge(terms.names) { first, _ in first }
        namesTold += terms.names.count
        #expect(samples.weights.allSatisfy { $0.isFinite && $0 >= 0 })
        #expect(chunk.events.map(\.index).allSatisfy { (0...samples.count).contains($0) })
        for i in 0..<samples.count {
            if case .number(let value) = samples.labels[i] { #expect(value.isFinite) }
            features.append(samples.features[i * samples.inputs..<(i + 1) * samples.inputs].map(\.bitPattern))
            weights.append(samples.weights.isEmpty ? 1 : samples.weights[i])
            identifiers[base + i] = samples.identifiers[i]
            keys.append(Array(terms.keys[terms.range(of: i)]))
            values.append(terms.values[terms.range(of: i)].map(\.bitPattern))
        }
        labels += samples.labels
        #expect(samples.furtherLabels.allSatisfy { $0.count == samples.count })
        furtherLabels += (0..<samples.count).map { i in
            Array(samples.furtherLabels.map { $0[i] }.reversed().drop { $0 == .none }.reversed())
        }
        lines += chunk.lines
        events += chunk.events.map { Event(index: base + $0.index, line: $0.line, kind: $0.kind) }
    }
}

/// Decodes bytes in pieces of the given sizes (the last one again and again), at most `limit` samples a call.
func decode(
    _ bytes: [UInt8], pieces: [Int] = [], limit: Int = .max, format: SampleFormat? = nil,
    label: LabelColumn = .automatic, claim: SchemaClaim = SchemaClaim(),
    lineLimit: Int = SampleDecoder.defaultLineLimit
) -> Decoded {
    var decoder = SampleDecoder(format: format, label: label, schema: claim, lineLimit: lineLimit)
    var decoded = Decoded()
    var rest = bytes[...]
    var next = 0
    while !rest.isEmpty {
        var piece = rest.prefix(pieces.isEmpty ? rest.count : pieces[min(next, pieces.count - 1)])
        rest = rest.dropFirst(piece.count)
        next += 1
        while !piece.isEmpty {
            let chunk = decoder.decode(&piece, limit: limit)
            #expect(chunk.samples.count <= limit)
            accept(chunk, claim)
            decoded.append(chunk)
        }
    }
    let last = decoder.finish()
    accept(last, claim)
    decoded.append(last)
    decoded.schema = claim.current
    return decoded
}

/// Accepts what a chunk proposes, as a learner does that takes its samples.
func accept(_ chunk: DecodedChunk, _ claim: SchemaClaim) {
    if let proposal = chunk.proposal, !chunk.samples.isEmpty { claim.accept(proposal) }
}

func decode(
    _ text: String, format: SampleFormat? = nil, label: LabelColumn = .automatic, claim: SchemaClaim = SchemaClaim()
) -> Decoded {
    decode(Array(text.utf8), format: format, label: label, claim: claim)
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &self) == 0 }
}

/// Expects that a stream leaves the same predictions, losses and learner, cut at random into chunks of at most so many.
func expectAnyChunks(
    of stream: SampleChunk, longest: [Int], seed: UInt64, _ make: () throws -> Learner,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let whole = try make()
    let expected = whole.learn(stream)
    #expect(expected.rejections.isEmpty, sourceLocation: sourceLocation)
    var random = TestRandom(seed: seed)
    for longest in longest {
        let parts = try make()
        var (losses, predictions): ([UInt32], [UInt32]) = ([], [])
        var first = 0
        while first < stream.count {
            let last = min(stream.count, first + .random(in: 1...longest, using: &random))
            let steps = parts.learn(stream[first..<last])
            losses += steps.losses.map(\.bitPattern)
            predictions += steps.predictions.map(\.bitPattern)
            first = last
        }
        #expect(
            losses == expected.losses.map(\.bitPattern), "chunks of at most \(longest)", sourceLocation: sourceLocation)
        #expect(predictions == expected.predictions.map(\.bitPattern), sourceLocation: sourceLocation)
        #expect(try state(parts) == state(whole), sourceLocation: sourceLocation)
    }
}

/// A line with up to four bytes changed, put in, taken out or doubled.
///
/// - Parameter special: bytes that mean something to the format, and come two times in three.
func damaged(_ line: [UInt8], special: String, using random: inout TestRandom) -> [UInt8] {
    let special = Array(special.utf8) + [0x80, 0xC3, 0xFF]
    var line = line
    for _ in 0..<Int.random(in: 1...4, using: &random) where !line.isEmpty {
        let place = Int.random(in: line.indices, using: &random)
        let byte = random.oneIn(3) ? UInt8.random(in: 0...255, using: &random) : special.randomElement(using: &random)!
        switch Int.random(in: 0..<5, using: &random) {
        case 0: line[place] = byte
        case 1: line.insert(byte, at: place)
        case 2: line.remove(at: place)
        case 3: line.removeSubrange(place...)
        default: line.insert(contentsOf: line[place...].prefix(8), at: place)
        }
    }
    return line
}
