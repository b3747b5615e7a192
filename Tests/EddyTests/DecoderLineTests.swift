// Lines, before they are samples: ends, marks, directives, limits, and streams that are none of ours.

import Testing

@testable import Eddy

@Suite struct DecoderLineTests {
    @Test func carriageReturnsAByteOrderMarkAndEmptyLines_areNoPartOfSamples() {
        let plain = decode("a,label\n1,x\n2,z\n")
        let marked = decode("\u{FEFF}a,label\r\n1,x\r\n\r\n\n2,z\r\n")
        #expect(marked.schema == plain.schema)
        #expect(marked.features == plain.features)
        #expect(marked.labels == plain.labels)
        #expect(marked.lines == [2, 5])
        #expect(marked.events.isEmpty)
        #expect(decode("\u{FEFF}{\"a\":1,\"label\":\"x\"}\r\n").rows == [[1]])
        #expect(decode("\u{FEFF}1,x\n").rows == [[1]])
        // Anywhere else the mark is a wrong character.
        #expect(decode("1,x\n\u{FEFF}1,x\n").errors.map(\.line) == [2])
    }

    @Test(arguments: ["", "\n", "\r\n", "\u{FEFF}", "\n\n\r\n", "\u{FEFF}\n"])
    func nothing_isNoSampleAndNoError(text: String) {
        let decoded = decode(text)
        #expect(decoded.events.isEmpty && decoded.lines.isEmpty && decoded.schema == nil)
    }

    @Test func aLastLineWithoutNewline_isASample() {
        for text in ["1,x\n2,z", "1,x\r\n2,z\r"] {
            #expect(decode(text).rows == [[1], [2]])
            #expect(decode(text).lines == [1, 2])
        }
        #expect(decode("1,x\n2,").labels == ["x", .none])
        #expect(decode("1,x\n{").errors.map(\.line) == [2])
    }

    // MARK: Directives

    @Test func directives_comeInTheirPlaceAmongSamples() {
        let decoded = decode("!reply predictions\na,label\n1,x\n!ping\n2,x\n!token a b  c\r\n!\n!é\n")
        #expect(decoded.directives == ["reply predictions", "ping", "token a b  c", "", "é"])
        #expect(decoded.events.map(\.index) == [0, 1, 2, 2, 2])
        #expect(decoded.events.map(\.line) == [1, 4, 6, 7, 8])
        #expect(decoded.lines == [3, 5])
    }

    @Test func aDirectiveThatIsNoText_isAnError() {
        #expect(decode([0x21, 0xFF, 0x0A]).errors.map(\.line) == [1])
        #expect(decode("!" + String(repeating: "a", count: 5000) + "\n").errors.map(\.line) == [1])
    }

    @Test func theFormatDirective_settlesTheFormat() {
        // An array is JSON unless CSV was asked for.
        #expect(decode("[1,2\n").errors.map(\.expected) == ["a comma or ]"])
        #expect(decode("!format csv\n[1,2\n").terms == [["x0=[1": 1]])
        #expect(decode("!format json\n1,x\n[1,\"x\"]\n").errors.map(\.line) == [2])
        let both = decode("1,x\n!format json\n[2,\"z\"]\n!format csv\n3,x\n")
        #expect(both.events.isEmpty)
        #expect(both.rows == [[1], [2], [3]])
        for line in ["!format", "!format xml", "!format CSV", "!format csv json"] {
            let wrong = decode(line + "\n1,x\n")
            #expect(wrong.errors.map(\.line) == [1])
            #expect(wrong.errors[0].field == "format" && wrong.errors[0].expected == "csv, json, vw or libsvm")
            #expect(wrong.rows == [[1]])
        }
    }

    // MARK: Other formats

    @Test(arguments: [
        ("1 |f a:2 b:3", SampleFormat.vw), ("| a b c", .vw), ("-1 2.0 'tag|ns a:1", .vw), ("|f a:1", .vw),
        ("'tag|f a", .vw), ("  | a", .vw), ("1\t|f a", .vw), ("1:0.5:0.2 | a", .vw), ("shared | a", .vw),
        ("1 1:0.5 7:2", .libsvm), ("-1 3:1e5", .libsvm), ("+1\t1:0.5", .libsvm), ("3 qid:7 1:0.5", .libsvm),
        ("1,4 3:0.5", .libsvm), ("{}", .json), ("  [1", .json), ("1,2,x", .csv), ("a|b|c", .csv), ("New York|5", .csv),
        ("12:30 11:45", .csv), ("1 2:x", .csv), ("1 ns|a", .vw), ("a 1:2", .csv), ("|\u{1}", .csv), ("", .csv),
    ])
    func aLine_tellsItsFormat(line: String, format: SampleFormat) {
        let found = Array(line.utf8).withUnsafeBufferPointer { FormatRecognition.recognise($0) }
        #expect(found == .format(format))
    }

    @Test func packedBytesAmidLines_areNoSample() {
        let decoded = decode(Array("1 |".utf8) + [0x0A] + Array("EDDY".utf8) + [1, 0, 1, 0, 0x0A])
        #expect(decoded.errors.count == 1 || decoded.errors.count == 2)
    }

    @Test(arguments: ["12:30 12:45,1,x", "a|b,1,x", "EDDY,1,x", "a 1:2,3,x"])
    func csvWithColonsAndBars_isCSV(line: String) {
        let claim = SchemaClaim(Schema(names: ["a"], label: "label"))
        let decoded = decode("note,a,label\n\(line)\n", claim: claim)
        #expect(decoded.rows.count == 1)
        #expect(decoded.events.isEmpty)
    }

    // MARK: Streams that are none of ours

    private let request = "POST /feed HTTP/1.1\r\nHost: localhost:7071\r\n\r\n1,2,x\n3,4,x\n"

    @Test(arguments: [nil] + SampleFormat.allCases, ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"])
    func anHTTPRequest_isForeignWhateverTheFormat(format: SampleFormat?, method: String) {
        let text = method + request.dropFirst(4)
        let decoded = decode(String(text), format: format)
        #expect(decoded.isForeign)
        #expect(decoded.events.count == 1)
        #expect(decoded.rows.isEmpty && decoded.schema == nil)
    }

    /// A page could otherwise hide the request line behind the limit, and have its body learned.
    @Test func anHTTPRequestLongerThanALine_isForeignToo() {
        let long = "POST /" + String(repeating: "a", count: 3000) + " HTTP/1.1\r\n\r\n1,2,x\n3,4,x\n"
        for pieces in [[], [1], [2, 5000], [4000]] {
            let decoded = decode(Array(long.utf8), pieces: pieces, lineLimit: 1000)
            #expect(decoded.isForeign)
            #expect(decoded.rows.isEmpty && decoded.schema == nil)
        }
    }

    @Test func afterAForeignLine_allIsTakenAndNothingRead() {
        var decoder = SampleDecoder(schema: SchemaClaim())
        var bytes = Array(request.utf8)[...]
        #expect(decoder.decode(&bytes).events.count == 1)
        #expect(bytes.isEmpty)
        bytes = Array("1,2,x\n".utf8)[...]
        #expect(decoder.decode(&bytes).isEmpty)
        #expect(decoder.finish().isEmpty)
    }

    @Test func aLaterLineLikeARequest_isOnlyABadLine() {
        let decoded = decode("1,x\nGET / HTTP/1.1\n2,x\n")
        #expect(decoded.errors.map(\.line) == [2])
        #expect(decoded.rows == [[1], [2]])
    }

    // MARK: Limits

    @Test(arguments: [[], [1], [7], [1000], [1001]])
    func aLineLongerThanTheLimit_costsOneError(pieces: [Int]) {
        func line(_ length: Int) -> String { "1," + String(repeating: "x", count: length - 2) }
        let text = "2,x\n" + line(1001) + "\n3,x\n" + line(200) + "\n" + line(5000) + "\n" + line(2000)
        let decoded = decode(Array(text.utf8), pieces: pieces, lineLimit: 1000)
        #expect(decoded.errors.map(\.line) == [2, 5, 6])
        #expect(decoded.lines == [1, 3, 4])
        #expect(decoded.events.map(\.index) == [1, 3, 3])
        // A line of exactly the limit is read.
        let directive = "!" + String(repeating: "x", count: 999)
        #expect(decode(Array((directive + "\n").utf8), pieces: pieces, lineLimit: 1000).directives.count == 1)
    }

    @Test func aHundredMegabytesWithoutANewline_takeBoundedMemory() throws {
        var decoder = SampleDecoder(schema: SchemaClaim())
        var decoded = Decoded()
        func take(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while !rest.isEmpty { decoded.append(decoder.decode(&rest)) }
        }
        /// What the decoder keeps of an unfinished line.
        func kept() throws -> Int {
            let carry = Mirror(reflecting: decoder).children.first { $0.label == "carry" }
            return try #require(carry?.value as? [UInt8]).capacity
        }
        take(Array("1,x\n".utf8))
        let piece = [UInt8](repeating: UInt8(ascii: "7"), count: 65_536)
        for _ in 0..<1_600 {
            take(piece)
            #expect(try kept() <= 4 * SampleDecoder.defaultLineLimit)
        }
        take(Array("\n2,x\n3,z".utf8))
        decoded.append(decoder.finish())
        #expect(decoded.errors.map(\.line) == [2])
        #expect(decoded.lines == [1, 3, 4])
        #expect(try kept() <= 4 * SampleDecoder.defaultLineLimit)
    }

    @Test func aCallTakesNoMoreThanItsLimit_andLeavesTheRest() {
        var decoder = SampleDecoder(schema: SchemaClaim())
        var bytes = Array("1,x\n2,x\nbad\n3,x\n4".utf8)[...]
        var counts: [Int] = []
        while !bytes.isEmpty { counts.append(decoder.decode(&bytes, limit: 2).samples.count) }
        #expect(counts == [2, 1])
        #expect(decoder.finish().samples.features == [4])
    }
}
