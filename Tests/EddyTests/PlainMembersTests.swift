// The fast way through JSON lines against the slow one: a member that no schema knows, put first, makes the object be
// read key by key; and an array's numbers against the grammar. The random inputs are the same in every run.

import Testing

@testable import Eddy

@Suite struct PlainMembersTests {
    @Test func objects_areReadAsKeyByKey() {
        var random = TestRandom(seed: 1)
        var samples = 0
        var errors = 0
        for _ in 0..<20_000 {
            let members = randomMembers(using: &random)
            let plain = read("{" + members)
            let slow = read("{\"_\":0," + members)
            #expect(plain.samples.features.map(\.bitPattern) == slow.samples.features.map(\.bitPattern), "\(members)")
            #expect(plain.samples.labels == slow.samples.labels, "\(members)")
            #expect(plain.events.count == slow.events.count, "\(members)")
            guard let error = plain.events.first?.error, var expected = slow.events.first?.error else {
                samples += 1
                continue
            }
            expected.column = expected.column.map { $0 - 6 }  // the member's bytes
            #expect(error == expected, "\(members)")
            errors += 1
        }
        #expect(samples > 5_000 && errors > 2_000)
    }

    @Test func elements_areNumbersOfJSONOnly() {
        let numbers = "0 -0 1 01 -01 +1 1. .5 -.5 0.5 -0.5 00.5 1.e3 1e3 1e+3 1e 0.5e 0.5e-2 1.5x - 1e39 16777217 nan"
        for number in numbers.split(separator: " ") {
            for place in 0..<3 {
                var row = ["1", "2", "3", "4"]
                row[place] = String(number)
                for line in [
                    "[\(row.joined(separator: ","))]", "{\"features\":[\(row[..<3].joined(separator: " , "))]}",
                ] {
                    let chunk = read(line)
                    let bytes = Array(number.utf8)
                    let (isNumber, outcome) = bytes.withUnsafeBufferPointer {
                        (
                            DecimalNumber.isJSONNumber($0.baseAddress!, count: $0.count),
                            DecimalNumber.parse($0.baseAddress!, count: $0.count)
                        )
                    }
                    if isNumber, case .success(let value) = outcome {
                        #expect(chunk.samples.features.count == 3 && chunk.samples.features[place] == value, "\(line)")
                    } else {
                        #expect(chunk.samples.isEmpty && chunk.events.count == 1, "\(line)")
                    }
                }
            }
        }
    }

    private func read(_ line: String) -> DecodedChunk {
        var decoder = SampleDecoder(schema: SchemaClaim(Schema(names: ["ab", "cd", "ef"])))
        var bytes = Array((line + "\n").utf8)[...]
        return decoder.decode(&bytes)
    }

    /// Mostly the members of a sample, in the schema's order.
    private func randomMembers(using random: inout TestRandom) -> String {
        let numbers = ["1", "-0", "0.5", "-1.25", "1e3", "12.75", "0.123456789"]
        let odd = ["01", "+1", "1.", ".5", "\"1\"", "null", "1e39", "", "[1]", "1 2"]
        func blank() -> String { random.oneIn(6) ? " " : "" }
        var keys = ["ab", "cd", "ef", "label"]
        if random.oneIn(5) { keys.shuffle(using: &random) }
        if random.oneIn(10) {
            keys[Int.random(in: 0...3, using: &random)] = ["ab", "xy", "a", "\\u0061b"].randomElement(using: &random)!
        }
        if random.oneIn(20) { keys.removeLast() }
        let members = keys.map { key in
            let number = random.oneIn(20) ? odd.randomElement(using: &random)! : numbers.randomElement(using: &random)!
            return "\(blank())\"\(key)\"\(blank()):\(blank())\(number)\(blank())"
        }
        let separator = random.oneIn(30) ? ";" : ","
        return members.joined(separator: separator) + (random.oneIn(30) ? "" : random.oneIn(30) ? ",}" : "}")
    }
}
