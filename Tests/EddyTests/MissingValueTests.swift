// What is missing, what is a boolean, and which lines have nothing to say.

import Testing

@testable import Eddy

@Suite struct MissingValueTests {
    private static let marks = ["", "?", "NA", "na", "N/A", "n/a", "null", "NULL", "nan", "NaN", "\"\"", "\"NA\""]

    @Test(arguments: marks)
    func aCellThatSaysNothing_isMissing(mark: String) {
        let decoded = decode("a,b,c,label\n1,2,3,x\n1,\(mark),3,z\n\(mark),\(mark),\(mark),x\n4,5,6,x\n")
        #expect(decoded.events.isEmpty)
        #expect(decoded.rows[1][0] == 1 && decoded.rows[1][1].isNaN && decoded.rows[1][2] == 3)
        #expect(decoded.rows[2].allSatisfy { $0.isNaN })
        #expect(decoded.rows[3] == [4, 5, 6])
    }

    @Test(arguments: marks)
    func aColumnThatBeginsWithoutAValue_takesNumbersAndWords(mark: String) {
        let decoded = decode("1,\(mark),x\n2,7,z\n3,word,x\n4,inf,x\n5,true,\n")
        #expect(decoded.schema?.inputs == ["x0", "x1"])
        #expect(decoded.rows[0][1].isNaN && decoded.rows[1] == [2, 7] && decoded.rows[2][1].isNaN)
        #expect(decoded.rows[3] == [5, 1])
        #expect(decoded.terms == [[:], [:], ["x1=word": 1], [:]])
        #expect(decoded.errors.map(\.line) == [4], "a number that went wrong is no word")
    }

    /// By the row, by the cell, and whatever came before in the chunk.
    @Test func missingCells_areReadAlike_plainAndSlowly() {
        let lines = "1,,3,x\n,?,NA,x\n1,nan,3\nTRUE,false,3,x\n"
        let plain = decode("a,b,c,label\n1,2,3,x\n" + lines)
        let slow = decode("a,b,c,label\n1,2,3,x\n" + lines.replacing(",x", with: ",\"x\""))
        #expect(plain.features == slow.features && plain.labels == slow.labels)
        #expect(plain.rows.last == [1, 0, 3])
        #expect(plain.features[1][1] == Float.nan.bitPattern)
    }

    @Test func booleans_areOneAndZero_inAColumnOfNumbers() {
        let decoded = decode("True,1,a\nfalse,TRUE,b\n1,0.5,a\nFALSE,\"true\",b\n")
        #expect(decoded.rows == [[1, 1], [0, 1], [1, 0.5], [0, 1]])
        #expect(decoded.schema == Schema(inputs: 2))
        #expect(decode("yes,1,a\n").schema?.texts == ["x0"], "yes and no are words")
    }

    @Test(arguments: [",,", "?,NA,", "NA,", "\"\",?"])
    func aLineThatSaysNothingAtAll_isAnError(line: String) {
        let decoded = decode("1,2,x\n\(line)\n3,4,z\n")
        #expect(decoded.errors.map(\.line) == [2] && decoded.rows == [[1, 2], [3, 4]])
        #expect(decode(line + "\n").schema == nil)
    }

    @Test func anUnlabelledLine_withOneValue_isASample() {
        let decoded = decode("1,2,x\n,2,\n,2\n1,\n")
        #expect(decoded.events.isEmpty && decoded.labels == ["x", .none, .none, .none])
    }

    @Test func theFirstSample_hasAFeatureWithAValue() {
        #expect(decode(",,x\n").schema == nil)
        #expect(decode("a,b,label\n?,NA,x\n1,,x\n").errors.map(\.line) == [2])
        #expect(decode("{\"a\":null,\"label\":1}\n").schema == nil)
    }

    // MARK: JSON

    @Test func nullAndKeysThatAreNotThere_areMissing() {
        let decoded = decode(
            """
            {"a":1,"b":2,"c":3,"label":1}
            {"a":null,"b":2,"label":1}
            {"c":3,"label":1}
            {"b":NaN,"a":"","c":"NA","label":1}
            {"features":[1,null,3],"label":1}
            [null,2,3,1]
            {"features":{"b":5},"label":1}

            """)
        #expect(decoded.events.isEmpty)
        let missing = decoded.rows.map { $0.map(\.isNaN) }
        #expect(
            missing == [
                [false, false, false], [true, false, true], [true, true, false], [true, true, true],
                [false, true, false], [true, false, false], [true, false, true],
            ])
        #expect(decoded.terms.allSatisfy { $0.isEmpty })
    }

    @Test func aNullInTheFirstObject_isLaterANumberOrWords() {
        let decoded = decode("{\"a\":1,\"b\":null}\n{\"a\":1,\"b\":2}\n{\"b\":\"red\",\"a\":1}\n")
        #expect(decoded.events.isEmpty && decoded.rows[1] == [1, 2] && decoded.rows[2][1].isNaN)
        #expect(decoded.terms[2] == ["b=red": 1])
    }

    @Test func booleansOfJSON_areOneAndZero() {
        let decoded = decode("{\"a\":true,\"b\":1}\n{\"b\":false,\"a\":0.5}\n")
        #expect(decoded.rows == [[1, 1], [0.5, 0]] && decoded.events.isEmpty)
    }

    @Test(arguments: [
        "{\"a\":null}", "{\"a\":null,\"b\":null}", "{}", "{\"label\":1}", "{\"id\":\"q\"}", "[null,null]",
    ])
    func anObjectThatSaysNothing_isAnError(line: String) {
        let decoded = decode("{\"a\":1,\"b\":2}\n\(line)\n")
        #expect(decoded.errors.map(\.line) == [2])
    }

    @Test func anIdentifierAndALabel_areNoSample() {
        let decoded = decode("{\"a\":1,\"b\":2,\"id\":\"q\"}\n{\"id\":\"q\",\"label\":\"x\"}\n")
        #expect(decoded.events.count == 1 && decoded.errors.isEmpty && decoded.labels == [.none])
        #expect(decoded.identifiers == [0: "q"])
        #expect(decode("{\"id\":\"q\",\"label\":\"x\"}\n").schema == nil, "nothing is known yet")
    }

    // MARK: Made by hand

    @Test func aChunk_takesNaNAndNoInfinities() throws {
        var chunk = SampleChunk(inputs: 2)
        try chunk.append(Sample([.nan, 1], label: 1, terms: [Term("a=b"), Term("c", 0), Term("d", 2)]))
        try chunk.append(Sample([1, 2]))
        #expect(chunk.features[0].isNaN && chunk.terms.ends == [2, 2])
        #expect(chunk.terms.keys == [Terms.key(of: "a=b"), Terms.key(of: "d")] && chunk.terms.values == [1, 2])
        #expect(throws: SampleError.self) { try chunk.append(Sample([.infinity, 1])) }
        #expect(throws: SampleError.self) { try chunk.append(Sample([1, 1], terms: [Term("a", .nan)])) }
        #expect(chunk.count == 2 && chunk.terms.keys.count == 2)
        #expect(chunk[0..<1].terms.ends == [2] && chunk[1..<2].terms.isEmpty)
        #expect(chunk.withoutLabels().terms == chunk.terms)
    }
}
