// What each reaction to drift does, which are refused, and that files from before there was a choice are still read.

import Foundation
import Testing

@testable import Backprop
@testable import Eddy

@Suite struct DriftReactionTests {
    /// Classes on either side of a line, then of a saddle.
    private func stream(count: Int, at change: Int) throws -> SampleChunk {
        var stream = SampleChunk(inputs: 2)
        var random = TestRandom(seed: 71)
        for i in 0..<count {
            let x: [Float] = [.random(in: -1...1, using: &random), .random(in: -1...1, using: &random)]
            try stream.append(Sample(x, label: .text((i < change ? x[0] + x[1] : x[0] * x[1]) > 0 ? "up" : "down")))
        }
        return stream
    }

    /// A learner right before its first reaction, and the stream behind it.
    private func learner(_ reactions: [DriftReaction], profile: Profile = .best) throws -> (Learner, SampleChunk) {
        var configuration = Configuration()
        configuration.profile = profile
        configuration.drift = DriftDetection()
        configuration.reactions = reactions
        let stream = try stream(count: 3000, at: 1500)
        let step = Int(try #require(try Learner(configuration).learn(stream).drifts.first).step)
        let stop = (step + 63) / 64 * 64
        let learner = try Learner(configuration)
        _ = learner.learn(stream[0..<stop - 1])
        #expect(learner.drift.isPending == (step < stop))
        return (learner, stream[stop - 1..<3000])
    }

    @Test func forgetMemory_replaysWhatIsNew() throws {
        let (learner, rest) = try learner([.forgetMemory])
        let others = { learner.head!.committee.others! }
        #expect(others().reservoir.count == 1000)
        _ = learner.learn(rest[0..<1])
        #expect(others().reservoir.count == 50 && others().recent.count == 1000)
        _ = learner.learn(rest[1..<2])
        #expect(others().reservoir.count == 51 && others().replayLimit == 50)
        _ = learner.learn(rest[2..<65])
        _ = learner.learn(rest[65..<66])
        #expect(others().replayLimit == 114)
    }

    @Test func raiseStep_doublesLearningRates_whichFallBack() throws {
        for profile in Profile.allCases {
            let (learner, rest) = try learner([.raiseStep], profile: profile)
            var factors: [Float] = []
            for i in 0..<rest.count where factors.count < 700 {
                _ = learner.learn(rest[i..<i + 1])
                let networks = learner.head!.committee.racers.map(\.network.rateFactor)
                #expect(Set(networks).count == 1)
                factors.append(networks[0])
            }
            // The first sample brings the reaction about, and is learned before it.
            #expect(factors[0] == 1 && factors[1] == 2 && factors[64] == 2 && factors[65] == 1.875)
            #expect(factors[512] == 1.125 && factors[513] == 1 && factors[1...].sorted(by: >) == Array(factors[1...]))
        }
    }

    @Test func restartWeakest_beginsOneNetworkAnew() throws {
        let (learner, rest) = try learner([.restartWeakest])
        #expect(learner.head!.committee.racers.allSatisfy { $0.network.step > 1000 })
        _ = learner.learn(rest[0..<1])
        let weights = learner.head!.committee.weights[..<4]
        let weakest = try #require(weights.firstIndex(of: weights.min()!))
        let steps = learner.head!.committee.racers.map(\.network.step)
        #expect(steps[weakest] == 0 && steps.filter { $0 > 0 }.count == 3)
    }

    @Test func forgetScaler_keepsMomentsAndTheirWeightIsThatOf100Samples() throws {
        for profile in Profile.allCases {
            let (learner, rest) = try learner([.forgetScaler], profile: profile)
            var known = try #require(learner.scaler)
            rest.features.withUnsafeBufferPointer { known.update($0.baseAddress!) }
            _ = learner.learn(rest[0..<1])
            let scaler = try #require(learner.scaler)
            #expect(scaler.count == 100 && known.count > 1000 && scaler.means == known.means)
            let (mine, its) = (scaler.scaled([0.5, -0.5]), known.scaled([0.5, -0.5]))
            #expect(zip(mine, its).allSatisfy { abs($0 - $1) < 1e-5 })
        }
    }

    /// Missing values and terms have counts of their own.
    @Test func aScalerThatForgets_keepsDeviationsOfGapsAndTerms() throws {
        var scaler = FeatureScaler(inputs: 4, isRobust: true)
        var random = TestRandom(seed: 5)
        func sample() -> [Float] {
            [.random(in: 0...9, using: &random), random.oneIn(3) ? .nan : .random(in: 0...1, using: &random), 0, 3]
        }
        let list = SparseBuffer()
        for i in 0..<500 {
            if i == 100 { scaler.becomeSparse(columns: 2) }
            guard i >= 100 else {
                scaler.update(sample())
                continue
            }
            list.removeAll()
            let (places, values) = list.append(3)
            for (k, x) in sample().enumerated() where k != 2 { values[k == 3 ? 2 : k] = x }
            (places[0], places[1], places[2]) = (0, 1, 3)
            scaler.update(list[0])
        }
        let x: [Float] = [4, 0.5, 0, 2]
        let before = scaler.scaled(x)
        scaler.weigh(by: 0.1)
        #expect(abs(scaler.count - 50) < 1e-9)
        #expect(zip(before, scaler.scaled(x)).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    /// A new concept is followed sooner by a committee that forgets what it replays.
    @Test func forgettingTheMemory_helpsAfterAChange() throws {
        let stream = try stream(count: 3000, at: 1500)
        let errors = try [[DriftReaction.forgetMemory], []].map { reactions in
            var configuration = Configuration()
            configuration.reactions = reactions
            return try Learner(configuration).learn(stream).errors[1500...].reduce(0, +)
        }
        #expect(errors[0] < 0.92 * errors[1], "\(errors)")
    }

    // MARK: What is refused

    @Test func contradictions_areRefusedWithTheirReason() {
        func refused(_ reason: String, _ change: (inout Configuration) -> Void) {
            var configuration = Configuration()
            change(&configuration)
            let error = #expect(throws: ArchitectureError.self) { try configuration.validate() }
            #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        }
        refused("in nothing") { $0.drift = DriftDetection(.adwin, in: []) }
        refused("in nothing") { $0.drift = DriftDetection(.adwin, in: .init(rawValue: 8)) }
        refused("DDM watches errors of classes") { $0.drift = DriftDetection(.ddm, in: .loss) }
        refused("DDM watches errors of classes") { $0.drift = DriftDetection(.ddm, in: [.errors, .features]) }
        refused("these labels are values") {
            $0.task = .regression
            $0.drift = DriftDetection(.ddm)
        }
        refused("named twice") { $0.reactions = [.raiseStep, .raiseStep] }
        refused("name a detector") {
            $0.drift = .off
            $0.reactions = [.raiseStep]
        }
        refused("name a detector") {
            $0.profile = .fast
            $0.reactions = [.forgetScaler]
        }
        for reaction in [DriftReaction.forgetMemory, .restartWeakest] {
            refused("\(reaction.rawValue) where one network learns alone") {
                $0.profile = .fast
                $0.drift = DriftDetection()
                $0.reactions = [reaction]
            }
        }
        refused("no learning rate") {
            $0.optimizer = .cocob()
            $0.drift = DriftDetection()
            $0.reactions = [.raiseStep]
        }
        refused("without scaling") {
            $0.scaling = false
            $0.drift = DriftDetection()
            $0.reactions = [.forgetScaler]
        }
    }

    @Test func whatTheStreamDoesNotAllow_isSaidOnce_andTheRestIsLearned() throws {
        func learn(_ configuration: Configuration, _ samples: [Sample]) throws -> (Learner, said: [String]) {
            let learner = try Learner(configuration)
            var said: [String] = []
            learner.onDiscovery = { said.append($0) }
            for sample in samples { #expect(learner.learn(try SampleChunk([sample])).rejections.isEmpty) }
            #expect(learner.step == UInt64(samples.count))
            let file = try ModelFile.decode(try ModelFile.encode(learner, schema: nil)).0
            #expect(try state(file) == state(learner) && file.unwatched == learner.unwatched)
            return (learner, said.filter { $0.contains("not watched for drift") })
        }
        var ddm = Configuration()
        ddm.drift = DriftDetection(.ddm)
        let values = (0..<20).map { Sample([Float($0), 1], label: .number(Float($0) + 0.25)) }
        let (learner, said) = try learn(ddm, values)
        #expect(said.count == 1 && said[0].contains("these labels are values") && learner.unwatched == said[0])

        // Classes by number that turn out to be values.
        let classes = (0..<20).map { Sample([Float($0), 1], label: .number(Float($0 % 3))) }
        #expect(try learn(ddm, classes).said.isEmpty)
        let turned = try learn(ddm, classes + values)
        #expect(turned.0.task == .regression && turned.said == said)
        // A watch that is left out is as none.
        var none = Configuration()
        none.drift = .off
        #expect(try learn(none, classes + values).0.network!.flatParameters == turned.0.network!.flatParameters)

        var features = Configuration()
        features.drift = DriftDetection(.adwin, in: [.errors, .features])
        for (columns, fits) in [(128, true), (129, false)] {
            let samples = (0..<5).map { _ in Sample(Array(repeating: 1, count: columns), label: .text("a")) }
            let (learner, said) = try learn(features, samples)
            #expect(said.count == (fits ? 0 : 1) && learner.unwatched == said.first)
            if !fits { #expect(said[0].contains("129 columns, expected at most 128")) }
        }
    }

    /// Classes become values: errors of one are no errors of the other.
    @Test func aTaskThatTurns_beginsItsWatchAnew() throws {
        var stream = SampleChunk(inputs: 1)
        for i in 0..<600 {
            try stream.append(
                Sample([Float(i % 5)], label: .number(i < 300 ? Float(i % 2) : Float(i % 5) * 1000 + 0.5)))
        }
        let learner = try Learner()
        #expect(learner.learn(stream).drifts.isEmpty)
        #expect(learner.task == .regression)
    }

    // MARK: Files

    @Test func aWatchThatDoesNotFit_isRefused() throws {
        let learner = try Learner()
        _ = learner.learn(try stream(count: 300, at: 300))
        let bytes = try ModelFile.encode(learner, schema: nil)
        let changes: [(inout [String: Any]) -> Void] = [
            { $0["performance"] = [Any]() }, { $0["reactedAt"] = 64_000 }, { $0["reactedAt"] = 63 },
            { $0["columns"] = $0["performance"] }, { $0["detection"] = ["detector": "kswin", "sources": 1] },
        ]
        for change in changes {
            let bad = try rewritten(bytes) { header in
                var drift = header["drift"] as! [String: Any]
                change(&drift)
                header["drift"] = drift
            }
            #expect(throws: ModelFileError.self) { try ModelFile.decode(bad) }
        }
        #expect(try ModelFile.decode(rewritten(bytes) { _ in }).0.step == 300)
    }

    /// The bytes with the JSON of the first output changed.
    private func rewritten(_ bytes: [UInt8], _ change: (inout [String: Any]) throws -> Void) throws -> [UInt8] {
        var envelope = try ModelEnvelope(bytes)
        let place = try #require(envelope.sections.firstIndex { $0.name == "output" })
        let json = try JSONSerialization.jsonObject(with: Data(envelope.sections[place].json))
        var output = try #require(json as? [String: Any])
        try change(&output)
        envelope.sections[place].json = [UInt8](try JSONSerialization.data(withJSONObject: output))
        return envelope.bytes
    }
}
