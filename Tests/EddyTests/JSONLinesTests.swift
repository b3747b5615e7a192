// JSON lines: every form of a sample, and everything that is none.

import Testing

@testable import Eddy

@Suite struct JSONLinesTests {
    // MARK: Forms

    @Test(arguments: [
        #"{"age": 41, "height": 1.8, "label": "yes"}"#, #"{"features": {"age": 41, "height": 1.8}, "label": "yes"}"#,
        #"{"label":"yes","features":{"height":1.8,"age":41}}"#, #"{"height":1.8,"label":"yes","age":41}"#,
        #"  {"age" : 41.0 ,"height":18e-1,"label":"yes"}  "#, #"{"\u0061ge":41,"height":1.8,"label":"\u0079es"}"#,
        #"{"age":41,"height":1.8,"label":"yes","note":{"a":[1,{"b":null}],"c":"}"},"more":[],"t":true,"f":false}"#,
        #"{"features":[41,1.8],"label":"yes"}"#, #"[41, 1.8, "yes"]"#,
        #"{"features":{"age":41,"height":1.8,"x":"junk"},"label":"yes"}"#,
    ])
    func everyForm_isTheSameSample(line: String) {
        let claim = SchemaClaim(Schema(names: ["age", "height"], label: "label"))
        let decoded = decode(line + "\n", claim: claim)
        #expect(decoded.events.isEmpty)
        #expect(decoded.rows == [[41, 1.8]])
        #expect(decoded.labels == ["yes"])
    }

    @Test func theFirstSamplesNames_areTheSchema() {
        #expect(decode(#"{"b":1,"a":2,"label":3}"# + "\n").schema == Schema(names: ["b", "a"], label: "label"))
        #expect(decode(#"{"features":{"b":1,"a":2}}"# + "\n").schema == Schema(names: ["b", "a"]))
        #expect(decode(#"{"features":[1,2],"label":3}"# + "\n").schema == Schema(inputs: 2))
        #expect(decode("[1,2,3]\n").schema == Schema(inputs: 2))
        #expect(decode("[1,2,3]\n").labels == [3])
        #expect(decode(#"[1,[2],3]"# + "\n").schema == nil)
    }

    @Test func labels_areTextNumberBooleanOrNone() {
        let labels = [#""a""#, "7", "-0.0", "true", "false", "null", #""""#, #""7""#, #""true""#]
        let decoded = decode(labels.map { "{\"x\":1,\"label\":\($0)}\n" }.joined())
        #expect(decoded.labels == ["a", 7, 0, "true", "false", .none, .none, "7", "true"])
        #expect(decode("[1,2]\n[1,null]\n[1]\n").labels == [2, .none, .none])
        #expect(decode(#"{"x":1}"# + "\n").labels == [.none])
    }

    @Test func theLabelsName_canBeGivenOrTheSchemas() {
        let text = #"{"a":1,"kind":"x"}"# + "\n" + #"{"a":2,"label":"z"}"# + "\n"
        #expect(decode(text, label: .name("kind")).labels == ["x", "z"])
        #expect(decode(text, claim: SchemaClaim(Schema(names: ["a"], label: "kind"))).labels == ["x", "z"])
        // The first line had none, so the schema does not know it.
        let later = decode(#"{"a":1}"# + "\n" + #"{"a":2,"kind":"x"}"# + "\n", label: .name("kind"))
        #expect(later.labels == [.none, "x"])
    }

    @Test func weightsAndIds_comeAlong() {
        let decoded = decode(
            #"{"a":1,"id":"a7"}"# + "\n" + #"{"a":2,"weight":0.5,"id":17}"# + "\n" + #"{"a":3,"weight":0,"id":null}"#
                + "\n"
                + #"{"a":4,"id":"\u00e9\n"}"# + "\n")
        #expect(decoded.events.isEmpty)
        #expect(decoded.weights == [1, 0.5, 0, 1])
        #expect(decoded.identifiers == [0: "a7", 1: "17", 3: "é\n"])
    }

    @Test func aFeatureOfAReservedName_thatTheSchemaHas_isAFeature() {
        let claim = SchemaClaim(Schema(names: ["weight", "id"], label: "label"))
        let decoded = decode(#"{"weight":70,"id":3,"label":1}"# + "\n" + #"{"id":4,"weight":80}"# + "\n", claim: claim)
        #expect(decoded.rows == [[70, 3], [80, 4]])
        #expect(decoded.weights == [1, 1])
    }

    // MARK: Escapes

    @Test(arguments: [
        (#"\"\\\/\b\f"#, "\"\\/\u{8}\u{C}"), (#"\n\r\t"#, "\n\r\t"), (#"\u00E9\u00e9"#, "éé"), (#"\ud83d\ude00"#, "😀"),
        (#"\uD83D\uDE00!"#, "😀!"), ("😀é", "😀é"), (#"\u0000"#, "\u{0}"),
    ])
    func escapes_areUndone(escaped: String, text: String) {
        #expect(decode("{\"a\":1,\"id\":\"\(escaped)\"}\n").identifiers == [0: text])
    }

    @Test(arguments: [
        #"\x"#, #"\"#, #"\u12"#, #"\u12g4"#, #"\u+123"#, #"\u-000"#, #"\u 123"#, #"\ud83d"#, #"\ud83d!"#,
        #"\ud83d\u0041"#,
        #"\ud83d\uffff"#, #"\ud83d\ud83d"#, #"\ude00"#, #"\ud83d\u"#, #"\ud83d\"#, #"\udc00\ud800"#, "a\u{1}", "a\tb",
    ])
    func escapesThatAreNone_areErrors(escaped: String) {
        for line in ["{\"a\":1,\"id\":\"\(escaped)\"}", "{\"a\":1,\"label\":\"\(escaped)\"}", "{\"\(escaped)\":1}"] {
            let decoded = decode("{\"a\":0}\n" + line + "\n{\"a\":1}\n")
            #expect(decoded.errors.map(\.line) == [2], "\(line)")
            #expect(decoded.rows == [[0], [1]])
            #expect(decode(line + "\n").schema == nil)
        }
    }

    // MARK: What is no sample

    @Test(arguments: [
        "1.", ".5", "+1", "01", "-", "-01", "1e", "1e+", "0x1", "nan", "Infinity", "-Infinity", "1_0", "1e39",
        "-1e999",
        "\"1\"", "\"x\"", "nul", "tru", "Nan", "[1]", "{}", "", "1 2", "1.5.2", "--1", "１",
    ])
    func featuresThatAreNoJSONNumber_areErrors(value: String) {
        for line in ["{\"a\":\(value),\"b\":1}", "{\"features\":[\(value),1]}", "[\(value),1,\"x\"]"] {
            let decoded = decode("{\"a\":0,\"b\":0}\n\(line)\n{\"a\":1,\"b\":1}\n")
            #expect(decoded.errors.map(\.line) == [2], "\(line)")
            #expect(decoded.rows == [[0, 0], [1, 1]])
        }
    }

    @Test(arguments: [
        #"{"a":1,"a":2,"b":1}"#, #"{"a":1,"b":1,"label":1,"label":2}"#, #"{"features":[1,2],"features":[1,2]}"#,
        #"{"features":[1,2],"a":1}"#, #"{"a":1,"features":[1,2]}"#, #"{"a":1,"b":2,"weight":1,"weight":1}"#,
        #"{"a":1,"b":2,"id":1,"id":2}"#, #"{"features":{"a":1,"a":1,"b":2}}"#,
    ])
    func whatIsSaidTwice_isAnError(line: String) {
        #expect(decode("{\"a\":0,\"b\":0}\n\(line)\n").errors.map(\.line) == [2], "below a schema")
        let first = decode(line + "\n")
        #expect(first.errors.map(\.line) == [1], "as the first line")
        #expect(first.schema == nil)
    }

    @Test(arguments: [
        #"{}"#, #"{"label":1}"#, "[]", "[1]", "[1,2,3,4]", #"{"features":[1]}"#, #"{"features":[1,2,3]}"#,
        #"{"features":7}"#,
        #"{"a":1,"b":2"#, #"{"a":1,"b":2,}"#, #"{"a":1 "b":2}"#, #"{"a":1,,"b":2}"#, #"{a:1,"b":2}"#, "{'a':1,'b':2}",
        #"{"a" 1,"b":2}"#,
        #"{"a":1,"b":2}}"#, #"{"a":1,"b":2} x"#, #"{"a":1,"b":2}{"a":1,"b":2}"#, "[1,2,3", "[1,2,3,]", "[1 2 3]",
        #"{"a":1,"b":2,"label":[1]}"#, #"{"a":1,"b":2,"label":{}}"#, #"{"a":1,"b":2,"label":"nan"}"#,
        #"{"a":1,"b":2,"label":1e99}"#,
        #"{"a":1,"b":2,"label":tru}"#, #"{"a":1,"b":2,"label":nul}"#, #"{"a":1,"b":2,"weight":-1}"#,
        #"{"a":1,"b":2,"weight":"1"}"#,
        #"{"a":1,"b":2,"weight":null}"#, #"{"a":1,"b":2,"id":[1]}"#, #"{"a":1,"b":2,"id":true}"#,
        #"{"a":1,"b":2,"c":nope}"#,
        "1,2,x", "hello", "\"hello\"", "null", "   ", "// no",
    ])
    func otherForms_areErrorsWithTheirPlace(line: String) {
        let decoded = decode("{\"a\":0,\"b\":0}\n\(line)\n{\"a\":1,\"b\":1}\n")
        #expect(decoded.errors.map(\.line) == [2])
        #expect((decoded.errors.first?.column).map { (1...line.utf8.count + 1).contains($0) } ?? false)
        #expect(decoded.rows == [[0, 0], [1, 1]])
    }

    @Test func nestedJunk_isSkippedToADepth_andNeverOverflowsTheStack() {
        func nested(_ depth: Int) -> String {
            let inside = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            return "{\"a\":1,\"junk\":\(inside)}\n"
        }
        #expect(decode("{\"a\":0}\n" + nested(30)).errors.isEmpty)
        #expect(decode("{\"a\":0}\n" + nested(100)).errors.map(\.line) == [2])
        let deep = "{\"a\":1,\"junk\":" + String(repeating: "[", count: 500_000) + "\n"
        #expect(decode("{\"a\":0}\n" + deep).errors.map(\.line) == [2])
        #expect(decode(String(repeating: "[", count: 500_000) + "\n").errors.map(\.line) == [1])
        #expect(decode(String(repeating: "{\"a\":", count: 100_000) + "\n").errors.map(\.line) == [1])
    }

    @Test func idsAreBounded() {
        let long = String(repeating: "7", count: 257)
        #expect(decode("{\"a\":1,\"id\":\"\(long)\"}\n").errors.map(\.line) == [1])
        #expect(decode("{\"a\":1,\"id\":\(long)e-300}\n").errors.map(\.line) == [1])
        #expect(
            decode("{\"a\":1,\"id\":12345678901234567890123456789}\n").identifiers == [
                0: "12345678901234567890123456789"
            ])
    }

    /// Names go into messages and files, and must come back as they were.
    @Test func namesThatAreNotText_areErrors() {
        #expect(decode(Array("{\"a".utf8) + [0xFF] + Array("\":1}\n".utf8)).errors.map(\.line) == [1])
        #expect(decode(#"{"a\n!pong":1}"# + "\n").errors.map(\.line) == [1])
    }

    /// 80,000 names in one line: compared each with each, they would take a minute.
    @Test func aVeryWideFirstLine_isReadInOnePass() {
        let members = (0..<80_000).map { "\"k\($0)\":1" }.joined(separator: ",")
        let decoded = decode("{\(members)}\n")
        #expect(decoded.schema?.inputs.count == 80_000)
        #expect(decode("{\(members),\"k5\":1}\n").errors.map(\.line) == [1])
    }
}
