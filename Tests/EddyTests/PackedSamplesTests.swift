// Packed messages: the layout byte by byte, and what is refused.

import Testing

@testable import Eddy

@Suite struct PackedSamplesTests {
    private func header(version: UInt8 = 1, flags: UInt8 = 0, outputs: UInt16 = 1, inputs: UInt32 = 2) -> [UInt8] {
        Array("EDDY".utf8) + [version, flags] + bytes(outputs) + bytes(inputs)
    }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    private func bytes(_ value: Float) -> [UInt8] { bytes(value.bitPattern) }

    private func decode(_ message: [UInt8]) throws -> DecodedChunk {
        try message.withUnsafeBytes { message in
            let layout = try PackedSamples(header: message)
            return layout.decode(UnsafeRawBufferPointer(rebasing: message[PackedSamples.headerLength...]), firstLine: 5)
        }
    }

    @Test func records_areSamples() throws {
        let chunk = try decode(
            header(flags: 3) + bytes(Float(1.5)) + bytes(Float(-2)) + bytes(Float(1)) + bytes(Float(0.5))
                + bytes(UInt64(77)) + bytes(Float(3)) + bytes(Float(4)) + bytes(Float.nan) + bytes(Float(1))
                + bytes(UInt64.max))
        #expect(chunk.samples.features == [1.5, -2, 3, 4])
        #expect(chunk.samples.labels == [.number(1), .none])
        #expect(chunk.samples.weights == [0.5, 1])
        #expect(chunk.samples.identifiers == [0: "77", 1: "18446744073709551615"])
        #expect(chunk.lines == [5, 6] && chunk.events.isEmpty)
    }

    @Test func recordThatIsNotFinite_isRejectedAlone() throws {
        let chunk = try decode(
            header() + bytes(Float(1)) + bytes(Float.infinity) + bytes(Float(0)) + bytes(Float(1)) + bytes(Float(2))
                + bytes(Float(0)))
        #expect(chunk.samples.count == 1 && chunk.lines == [6])
        #expect(chunk.events.first?.error?.line == 5 && chunk.events.first?.error?.column == 2)
    }

    @Test func messageThatIsNone_isRefusedWithItsReason() {
        let refused: [([UInt8], String)] = [
            ([], "header"), (Array("EDDY".utf8), "header"), (Array("EDDX".utf8) + [1, 0, 1, 0, 2, 0, 0, 0], "header"),
            (header(version: 2), "version"), (header(flags: 4), "flags"), (header(outputs: 2), "outputs"),
            (header(inputs: 0), "inputs"), (header(inputs: 4_000_000_000), "inputs"),
            (header() + [1, 2, 3], "records"),
        ]
        for (message, field) in refused {
            #expect { try decode(message) } throws: { ($0 as? SampleError)?.field == field }
        }
    }
}

@Suite struct PackedStreamTests {
    private static let magic = Array("EDDY".utf8)

    private func header(inputs: UInt32 = 2, flags: UInt8 = 0, version: UInt8 = 1) -> [UInt8] {
        PackedStreamTests.magic + [version, flags, 1, 0] + bytes(inputs)
    }

    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }

    private func record(_ values: Float...) -> [UInt8] { values.flatMap { bytes($0.bitPattern) } }

    /// What a decoder finds in a stream that comes in pieces.
    private struct Found: Equatable {
        var features: [Float] = []
        var labels: [Label] = []
        var lines: [Int] = []
        var errors: [String] = []
        var refusal: String?

        mutating func add(_ chunk: DecodedChunk) {
            features += chunk.samples.features
            labels += chunk.samples.labels
            lines += chunk.lines
            for event in chunk.events {
                switch event.kind {
                case .rejected(let error), .refusedDirective(let error): errors.append("\(error)")
                case .foreign(let why): refusal = why
                case .lateLabel(let label): errors.append("a label for \(label.id)")
                case .directive(let directive): errors.append("!" + directive)
                }
            }
        }
    }

    private func decode(
        _ pieces: [some Collection<UInt8>], limit: Int = .max, claim: SchemaClaim = SchemaClaim(),
        format: SampleFormat? = nil, lineLimit: Int = 1 << 20
    ) -> Found {
        var decoder = SampleDecoder(format: format, schema: claim, lineLimit: lineLimit)
        var found = Found()
        for piece in pieces {
            var rest = Array(piece)[...]
            while !rest.isEmpty {
                let chunk = decoder.decode(&rest, limit: limit)
                accept(chunk, claim)
                found.add(chunk)
            }
        }
        found.add(decoder.finish())
        return found
    }

    private var stream: [UInt8] {
        header() + record(1, 2, 0) + record(.infinity, 2, 1) + record(3, 4, .nan) + record(5, -.infinity, 0)
            + record(5, 6, .infinity) + record(7, 8, -0.0)
    }

    @Test func records_areSamples_andThoseThatAreNotFiniteAreRejectedByNumber() {
        let found = decode([stream])
        #expect(found.features == [1, 2, 3, 4, 7, 8])
        #expect(found.labels == [.number(0), .none, .number(0)])
        #expect(found.lines == [1, 3, 6])
        #expect(
            found.errors == [
                "line=2 column=1 expected=\"finite number, or NaN for a missing one\" got=\"inf\"",
                "line=4 column=2 expected=\"finite number, or NaN for a missing one\" got=\"-inf\"",
                "line=5 field=label expected=\"finite number\" got=\"inf\"",
            ])
    }

    @Test func featureThatIsNaN_isMissing() {
        let found = decode([header() + record(.nan, 2, 1) + record(3, .nan, .nan)])
        #expect(found.features.map(\.isNaN) == [true, false, false, true])
        #expect(found.labels == [.number(1), .none] && found.errors.isEmpty)
    }

    @Test func howeverTheStreamIsCut_theSamplesAreTheSame() {
        let whole = decode([stream])
        for length in 1...stream.count {
            let pieces = stride(from: 0, to: stream.count, by: length).map {
                stream[$0..<min($0 + length, stream.count)]
            }
            #expect(decode(pieces) == whole, "pieces of \(length) bytes")
            #expect(decode(pieces, limit: 1) == whole, "pieces of \(length) bytes, a sample at a time")
            #expect(decode([stream[..<length], stream[length...]]) == whole, "cut after \(length) bytes")
        }
    }

    @Test func directivesInFront_areObeyed() {
        var found = decode(["!reply none\n\n!ping\n".utf8 + stream])
        #expect(found.errors.prefix(2) == ["!reply none", "!ping"])
        found.errors.removeFirst(2)
        #expect(found == decode([stream]))
    }

    @Test func headerThatIsNotUnderstood_endsTheStream() {
        let known = SchemaClaim(Schema(inputs: 3))
        #expect(decode([header(version: 7) + record(1, 2, 0)]).refusal == "line=1 field=version expected=1 got=\"7\"")
        #expect(decode([header(flags: 64)]).refusal?.contains("field=flags") == true)
        #expect(decode([header(inputs: 0)]).refusal?.contains("field=inputs") == true)
        #expect(decode([header(inputs: 4_000_000_000)]).refusal?.contains("field=inputs") == true)
        #expect(decode([header(inputs: 30)], lineLimit: 100).refusal?.contains("at most 100 bytes") == true)
        let other = decode([stream], claim: known)
        #expect(
            other.refusal == "line=1 field=inputs expected=\"3, as the samples before had\" got=\"2\""
                && other.features.isEmpty)
    }

    @Test func firstSample_claimsTheSchema_andAHeaderAloneDoesNot() {
        let claim = SchemaClaim()
        _ = decode([header() + record(.infinity, 1, 1)], claim: claim)
        #expect(claim.current == nil)
        _ = decode([header() + record(2, 1, 1)], claim: claim)
        #expect(claim.current == Schema(inputs: 2))
    }

    @Test func endAmidARecord_costsAnError() {
        let found = decode([stream + [1, 2, 3]])
        #expect(
            found.errors.last == "line=7 field=records expected=\"whole records of 12 bytes\" got=\"3 bytes\""
                && found.lines.count == 3)
        #expect(decode([header().prefix(9)]).errors.first?.contains("field=header") == true)
    }

    @Test func textThatBeginsWithTheSameLetters_isText() {
        let claim = SchemaClaim(Schema(names: ["a"], label: "label"))
        let found = decode(["EDDY,label\n1,x\n".utf8])
        #expect(found.features == [1] && found.refusal == nil)
        #expect(decode(["EDDY\n2,x\n".utf8], claim: claim).features == [2])
        // After a line of text, and where a format was given, the same bytes are a bad line.
        let late = decode(["1,x\n".utf8 + stream + [10]])
        #expect(late.refusal == nil && late.features == [1] && !late.errors.isEmpty)
        let given = decode([stream + [10]], format: .csv)
        #expect(given.refusal == nil && !given.errors.isEmpty)
    }
}
