// The streams that pin the learner's bits: every kind of input, task and event, made by seeded generators or taken from
// the fixtures. A stream is bytes, so that a decoder is part of what is pinned.

import Foundation
import Testing

@testable import Eddy

/// One stream, and how it is learned.
struct GoldenStream: Sendable, CustomTestStringConvertible {
    let name: String
    var configuration = Configuration()
    var label = LabelColumn.automatic
    /// Whether samples have several labels.
    var hasSeveralOutputs = false
    let bytes: @Sendable () throws -> [UInt8]

    var testDescription: String { name }

    init(
        _ name: String, label: LabelColumn = .automatic, severalOutputs: Bool = false,
        _ configure: (inout Configuration) -> Void = { _ in }, bytes: @escaping @Sendable () throws -> [UInt8]
    ) {
        (self.name, self.label, self.bytes) = (name, label, bytes)
        hasSeveralOutputs = severalOutputs
        configure(&configuration)
    }

    /// A stream of lines. The closure gets the number of the line, from 0.
    init(
        _ name: String, seed: UInt64, lines: Int, header: String? = nil, label: LabelColumn = .automatic,
        severalOutputs: Bool = false, _ configure: (inout Configuration) -> Void = { _ in },
        line: @escaping @Sendable (Int, inout TestRandom) -> String
    ) {
        self.init(name, label: label, severalOutputs: severalOutputs, configure) {
            var random = TestRandom(seed: seed)
            var text = header.map { $0 + "\n" } ?? ""
            for i in 0..<lines { text += line(i, &random) + "\n" }
            return Array(text.utf8)
        }
    }
}

extension TestRandom {
    /// A number with three decimals.
    fileprivate mutating func number(in range: ClosedRange<Int> = -3...3) -> Double {
        Double(Int.random(in: range.lowerBound * 1000...range.upperBound * 1000, using: &self)) / 1000
    }

    fileprivate mutating func numbers(_ count: Int) -> [Double] { (0..<count).map { _ in number() } }

    fileprivate mutating func index(_ count: Int) -> Int { .random(in: 0..<count, using: &self) }
}

private func csv(_ cells: [Double], _ label: String) -> String {
    cells.map { "\($0)," }.joined() + label
}

private let words = "river stone light cloud green silver winter summer quiet storm field harbour".split(separator: " ")

// MARK: - One output

extension GoldenStream {
    static let ofOneOutput: [GoldenStream] = columns + terms + events + networks

    private static let columns: [GoldenStream] = [
        GoldenStream("columns") { try fixture("breast_cancer") },
        GoldenStream("iris") { try fixture("iris") },
        GoldenStream("phishing") { try fixture("phishing") },
        GoldenStream("values") { try fixture("trump_approval") },
        GoldenStream("gaps", seed: 1, lines: 500, header: "a,b,c,d,label") { i, random in
            let row = random.numbers(4)
            let cells = row.map { i > 40 && random.oneIn(10) ? "" : "\($0)" }
            let label = random.oneIn(15) ? "" : row[0] + row[1] > 0.5 ? "high" : "low"
            return cells.joined(separator: ",") + "," + label
        },
        GoldenStream("dates", seed: 2, lines: 400, header: "when,load,y") { i, random in
            let (day, hour) = (1 + i / 24 % 28, i % 24)
            let load = random.number(in: 0...9)
            let time = "2026-\(1 + i / 24 / 28 < 10 ? "0" : "")\(1 + i / 24 / 28)-\(day < 10 ? "0" : "")\(day)"
            return "\(time)T\(hour < 10 ? "0" : "")\(hour):30:00,\(load),\(Double(hour) * 2.5 + load + 0.125)"
        },
        GoldenStream("wide", seed: 3, lines: 200) { _, random in
            let row = random.numbers(200)
            return csv(row, "\(row[0] + row[1] > row[2] ? 1 : 0)")
        },
        GoldenStream("wider", seed: 4, lines: 80) { _, random in
            let row = random.numbers(600)
            return csv(row, "\(row[0] * 2 + row[599] + 0.0625)")
        },
    ]

    private static let terms: [GoldenStream] = [
        GoldenStream("words", seed: 5, lines: 500, header: "colour,note,amount,label") { _, random in
            let colour = ["red", "green", "blue", ""][random.index(4)]
            let note = (0..<1 + random.index(3)).map { _ in words[random.index(words.count)] }
            let amount = random.number(in: 0...50)
            let isYes = (colour == "red") != (amount > 25) || note.contains("storm")
            return "\(colour),\(note.joined(separator: " ")),\(amount),\(isYes ? "yes" : "no")"
        },
        GoldenStream("late keys", seed: 6, lines: 400) { i, random in
            let (a, b, late) = (random.number(), random.number(), random.number())
            var members = ["\"a\": \(a)", "\"b\": \(random.oneIn(8) ? "null" : "\(b)")"]
            if i > 100, random.oneIn(2) { members.append("\"late\": \(late)") }
            if i > 200, random.oneIn(3) { members.append("\"place\": \"\(words[random.index(words.count)])\"") }
            return "{\(members.joined(separator: ", ")), \"label\": \(3 * a - b + 0.25)}"
        },
        GoldenStream("vowpal wabbit", seed: 7, lines: 500) { _, random in
            let tokens = (0..<6).map { _ in random.index(random.oneIn(3) ? 1500 : 60) }
            let label = tokens.contains { $0 < 10 } ? 1 : -1
            let weight = random.oneIn(10) ? " 2.5" : ""
            return "\(label)\(weight) |w " + tokens.map { "t\($0)" }.joined(separator: " ")
                + " |m size:\(random.number())"
        },
        GoldenStream("sparse values", seed: 8, lines: 400) { i, random in
            // Questions have words that are known: names that only a question told are not in a model file.
            let isQuestion = i > 100 && random.oneIn(20)
            var tokens = (0..<5).map { _ in random.index(isQuestion ? 20 : 400) }
            if i < 20 { tokens[0] = i }
            let value = tokens.reduce(0.5) { $0 + Double($1 % 7) }
            return "\(isQuestion ? "" : "\(value)") |w " + tokens.map { "t\($0)" }.joined(separator: " ")
        },
        GoldenStream("libsvm", seed: 9, lines: 450) { _, random in
            let indices = Set((0..<12).map { _ in 1 + random.index(300) }).sorted()
            return "\(indices[0] % 3) " + indices.map { "\($0):\(random.number())" }.joined(separator: " ")
        },
    ]

    private static let events: [GoldenStream] = [
        GoldenStream("late labels", seed: 10, lines: 600) { i, random in
            let (a, b) = (random.number(), random.number())
            // The label's sample came 1 to 30 lines before, or never.
            let of = i - 1 - random.index(30)
            if i > 0, random.oneIn(2) { return "{\"id\": \"s\(of)\", \"label\": \"\(of % 3 == 0 ? "up" : "down")\"}" }
            if random.oneIn(4) { return "{\"a\": \(a), \"b\": \(b), \"label\": \"\(a > b ? "up" : "down")\"}" }
            return "{\"id\": \"s\(i)\", \"a\": \(Double(i % 3) + a), \"b\": \(b)}"
        },
        GoldenStream("drift", seed: 11, lines: 3000) { i, random in
            let row = random.numbers(3)
            let isOne = i < 1500 ? row[0] + row[1] > 0 : random.oneIn(3) ? random.oneIn(2) : row[2] > 0
            return csv(row, isOne ? "one" : "other")
        },
        GoldenStream(
            "drift, all reactions", seed: 12, lines: 2000,
            {
                $0.drift = DriftDetection(.pageHinkley, in: [.errors, .loss, .features])
                $0.reactions = DriftReaction.allCases
            },
            line: { i, random in
                let row = random.numbers(3)
                let shift = i < 900 ? 0.0 : 6
                let value = i < 900 ? row[0] * 4 + row[1] : row[2] * -7 + 20
                return csv([row[0] + shift, row[1], row[2]], "\(value + 0.125)")
            }),
        GoldenStream("late classes", seed: 13, lines: 600) { i, random in
            let known = min(10, 1 + i / 50)
            let kind = random.index(known)
            return csv([Double(kind) + random.number() / 3, Double(kind % 3) + random.number()], "class \(kind)")
        },
        GoldenStream("classes, then values", seed: 14, lines: 500) { i, random in
            let row = random.numbers(2)
            return csv(row, i < 250 ? "\(random.index(4))" : "\(row[0] * 100 + 0.25)")
        },
        GoldenStream("one class", seed: 15, lines: 150) { _, random in csv(random.numbers(3), "same") },
        GoldenStream("weights", seed: 16, lines: 400) { _, random in
            let row = random.numbers(3)
            let weight = Double(random.index(30)) / 10
            return "{\"features\": \(row), \"label\": \(row[0] > row[1] ? 1 : 0), \"weight\": \(weight)}"
        },
        GoldenStream("balance", seed: 17, lines: 600, { $0.balance = true }) { _, random in
            let isRare = random.oneIn(20)
            return csv([random.number() + (isRare ? 2 : 0), random.number()], isRare ? "rare" : "common")
        },
        GoldenStream("rejections", seed: 18, lines: 500, { $0.classLimit = 4 }) { i, random in
            switch i < 5 ? 9 : random.index(12) {
            case 0: "1,2"
            case 1: "1,abc def\u{0},3,"
            case 2: csv(random.numbers(3), "kind \(random.index(9))")
            case 3: csv(random.numbers(3), "")
            default: csv(random.numbers(3), "kind \(random.index(3))")
            }
        },
        GoldenStream("packed") {
            var random = TestRandom(seed: 19)
            var bytes = Array("EDDY".utf8) + [1, 1, 1, 0, 3, 0, 0, 0]
            for i in 0..<400 {
                let row = random.numbers(3).map { i > 50 && random.oneIn(12) ? Float.nan : Float($0) }
                let label: Float = random.oneIn(12) ? .nan : Float(i % 2) + (row[0].isNaN ? 0 : 0.25 * row[0])
                for number in row + [label, Float(1 + random.index(3)) / 2] {
                    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
                }
            }
            return bytes
        },
    ]

    private static let networks: [GoldenStream] = [
        GoldenStream(
            "fast, momentum",
            {
                $0.profile = .fast
                $0.optimizer = .sgd(0.02, schedule: .exponential(halfLife: 300), momentum: 0.9, clip: 1, l2: 1e-3)
                $0.drift = DriftDetection(.adwin, in: .errors)
                $0.reactions = [.raiseStep, .forgetScaler]
            }, bytes: { try fixture("digits") }),
        GoldenStream(
            "fast, Adam",
            {
                $0.profile = .fast
                $0.optimizer = .adam(0.01, clip: 4)
            }, bytes: { try fixture("trump_approval") }),
        GoldenStream("fast, sparse", seed: 20, lines: 400, { $0.profile = .fast }) { _, random in
            let tokens = (0..<6).map { _ in random.index(500) }
            return "\(tokens.contains { $0 < 40 } ? 1 : 0) |w " + tokens.map { "t\($0)" }.joined(separator: " ")
        },
        GoldenStream(
            "fast, what the network rejects", seed: 21, lines: 900,
            {
                $0.hiddenLayers = [.dense(8, .tanh)]
                $0.scaling = false
                $0.classLimit = 12
                $0.optimizer = .adaGrad(0.05, clip: 4)
            },
            line: { i, random in
                var row = random.numbers(3)
                if random.oneIn(25) { row[1] = 1e30 }
                var label = i < 500 ? "\(random.index(min(12, 2 + i / 40)))" : "\(row[0] * 100 + 0.25)"
                if random.oneIn(12) { label = "" }
                if random.oneIn(30) { label = i < 500 ? "20" : random.oneIn(2) ? "3e38" : "word" }
                return csv(row, label)
            }),
    ]
}

// MARK: - Several outputs

extension GoldenStream {
    static let ofSeveralOutputs: [GoldenStream] = [
        GoldenStream(
            "two values", seed: 30, lines: 400, header: "a,b,price,size",
            label: .several([.name("price"), .name("size")]), severalOutputs: true,
            line: { _, random in
                let row = random.numbers(2)
                return csv(row, "\(row[0] * 3 + 0.25),\(row[1] - row[0] + 0.125)")
            }),
        GoldenStream("a class and a value, some missing", seed: 31, lines: 500, severalOutputs: true) { i, random in
            let (a, b) = (random.number(), random.number())
            let kind = random.oneIn(4) ? "null" : a > 0 ? "\"red\"" : i > 300 && b > 0 ? "\"blue\"" : "\"green\""
            let price = random.oneIn(4) ? "null" : random.oneIn(40) ? "\"dear\"" : "\(a * b + 0.25)"
            return "{\"a\": \(a), \"b\": \(b), \"label\": {\"kind\": \(kind), \"price\": \(price)}}"
        },
        GoldenStream(
            "fast, several outputs", seed: 32, lines: 400, severalOutputs: true, { $0.profile = .fast },
            line: { i, random in
                let row = random.numbers(3)
                let third = i < 200 ? "\(i % 3)" : "\(row[2] + 0.25)"
                let second = row[1] > 0 ? "on" : "off"
                return "{\"features\": \(row), \"label\": [\(row[0] + 0.5), \"\(second)\", \(third)]}"
            }),
        GoldenStream("sparse, several outputs", seed: 33, lines: 400, severalOutputs: true) { _, random in
            let tokens = (0..<4).map { _ in random.index(300) }
            let note = tokens.map { "t\($0)" }.joined(separator: " ")
            let label = "{\"n\": \(Double(tokens[0] % 9) + 0.5), \"low\": \"\(tokens.contains { $0 < 50 })\"}"
            return "{\"size\": 1.5, \"note\": \"\(note)\", \"label\": \(label)}"
        },
        GoldenStream("late labels, several outputs", seed: 34, lines: 500, severalOutputs: true) { i, random in
            let (a, b) = (random.number(), random.number())
            let of = i - 1 - random.index(20)
            let label = "{\"sum\": \(a + b + 0.25), \"sign\": \"\(a > b ? "up" : "down")\"}"
            if i > 0, random.oneIn(3) { return "{\"id\": \"s\(of)\", \"label\": \(label)}" }
            if random.oneIn(3) { return "{\"a\": \(a), \"b\": \(b), \"label\": \(label)}" }
            return "{\"id\": \"s\(i)\", \"a\": \(a), \"b\": \(b)}"
        },
    ]
}
