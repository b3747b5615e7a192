// Any bytes in any format: no crash, every promise of a chunk kept (it is checked where one is taken in), and the same
// chunks whatever pieces the bytes come in.

import Testing

@testable import Eddy

@Suite struct FormatFuzzTests {
    private static let seeds: [(format: SampleFormat?, lines: [String])] = [
        (
            .vw,
            [
                "1 |f a:1 b:2.5 c", "-1 2 'tag |f a:-1 b:1e3 |g:0.5 x y:2", "| a b c", "0.5 0.25 0 t| :1 :2 z:3",
                "2 | 0:1 1:2 2:3 3:4 4:5 5:6 6:7 7:8 8:9 9:10", "1 |f a:2 b:2.5 c",
            ]
        ),
        (.libsvm, ["1 1:0.5 7:2", "-1 3:1e5 4:2 # remark", "+1 9:1 2:3", "0.25 1:1", "3:4 5:6", "1"]),
        (
            .csv,
            [
                "5,red,2024-05-01,2024-05-01T10:11:12Z,17,x", "6,?,2024-05-02,NA,18,z", "7,dark blue,,2024-05-03,,x",
                "true,\"a,b\",2024-05-04,2024-05-04 01:02+02:00,q,", "8,7,2024-05-05,2024-05-05T00:00,19",
                "n,c,d,t,id,label",
            ]
        ),
        (
            .json,
            [
                #"{"a":1,"b":"red","c":"2024-05-01","d":true,"label":"x"}"#,
                #"{"b":"dark blue","a":null,"new":3,"label":2}"#,
                #"{"id":"q","label":1}"#, #"{"c":"2024-05-01T10:00:00Z","more":"some words","t":false,"n":NaN}"#,
                #"{"features":{"a":5,"z":"y"},"weight":0.5,"id":7}"#, #"[1,"red","2024-05-01",false,"x"]"#,
            ]
        ),
        (
            nil,
            [
                "sunny,hot,no", "rain,mild,yes", "1 |f a:1", "1 1:2", "{\"a\":\"b\"}", "a,b,label", "1,2,x",
                "sunny,cool,no",
            ]
        ),
    ]

    @Test(arguments: 0..<5)
    func mutatedLines_areTheSameInAnyPieces(index: Int) {
        var random = TestRandom(seed: UInt64(index) + 20)
        let (format, lines) = Self.seeds[index]
        var samples = 0
        var errors = 0
        for round in 0..<60 {
            var bytes: [UInt8] = []
            for _ in 0..<60 {
                let line = Array(lines.randomElement(using: &random)!.utf8)
                bytes +=
                    (random.oneIn(3) ? mutated(line, using: &random) : line)
                    + (random.oneIn(9) ? [0x0D, 0x0A] : [0x0A])
            }
            let given = random.oneIn(2) ? format : nil
            let whole = decode(bytes, format: given, lineLimit: 300)
            samples += whole.lines.count
            errors += whole.errors.count
            #expect(decode(bytes, pieces: [1], format: given, lineLimit: 300) == whole, "round \(round)")
            let pieces = (0..<bytes.count).map { _ in Int.random(in: 1...90, using: &random) }
            #expect(decode(bytes, pieces: pieces, limit: 3, format: given, lineLimit: 300) == whole, "round \(round)")
        }
        #expect(samples > 500 && errors > 100, "\(samples) samples, \(errors) errors")
    }

    @Test(arguments: [nil] + SampleFormat.allCases)
    func bytesThatMeanSomething_inAnyOrder_neverCrash(format: SampleFormat?) {
        var random = TestRandom(seed: 31)
        let special =
            Array("\n\n\r,,\"'{}[]:\\!.eE+-0123456789 \t\u{B}\u{0}natruefl|||#:: id".utf8) + [0x80, 0xC3, 0xFF]
        for round in 0..<400 {
            let count = Int.random(in: 0..<2_000, using: &random)
            let bytes: [UInt8] = (0..<count).map { _ in
                round % 4 == 0 ? UInt8.random(in: 0...255, using: &random) : special.randomElement(using: &random)!
            }
            let whole = decode(bytes, format: format, lineLimit: 400)
            #expect(
                decode(bytes, pieces: [Int.random(in: 1...50, using: &random)], format: format, lineLimit: 400) == whole
            )
        }
    }

    @Test func mutatedDays_neverCrash() {
        var random = TestRandom(seed: 32)
        var days = 0
        for _ in 0..<100_000 {
            let cell = mutated(Array("2024-05-01T12:34:56.789+02:00".utf8), using: &random)
            cell.withUnsafeBufferPointer { cell in
                guard let date = DateTime(cell) else { return }
                days += 1
                var row = [Float](repeating: 0, count: 7)
                date.write(.time, to: &row)
                #expect(
                    row[0].isFinite && row.dropFirst().allSatisfy { abs($0) <= 1 || (date.second == nil && $0.isNaN) })
            }
        }
        #expect(days > 100)
    }

    private func mutated(_ line: [UInt8], using random: inout TestRandom) -> [UInt8] {
        damaged(line, special: ",,\"'{}[]:|!.eE+-09 \t\u{0}\u{B}#nN?T", using: &random)
    }
}
