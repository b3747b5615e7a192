// Vowpal Wabbit's text: what stands in front of the bar, names and values behind it, and the names of the line before.

import Foundation
import Testing

@testable import Eddy

@Suite struct VowpalWabbitTests {
    private func line(_ text: String) -> Decoded { decode(text + "\n", format: .vw) }

    // MARK: In front of the bar

    @Test(arguments: [
        ("1 | a", Label.number(1), Float(1), nil), ("-1 | a", -1, 1, nil), ("+1 | a", 1, 1, nil), ("7 | a", 7, 1, nil),
        ("0.25 | a", 0.25, 1, nil), ("-1.5e3 2 | a", -1500, 2, nil), ("3 0.5 0 | a", 3, 0.5, nil),
        ("1 0 | a", 1, 0, nil), ("1 2 0 'tag| a", 1, 2, "tag"), ("1 'tag | a", 1, 1, "tag"),
        ("1 2 tag| a", 1, 2, "tag"),
        ("1 1.0 otter|body:2 weight:1.5", 1, 1, "otter"), ("| a", .none, 1, nil), ("  | a", .none, 1, nil),
        ("'tag | a", .none, 1, "tag"), ("'tag| a", .none, 1, "tag"), ("1| a", .none, 1, "1"), ("1 '| a", 1, 1, nil),
        ("setosa | a", "setosa", 1, nil), ("1\t2\t| a", 1, 2, nil), (" 1  2   'x | a", 1, 2, "x"),
    ])
    func labelImportanceAndTag_areRead(text: String, label: Label, weight: Float, tag: String?) {
        let decoded = line(text)
        #expect(decoded.events.isEmpty)
        #expect(decoded.labels == [label] && decoded.weights == [weight] && decoded.identifiers[0] == tag)
        #expect(decoded.schema == .terms && decoded.features == [[]])
    }

    @Test(arguments: [
        ("1:0.5:0.2 | a", "label"), ("1:2 | a", "label"), ("1,3 | a", "label"), ("shared | a", "label"),
        ("nan | a", "label"), ("1 x | a", "importance"), ("1 -1 | a", "importance"), ("1 2 0.5 | a", "base"),
        ("1 2 x | a", "base"), ("1 2 0 4 | a", "tag"),
    ])
    func whatIsNotLearned_isAnErrorOfItsField(text: String, field: String) {
        let decoded = line(text)
        #expect(decoded.errors.map(\.field) == [field] && decoded.schema == nil && decoded.labels.isEmpty)
    }

    @Test(arguments: [
        "1 2 3", "a", "|", "1:", " | ", "'tag | ", "1 | a:", "1 | a:x", "1 | a:1:2", "1 |n:x a", "1 | a:1e39",
        "1 |n:1e30 a:1e30", "1 | a:nan", "1 | a\u{1}b", "1 |n\u{7F} b",
    ])
    func otherLines_areErrors_andFixNothing(text: String) {
        let decoded = decode("1 | a:1\n\(text)\n1 | a:2\n", format: .vw)
        #expect(decoded.errors.map(\.line) == [2])
        #expect(decoded.terms == [["a": 1], ["a": 2]])
        #expect(line(text).schema == nil)
    }

    // MARK: Features

    @Test func namesValuesAndNamespaces_makeTerms() {
        let decoded = line("1 |measures:2 height:1.5 width |colours red :3 :4 |  7 x:-2e1 |empty |measures depth:1")
        #expect(decoded.events.isEmpty)
        #expect(
            decoded.terms == [
                [
                    "measures^height": 3, "measures^width": 2, "colours^red": 1, "colours^0": 3, "colours^1": 4, "7": 1,
                    "x": -20, "measures^depth": 1,
                ]
            ])
        #expect(decoded.keys[0].first == Terms.key(of: "measures^height"))
        #expect(decoded.keys[0].contains(Terms.key(of: "7")))
    }

    @Test func aValueOfZero_isAbsent_andSoIsTheNamespaceWithWeightZero() {
        let decoded = line("1 |a b:0 c:-0 d:1 |z:0 e f:2")
        #expect(decoded.terms == [["a^d": 1]])
    }

    @Test func aNameTwice_addsUp_asWordsDo() {
        #expect(line("1 | the fox the").terms == [["the": 2, "fox": 1]])
        #expect(line("1 | the fox the").keys[0].count == 3)
    }

    @Test func barsNeedNoBlanks_andBlanksMayBeSeveralOrOthers() {
        for text in [
            "1 |a x:1 y:2 |b z:3", "1 |a x:1 y:2|b z:3", "1   |a  x:1   y:2   |b  z:3  ",
            "1 |a\tx:1\u{B}y:2\u{C}|b\tz:3\t",
        ] {
            #expect(line(text).terms == [["a^x": 1, "a^y": 2, "b^z": 3]], "\(text)")
            #expect(line(text + "\r").terms == [["a^x": 1, "a^y": 2, "b^z": 3]], "\(text), CRLF")
        }
    }

    @Test func namesInUTF8_areNames() {
        #expect(line("1 |größe ä:1 名前:2").terms == [["größe^ä": 1, "größe^名前": 2]])
    }

    @Test func emptyLines_areNoSamples() {
        #expect(decode("1 | a\n\n\r\n0 | b\n").lines == [1, 4])
    }

    // MARK: The line before

    /// Names in the same places are not hashed again: whatever changes between two lines must be seen.
    @Test func eachLine_isReadAsIfItWereAlone() {
        var random = TestRandom(seed: 1)
        let names = ["a", "b", "0", "10", "width", "seven77", "eight888", "a_longer_name", "é", ""]
        let values = ["1", "-2.5", "0", "3.25", "+7", "1e3", "0.123456789012", "16777217", ".5", "-0"]
        let spaces = ["|", "|n", "|n:2", "|a", "|longernamespace", "|m:0.5"]
        func randomLine() -> String {
            var text = ["1 ", "-1 ", "", "2 0.5 'tag "].randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                text += spaces.randomElement(using: &random)!
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let name = names.randomElement(using: &random)!
                    let hasValue = name.isEmpty || !random.oneIn(5)
                    text += " " + (random.oneIn(20) ? " " : "") + name
                    if hasValue { text += ":" + values.randomElement(using: &random)! }
                }
                text += random.oneIn(3) ? "" : " "
            }
            return text
        }
        var lines: [String] = []
        while lines.count < 5_000 {
            // Mostly the line before with something changed.
            var text = lines.last ?? randomLine()
            if random.oneIn(3) {
                text = randomLine()
            } else if let old = values.randomElement(using: &random), random.oneIn(2) {
                text = text.replacingOccurrences(of: ":" + old, with: ":" + values.randomElement(using: &random)!)
            }
            lines.append(text)
        }
        let together = decode(lines.joined(separator: "\n") + "\n", format: .vw)
        var next = 0
        for (index, text) in lines.enumerated() {
            let alone = line(text)
            guard let keys = alone.keys.first else {
                #expect(!together.lines.contains(index + 1), "\(text)")
                continue
            }
            #expect(together.lines[next] == index + 1)
            #expect(together.keys[next] == keys && together.values[next] == alone.values[0], "\(text)")
            #expect(together.labels[next] == alone.labels[0])
            next += 1
        }
        #expect(next == together.lines.count && next > 3_000)
    }

    @Test func aNameLikeTheOneBefore_isAnother() {
        let decoded = decode(
            "1 | ab:1 cd:2 abcdefg:3\n1 | ac:1 c:2 abcdefgh:3\n1 |n ab:1 cd:2 abcdefg:4\n", format: .vw)
        #expect(
            decoded.terms == [
                ["ab": 1, "cd": 2, "abcdefg": 3], ["ac": 1, "c": 2, "abcdefgh": 3],
                ["n^ab": 1, "n^cd": 2, "n^abcdefg": 4],
            ])
    }

    @Test func manyWords_areReadToTheLast() {
        let words = (0..<40_000).map { "w\($0):\($0 % 7 + 1)" }.joined(separator: " ")
        let decoded = decode("1 | \(words)\n1 | \(words)\n", format: .vw)
        #expect(decoded.keys.map(\.count) == [40_000, 40_000] && decoded.keys[0] == decoded.keys[1])
        #expect(decoded.values[0] == decoded.values[1])
        #expect(Set(decoded.keys[0]).count == 40_000)
        let blanks = decode("1 |" + String(repeating: " ", count: 100_000) + "a\n", format: .vw)
        #expect(blanks.terms == [["a": 1]])
    }

    // MARK: Names and schema

    @Test func aName_isToldOnce_andABoundedNumberOfThem() {
        let lines = (0..<900).map { line in "1 | " + (0..<100).map { "f\(line * 100 + $0)" }.joined(separator: " ") }
        let text = Array((lines + lines).joined(separator: "\n").utf8)
        let decoded = decode(text, pieces: [10_000], format: .vw)
        #expect(decoded.names.count == KnownKeys.limit && decoded.namesTold == KnownKeys.limit)
        #expect(decoded.names[Terms.key(of: "f17")] == "f17")
        #expect(decoded.keys.count == 1800)
    }

    @Test func aSessionOfColumns_takesNone() {
        let claim = SchemaClaim(Schema(names: ["a", "b"], label: "label"))
        let decoded = decode("1 | a:1 b:2\n", claim: claim)
        #expect(decoded.labels.isEmpty && decoded.errors.map(\.line) == [1])
        #expect(decoded.errors[0].expected.contains("2 columns"))
    }

    @Test func aSessionOfTerms_takesJSONKeysAsTerms_andNoCSV() {
        let claim = SchemaClaim()
        _ = decode("1 | a:1 b:2\n", claim: claim)
        let json = decode(#"{"a":1,"b":2,"c":"x y","label":1}"# + "\n", claim: claim)
        #expect(json.terms == [["a": 1, "b": 2, "c=x y": 1, "c=x": 1, "c=y": 1]])
        #expect(json.features == [[]])
        #expect(decode("a,b,label\n1,2,3\n", claim: claim).labels.isEmpty)
        #expect(decode("1,2,3\n", claim: claim).labels.isEmpty)
        #expect(decode("[1,2,3]\n", claim: claim).labels.isEmpty)
    }
}
