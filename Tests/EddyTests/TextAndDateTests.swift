// Columns of words and of days, which line is a header where columns hold words, and the column of identifiers.

import Foundation
import Testing

@testable import Eddy

@Suite struct TextColumnTests {
    private func column(_ name: String, _ kind: Schema.Kind = .number) -> Schema.Column { Schema.Column(name, kind) }

    @Test func theFirstValue_settlesAColumnsKind() {
        let decoded = decode("a,b,c,d,label\n1,red,2024-05-01,2024-05-01T06:00:00Z,x\n2,7,2024-05-02,2024-05-02,x\n")
        #expect(decoded.events.isEmpty)
        #expect(
            decoded.schema
                == Schema([column("a"), column("b", .text), column("c", .date), column("d", .time)], label: "label"))
        #expect(decoded.schema?.inputs.count == 1 + 5 + 7 && decoded.schema?.texts == ["b"])
        #expect(decoded.schema?.inputs[2] == "c.weekday.sin" && decoded.schema?.inputs[7] == "d.hour.sin")
        #expect(decoded.terms == [["b=red": 1], ["b=7": 1]], "a number among words is a word")
        #expect(decoded.rows[1][7].isNaN && decoded.rows[1][8].isNaN, "a day without a time of day")
    }

    @Test func aText_makesTermsOfItselfAndItsWords() {
        func terms(_ cell: String) -> [String: Float] { decode("1,word,x\n1,\(cell),x\n").terms[1] }
        #expect(terms("Red") == ["x1=Red": 1])
        #expect(terms("red!") == ["x1=red!": 1])
        #expect(terms("  red ") == ["x1=red": 1])
        #expect(terms("\"The end, the END\"") == ["x1=The end, the END": 1, "x1=the": 2, "x1=end": 2])
        #expect(terms("don't über_x") == ["x1=don't über_x": 1, "x1=don't": 1, "x1=über_x": 1])
        #expect(terms("NA") == [:] && terms("") == [:] && terms("?") == [:])
        #expect(
            terms("true") == ["x1=true": 1]
                && terms("2024-05-01") == ["x1=2024-05-01": 1, "x1=2024": 1, "x1=05": 1, "x1=01": 1])
        let long = (0..<40).map { "word\($0)" }.joined(separator: " ")
        #expect(terms(long).count == 40, "a sentence that hardly comes again is its words alone")
        #expect(terms(String(repeating: "y", count: 100)).count == 1)
    }

    @Test(arguments: ["a\u{1}b", "a\u{7F}"])
    func whatIsNoText_isAnError(cell: String) {
        let decoded = decode("a,b,label\n1,red,x\n1,\(cell),x\n2,blue,z\n")
        #expect(decoded.errors.map(\.column) == [2] && decoded.errors.map(\.field) == ["b"])
        #expect(decoded.terms == [["b=red": 1], ["b=blue": 1]])
        #expect(decode(Array("a,b,label\n1,red,x\n1,".utf8) + [0xFF] + Array(",x\n".utf8)).errors.count == 1)
    }

    @Test func textInAColumnOfNumbers_isAnErrorAsBefore() {
        #expect(decode("a,b,label\n1,2,x\nred,2,x\n").errors.map(\.field) == ["a"])
    }

    @Test(arguments: ["inf", "-Infinity", "1e999", "\" 1\""])
    func aNumberThatWentWrong_makesNoColumnOfWords(cell: String) {
        let decoded = decode("a,b,label\n1,\(cell),x\n1,2,x\n")
        #expect(decoded.errors.map(\.line) == [2] && decoded.schema == Schema(names: ["a", "b"], label: "label"))
    }

    @Test func wordsComeBack_inTheOrderOfTheirColumns_whateverTheLines() {
        let text = "a,b,c,label\nred,1,small,x\n"
        let decoded = decode(text + "blue,2,large,z\n\"blue\",2,large,z\n")
        #expect(decoded.keys[1] == decoded.keys[2])
        #expect(decoded.keys[1] == [Terms.key(of: "a=blue"), Terms.key(of: "c=large")])
        #expect(decoded.rows == [[1], [2], [2]])
    }

    // MARK: Headers

    @Test func aLineOfWords_isAHeader_andTheNextASample() {
        let decoded = decode("outlook,wind,play\nsunny,weak,no\nrain,strong,yes\n")
        #expect(decoded.events.isEmpty && decoded.lines == [2, 3])
        #expect(decoded.schema == Schema([column("outlook", .text), column("wind", .text)], label: "play"))
        #expect(decoded.labels == ["no", "yes"] && decoded.terms[1] == ["outlook=rain": 1, "wind=strong": 1])
    }

    @Test func wordsThatComeAgainInTheirColumn_wereASample_andThatIsTold() {
        let decoded = decode("sunny,weak,no\nsunny,strong,no\nrain,weak,yes\n")
        #expect(decoded.lines == [2, 3] && decoded.errors.map(\.line) == [1])
        #expect(decoded.schema == Schema([column("x0", .text), column("x1", .text)], isNamed: false))
        #expect(decoded.terms[0] == ["x0=sunny": 1, "x1=strong": 1])
        #expect(decoded.events.map(\.index) == [0])
    }

    @Test func aWordTwiceInALine_isNoHeader_andTheNextLineASample() {
        let decoded = decode("p,x,s,n,x\ne,x,s,y,y\np,b,s,w,x\n")
        #expect(decoded.errors.map(\.line) == [1] && decoded.lines == [2, 3])
        #expect(decoded.schema?.isNamed == false && decoded.schema?.texts.count == 4)
    }

    @Test func theSameWordsAgain_areTheHeaderAgain() {
        for text in [
            "a,b,c\na,b,c\nred,big,x\na,b,c\nblue,big,z\n", "a,b,label\na,b,label\nred,big,x\na,b,label\nblue,big,z\n",
        ] {
            let decoded = decode(text)
            #expect(decoded.events.isEmpty && decoded.lines == [3, 5], "\(text)")
            #expect(decoded.terms == [["a=red": 1, "b=big": 1], ["a=blue": 1, "b=big": 1]])
        }
    }

    @Test func belowASureHeader_wordsAreASample_evenOfClassTarget() {
        let decoded = decode("a,b,label\nred,big,target\n")
        #expect(decoded.labels == ["target"] && decoded.schema?.texts == ["a", "b"])
    }

    @Test func aDayOrABoolean_isNoName() {
        #expect(decode("2024-05-01,red,x\n").schema?.columns.map(\.kind) == [.date, .text])
        #expect(decode("true,red,x\n").schema?.columns.map(\.kind) == [.number, .text])
        #expect(decode("RI,Na,Mg,label\n1.5,2,3,x\n").schema?.inputs == ["RI", "Na", "Mg"], "sodium is no gap")
    }

    @Test func aLaterConnectionOfWords_isASample_unlessItNamesAColumn() {
        let claim = SchemaClaim()
        _ = decode("colour,size,label\nred,big,x\n", claim: claim)
        #expect(decode("blue,small,z\n", claim: claim).terms == [["colour=blue": 1, "size=small": 1]])
        #expect(decode("blue,small\n", claim: claim).labels == [.none])
        let named = decode("size,label,colour\nsmall,z,blue\n", claim: claim)
        #expect(named.terms == [["colour=blue": 1, "size=small": 1]] && named.labels == ["z"])
        #expect(decode("size,label,x\nsmall,z,blue\n", claim: claim).errors.count == 2)
        #expect(
            decode("{\"size\":\"small\",\"colour\":\"blue\"}\n", claim: claim).terms == [
                ["colour=blue": 1, "size=small": 1]
            ])
    }

    @Test func aFirstLineWithAFieldTooFew_settlesNoColumnOfWords() {
        let decoded = decode("a,b,label\n1,x\n1,red,x\n")
        #expect(decoded.errors.map(\.line) == [2] && decoded.schema?.texts == ["b"])
    }

    // MARK: Identifiers

    @Test(arguments: ["id", "ID", "Id"])
    func aColumnCalledId_namesTheSample_andIsNeverLearned(name: String) {
        let decoded = decode("\(name),a,label\n17,1,x\nq-4,2,z\n,3,x\n\"a,b\",4,x\n")
        #expect(decoded.events.isEmpty && decoded.schema == Schema(names: ["a"], label: "label"))
        #expect(decoded.identifiers == [0: "17", 1: "q-4", 3: "a,b"] && decoded.rows == [[1], [2], [3], [4]])
        let last = decode("a,b,\(name)\n1,x,17\n")
        #expect(last.labels == ["x"] && last.identifiers == [0: "17"], "the label is the last of the others")
    }

    @Test func anotherName_isAFeature_andALabelCalledIdTheLabel() {
        #expect(decode("user_id,a,label\n1,2,x\n").schema?.inputs == ["user_id", "a"])
        #expect(decode("a,id\n1,x\n", label: .name("id")).labels == ["x"])
    }

    @Test func identifiersAndLabelsAlone_areLabelsOfWhatCameBefore() {
        let claim = SchemaClaim()
        _ = decode("id,a,b,label\n17,1,2,\n18,3,4,x\n", claim: claim)
        let late = decode("id,label\n17,z\n", claim: claim)
        #expect(late.identifiers == [0: "17"] && late.labels == ["z"] && late.rows[0].allSatisfy { $0.isNaN })
        #expect(decode("id,label\n17,z\n").schema == nil)
    }

    @Test func anIdentifierThatIsTooLong_isAnError_andPlainRowsGoOn() {
        let long = String(repeating: "7", count: 257)
        let decoded = decode("id,a,label\n1,1,x\n\(long),2,x\n3,3,x\n")
        #expect(decoded.errors.map(\.field) == ["id"] && decoded.identifiers == [0: "1", 1: "3"])
        let wrong = decode("id,a,label\n1,1,x\n2,oops,x\n,3,x\n")
        #expect(wrong.identifiers == [0: "1"], "nothing is left of a line that is none")
    }

    // MARK: JSON

    @Test func stringsOfJSON_areColumnsOfWords_andNewKeysTerms() {
        let decoded = decode(
            """
            {"a":1,"b":"red","c":"12","label":"x"}
            {"a":2,"b":"dark blue","new":3,"more":"words, words","off":false,"none":null,"deep":{"x":1},"label":"z"}
            {"b":5,"c":true,"a":3,"new":0,"label":"z"}

            """)
        #expect(decoded.events.isEmpty && decoded.schema?.texts == ["b", "c"])
        #expect(
            decoded.terms == [
                ["b=red": 1, "c=12": 1],
                ["b=dark blue": 1, "b=dark": 1, "b=blue": 1, "new": 3, "more=words, words": 1, "more=words": 2],
                ["b=5": 1, "c=true": 1],
            ])
        #expect(decode("[1,\"red\",\"x\"]\n[2,\"blue\",\"z\"]\n").terms == [["x1=red": 1], ["x1=blue": 1]])
    }

    @Test(arguments: [
        "{\"a\":1,\"new\":\"\\u0001\"}", "{\"a\":1,\"n\\new\":1}", "{\"a\":1,\"b\":{}}", "{\"a\":1,\"b\":[1]}",
        "{\"a\":1,\"d\":5}",
        "{\"a\":1,\"d\":\"today\"}", "{\"a\":\"x\"}", "{\"a\":1,\"b\":\"x\",\"b\":\"y\"}", "{\"a\":1,\"new\":1e99}",
    ])
    func valuesThatDoNotFitTheirColumn_areErrors(line: String) {
        let decoded = decode("{\"a\":1,\"b\":\"red\",\"d\":\"2024-05-01\"}\n\(line)\n{\"a\":2}\n")
        #expect(decoded.errors.map(\.line) == [2] && decoded.keys.map(\.count) == [1, 0])
    }
}

@Suite struct DateTimeTests {
    private func date(_ text: String) -> DateTime? { Array(text.utf8).withUnsafeBufferPointer { DateTime($0) } }

    private func inputs(_ text: String, _ kind: Schema.Kind) -> [Float] {
        var row = [Float](repeating: -9, count: kind.parts.count)
        date(text)!.write(kind, to: &row)
        return row
    }

    @Test(arguments: [
        "2024-05-01", "2024-02-29", "2000-02-29", "0000-01-01", "9999-12-31", "2024-05-01T12:34", "2024-05-01 12:34:56",
        "2024-05-01t12:34:60z", "2024-05-01T12:34:56.789012345678Z", "2024-05-01T12:34:56,5+02:00",
        "2024-05-01 12:34:56 -0530", "2024-05-01T00:00:00+14", "2024-05-01T23:59Z",
    ])
    func theseAreDays(text: String) { #expect(date(text) != nil) }

    @Test(arguments: [
        "", "2024", "2024-05", "2024-5-1", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00",
        "2024-01-32", "2024/05/01", "01.05.2024", "20240501", "2024-05-01T", "2024-05-01T1", "2024-05-01T24:00",
        "2024-05-01T12:60", "2024-05-01T12:34:61", "2024-05-01T12:34:56.", "2024-05-01T12:34:56+", "2024-05-01Z",
        "2024-05-01T12:34:56+25:00", "2024-05-01T12:34:56Zx", "2024-05-01 ", "2024-05-01T12:34+02:", "2024-05-01-",
        "٢٠٢٤-05-01",
    ])
    func theseAreNone(text: String) { #expect(date(text) == nil) }

    /// Against Foundation's calendar, for every day of four hundred years and some beyond.
    @Test func dayNumberAndWeekday_areTheCalendars() throws {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        let first = try #require(calendar.date(from: DateComponents(year: 1900, month: 1, day: 1)))
        for day in stride(from: 0, to: 146_097, by: 1) {
            let parts = calendar.dateComponents([.year, .month, .day], from: first + Double(day) * 86_400)
            let number = DateTime.dayNumber(parts.year!, parts.month!, parts.day!)
            #expect(number == day - 36_524)
        }
        #expect(DateTime.dayNumber(2000, 1, 1) == 0 && DateTime.dayNumber(0, 3, 1) == -730_425)
        #expect(DateTime.weekday(0) == 5 && DateTime.weekday(2) == 0 && DateTime.weekday(-730_000) >= 0)
        #expect(DateTime.weekday(DateTime.dayNumber(2024, 5, 1)) == 2, "a Wednesday")
    }

    @Test func sine_isTheSine() {
        for step in 0...10_000 {
            let turn = Double(step) / 5_000
            #expect(abs(DateTime.sine(turn) - sin(2 * .pi * turn)) < 2e-15)
        }
        #expect(DateTime.sine(0) == 0)
    }

    /// These bits must be the same everywhere.
    @Test func inputs_areTheseBits() {
        #expect(inputs("2000-01-01", .date).map(\.bitPattern) == [0, 0xBF79_94E0, 0xBE63_DC87, 0, 0x3F80_0000])
    }

    @Test func aDay_isATrendAndAngles() {
        let row = inputs("2024-07-01T06:00:00+02:00", .time)
        #expect(row[0] == Float(DateTime.dayNumber(2024, 7, 1)) + Float(4.0 / 24), "in UTC")
        #expect(abs(row[1] - 1) < 1e-7 && abs(row[2]) < 1e-7, "six o'clock is a quarter turn, where it was written")
        #expect(row[3] == 0 && row[4] == 1, "a Monday")
        #expect(abs(row[5]) < 0.02 && row[6] < -0.99, "half the year")
        #expect(inputs("2024-05-01T10:00:00Z", .date).count == 5)
        #expect(inputs("2024-05-01", .time)[1].isNaN)
    }

    @Test func neighbours_areNear_acrossTheEndOfTheYear() {
        let (last, first) = (inputs("2023-12-31", .date), inputs("2024-01-01", .date))
        for part in 3...4 { #expect(abs(last[part] - first[part]) < 0.02) }
    }

    @Test func aMissingDay_isMissingInAllParts_andAnotherWordAnError() {
        let decoded = decode("a,when,label\n1,2024-05-01,x\n2,,x\n3,today,x\n4,2024-05-02 10:00,x\n5,17,x\n")
        #expect(decoded.errors.map(\.line) == [4, 6] && decoded.errors.map(\.field) == ["when", "when"])
        #expect(decoded.rows[1].dropFirst().allSatisfy { $0.isNaN })
        #expect(decoded.rows[2][1] == decoded.rows[0][1] + 1)
    }
}
