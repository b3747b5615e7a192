// The fast way through a CSV stream against the slow one: a cell against DecimalNumber.parse, the comma scan against a
// loop, and lines read as plain rows against the same lines in a chunk that holds a weight, which are read field by
// field. The random inputs are the same in every run.

import Testing

@testable import Eddy

@Suite struct PlainRowTests {
    // MARK: Cells

    @Test(arguments: ["0123456789", "0123456789.", "0123456789.-", "01.-+e5 ,\"x/:\u{01}é"])
    func cell_hasTheBitsOfParse_whereverItStands(alphabet: String) {
        var random = TestRandom(seed: 1)
        let letters = Array(alphabet.utf8)
        var mismatches: [String] = []
        for _ in 0..<400_000 {
            let before = (0..<Int.random(in: 0...20, using: &random)).map { _ in letters.randomElement(using: &random)!
            }
            let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in letters.randomElement(using: &random)! }
            if !agrees(before, text) { mismatches.append(String(decoding: text, as: UTF8.self)) }
        }
        #expect(mismatches.isEmpty)
    }

    @Test func cell_hasTheBitsOfParse_forNumbersOfEveryLength() {
        var random = TestRandom(seed: 2)
        var mismatches: [String] = []
        for whole in 0...18 {
            for fraction in 0...18 {
                for sign in ["", "-", "+"] {
                    for _ in 0..<300 {
                        func digits(_ count: Int) -> String {
                            (0..<count).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
                        }
                        let point = fraction > 0 || random.oneIn(4) ? "." : ""
                        let text = Array((sign + digits(whole) + point + digits(fraction)).utf8)
                        let before = Array(digits(Int.random(in: 0...17, using: &random)).utf8)
                        if !agrees(before, text) { mismatches.append(String(decoding: text, as: UTF8.self)) }
                    }
                }
            }
        }
        #expect(mismatches.isEmpty)
    }

    @Test func cell_nearAMidpointOfTwoFloats_hasTheBitsOfParse() {
        for text in ["16777217", "-16777217.0", "1.00000005960464477", "0.0000000596046448", "9.9999999", "33554434.0"]
        {
            #expect(agrees(Array("0.123456789012345,".utf8), Array(text.utf8)), "\(text)")
        }
    }

    /// In memory of exactly these bytes, so that an address sanitizer sees a read beyond either end.
    private func agrees(_ before: [UInt8], _ text: [UInt8]) -> Bool {
        let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: before.count + text.count)
        defer { bytes.deallocate() }
        bytes.initialize(from: before, count: before.count)
        (bytes + before.count).initialize(from: text, count: text.count)
        let start = UnsafePointer(bytes + before.count)
        let value = DecimalNumber.cell(start, start + text.count, readable: bytes)
        guard !text.isEmpty, case .success(let expected) = DecimalNumber.parse(start, count: text.count) else {
            return value.isNaN
        }
        return value.bitPattern == (expected + 0).bitPattern
    }

    // MARK: Commas

    @Test func commaScan_findsWhatALoopFinds() {
        var random = TestRandom(seed: 3)
        for round in 0..<20_000 {
            let count = Int.random(in: 0...300, using: &random)
            let before = Int.random(in: 0...80, using: &random)
            let often = Int.random(in: 1...12, using: &random)
            let bytes = (0..<before + count).map { _ -> UInt8 in
                random.oneIn(often) ? 0x2C : UInt8.random(in: round % 2 == 0 ? 0...255 : 0x2B...0x2F, using: &random)
            }
            let expected = (0..<count).filter { bytes[before + $0] == 0x2C }
            let limit = Int.random(in: 0...40, using: &random)
            var positions = [UInt32](repeating: 0, count: limit + CommaScan.slack)
            let found = bytes.withUnsafeBufferPointer { bytes in
                positions.withUnsafeMutableBufferPointer { positions in
                    CommaScan.positions(
                        bytes.baseAddress! + before, count: count, readable: bytes.baseAddress!,
                        into: positions.baseAddress!, limit: limit)
                }
            }
            if expected.count <= limit {
                #expect(positions[..<found].map { Int($0) } == expected)
            } else {
                #expect(found > limit)
            }
        }
    }

    // MARK: Lines

    @Test(arguments: [LabelColumn.automatic, .position(1), .position(3)])
    func lines_areReadAsFieldByField(label: LabelColumn) {
        var random = TestRandom(seed: 4)
        var lines: [UInt8] = []
        for _ in 0..<20_000 { lines += randomLine(using: &random) + [0x0A] }
        func read(_ beginning: String) -> DecodedChunk {
            let schema = SchemaClaim(Schema(names: ["a", "b", "c", "d"], label: "kind"))
            var decoder = SampleDecoder(format: .csv, label: label, schema: schema)
            var bytes = (Array("1,2,3,4,5\n\(beginning)".utf8) + lines)[...]
            return decoder.decode(&bytes)
        }
        let plain = read("")
        let slow = read("!format json\n{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"weight\":0.5}\n!format csv\n")
        #expect(!slow.samples.weights.isEmpty && plain.samples.weights.isEmpty)
        #expect(
            plain.samples.features.dropFirst(4).map(\.bitPattern)
                == slow.samples.features.dropFirst(8).map(\.bitPattern))
        #expect(Array(plain.samples.labels.dropFirst()) == Array(slow.samples.labels.dropFirst(2)))
        #expect(plain.lines.dropFirst() == slow.lines.dropFirst(2).map { $0 - 3 }[...])
        let errors = slow.events.map { event in
            var error = event.error!
            error.line -= 3
            return error
        }
        #expect(plain.events.map(\.error) == errors)
        #expect(plain.samples.count > 5_000 && errors.count > 2_000)
    }

    /// Mostly a sample of four inputs and a label in five fields; one digit at least, so that it is no header.
    private func randomLine(using random: inout TestRandom) -> [UInt8] {
        let usual = "0.5 -1.25 3 -0 12.75 1e3 0.123456789 16777217 1234567890.5 +7 5. .5".split(separator: " ")
        let odd = [
            "", "?", "NA", "true", "False", "\"2.5\"", "x", "1.2.3", "--1", "1e99", " 1", "\"", "\"1,2\"", "nan", "é",
        ]
        let labels = ["0", "-2.5", "setosa", "a long name of a class", "\"rose\"", "", "1x", "\"a,b\"", "nan", "1e99"]
        var fields = (0..<4).map { _ in
            random.oneIn(30) ? odd.randomElement(using: &random)! : String(usual.randomElement(using: &random)!)
        }
        let place = Int.random(in: 0...4, using: &random)
        if !random.oneIn(8) { fields.insert(random.oneIn(2) ? "1" : labels.randomElement(using: &random)!, at: place) }
        if random.oneIn(25) { fields.removeLast() }
        if random.oneIn(25) { fields.append("8") }
        fields[0] = random.oneIn(40) ? "\"9\"" : fields[0]
        if !fields.joined().utf8.contains(where: { (0x30...0x39).contains($0) }) { fields[0] = "4" }
        return Array(fields.joined(separator: ",").utf8) + (random.oneIn(10) ? [0x0D] : [])
    }
}
