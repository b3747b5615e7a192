// The committee: what it reaches on real streams with nothing configured, that it is a function of seed and stream alone,
// and that each of its experts is what it says.

import Foundation
import Testing

@testable import Backprop
@testable import Eddy

/// A stream of everything at once: numbers, gaps, words, weights, late classes, samples without a label.
func motley(count: Int, seed: UInt64, isRegression: Bool = false, words wordCount: Int = 60) throws -> SampleChunk {
    var chunk = SampleChunk(inputs: 3)
    var random = TestRandom(seed: seed)
    let words = (0..<wordCount).map { "word=\($0)" }
    for i in 0..<count {
        var x: [Float] = (0..<3).map { _ in .random(in: -2...2, using: &random) }
        let word = Int.random(in: 0..<min(wordCount, 2 + i / 4 * (wordCount / 60)), using: &random)
        let target = x[0] * 3 + (word % 2 == 0 ? 4 : -1) + x[1] * x[2]
        if random.oneIn(9) { x[Int.random(in: 0..<3, using: &random)] = .nan }
        if random.oneIn(50) { x[1] = 1e20 }
        let label: Label =
            random.oneIn(7)
            ? .none : isRegression ? .number(target) : .text(target > 2 ? i > 300 ? "late" : "up" : "down")
        try chunk.append(
            Sample(
                x, label: label, weight: random.oneIn(5) ? 0.5 : 1,
                terms: [Term(words[word]), Term("height", Float(i % 3))]))
    }
    return chunk
}

extension [Float] {
    /// These numbers as a whole row.
    func asRow<Result>(_ body: (SampleRow) -> Result) -> Result {
        withUnsafeBufferPointer { body(SampleRow(values: $0.baseAddress!, places: nil, count: count)) }
    }
}

@Suite struct CommitteeTests {
    // MARK: What it reaches

    /// One pass over real streams, one and the same configuration. The bounds are below the medians of ten seeds.
    @Test(arguments: [("phishing", 0.900), ("bananas", 0.880), ("digits", 0.945), ("breast_cancer", 0.950)])
    func withNothingConfigured_classesAreLearnedWell(name: String, bound: Double) throws {
        let learner = try Learner()
        _ = learner.learn(try samples(name))
        #expect(learner.metrics.accuracy >= bound)
    }

    @Test func withNothingConfigured_aDriftingValueIsFollowed() throws {
        let learner = try Learner()
        _ = learner.learn(try samples("trump_approval"))
        #expect(learner.metrics.meanAbsoluteError < 0.21)
    }

    /// One value in a hundred a thousand times too large.
    @Test func outliers_doLittleHarm() throws {
        var stream = try samples("bananas")
        var random = TestRandom(seed: 3)
        for i in stream.features.indices where random.oneIn(100) { stream.features[i] *= 1000 }
        let learner = try Learner()
        _ = learner.learn(stream)
        #expect(learner.metrics.accuracy > 0.87)
    }

    @Test func aTargetBeyondAllOthers_throwsNobody() throws {
        var stream = try samples("trump_approval")
        stream.labels[400] = .number(3e38)
        stream.labels[600] = .number(-3e38)
        let learner = try Learner()
        let steps = learner.learn(stream)
        #expect(steps.rejections.isEmpty && steps.predictions.dropFirst().allSatisfy { $0.isFinite })
        let late = steps.errors[700...].sorted()
        #expect(late[late.count / 2] < 5)
    }

    // MARK: The same bits

    @Test(arguments: [false, true])
    func anySplitIntoChunks_givesTheSameBits(isRegression: Bool) throws {
        let stream = try motley(count: 700, seed: 5, isRegression: isRegression)
        try expectAnyChunks(of: stream, longest: [1, 7, 300], seed: 8) { try Learner() }
    }

    @Test func anotherSeed_givesOthers() throws {
        let stream = try samples("iris")
        let losses = try [UInt64(1), 1, 2].map { seed in
            var configuration = Configuration()
            configuration.seed = seed
            return try Learner(configuration).learn(stream).losses
        }
        #expect(losses[0] == losses[1] && losses[0] != losses[2])
    }

    @Test func aQuestion_changesNothing() throws {
        let stream = try motley(count: 200, seed: 6)
        let learner = try Learner()
        _ = learner.learn(stream[0..<150])
        let before = try state(learner)
        _ = learner.learn(stream[150..<200].withoutLabels())
        _ = try learner.predict([1, .nan, 3])
        #expect(try state(learner) == before)
    }

    @Test func aLoadedCommittee_goesOnToTheBit() throws {
        for isRegression in [false, true] {
            let stream = try motley(count: 400, seed: 9, isRegression: isRegression)
            let whole = try Learner()
            let expected = whole.learn(stream)
            let first = try Learner()
            _ = first.learn(stream[0..<220])
            let second = try ModelFile.decode(try ModelFile.encode(first, schema: nil)).0
            let rest = second.learn(stream[220..<400])
            #expect(rest.losses.map(\.bitPattern) == expected.losses[220...].map(\.bitPattern))
            #expect(try state(second) == state(whole))
        }
    }

    @Test func allKernels_voteAlike() throws {
        let stream = try samples("iris")
        let hashes = try Kernels.available.map { kernels in
            let learner = try Learner()
            _ = learner.learn(stream[0..<1])
            for racer in learner.head!.committee.racers { racer.network.kernels = kernels }
            learner.head!.committee.others!.neighbours!.kernels = kernels
            learner.head!.committee.others!.forest!.grower.kernels = kernels
            var hash = FNV1a()
            for i in 1..<100 {
                // A class found meanwhile makes new networks, which choose again.
                for racer in learner.head!.committee.racers { racer.network.kernels = kernels }
                for loss in learner.learn(stream[i..<i + 1]).losses { hash.add(loss) }
            }
            return hash.value
        }
        #expect(Set(hashes).count == 1)
    }

    // MARK: Drift

    /// After 2,000 samples there is nothing left to be learned: one alarm or two, none before, and the same for any chunks.
    @Test func aStreamThatChanges_raisesAnAlarm() throws {
        var stream = SampleChunk(inputs: 2)
        var random = TestRandom(seed: 41)
        for i in 0..<4000 {
            let x: [Float] = [.random(in: -1...1, using: &random), .random(in: -1...1, using: &random)]
            let isAbove = i < 2000 ? x[0] + x[1] > 0 : random.oneIn(2)
            try stream.append(Sample(x, label: .text(isAbove ? "above" : "below")))
        }
        let whole = try Learner()
        var told: [String] = []
        whole.onDiscovery = { told.append($0) }
        let alarms = whole.learn(stream).drifts
        #expect((1...3).contains(alarms.count) && alarms.allSatisfy { $0.step > 2000 && $0.step < 2600 }, "\(alarms)")
        #expect(told.filter { $0.contains("drift found") }.count == alarms.count)
        let parts = try Learner()
        var others: [DriftAlarm] = []
        for first in stride(from: 0, to: 4000, by: 37) {
            others += parts.learn(stream[first..<min(first + 37, 4000)]).drifts
        }
        #expect(others == alarms)
        #expect(try state(parts) == state(whole))
    }

    // MARK: What comes when

    @Test func aClassThatComesLate_isLearned() throws {
        let stream = try motley(count: 3000, seed: 11)
        let learner = try Learner()
        let steps = learner.learn(stream)
        #expect(learner.classes == ["up", "down", "late"] || learner.classes == ["down", "up", "late"])
        let index = Float(learner.classes.firstIndex(of: "late")!)
        let late = (2000..<3000).filter { steps.targets[$0] == index }
        let right = late.filter { steps.predictions[$0] == index }
        #expect(Double(right.count) > 0.85 * Double(late.count))
    }

    @Test func wordsAndGaps_areInputs() throws {
        let stream = try motley(count: 2000, seed: 12)
        let learner = try Learner()
        _ = learner.learn(stream)
        let names = learner.encoder!.names
        #expect(names.contains("word=0") && names.contains("x1 is missing") && names.contains("height"))
        #expect(Set(names).count == names.count)
        #expect(learner.network!.inputs >= 3 + names.count)
        // Whether the word is even decides four fifths of the target.
        let plain = try Learner()
        var without = stream
        without.terms = Terms()
        _ = plain.learn(without)
        #expect(learner.metrics.accuracy > plain.metrics.accuracy + 0.05)
    }

    @Test(arguments: [Profile.best, .fast])
    func aFeatureGivenTwice_whoseSumOverflows_leavesEverythingFinite(profile: Profile) throws {
        var configuration = Configuration()
        configuration.profile = profile
        let learner = try Learner(configuration)
        for i in 0..<50 {
            let huge = i % 10 == 3 ? [Term("a", 3e38), Term("a", 3e38)] : [Term("a", 1)]
            _ = learner.learn(try SampleChunk([Sample([], label: .number(Float(i % 2)), terms: huge)]))
        }
        #expect(learner.scaler!.means.allSatisfy { $0.isFinite } && learner.scaler!.squares.allSatisfy { $0.isFinite })
    }

    // MARK: Damaged files

    /// Figures that cannot be, with a checksum that is right.
    @Test(arguments: [
        (#""leader":"#, #""leader":9"#), (#""experts":10"#, #""experts":11"#), (#""columns":4"#, #""columns":7"#),
        (#""forgetting":0.9995"#, #""forgetting":9.9995"#),
    ])
    func aModelThatCannotBe_isRefused(what: String, by other: String) throws {
        let learner = try Learner()
        _ = learner.learn(try samples("iris"))
        var bytes = try ModelFile.encode(learner, schema: nil)
        let place = try #require(bytes.indices.first { bytes[$0...].starts(with: what.utf8) }, "\(what)")
        bytes.replaceSubrange(place..<place + other.utf8.count, with: other.utf8)
        bytes.removeLast(8)
        withUnsafeBytes(of: ModelEnvelope.checksum(bytes[...]).littleEndian) { bytes.append(contentsOf: $0) }
        #expect(throws: ModelFileError.self) { try ModelFile.decode(bytes) }
    }

    /// A column that is missing for the first time after a load is called what it is called in the header.
    @Test func whatIsMissingAfterALoad_keepsItsName() throws {
        let schema = Schema(names: ["alpha", "beta"], label: "label")
        let learner = try Learner()
        learner.expectedSchema = schema
        let gap = try SampleChunk([Sample([.nan, 1], label: .text("a"))])
        _ = learner.learn(try SampleChunk((0..<5).map { Sample([Float($0), 1], label: .text($0 < 2 ? "a" : "b")) }))
        let loaded = try ModelFile.decode(try ModelFile.encode(learner, schema: schema)).0
        _ = learner.learn(gap)
        _ = loaded.learn(gap)
        #expect(learner.encoder!.names.contains("alpha is missing"))
        #expect(try state(loaded) == state(learner))
    }

    /// Importance beside balance, both huge: everything stays finite, and the model can be read.
    @Test func weightsBeyondAllBounds_leaveEverythingFinite() throws {
        var configuration = Configuration()
        configuration.balance = true
        let learner = try Learner(configuration)
        var random = TestRandom(seed: 71)
        for i in 0..<300 {
            let x: [Float] = [.random(in: -1...1, using: &random), .random(in: -1...1, using: &random)]
            let weight: Float = i % 3 == 0 ? 3e38 : 1
            let label = Label.text(random.oneIn(9) ? "rare" : "common")
            let steps = learner.learn(try SampleChunk([Sample(x, label: label, weight: weight)]))
            #expect(steps.losses.allSatisfy { $0.isFinite || i == 0 })
        }
        #expect(learner.head!.committee.weights.allSatisfy { $0.isFinite })
        let loaded = try ModelFile.decode(try ModelFile.encode(learner, schema: nil)).0
        #expect(try state(loaded) == state(learner))
    }

    /// How important samples are is not how rare their classes are: what changes into lists does not take it for that.
    @Test func importance_isNotBalance_whenRowsBecomeLists() throws {
        func losses(weight: Float) throws -> Double {
            var configuration = Configuration()
            configuration.balance = true
            let learner = try Learner(configuration)
            var random = TestRandom(seed: 72)
            var sum = 0.0
            for i in 0..<700 {
                let isUp = random.oneIn(2)
                let x: [Float] = [isUp ? .random(in: -1...2, using: &random) : .random(in: -2...1, using: &random)]
                let words = i < 200 ? [] : (0..<3).map { _ in Term("w\(random.next() % 400)", 1) }
                let sample = Sample(x, label: .text(isUp ? "up" : "down"), weight: weight, terms: words)
                let steps = learner.learn(try SampleChunk([sample]))
                if i > 250 { sum += Double(steps.losses[0]) }
            }
            #expect(learner.head!.committee.isSparse)
            return sum / 449
        }
        #expect(try losses(weight: 1000) < 1.25 * losses(weight: 1))
    }

    // MARK: Experts

    @Test func whatIsMissing_isAsNearAsCanBe() throws {
        var neighbours = NearestNeighbours(inputs: 2, capacity: 16)
        for (i, x) in [[0, Float.nan], [5, 0], [0.5, 9]].enumerated() {
            neighbours.insert(x, target: Float(i), at: i)
        }
        for kernels in Kernels.available {
            neighbours.kernels = kernels
            neighbours.find([0.1, .nan], factors: [1, 1])
            #expect(Array(neighbours.ofLong.found) == [0, 2, 1], "\(kernels)")
            neighbours.find([0.5, 9], factors: [1, 1])
            #expect(Array(neighbours.ofShort.found) == [2, 0, 1], "\(kernels)")
        }
    }

    @Test func neighbours_areTheNearest() throws {
        var random = TestRandom(seed: 21)
        var neighbours = NearestNeighbours(inputs: 5, capacity: 1000)
        var all: [[Float]] = []
        let factors: [Float] = [1, 0.5, 2, 0, 3]
        for i in 0..<1500 {
            let x = (0..<5).map { _ in Float.random(in: -1...1, using: &random) }
            if i % 50 == 49 {
                neighbours.find(x, factors: factors)
                let distances = all.suffix(1000).map { old in
                    zip(zip(old, x), factors).reduce(Float(0)) { sum, pair in
                        let d = (pair.0.0 - pair.0.1) * pair.1
                        return sum + d * d
                    }
                }
                let places = (max(0, all.count - 1000)..<all.count).map { $0 % 1000 }
                let long = zip(distances, places).sorted { $0.0 < $1.0 }.prefix(10).map(\.1)
                #expect(Array(neighbours.ofLong.found) == long)
                let short = zip(distances, places).suffix(250).sorted { $0.0 < $1.0 }.prefix(7).map(\.1)
                #expect(Array(neighbours.ofShort.found) == short)
            }
            neighbours.insert(x, target: Float(i), at: i % 1000)
            all.append(x)
        }
    }

    /// Among many equally far, and in ranges that end anywhere.
    @Test func candidates_holdTheLeast_onAllKernels() throws {
        var random = TestRandom(seed: 24)
        for round in 0..<60 {
            let count = Int.random(in: 1...500, using: &random)
            let distances = AlignedBuffer(count: count)
            for i in 0..<distances.count {
                let isCoarse = round % 2 == 0
                distances.floats[i] = isCoarse ? Float(random.next() % 4) : .random(in: 0...1, using: &random)
            }
            let (first, second) = (Int.random(in: 0...count, using: &random), Int.random(in: 0...count, using: &random))
            let ranges = (0..<min(first, second), max(first, second)..<count)
            let among = (Array(ranges.0) + Array(ranges.1)).map { distances.floats[$0] }
            var all: Set<[UInt32]> = []
            for kernels in Kernels.available {
                var (places, values) = ([Int32](repeating: 0, count: 48), [Float](repeating: 0, count: 48))
                let (left, bound) = kernels.candidates(
                    among: distances, ranges, k: 7, limit: 48, places: &places, values: &values)
                all.insert([UInt32(left), bound.bitPattern] + places.map { UInt32($0) } + values.map(\.bitPattern))
                let nearest = Nearest(7)
                nearest.find(among: ranges, distances, kernels)
                #expect(nearest.found.map { distances.floats[$0] } == Array(among.sorted().prefix(7)))
                #expect(Set(nearest.found).count == nearest.found.count)
            }
            #expect(all.count == 1)
        }
    }

    /// Rounding in one half of the covariance that is not in the other would be forgotten never, and grow.
    @Test func leastSquares_keepTheirCovarianceSymmetric() throws {
        struct Saved: Decodable { let covariance: [Double] }
        var random = TestRandom(seed: 23)
        var scaler = FeatureScaler(inputs: 3, isRobust: true)
        var squares = LeastSquares(inputs: 3, outputs: 1, isFree: true)
        var factors: [Float] = [0, 0, 0]
        for _ in 0..<9000 {
            let a = Float.random(in: -1...1, using: &random)
            let x: [Float] = [a, a + .random(in: -1e-3...1e-3, using: &random), .random(in: 3...9, using: &random)]
            scaler.update(x)
            scaler.factors(into: &factors)
            var z: [Float] = [0, 0, 0]
            x.asRow { scaler.scale($0, factors: factors, into: &z) }
            let scale = factors.withUnsafeBufferPointer { scaler.scale(factors: $0.baseAddress!) }
            squares.take(z, scale)
            squares.learn(scale) { _ in Double(a) }
        }
        let saved = try JSONDecoder().decode(Saved.self, from: try JSONEncoder().encode(squares))
        for i in 0..<4 {
            for j in 0..<i { #expect(saved.covariance[i * 4 + j] == saved.covariance[j * 4 + i]) }
        }
    }

    /// A noiseless linear map is known exactly after some more samples than it has coefficients, wherever its inputs lie.
    @Test func leastSquares_findALinearMap() throws {
        var random = TestRandom(seed: 22)
        var scaler = FeatureScaler(inputs: 3, isRobust: true)
        var squares = LeastSquares(inputs: 3, outputs: 1, forgetting: 1, isFree: true)
        var factors: [Float] = [0, 0, 0]
        var error = 0.0
        for i in 0..<3000 {
            let x: [Float] = [
                .random(in: 1000...1010, using: &random), .random(in: -1e-3...1e-3, using: &random), Float(i % 7),
            ]
            let y = 5 + 0.5 * Double(x[0]) - 2000 * Double(x[1]) + Double(x[2])
            scaler.update(x)
            scaler.factors(into: &factors)
            var z: [Float] = [0, 0, 0]
            x.asRow { scaler.scale($0, factors: factors, into: &z) }
            let scale = factors.withUnsafeBufferPointer { scaler.scale(factors: $0.baseAddress!) }
            squares.take(z, scale)
            if i > 1000 { error = max(error, abs(squares.output(0) - y)) }
            squares.learn(scale) { _ in y }
        }
        #expect(error < 0.02, "of values some 500 to 515")
    }

    @Test func naiveBayes_countsWhatItWasShown() throws {
        var bayes = NaiveBayes(inputs: 2)
        for i in 0..<100 { bayes.learn([i % 2 == 0 ? -1 : 1, 0], i % 2) }
        var p: [Float] = [0, 0, 0]
        bayes.predict([1, 0], classes: 2, outputs: 3, into: &p)
        #expect(p[1] > 0.95 && abs(p[0] + p[1] - 1) < 1e-5 && p[2] == 0)
    }

    @Test func aReservoir_holdsEverySampleWithEqualProbability() throws {
        var kept = [Int](repeating: 0, count: 10)
        for seed in 0..<300 {
            let memory = ReplayMemory(.reservoir, inputs: 1, capacity: 16)
            for i in 0..<400 {
                var random = SeededRandom(seed: UInt64(seed), stream: UInt64(i))
                _ = [Float(i)].asRow { memory.insert($0, target: Float(i), weight: 1, &random) }
            }
            for place in 0..<memory.count { kept[Int(memory.targets[place]) / 40] += 1 }
        }
        // Each tenth of the stream should have a tenth of 4,800; six deviations are some 125.
        #expect(kept.allSatisfy { abs($0 - 480) < 125 }, "\(kept)")
    }

    @Test func theNewest_areDrawnMoreOften() throws {
        let memory = ReplayMemory(.recent, inputs: 1, capacity: 100)
        var random = SeededRandom(seed: 1)
        for i in 0..<250 { _ = [Float(i)].asRow { memory.insert($0, target: Float(i), weight: 1, &random) } }
        let drawn = (0..<4000).map { _ in memory.targets[memory.draw(&random)!] }
        #expect(drawn.allSatisfy { $0 >= 150 })
        let newer = drawn.filter { $0 >= 200 }.count  // 1/√2 of them
        #expect(abs(newer - 2828) < 180)
    }

    /// However badly the others do, the vote is not much worse than the best: within what the theorem allows, and ln 2.
    @Test func theVote_followsTheBestExpert() throws {
        var vote = ClassVote(experts: 3)
        var random = TestRandom(seed: 31)
        var (best, own) = (0.0, 0.0)
        for i in 0..<3000 {
            let label = Int.random(in: 0..<2, using: &random)
            let good = i < 1500 ? 0 : 2  // which one changes half way
            let opinions: [Float] = (0..<3).flatMap { e -> [Float] in
                let p: Float = e == good ? 0.9 : .random(in: 0.05...0.95, using: &random)
                return label == 0 ? [p, 1 - p] : [1 - p, p]
            }
            var answer: [Float] = [0, 0]
            vote.decide(opinions, stride: 2, classes: 2, into: &answer)
            #expect(abs(answer[0] + answer[1] - 1) < 1e-5)
            vote.learn(label, classes: 2)
            best -= log(0.9)
            own -= log(Double(answer[label]))
        }
        #expect(own < best + 60, "of some 2,000 for a coin")
    }
}
