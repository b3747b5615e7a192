// Class imbalance: rare classes weigh as much as common ones, where that is asked for.

import Foundation
import Testing

@testable import Eddy

/// Two overlapping classes, of which one comes once in a hundred times.
private func rare(_ count: Int = 6000, seed: UInt64 = 4) throws -> SampleChunk {
    var random = TestRandom(seed: seed)
    var chunk = SampleChunk(inputs: 3)
    for _ in 0..<count {
        let isRare = random.oneIn(100)
        // Sums of three uniform numbers: nearly normal, deviation 1.
        let x = (0..<3).map { j -> Float in
            let noise = (0..<3).reduce(Float(0)) { sum, _ in sum + .random(in: -1...1, using: &random) }
            return noise + (isRare && j < 2 ? 1.5 : 0)
        }
        try chunk.append(Sample(x, label: isRare ? "rare" : "common", weight: random.oneIn(4) ? 0.5 : 1))
    }
    return chunk
}

private func configurations() -> [Configuration] {
    var best = Configuration()
    best.balance = true
    var fast = Configuration()
    fast.balance = true
    fast.profile = .fast
    return [best, fast]
}

/// Of a class, how many were found.
private func recall(_ learner: Learner, _ name: String) throws -> Double {
    let index = try #require(learner.classes.firstIndex(of: name))
    return try #require(learner.metrics.classification(over: .all)).classes[index].recall
}

@Suite struct ClassBalanceTests {
    @Test func aWeight_isSamplesOverClassesTimesTheClasss() {
        var balance = ClassBalance(counts: [7, 2], classes: 2)
        #expect(balance.weigh(0) == Float(11.0 / (2 * 8)))
        #expect(balance.weigh(1) == Float(12.0 / (2 * 3)))
        #expect(balance.weigh(1) == Float(13.0 / (2 * 4)))
        var first = ClassBalance(counts: [], classes: 1)
        #expect(first.weigh(0) == 1 && first.weigh(0) == 1)
        var extreme = ClassBalance(counts: [100_000, 0, 0], classes: 2)
        #expect(extreme.weigh(1) == 10 && extreme.weigh(0) > 0.49)
        var many = ClassBalance(counts: [100_000] + Array(repeating: 1, count: 50), classes: 51)
        #expect(many.largest == 10 && many.weigh(0) == 0.1)
    }

    @Test func rareClasses_areFound_whereBalanceIsAskedFor() throws {
        let stream = try rare()
        for configuration in configurations() {
            var usual = configuration
            usual.balance = false
            let (balanced, plain) = (try Learner(configuration), try Learner(usual))
            _ = balanced.learn(stream)
            _ = plain.learn(stream)
            #expect(try recall(balanced, "rare") > recall(plain, "rare") + 0.15)
            let figures = try #require(balanced.metrics.classification(over: .all))
            #expect(figures.balancedAccuracy > plain.metrics.classification(over: .all)!.balancedAccuracy + 0.05)
            #expect(figures.balancedAccuracy == (try recall(balanced, "rare") + recall(balanced, "common")) / 2)
            #expect(figures.samples == 6000, "metrics count each sample once")
        }
    }

    @Test func anySplitIntoChunks_andAnySave_givesTheSameBits() throws {
        let stream = try rare(700)
        for configuration in configurations() {
            let whole = try Learner(configuration)
            _ = whole.learn(stream)
            for length in [1, 7, 300] {
                var learner = try Learner(configuration)
                for first in stride(from: 0, to: stream.count, by: length) {
                    _ = learner.learn(stream[first..<min(first + length, stream.count)])
                    if first % 5 == 0 || length > 1, first % 2 == 0 {
                        if length > 1 { learner = try ModelFile.decode(try state(learner)).0 }
                    }
                }
                #expect(try state(learner) == state(whole))
            }
        }
    }

    @Test func balanceIsOffByDefault_setsNoProfile_andIsNotInOrdinaryFiles() throws {
        var configuration = Configuration()
        #expect(!configuration.balance)
        configuration.balance = true
        #expect(configuration.profile == .best && configuration.balance)
        let text = { String(decoding: try JSONEncoder().encode($0 as Configuration), as: UTF8.self) }
        #expect(try text(configuration).contains("isBalanced"))
        configuration.balance = false
        #expect(configuration == Configuration())
        #expect(try !text(configuration).contains("alanced"))
        configuration.balance = true
        configuration.task = .regression
        #expect(throws: ArchitectureError.self) { try Learner(configuration) }
    }

    @Test func values_areNotConcerned() throws {
        let stream = try samples("trump_approval")
        for configuration in configurations() {
            var usual = configuration
            usual.balance = false
            let (balanced, plain) = (try Learner(configuration), try Learner(usual))
            let (steps, expected) = (balanced.learn(stream), plain.learn(stream))
            #expect(steps.losses.map(\.bitPattern) == expected.losses.map(\.bitPattern))
        }
    }
}
