// What holds for every stream: pieces do not matter, and no bytes crash the decoder or make a number that is none.

import Testing

@testable import Eddy

@Suite struct DecoderPropertyTests {
    // MARK: Byte by byte equals whole

    @Test(arguments: ["breast_cancer", "iris", "digits", "trump_approval", "phishing", "bananas"])
    func aDataSetByteByByte_isTheSameAsWhole(name: String) throws {
        let bytes = try fixture(name)
        let whole = decode(bytes)
        #expect(whole.events.isEmpty)
        #expect(whole.lines == Array(2..<whole.lines.count + 2))
        #expect(decode(bytes, pieces: [1]) == whole)
        #expect(decode(bytes, pieces: [1], limit: 1) == whole)
        var random = TestRandom(seed: 1)
        for longest in [3, 40, 1_000, 20_000] {
            let pieces = (0..<bytes.count).map { _ in Int.random(in: 1...longest, using: &random) }
            #expect(decode(bytes, pieces: pieces, limit: Int.random(in: 1...300, using: &random)) == whole)
        }
    }

    /// A stream with everything in it that has a place: errors, directives, marks, long lines, other forms.
    static let motley =
        "\u{FEFF}!reply json\r\nstray words\nfoo,bar\na,b,label\r\ninf,1,x\n1,2,x\r\noops,1,x\r\n\n3,4\n!ping\n5,6,\"a \"\"b\"\", c\"\n"
        + "7,\"8\n9\",x\na,b,label\n-0,1e-50,7\n1,2,3,4\n!format json\n{\"a\":1,\"b\":2,\"label\":true,\"weight\":0.5,\"id\":\"q\"}\n"
        + "{\"b\":\"\\ud800\\u0041\"}\n[1,2,\"\\u00e9\"]\n" + String(repeating: "long", count: 100)
        + "\n{\"features\":[5,6]}\r\n!format csv\nb,label,a\n1,x,2\n!nonsense \u{1F600}\n9,,8\n7,x,9"

    @Test func aMotleyStream_isTheSameInAnyTwoPieces() {
        let bytes = Array(Self.motley.utf8)
        let whole = decode(bytes, lineLimit: 200)
        #expect(whole.lines.count == 8 && whole.errors.count >= 6 && whole.directives.count == 3)
        for cut in 1..<bytes.count {
            #expect(decode(bytes, pieces: [cut, bytes.count], lineLimit: 200) == whole, "cut at \(cut)")
        }
        for limit in 1...8 { #expect(decode(bytes, pieces: [1], limit: limit, lineLimit: 200) == whole) }
        for limit in 1...8 { #expect(decode(bytes, limit: limit, lineLimit: 200) == whole) }
    }

    @Test func aMotleyStreamOfJSON_isTheSameInAnyPieces() throws {
        var random = TestRandom(seed: 2)
        var bytes: [UInt8] = []
        for _ in 0..<2_000 { bytes += mutated(jsonLine(using: &random), using: &random) + [0x0A] }
        let whole = decode(bytes)
        #expect(whole.lines.count > 500 && whole.errors.count > 200)
        #expect(decode(bytes, pieces: [1]) == whole)
        let pieces = (0..<bytes.count).map { _ in Int.random(in: 1...100, using: &random) }
        #expect(decode(bytes, pieces: pieces, limit: 3) == whole)
    }

    /// A disconnect at every byte of a short stream: what came whole is there, and nothing else.
    @Test func aStreamThatEndsAnywhere_givesTheSamplesThatCameWhole() {
        let bytes = Array("a,b,label\n1,2,x\n3,4,z\n".utf8)
        let ends = [16, 22]
        for count in 0...bytes.count {
            let decoded = decode(Array(bytes.prefix(count)))
            let complete = ends.filter { $0 <= count }.count
            #expect(decoded.lines.count >= complete)
            #expect(Array(decoded.rows.prefix(complete)) == Array([[1, 2], [3, 4]].prefix(complete)))
            #expect(decoded.lines.count <= complete + 1)
        }
    }

    // MARK: Fuzz (the promises of each chunk are checked where it is taken in)

    @Test(arguments: [nil] + SampleFormat.allCases)
    func randomBytes_neverCrashNorMakeANumberThatIsNone(format: SampleFormat?) {
        var random = TestRandom(seed: 3)
        let special = Array("\n\n\n\r,,\"\"'{}[]:\\!.eE+-0123456789 \t\u{0}natruefl|".utf8) + [0x80, 0xC3, 0xED, 0xFF]
        for round in 0..<300 {
            let count = Int.random(in: 0..<3_000, using: &random)
            let bytes: [UInt8] = (0..<count).map { _ in
                round % 2 == 0 ? UInt8.random(in: 0...255, using: &random) : special.randomElement(using: &random)!
            }
            _ = decode(bytes, pieces: [Int.random(in: 1...500, using: &random)], format: format, lineLimit: 400)
        }
    }

    @Test func mutatedCSVLines_neverCrashNorMakeANumberThatIsNone() throws {
        var random = TestRandom(seed: 4)
        let lines = try fixture("iris").split(separator: 0x0A).map { Array($0) }
        for _ in 0..<60 {
            var bytes = random.oneIn(2) ? lines[0] + [0x0A] : []
            for _ in 0..<300 { bytes += mutated(lines.randomElement(using: &random)!, using: &random) + [0x0A] }
            let label = [LabelColumn.automatic, .position(2), .position(-1), .name("label")].randomElement(
                using: &random)!
            _ = decode(bytes, label: label)
        }
    }

    @Test func mutatedJSONLines_neverCrashNorMakeANumberThatIsNone() {
        var random = TestRandom(seed: 5)
        for _ in 0..<60 {
            var bytes: [UInt8] = []
            for _ in 0..<300 { bytes += mutated(jsonLine(using: &random), using: &random) + [0x0A] }
            _ = decode(bytes, label: random.oneIn(2) ? .automatic : .name("b"))
        }
    }

    /// Escapes of every kind in every place, pairs of surrogates in any order above all.
    @Test func randomEscapes_neverCrash() {
        var random = TestRandom(seed: 6)
        let parts = [
            "\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\u0041", "\\uffff", "\\ud", "\\u", "\\", "\\n", "\\\"", "a",
            "é", "\\x",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...6, using: &random)).map { _ in parts.randomElement(using: &random)! }
                .joined()
            let line = random.oneIn(2) ? "{\"a\":1,\"label\":\"\(text)\"}" : "{\"\(text)\":1}"
            _ = decode(line + (random.oneIn(3) ? "" : "\n"))
        }
    }

    /// What comes through the decoder can be learned, and leaves every weight finite.
    @Test(arguments: [true, false])
    func learningFromMutatedLines_leavesWeightsFinite(scaling: Bool) throws {
        var random = TestRandom(seed: 7)
        let lines = try fixture("iris").split(separator: 0x0A).map { Array($0) }
        for seed in 0..<10 {
            var bytes = lines[0] + [0x0A] + lines[1] + [0x0A]
            for _ in 0..<500 { bytes += mutated(lines.randomElement(using: &random)!, using: &random) + [0x0A] }
            var configuration = Configuration()
            configuration.scaling = scaling
            configuration.seed = UInt64(seed)
            let learner = try Learner(configuration)
            var decoder = SampleDecoder(schema: SchemaClaim())
            var rest = bytes[...]
            while !rest.isEmpty {
                let steps = learner.learn(decoder.decode(&rest, limit: 50).samples)
                for index in 0..<steps.count { _ = steps.prediction(at: index) }
                #expect(steps.losses.allSatisfy { $0.isNaN || $0.isFinite })
            }
            let network = try #require(learner.network)
            #expect(network.flatParameters.allSatisfy { $0.isFinite })
            #expect(learner.metrics.meanLoss.isFinite && learner.metrics.recentLoss.isFinite)
        }
    }

    // MARK: Material

    private func jsonLine(using random: inout TestRandom) -> [UInt8] {
        func number() -> String {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: "\(Int.random(in: -40...40, using: &random))"
            case 1: "\(Float.random(in: -1e30...1e30, using: &random))"
            case 2: "-0"
            case 3: "1e\(Int.random(in: -60...60, using: &random))"
            default: "\(Float.random(in: -10...10, using: &random))"
            }
        }
        let label = ["\"x\"", "true", "null", "3", "\"\\u00e9\"", "\"a rather long class name\"", "0.25"]
            .randomElement(using: &random)!
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return Array("[\(number()),\(number()),\(label)]".utf8)
        case 1: return Array("{\"features\":[\(number()),\(number())],\"label\":\(label),\"id\":\"q\\n\"}".utf8)
        case 2: return Array("{\"b\":\(number()),\"a\":\(number()),\"weight\":\(number()),\"junk\":{\"c\":[{}]}}".utf8)
        default: return Array("{\"a\":\(number()),\"b\":\(number()),\"label\":\(label)}".utf8)
        }
    }

    /// A damaged line; every third as it was.
    private func mutated(_ line: [UInt8], using random: inout TestRandom) -> [UInt8] {
        random.oneIn(3)
            ? line : damaged(line, special: ",,\"\"'{}[]:\\!.eE+-09 \t\u{0}\r|nNiux", using: &random)
    }
}
