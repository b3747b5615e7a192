// Streams of many terms: samples become lists of what they have, and nothing else may change by that.

import Foundation
import Testing

@testable import Backprop
@testable import Eddy

private func learner(_ profile: Profile) throws -> Learner {
    var configuration = Configuration()
    configuration.profile = profile
    return try Learner(configuration)
}

@Suite struct TermTests {
    private static let kinds = [(Profile.best, false), (.best, true), (.fast, false), (.fast, true)]

    // MARK: What it reaches

    /// Two classes and two thousand words, of which a sample has twelve, each with a say of its own.
    @Test(arguments: [(Profile.best, 0.81), (.fast, 0.75)])
    func manyWords_areLearned(profile: Profile, bound: Double) throws {
        var random = TestRandom(seed: 61)
        let says = (0..<2000).map { _ in Float.random(in: -1...1, using: &random) }
        var stream = SampleChunk(inputs: 0)
        for _ in 0..<12_000 {
            let words = (0..<12).map { _ in Int.random(in: 0..<2000, using: &random) }
            let sum = words.reduce(0) { $0 + says[$1] }
            try stream.append(
                Sample([], label: .text(sum > 0 ? "for" : "against"), terms: words.map { Term("w\($0)") }))
        }
        let learner = try learner(profile)
        let steps = learner.learn(stream)
        #expect(steps.rejections.isEmpty && learner.encoder!.isSparse)
        let right = (6000..<12_000).count { steps.predictions[$0] == steps.targets[$0] }
        #expect(Double(right) / 6000 > bound, "\(Double(right) / 6000)")
    }

    /// Columns keep their experts where terms that say nothing stand beside them.
    @Test func columns_areLearnedAsWellAsBefore() throws {
        var stream = try samples("bananas")
        var with = SampleChunk(inputs: stream.inputs)
        for i in 0..<stream.count {
            let x = Array(stream.features[i * stream.inputs..<(i + 1) * stream.inputs])
            try with.append(Sample(x, label: stream.labels[i], terms: [Term("user=\(i * 7919 % 900)")]))
        }
        stream = with
        let learner = try Learner()
        _ = learner.learn(stream)
        #expect(learner.encoder!.isSparse && learner.metrics.accuracy > 0.87, "\(learner.metrics.accuracy)")
    }

    @Test func valuesOfWords_areLearned() throws {
        var random = TestRandom(seed: 62)
        let says = (0..<500).map { _ in Float.random(in: 0...10, using: &random) }
        var stream = SampleChunk(inputs: 0)
        for _ in 0..<6000 {
            let words = (0..<5).map { _ in Int.random(in: 0..<500, using: &random) }
            let value = words.reduce(100) { $0 + says[$1] } + .random(in: 0...0.5, using: &random)
            try stream.append(Sample([], label: .number(value), terms: words.map { Term("w\($0)") }))
        }
        let learner = try Learner()
        let steps = learner.learn(stream)
        #expect(learner.task == .regression && learner.encoder!.isSparse)
        let errors = (4000..<6000).map { abs(steps.predictions[$0] - steps.targets[$0]) }
        #expect(errors.reduce(0, +) / 2000 < 2, "a deviation of the values is 6.5")
    }

    /// Labels that looked like classes, of samples that are lists already: the new committee takes lists too.
    @Test(arguments: [Profile.best, .fast])
    func classesOfWords_thatTurnIntoValues_areLearned(profile: Profile) throws {
        var random = TestRandom(seed: 75)
        var stream = SampleChunk(inputs: 0)
        for i in 0..<2000 {
            let words = (0..<5).map { _ in Int.random(in: 0..<400, using: &random) }
            let label = i < 500 ? Float(words[0] % 4) : Float(words.filter { $0 < 100 }.count) * 10 + 0.25
            try stream.append(Sample([], label: .number(label), terms: words.map { Term("w\($0)") }))
        }
        let learner = try learner(profile)
        let steps = learner.learn(stream)
        #expect(learner.encoder!.isSparse && learner.task == .regression && steps.taskBegin == 500)
        #expect(steps.rejections.isEmpty && learner.head!.committee.isSparse == (profile == .best))
        let errors = (1500..<2000).map { abs(steps.predictions[$0] - steps.targets[$0]) }
        #expect(errors.reduce(0, +) / 500 < 7, "a deviation of the values is 9.7")
        let loaded = try ModelFile.decode(try ModelFile.encode(learner, schema: nil)).0
        #expect(try state(loaded) == state(learner))
    }

    // MARK: The same bits

    @Test(arguments: kinds)
    func anySplitIntoChunks_givesTheSameBits(profile: Profile, isRegression: Bool) throws {
        let stream = try motley(count: 900, seed: 63, isRegression: isRegression, words: 600)
        let once = try learner(profile)
        _ = once.learn(stream)
        #expect(once.encoder!.isSparse)
        try expectAnyChunks(of: stream, longest: [1, 9, 300], seed: 64) { try learner(profile) }
    }

    /// Saved while samples are rows still, and when they are lists.
    @Test(arguments: kinds)
    func aLoadedModel_goesOnToTheBit(profile: Profile, isRegression: Bool) throws {
        let stream = try motley(count: 700, seed: 65, isRegression: isRegression, words: 600)
        let whole = try learner(profile)
        let expected = whole.learn(stream)
        for (stop, isSparse) in [(20, false), (500, true)] {
            let first = try learner(profile)
            _ = first.learn(stream[0..<stop])
            #expect(first.encoder!.isSparse == isSparse)
            let second = try ModelFile.decode(try ModelFile.encode(first, schema: nil)).0
            let rest = second.learn(stream[stop..<700])
            #expect(rest.losses.map(\.bitPattern) == expected.losses[stop...].map(\.bitPattern))
            #expect(try state(second) == state(whole))
        }
    }

    @Test(arguments: kinds)
    func aQuestion_changesNothing_andACopyAnswersAlike(profile: Profile, isRegression: Bool) throws {
        let stream = try motley(count: 600, seed: 66, isRegression: isRegression, words: 600)
        let learner = try learner(profile)
        _ = learner.learn(stream[0..<500])
        #expect(learner.encoder!.isSparse)
        let before = try state(learner)
        let copy = try learner.frozen()!.thawed()
        let questions = stream[500..<600].withoutLabels()
        let answers = learner.learn(questions).predictions.map(\.bitPattern)
        #expect(try state(learner) == before)
        #expect(copy.learn(questions).predictions.map(\.bitPattern) == answers)
    }

    /// A decoder tells a name once, be it to a question.
    @Test func aTermFirstAskedAbout_keepsItsName() throws {
        let learner = try Learner()
        _ = learner.learn(try SampleChunk([Sample([1], label: "a", terms: [Term("known")])]))
        var question = try SampleChunk([Sample([2], terms: [Term("asked")])])
        _ = learner.learn(question)
        question = try SampleChunk([Sample([2], label: "b", terms: [Term("asked")])])
        question.terms.names = [:]
        _ = learner.learn(question)
        #expect(learner.encoder!.names == ["known", "asked"])
    }

    /// A sample that the one network rejects takes its words back with it, and the scale.
    @Test func aRejectedSample_leavesNothing() throws {
        let stream = try motley(count: 400, seed: 67, isRegression: true, words: 600)
        var wild = SampleChunk(inputs: 3)
        for i in 0..<400 {
            let terms = stream.terms.range(of: i).map { Term("\(stream.terms.keys[$0])", stream.terms.values[$0]) }
            let x = Array(stream.features[i * 3..<(i + 1) * 3])
            if i % 40 == 39 {
                try wild.append(Sample(x, label: .number(3e38), terms: terms + [Term("new \(i)")]))
            } else {
                try wild.append(Sample(x, label: stream.labels[i], terms: terms))
            }
        }
        var configuration = Configuration()
        configuration.profile = .fast
        configuration.scaling = false
        configuration.optimizer = .sgd(0.001)
        let learner = try Learner(configuration)
        let steps = learner.learn(wild)
        #expect(learner.encoder!.isSparse && !steps.rejections.isEmpty)
        #expect(!learner.encoder!.names.contains { $0.hasPrefix("new") })
        let calm = try Learner(configuration)
        let rejected = Set(steps.rejections.map(\.index))
        for i in 0..<400 where !rejected.contains(i) { _ = calm.learn(wild[i..<i + 1]) }
        #expect(try state(calm) == state(learner))
    }

    /// Memories of wide rows hold fewer samples than those of lists, and some lists are too long for either.
    @Test(arguments: [(900, 1, 1200), (950, 115, 260)])
    func aLoadedModelOfManyColumns_goesOnToTheBit(columns: Int, words: Int, count: Int) throws {
        var random = TestRandom(seed: 70)
        var stream = SampleChunk(inputs: columns)
        for i in 0..<count {
            let x = (0..<columns).map { _ in Float.random(in: -1...1, using: &random) }
            let terms = (0..<words).map { _ in Term("w\(Int.random(in: 0..<(i < 5 ? 3 : 400), using: &random))") }
            try stream.append(Sample(x, label: .text(x[0] > 0 ? "a" : "b"), terms: terms))
        }
        let whole = try Learner()
        _ = whole.learn(stream)
        #expect(whole.encoder!.isSparse)
        let first = try Learner()
        _ = first.learn(stream[0..<count - 20])
        let second = try ModelFile.decode(try ModelFile.encode(first, schema: nil)).0
        _ = second.learn(stream[count - 20..<count])
        #expect(try state(second) == state(whole))
        _ = try whole.frozen()!.thawed()
    }

    @Test func aTermWhoseSquaresVanish_isFinite() throws {
        var stream = try motley(count: 300, seed: 71, words: 600)
        let learner = try Learner()
        _ = learner.learn(stream)
        #expect(learner.encoder!.isSparse)
        stream = SampleChunk(inputs: 3)
        for i in 0..<40 {
            // Both ways to the same input, which is then 0.
            let tiny = Float(bitPattern: 71_362)  // 1e-40
            let terms = [Term("tiny", tiny)] + (i % 2 == 0 ? [Term("tiny", -tiny)] : [])
            try stream.append(Sample([0, 0, Float(i % 3)], label: "up", terms: terms))
        }
        let steps = learner.learn(stream)
        #expect(steps.losses.allSatisfy { $0.isFinite })
        let memory = learner.head!.committee.others!.recent
        for place in memory.order {
            let row = memory.row(place)
            #expect((3..<row.count).allSatisfy { row.values[$0].isFinite })
        }
        #expect(learner.scaler!.scaled(Array(repeating: 0, count: learner.network!.inputs)).allSatisfy { $0.isFinite })
        #expect(learner.head!.committee.racers.allSatisfy { $0.network.step >= learner.step }, "none began anew")
    }

    @Test func classesBesideManyTerms_areBounded() throws {
        let learner = try Learner()
        _ = learner.learn(try motley(count: 300, seed: 72, words: 600))
        #expect(!learner.isBeyondMemory(inputs: 100_000))
        #expect(learner.isBeyondMemory(inputs: 100_000, growing: learner.outputs[0], to: 300))
    }

    /// Figures of which each could be, but not together.
    @Test(arguments: [
        (#""isSparse":true"#, #""isSparse":null"#), (#""columns":3"#, #""columns":2"#),
        (#""columns":3"#, #""columns":4"#),
    ])
    func aModelOfTermsThatCannotBe_isRefused(what: String, by other: String) throws {
        let learner = try Learner()
        _ = learner.learn(try motley(count: 300, seed: 73, words: 600))
        let bytes = try ModelFile.encode(learner, schema: nil)
        let places = bytes.indices.filter { bytes[$0...].starts(with: what.utf8) }
        #expect(!places.isEmpty)
        for place in places {
            var damaged = Array(bytes.dropLast(8))
            damaged.replaceSubrange(place..<place + other.utf8.count, with: other.utf8)
            withUnsafeBytes(of: ModelEnvelope.checksum(damaged[...]).littleEndian) { damaged.append(contentsOf: $0) }
            #expect(throws: ModelFileError.self) { try ModelFile.decode(damaged) }
        }
    }

    // MARK: Room

    @Test(arguments: [Profile.best, .fast])
    func moreTermsThanThereIsRoomFor_share(profile: Profile) throws {
        var stream = SampleChunk(inputs: 0)
        for i in 0..<3000 {
            try stream.append(
                Sample([], label: .number(Float(i % 2)), terms: [Term("id=\(i)"), Term(i % 2 == 0 ? "even" : "odd")]))
        }
        let learner = try learner(profile)
        _ = learner.learn(stream[0..<1000])
        learner.encoder!.close(at: 1100)
        let steps = learner.learn(stream[1000..<3000])
        #expect(steps.rejections.isEmpty)
        #expect(learner.encoder!.names.count == 1100 && learner.encoder!.collisions > 1800)
        #expect(steps.errors[500...].reduce(0, +) < 50)
    }

    @Test func oneLineOfWords_isLearned() throws {
        var stream = SampleChunk(inputs: 0)
        try stream.append(Sample([], label: 1, terms: (0..<20_000).map { Term("word \($0)") }))
        try stream.append(Sample([], label: 0, terms: [Term("word 7"), Term("word 20001")]))
        let learner = try Learner()
        #expect(learner.learn(stream).learned == 2)
        #expect(learner.encoder!.names.count == 20_001 && learner.encoder!.collisions == 0)
    }

    /// With this many classes the networks of 2^18 inputs would be too large for the memory there is.
    @Test func memory_isBounded() throws {
        var learner = try Learner()
        var stream = SampleChunk(inputs: 0)
        for i in 0..<300 { try stream.append(Sample([], label: .text("class \(i)"), terms: [Term("w\(i)")])) }
        _ = learner.learn(stream)
        #expect(learner.encoder!.isSparse && !learner.isBeyondMemory(inputs: 10_000))
        #expect(learner.isBeyondMemory(inputs: FeatureEncoder.limit))
        learner = try Learner()
        _ = learner.learn(stream[0..<1])
    }

    // MARK: Parts

    @Test func keys_areFound() {
        var random = TestRandom(seed: 68)
        var table = KeyTable()
        var expected: [UInt64: Int32] = [:]
        for i in 0..<5000 {
            // Some that meet in the table, and 0.
            let key = i % 3 == 0 ? UInt64(i) << 40 : i == 100 ? 0 : UInt64.random(in: 0...(.max), using: &random)
            (table[key], expected[key]) = (Int32(i), Int32(i))
        }
        #expect(table.count == expected.count)
        #expect(expected.allSatisfy { table[$0.key] == $0.value } && table[12345] == -1)
        let gone = expected.keys.filter { $0 % 2 == 0 }
        table.remove(gone)
        #expect(gone.allSatisfy { table[$0] == -1 } && table.count == expected.count - gone.count)
        #expect(expected.filter { $0.key % 2 == 1 }.allSatisfy { table[$0.key] == $0.value })
    }

    /// By the formula of the paper, a logarithm a term and class.
    @Test func naiveBayesOfTerms_isWhatItSays() {
        var random = TestRandom(seed: 69)
        var bayes = TermBayes(classes: 2)
        var (counts, totals, samples) = (
            [[Float]](repeating: [0, 0, 0], count: 40), [Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3)
        )
        let list = SparseBuffer()
        for i in 0..<200 {
            list.removeAll()
            let terms = Set((0..<5).map { _ in Int.random(in: 0..<40, using: &random) }).sorted()
            let (places, values) = list.append(1 + terms.count)
            (places[0], values[0]) = (0, 0.5)
            for (k, term) in terms.enumerated() { (places[k + 1], values[k + 1]) = (UInt32(term + 1), 2) }
            let classes = i < 100 ? 2 : 3
            var p: [Float] = [0, 0, 0, 0]
            bayes.predict(list[0], columns: 1, classes: classes, outputs: 4, into: &p)

            let known = Float(counts.count { $0 != [0, 0, 0] })
            let logs = (0..<classes).map { k in
                let seen = terms.filter {
                    counts[$0] != [0, 0, 0] || $0 < (counts.lastIndex { $0 != [0, 0, 0] } ?? -1)
                }
                return log((samples[k] + 0.5) / (Float(i) + 0.5 * Float(classes)))
                    + 0.7 * seen.reduce(Float(0)) { $0 + log((counts[$1][k] + 0.1) / (totals[k] + 0.1 * (known + 1))) }
            }
            let top = logs.max()!
            let sum = logs.reduce(0) { $0 + exp($1 - top) }
            for k in 0..<classes { #expect(abs(p[k] - exp(logs[k] - top) / sum) < 1e-4) }
            #expect(p[classes...].allSatisfy { $0 == 0 })

            let label = Int.random(in: 0..<classes, using: &random)
            bayes.learn(list[0], columns: 1, label)
            samples[label] += 1
            for term in terms { (counts[term][label], totals[label]) = (counts[term][label] + 1, totals[label] + 1) }
        }
    }
}
