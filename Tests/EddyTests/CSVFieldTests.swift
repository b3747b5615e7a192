// What a CSV field may be: the grammar of numbers, quotes, labels, and errors that point at the field.

import Testing

@testable import Eddy

@Suite struct CSVFieldTests {
    @Test(arguments: [
        ("0", 0), ("-0", 0), ("+1.5", 1.5), ("1.", 1), (".5", 0.5), ("1e3", 1000), ("1E-3", 0.001), ("00012", 12),
        ("3.4028234e38", Float.greatestFiniteMagnitude), ("1e-60", 0), ("16777217", 16_777_216),
        ("0.1000000014901161193847656250000001", 0.1),
    ])
    func decimalNumbers_areFeaturesQuotedOrNot(text: String, value: Float) {
        #expect(decode("\(text),x\n").rows == [[value]])
        #expect(decode("\"\(text)\",x\n").rows == [[value]])
    }

    @Test(arguments: [
        "\" 1\"", "1 2", "inf", "-inf", "Infinity", "0x1p3", "0x10", "1_000", "1e", "1e+",
        "e5",
        ".", "-", "+", "--1", "1.2.3", "1e5.5", "12%", "$1", "one", "１", "−1", "1\u{0}", "1f", "yes",
    ])
    func anythingElse_isAnErrorThatNamesLineColumnAndField(text: String) {
        let decoded = decode("a,b,label\n1,2,x\n1,\(text),x\n3,4,x\n")
        #expect(decoded.rows == [[1, 2], [3, 4]])
        #expect(decoded.errors.count == 1)
        let error = decoded.errors[0]
        #expect(error.line == 3 && error.column == 2 && error.field == "b")
        #expect(error.expected.contains("number"))
    }

    @Test(arguments: ["1e39", "-1e39", "1e999", "340282356779733661637539395458142568448"])
    func overflow_isAnErrorOfItsOwn(text: String) {
        let decoded = decode("a,b,label\n1,2,x\n1,\(text),x\n1,2,\(text)\n")
        #expect(decoded.errors.map(\.line) == [3, 4])
        #expect(decoded.errors.map(\.column) == [2, 3])
        #expect(decoded.errors.allSatisfy { $0.expected.contains("3.4e38") })
    }

    @Test func quotes_holdCommasAndQuotes() {
        let decoded = decode("a,label\n\"1\",\"the \"\"x\"\", or y\"\n2,plain \"as is\"\n")
        #expect(decoded.rows == [[1], [2]])
        #expect(decoded.labels == ["the \"x\", or y", "plain \"as is\""])
    }

    @Test func aNewlineEndsTheSample_evenInQuotes() {
        let decoded = decode("a,b,label\n1,2,x\n1,\"2\n3\",x\n4,5,x\n")
        #expect(decoded.rows == [[1, 2], [4, 5]])
        #expect(decoded.errors.map(\.line) == [3, 4])
        #expect(decoded.errors[0].column == 2)
    }

    /// As in "39, State-gov, 13": by the row, by the cell, and in a header.
    @Test func blanksAroundCells_areNothing() {
        let lines = " 1 ,2\t, red\n3, \"a, b\" , green \n 5,?,  \n"
        let decoded = decode("a, b ,label\n1,x y,red\n" + lines)
        #expect(decoded.events.isEmpty)
        #expect(decoded.schema == Schema([.init("a"), .init("b", .text)], label: "label"))
        #expect(decoded.rows == [[1], [1], [3], [5]] && decoded.labels == ["red", "red", "green", .none])
        #expect(decoded.terms[1] == ["b=2": 1] && decoded.terms[2].keys.contains("b=a, b"))
        let plain = decode("a,b,label\n1,2,red\n 3 , 4 , red \n5,6,7\n\"8\", 9, 7 \n")
        #expect(plain.rows == [[1, 2], [3, 4], [5, 6], [8, 9]] && plain.labels == ["red", "red", 7, 7])
    }

    @Test(arguments: ["1,\"2\"3,x", "\"1\" 2,2,x", "1,2,\"x", "\"", "1,\"", "1,2,\"x\"x"])
    func quotesThatDoNotFit_areErrors(line: String) {
        let decoded = decode("a,b,label\n1,2,x\n\(line)\n3,4,x\n")
        #expect(decoded.errors.map(\.line) == [3])
        #expect(decoded.rows == [[1, 2], [3, 4]])
    }

    @Test(arguments: [("1", 1), ("1,2,x,", 4), ("1,2,x,y,z", 5), (",,,,,", 6), ("1,2,3,4", 4)])
    func theWrongNumberOfFields_isSaid(line: String, fields: Int) {
        let decoded = decode("a,b,label\n1,2,x\n\(line)\n")
        #expect(decoded.errors.map(\.line) == [3])
        if fields > 1, !line.hasPrefix(",") { #expect(decoded.errors.first?.got == "\(fields) fields") }
    }

    @Test func labels_areNumbersOrNames() {
        let labels = ["7", "-0", "1e2", "0x10", "1abc", "-", "Iris setosa", "naïve", "🙂", "a long name of some class"]
        let decoded = decode("a,label\n" + labels.map { "1,\($0)\n" }.joined())
        #expect(decoded.events.isEmpty)
        #expect(
            decoded.labels == [
                7, 0, 100, "0x10", "1abc", "-", "Iris setosa", "naïve", "🙂", "a long name of some class",
            ])
    }

    @Test(arguments: [
        "nan", "NaN", "inf", "-Infinity", "+inf", "\" x\"", "a\u{1}b", "a\u{7F}b", "1e99",
        String(repeating: "n", count: 257),
    ])
    func labelsThatAreNeither_areErrors(label: String) {
        let decoded = decode("a,b,label\n1,2,x\n1,2,\(label)\n")
        #expect(decoded.errors.map(\.line) == [3])
        #expect(decoded.errors.first?.column == 3)
        #expect(decoded.labels == ["x"])
    }

    @Test func aLongLabel_isTheSameEachTime() {
        let long = (0..<200).map { "a rather long class name, number \($0)" }
        let text = "a,label\n" + (long + long).map { "1,\"\($0)\"\n" }.joined()
        #expect(decode(text).labels == (long + long).map { .text($0) })
    }

    // MARK: What an error looks like

    @Test func anError_saysWhereWhatAndWhatCame() {
        let decoded = decode("age,height,label\n41,1.8,yes\n41,\"ab\"\"c\",yes\n")
        #expect(
            decoded.errors.first?.description == #"line=3 column=2 field=height expected=number got="ab\"c""#)
    }

    @Test func whatCame_isCutAndPrintable() throws {
        let text = "a,label\n1,x\n" + String(repeating: "\u{1}\u{1B}", count: 200) + ",x\n"
        let error = try #require(decode(text).errors.first)
        #expect(error.got.hasPrefix("\\x01\\x1b"))
        #expect(error.got.count <= 4 * 40 + 1)
        #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 })
        let wide = try #require(decode("a,label\n1,x\n" + String(repeating: "ü", count: 90) + ",x\n").errors.first)
        #expect(wide.got == String(repeating: "ü", count: 40) + "…")
    }

    @Test func anErrorsSize_isBounded_whateverTheHeader() throws {
        let claim = SchemaClaim(Schema(names: ["a"]))
        let header = (0..<50_000).map { "column\($0)" }.joined(separator: ",")
        let error = try #require(decode(header + "\n", claim: claim).errors.first)
        #expect(error.description.utf8.count < 1000)
    }

    @Test func whatWasExpected_isNotCut() {
        let expected = "a sample whose prediction, loss and gradient are finite"
        #expect(SampleError(line: 1, expected: expected, got: "").description.contains(expected))
    }
}
