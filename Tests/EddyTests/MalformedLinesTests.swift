// 20,000 malformed lines before and among good ones: the model file, which holds everything that affects the future,
// is byte for byte that of a run without them, and every error names its line.

import Testing

@testable import Eddy

@Suite struct MalformedLinesTests {
    private static let count = 20_000
    private static let lineLimit = 8_192

    /// A stream, which of its lines are malformed, and which of them need no error (they were taken for a header).
    private struct Stream {
        var bytes: [UInt8] = []
        var lines = 0
        var malformed: Set<Int> = []
        var silent: Set<Int> = []

        mutating func append(_ line: [UInt8]) {
            bytes += line + [0x0A]
            lines += 1
        }

        mutating func append(malformed line: [UInt8], isSilent: Bool = false) {
            append(line)
            malformed.insert(lines)
            if isSilent { silent.insert(lines) }
        }
    }

    private struct Outcome: Equatable {
        var model: [UInt8]
        var hash: UInt64?
        var schema: Schema?
        var metrics: Metrics
        var losses: [UInt32]
    }

    private func learn(
        _ bytes: [UInt8], limit: Int = .max
    ) throws -> (outcome: Outcome, errors: [Int], sampleLines: [Int]) {
        let claim = SchemaClaim()
        let learner = try Learner()
        var decoder = SampleDecoder(schema: claim, lineLimit: Self.lineLimit)
        var errors: [Int] = []
        var lines: [Int] = []
        var losses: [UInt32] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = decoder.decode(&rest, limit: limit)
            for event in chunk.events {
                guard let error = event.error else { continue }
                #expect(error.line == event.line)
                errors.append(error.line)
            }
            let steps = learner.learn(chunk.samples)
            errors += steps.rejections.map { chunk.lines[$0.index] }
            losses += steps.losses.filter { !$0.isNaN }.map(\.bitPattern)
            lines += chunk.lines
        }
        let model = try ModelFile.encode(learner, schema: claim.current)
        let outcome = Outcome(
            model: model, hash: learner.network?.parameterHash, schema: claim.current, metrics: learner.metrics,
            losses: losses)
        return (outcome, errors.sorted(), lines)
    }

    private func check(_ stream: Stream, against clean: [UInt8], samples: Int, kinds: Int) throws {
        #expect(kinds >= 30)
        #expect(stream.malformed.count >= Self.count)
        let expected = try learn(clean)
        #expect(expected.errors.isEmpty)
        #expect(expected.sampleLines.count == samples)
        for limit in [Int.max, 100] {
            let run = try learn(stream.bytes, limit: limit)
            let isEqual = run.outcome == expected.outcome
            #expect(isEqual)
            let silentlyTaken = stream.malformed.subtracting(stream.silent).subtracting(run.errors)
            #expect(silentlyTaken == [])
            #expect(run.errors.count == stream.malformed.count - stream.silent.count)
            #expect(run.sampleLines.count == samples)
        }
    }

    /// `before` malformed lines of the kinds that can come there, the good lines, and the rest of `count` among them.
    private func stream(
        header: [UInt8]?, good: [[UInt8]], before: [Kind], among: [Kind], seed: UInt64
    ) -> Stream {
        var random = TestRandom(seed: seed)
        var stream = Stream()
        func malformed(_ kinds: [Kind], isBefore: Bool = false) {
            let kind = kinds[stream.malformed.count % kinds.count]
            let line = kind.make(good.randomElement(using: &random)!, &random)
            stream.append(malformed: line, isSilent: isBefore && kind.isSilentBeforeHeader)
        }
        for _ in 0..<2_000 { malformed(before, isBefore: true) }
        if let header {
            stream.append(header)
            let kinds = before.filter { !$0.isSilentBeforeHeader }
            for _ in 0..<2_000 { malformed(kinds) }
        }
        let each = (Self.count - stream.malformed.count) / good.count + 1
        for line in good {
            stream.append(line)
            for _ in 0..<each { malformed(among) }
        }
        return stream
    }

    /// One way in which a line can be malformed, made from a good one.
    struct Kind {
        var isSilentBeforeHeader = false
        /// Whether only what came before shows that it is wrong.
        var needsSchema = false
        let make: ([UInt8], inout TestRandom) -> [UInt8]
    }

    // MARK: CSV

    @Test func malformedCSVLines_beforeAndAfterTheHeader_leaveTheBits() throws {
        let lines = try fixture("breast_cancer").split(separator: 0x0A).map { Array($0) }
        let kinds = csvKinds
        let stream = stream(
            header: lines[0], good: Array(lines.dropFirst()), before: kinds.filter { !$0.needsSchema }, among: kinds,
            seed: 1)
        try check(stream, against: try fixture("breast_cancer"), samples: 569, kinds: kinds.count)
    }

    @Test func malformedCSVLines_withoutAHeader_leaveTheBits() throws {
        let good = try fixture("trump_approval").split(separator: 0x0A).dropFirst().map { Array($0) }
        let kinds = csvKinds
        let before = kinds.filter { !$0.needsSchema && !$0.isSilentBeforeHeader }
        let stream = stream(header: nil, good: good, before: before, among: kinds, seed: 2)
        try check(stream, against: Array(good.joined(separator: [0x0A])) + [0x0A], samples: 1001, kinds: kinds.count)
    }

    private var csvKinds: [Kind] {
        /// A feature replaced by what is no number; words would do in a first sample.
        func feature(_ wrong: [UInt8], needsSchema: Bool = false) -> Kind {
            Kind(needsSchema: needsSchema) { line, random in
                var fields = line.split(separator: 0x2C, omittingEmptySubsequences: false).map { Array($0) }
                // Never the first, where some bytes have a meaning for the line, nor the label.
                fields[Int.random(in: 1..<fields.count - 1, using: &random)] = wrong
                return Array(fields.joined(separator: [0x2C]))
            }
        }
        func label(_ wrong: [UInt8]) -> Kind {
            Kind { line, _ in line[...line.lastIndex(of: 0x2C)!] + wrong }
        }
        func whole(_ wrong: String, needsSchema: Bool = false) -> Kind {
            Kind(needsSchema: needsSchema) { _, _ in Array(wrong.utf8) }
        }
        let words = [
            "abc", "0x1A", "1\"2\"", "--1", "+-1", "1.2.3", "1e", "1e+", "1_000", ".", "-", "12%", "$1", "1;2", "yes",
            "１２", "\u{202E}1", "\"1,2\"", "1 000", "2024-05-01", "12:30",
        ].map { feature(Array($0.utf8), needsSchema: true) }
        let features =
            words
            + ["inf", "-inf", "+nan", "1e999", "-1e999", "\" 1\"", "\"1", "\"1\"2", "1\u{0}"].map {
                feature(Array($0.utf8))
            }
        let labels = [
            "nan", "-Infinity", "1e999", "\" x\"", "a\u{1}b", "\"x", "\"x\"y", String(repeating: "n", count: 300),
        ]
        .map { label(Array($0.utf8)) }
        return features + labels + [
            feature([0xFF, 0xFE]), feature([0xC3]), label([0xC3, 0x28]), label([0xED, 0xA0, 0x80]),
            whole("hello"), whole("   "), whole("\t"), whole(",,,"), whole("?,NA,,"), whole("{\"mean_radius\": 17.99,"),
            whole("[1, 2"),
            Kind { _, _ in [0x21, 0xFF] }, whole("1 |f a:1", needsSchema: true), whole("1 1:0.5", needsSchema: true),
            whole("1:2:3 |f a:1"), whole("1 |f a:x"), whole("1 0.5 1 |f a"), whole("shared |f a"), whole("3 qid:1 1:2"),
            whole("1,2 1:2"), whole("1 1:2 1:3"), whole("1 1:2 2"), whole("GET / HTTP/1.1"),
            whole("1", needsSchema: true), whole("1,2", needsSchema: true),
            whole("{\"a\":1,\"label\":2}", needsSchema: true),
            whole("[1,2,3]", needsSchema: true), whole(String(repeating: "1,", count: 5_000)),
            Kind { _, _ in Array(repeating: UInt8(ascii: "7"), count: MalformedLinesTests.lineLimit + 1) },
            Kind { line, _ in line.map { $0 == 0x2C ? UInt8(ascii: ";") : $0 } },
            Kind { line, _ in line.map { $0 == 0x2C ? UInt8(ascii: "\t") : $0 } },
            Kind(needsSchema: true) { line, _ in Array("{".utf8) + line },
            Kind { _, random in
                [0x01] + (0..<80).map { _ in UInt8.random(in: 0x80...0xFF, using: &random) }
            },
            Kind(needsSchema: true) { line, _ in line + Array(",1".utf8) },
            Kind(needsSchema: true) { line, _ in line + Array(",".utf8) },
            Kind(needsSchema: true) { line, _ in line + [0x2C] + line },
            Kind(needsSchema: true) { line, _ in Array(line[..<line.index(line.startIndex, offsetBy: 12)]) },
            Kind(isSilentBeforeHeader: true) { _, _ in Array("foo,bar".utf8) },
            Kind(isSilentBeforeHeader: true) { _, _ in Array("what,is,this".utf8) },
            Kind(isSilentBeforeHeader: true) { line, _ in
                let fields = line.filter { $0 == 0x2C }.count + 1
                return Array((0..<fields).map { "word\($0)" }.joined(separator: ",").utf8)
            },
        ]
    }

    // MARK: JSON lines

    @Test func malformedJSONLines_leaveTheBits() throws {
        let rows = try fixture("iris").split(separator: 0x0A).map {
            String(decoding: $0, as: UTF8.self).split(separator: ",").map { String($0) }
        }
        let good = rows.dropFirst().map { row in
            let members = zip(rows[0], row).map { "\"\($0)\":" + ($0 == "label" ? "\"\($1)\"" : $1) }
            return Array("{\(members.joined(separator: ","))}".utf8)
        }
        let kinds = jsonKinds
        let stream = stream(
            header: nil, good: good, before: kinds.filter { !$0.needsSchema }, among: kinds, seed: 3)
        try check(stream, against: Array(good.joined(separator: [0x0A])) + [0x0A], samples: 150, kinds: kinds.count)
    }

    private var jsonKinds: [Kind] {
        /// The value of petal_length_cm replaced.
        func value(_ wrong: String, needsSchema: Bool = false) -> Kind {
            Kind(needsSchema: needsSchema) { line, _ in
                let key = Array("petal_length_cm\":".utf8)
                let start = line.indices.first { line[$0...].starts(with: key) }! + key.count
                let end = line[start...].firstIndex(of: 0x2C)!
                return line[..<start] + Array(wrong.utf8) + line[end...]
            }
        }
        /// Members put in at the front.
        func member(_ wrong: String, needsSchema: Bool = false) -> Kind {
            Kind(needsSchema: needsSchema) { line, _ in Array(("{" + wrong + ",").utf8) + line.dropFirst() }
        }
        func whole(_ wrong: String, needsSchema: Bool = false) -> Kind {
            Kind(needsSchema: needsSchema) { _, _ in Array(wrong.utf8) }
        }
        let words = ["\"1\"", "\"one\"", "\"2024-05-01\""].map { value($0, needsSchema: true) }
        let values = [
            "", "nan", "Infinity", "-Infinity", "1.", ".5", "+1", "01", "0x1", "1e", "--1", "1e999", "nul",
            "tru", "Nan",
            "[1]", "{}", "1 2", "1_0", "one", "１",
        ].map { value($0) }
        let members = [
            "\"label\":\"other\"", "\"weight\":-1", "\"weight\":\"2\"", "\"weight\":1,\"weight\":1", "\"weight\":null",
            "\"id\":[1]",
            "\"id\":\"\\ud800\\u0041\"", "\"id\":\"\\ud800\"", "\"id\":\"\\u-123\"", "\"id\":\"\\q\"",
            "\"id\":\"a\u{1}b\"",
            "\"id\":\"" + String(repeating: "i", count: 300) + "\"", "\"petal_width_cm\":1", "id:1", "'id':1",
            "\"id\" 1", "",
            "\"features\":[1,2]", "\"junk\":" + String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
            "\"x\":nope",
            "\"features\":{\"petal_width_cm\":1}",
        ].map { member($0) }
        return words + values + members + [
            whole("{}"), whole("[]"), whole("[1]"), whole("{\"a\":"), whole("{\"label\":\"setosa\"}"),
            whole("[1,2,3,4,]"),
            whole("[[1,2,3,4],\"x\"]"), whole("[1,2,\"x\",4,\"x\"]", needsSchema: true), whole("[\"x\"]"),
            whole("hello"), whole("   "),
            whole("{'a':1}"),
            whole("[1,2,\"x\"]", needsSchema: true), whole("[1,2,3,4,5,6]", needsSchema: true),
            whole("{\"features\":[1,2,3]}", needsSchema: true), whole("{\"weight\":1}"), whole("{\"id\":1}"),
            whole("{\"label\":1,\"weight\":1}"), whole("{\"petal_length_cm\":null}"),
            whole("5.1,3.5,1.4,0.2,setosa", needsSchema: true), whole("{\"features\":[1,2,3,4,5]}", needsSchema: true),
            whole("[1,2,3,4,\"nan\"]", needsSchema: true), whole("[1,2,3,4,1e99]"), whole("[1,2,3,4,{}]"),
            Kind { line, _ in Array(line.dropLast()) }, Kind { line, _ in line + Array("}".utf8) },
            Kind { line, _ in line + line },
            Kind { line, random in Array(line.prefix(Int.random(in: 1..<60, using: &random))) },
            Kind { line, _ in line.map { $0 == UInt8(ascii: ":") ? UInt8(ascii: "=") : $0 } },
            Kind { line, _ in Array(line.dropLast()) + Array(",}".utf8) },
            Kind { line, _ in line.filter { $0 != UInt8(ascii: "\"") } },
            Kind { _, _ in Array("{\"a".utf8) + [0xFF] + Array("\":1}".utf8) },
            Kind { _, _ in Array(repeating: UInt8(ascii: "["), count: 5_000) },
            Kind { _, _ in Array(repeating: UInt8(ascii: "{"), count: MalformedLinesTests.lineLimit + 1) },
        ]
    }
}
