// Streams whose classes come late: what the tests of honest figures and of unchanged weights learn from.

import Testing

@testable import Eddy

/// A stream in which samples of classes that nobody has seen keep coming.
enum LateClassStream: String, CaseIterable, CustomTestStringConvertible {
    /// Scikit-learn's digits, in the order of their source: ten classes, all within the first samples.
    case digits
    /// Three species, one behind the other.
    case iris
    /// Thirty named classes, a new one now and then, and questions between.
    case names
    /// Twelve classes, columns that are missing, importance weights, and samples without a label.
    case gaps
    /// Words, more of them than a row has room for, and eight topics.
    case words
    /// Classes that come late, samples that are rejected, and then numbers that are no classes.
    case eventful

    var testDescription: String { rawValue }

    func samples() throws -> SampleChunk {
        switch self {
        case .digits, .iris: return try EddyTests.samples(rawValue)
        case .names: return try names()
        case .gaps: return try gaps()
        case .words: return try words()
        case .eventful: return try eventful()
        }
    }

    private func names() throws -> SampleChunk {
        var random = TestRandom(seed: 71)
        var chunk = SampleChunk(inputs: 3)
        for i in 0..<900 {
            let number = Int.random(in: 0...i / 30, using: &random)
            var sample = Sample((0..<3).map { Float(number * ($0 + 1) % 7) + .random(in: -0.5...0.5, using: &random) })
            sample.label = random.oneIn(15) ? .none : .text("class \(number)")
            if i == 0 { sample.label = "class 0" }
            try chunk.append(sample)
        }
        return chunk
    }

    private func gaps() throws -> SampleChunk {
        var random = TestRandom(seed: 72)
        var chunk = SampleChunk(inputs: 5)
        for i in 0..<1000 {
            let number = Int.random(in: 0..<min(12, 1 + i / 60), using: &random)
            var features = (0..<5).map { Float(number * ($0 + 2) % 5) + .random(in: -1...1, using: &random) }
            if random.oneIn(4) { features[Int.random(in: 0..<5, using: &random)] = .nan }
            var sample = Sample(features, label: .number(Float(number)))
            if random.oneIn(3) { sample.weight = .random(in: 0...3, using: &random) }
            if random.oneIn(12), i > 0 { sample.label = .none }
            try chunk.append(sample)
        }
        return chunk
    }

    private func words() throws -> SampleChunk {
        var random = TestRandom(seed: 73)
        var chunk = SampleChunk(inputs: 1)
        for i in 0..<1200 {
            let topic = Int.random(in: 0..<min(8, 1 + i / 100), using: &random)
            let terms = (0..<6).map { _ in
                let isOfTopic = random.oneIn(3)
                let word: Int = .random(in: 0..<(isOfTopic ? 40 : 900), using: &random)
                return Term("w\(isOfTopic ? topic * 40 + word : word)")
            }
            try chunk.append(Sample([Float(i % 5)], label: .text("topic \(topic)"), terms: terms))
        }
        return chunk
    }

    private func eventful() throws -> SampleChunk {
        var random = TestRandom(seed: 74)
        var chunk = SampleChunk(inputs: 3)
        for i in 0..<1_100 {
            var sample = Sample((0..<3).map { _ in .random(in: -3...3, using: &random) })
            let known = min(12, 2 + i / 50)
            sample.label = .number(Float(Int.random(in: 0..<known, using: &random)))
            if i >= 800 { sample.label = .number(sample.features[0] * 100 + 0.25) }
            if random.oneIn(5) { sample.weight = .random(in: 0...3, using: &random) }
            if random.oneIn(12) { sample.label = .none }
            if random.oneIn(40) { sample.label = i < 800 ? .number(20) : "a word" }
            try chunk.append(sample)
        }
        return chunk
    }
}
