// LIBSVM's text: labels, indices in any order, remarks, and what is refused.

import Testing

@testable import Eddy

@Suite struct LIBSVMTests {
    private func line(_ text: String) -> Decoded { decode(text + "\n", format: .libsvm) }

    @Test(arguments: [
        ("+1 1:0.5 7:2", Label.number(1)), ("-1 1:0.5 7:2", -1), ("3.25 1:0.5 7:2", 3.25), ("1:0.5 7:2", .none),
        ("1 7:2 1:0.5", 1), ("1 1:0.5 7:2 # a remark 3:4", 1), ("1\t1:0.5\t7:2\t", 1), ("  1   1:.5  007:2", 1),
        ("cat 1:0.5 7:2", "cat"), ("1 1:0.5 3:0 7:2#remark", 1),
    ])
    func labelAndFeatures_areRead(text: String, label: Label) {
        for text in [text, text + "\r"] {
            let decoded = line(text)
            #expect(decoded.events.isEmpty)
            #expect(decoded.labels == [label] && decoded.terms == [["1": 0.5, "7": 2]])
            #expect(decoded.schema == .terms)
        }
    }

    @Test(arguments: [
        "1 1:0.5 1:2", "1 3:1 1:1 2:1 3:1", "1 1:x", "1 1:", "1 1", "1 :1", "1 a:1", "1 -1:1", "1 1:1e39", "1 1:nan",
        "1 qid:3 1:2", "1,4 1:2", "nan 1:2", "1 1:2 x", "1 1234567890123456789012:1", "1 1:2:3",
    ])
    func otherLines_areErrors_andFixNothing(text: String) {
        let decoded = decode("1 1:1\n\(text)\n0 1:2\n", format: .libsvm)
        #expect(decoded.errors.map(\.line) == [2])
        #expect(decoded.terms == [["1": 1], ["1": 2]])
        #expect(line(text).schema == nil)
    }

    @Test func aSampleOfZeros_isASample_andALineOfARemarkIsNone() {
        let decoded = decode("1 1:1\n0\n# remark\n-1 # remark\n", format: .libsvm)
        #expect(decoded.events.isEmpty && decoded.lines == [1, 2, 4])
        #expect(decoded.terms == [["1": 1], [:], [:]])
    }

    @Test func anIndex_isTheVowpalWabbitFeatureOfThatName() {
        #expect(line("1 3:0.5 017:2").keys == decode("1 | 3:0.5 17:2\n", format: .vw).keys)
    }
}
