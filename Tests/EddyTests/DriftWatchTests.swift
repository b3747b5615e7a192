// Drift that is configured, told and acted upon: the same at the same sample however a stream comes, each alarm once, and
// nothing because of a question.

import Foundation
import Testing

@testable import Backprop
@testable import Eddy

@Suite struct DriftWatchTests {
    // MARK: Streams

    /// A line between two classes, or a plane of values, which becomes a saddle; one sample in seven is a question.
    private func turning(
        count: Int = 1500, at change: Int = 900, isRegression: Bool = false, questions: Bool = true, seed: UInt64 = 51
    ) throws -> SampleChunk {
        var stream = SampleChunk(inputs: 2)
        var random = TestRandom(seed: seed)
        for i in 0..<count {
            let x: [Float] = [.random(in: -1...1, using: &random), .random(in: 100...300, using: &random)]
            let z = (x[1] - 200) / 100
            let y = i < change ? 3 * (x[0] + z) : 9 * x[0] * z
            let noise = Float.random(in: -0.2...0.2, using: &random)
            let label: Label =
                questions && random.oneIn(7)
                ? .none : isRegression ? .number(y + noise + 0.37) : .text(y > 0 ? "up" : "down")
            try stream.append(Sample(x, label: label))
        }
        return stream
    }

    private func configuration(
        _ detector: DriftDetection.Detector?, in sources: DriftDetection.Sources = .errors,
        _ reactions: [DriftReaction] = [], profile: Profile = .best
    ) -> Configuration {
        var configuration = Configuration()
        configuration.profile = profile
        configuration.drift = DriftDetection(detector, in: sources)
        configuration.reactions = reactions
        return configuration
    }

    /// Settings that between them use every detector and every reaction, with streams in which they come.
    private func cases() throws -> [(name: String, stream: SampleChunk, configuration: Configuration)] {
        let (classes, values) = (try turning(), try turning(isRegression: true))
        var cases: [(String, SampleChunk, Configuration)] = []
        for reaction in DriftReaction.allCases {
            cases.append((reaction.rawValue, classes, configuration(.adwin, [reaction])))
            cases.append((reaction.rawValue + ", values", values, configuration(.adwin, [reaction])))
            guard !reaction.needsCommittee else { continue }
            cases.append((reaction.rawValue + ", fast", classes, configuration(.ddm, [reaction], profile: .fast)))
            cases.append(
                (
                    reaction.rawValue + ", fast, values", values,
                    configuration(.adwin, [reaction], profile: .fast)
                ))
        }
        cases.append(
            ("loss, fast", classes, configuration(.adwin, in: .loss, [.raiseStep, .forgetScaler], profile: .fast)))
        cases.append(("all", classes, configuration(.adwin, in: [.errors, .loss, .features], DriftReaction.allCases)))
        cases.append(("Page–Hinkley", values, configuration(.pageHinkley, in: [.errors, .features], [.raiseStep])))
        cases.append(("KSWIN", classes, configuration(.kswin, in: [.errors, .loss, .features], [.forgetMemory])))
        return cases
    }

    // MARK: The same bits

    @Test func anyChunks_giveTheSameBitsAndAlarms_withEveryReaction() throws {
        for (name, stream, configuration) in try cases() {
            let whole = try Learner(configuration)
            let alarms = whole.learn(stream).drifts
            #expect(!alarms.isEmpty, "\(name): nothing is tested")
            for length in [1, 37, 64, 500] {
                let parts = try Learner(configuration)
                var told: [DriftAlarm] = []
                for first in stride(from: 0, to: stream.count, by: length) {
                    told += parts.learn(stream[first..<min(first + length, stream.count)]).drifts
                }
                #expect(told == alarms, "\(name), by \(length)")
                #expect(try state(parts) == state(whole), "\(name), by \(length)")
            }
        }
    }

    /// Stops lie before an alarm, between it and its reaction, and while a reaction lasts.
    @Test func stoppingAndLoadingAnywhere_givesTheBitsOfNeverHavingStopped() throws {
        for (name, stream, configuration) in try cases() {
            let whole = try Learner(configuration)
            let steps = whole.learn(stream)
            let alarm = try #require(steps.drifts.first { $0.watched != .feature } ?? steps.drifts.first)
            let learned = (0..<stream.count).filter { steps.wasLearned($0) }
            let place = learned[Int(alarm.step) - 1]
            for stop in [0, 700, place + 1, place + 3, place + 64, place + 100] {
                let first = try Learner(configuration)
                _ = first.learn(stream[0..<stop])
                let second = try ModelFile.decode(try ModelFile.encode(first, schema: nil)).0
                #expect(try state(second) == state(first), "\(name), loaded after \(stop)")
                _ = second.learn(stream[stop..<stream.count])
                #expect(try state(second) == state(whole), "\(name), stopped after \(stop)")
            }
        }
    }

    /// Asked after each of 200 samples around an alarm, its reaction among them.
    @Test func questions_changeNothing() throws {
        var pending: Set<String> = []
        let question = try SampleChunk([Sample([0.5, 150]), Sample([-0.5, 250])])
        for (name, stream, configuration) in try cases() {
            let alarm = try #require(try Learner(configuration).learn(stream).drifts.first)
            let learner = try Learner(configuration)
            for i in 0..<stream.count where learner.step < alarm.step + 150 {
                let isNear = learner.step + 50 > alarm.step
                let before = isNear && learner.step % 8 == 0 ? try state(learner) : nil
                if isNear { _ = learner.learn(question) }
                if let before { #expect(try state(learner) == before, "\(name), at \(learner.step)") }
                _ = learner.learn(stream[i..<i + 1])
                if learner.drift.isPending { pending.insert(name) }
                #expect(!learner.drift.isPending || learner.step % DriftWatch.period != 0, "\(name): a reaction waits")
            }
        }
        #expect(pending.count > 5, "reactions that wait for their step: only \(pending)")
    }

    // MARK: Alarms

    @Test func eachChange_isToldOnce_withWhatItWas() throws {
        let stream = try turning(questions: false)
        let learner = try Learner()
        var sentences: [String] = []
        learner.onDiscovery = { sentences.append($0) }
        let alarms = learner.learn(stream).drifts
        try #require(alarms.count == 1)
        #expect((900..<1000).contains(alarms[0].step))
        #expect(alarms[0].detector == .adwin && alarms[0].watched == .errors && alarms[0].column == nil)
        let (before, now) = (try #require(alarms[0].before), try #require(alarms[0].now))
        #expect(before < 0.15 && now > 0.3 && now <= 1, "\(alarms[0])")
        #expect(sentences.filter { $0 == alarms[0].description }.count == 1)
        #expect(alarms[0].description.hasPrefix("drift found at sample \(alarms[0].step): errors have risen, from 0."))
    }

    /// Every other column stays as it is, one is missing half of the time, and one has never varied.
    @Test(arguments: [DriftDetection.Detector.adwin, .pageHinkley, .kswin])
    func aFeatureThatChanges_isNamed(detector: DriftDetection.Detector) throws {
        for profile in Profile.allCases {
            var stream = SampleChunk(inputs: 4)
            var random = TestRandom(seed: 61)
            for i in 0..<2000 {
                let x: [Float] = [
                    .random(in: -1e-6...1e-6, using: &random),
                    random.oneIn(2) ? .nan : .random(in: 0...1, using: &random),
                    7, .random(in: 1e6...2e6, using: &random) + (i < 1200 ? 0 : 1e6),
                ]
                try stream.append(Sample(x, label: .text(x[0] > 0 ? "up" : "down")))
            }
            let learner = try Learner(configuration(detector, in: .features, profile: profile))
            learner.expectedSchema = Schema(names: ["tiny", "holes", "constant", "price"], label: nil)
            let alarms = learner.learn(stream).drifts
            try #require(alarms.count == 1, "\(alarms)")
            #expect(alarms[0].column == "price" && alarms[0].watched == .feature)
            #expect((1200..<1400).contains(alarms[0].step), "\(alarms)")
            let (before, now) = (try #require(alarms[0].before), try #require(alarms[0].now))
            #expect((1.4e6..<1.7e6).contains(before) && now > before + 2e5, "\(alarms)")
        }
    }

    @Test func aConstantFeature_thatJumps_alarms() throws {
        var stream = SampleChunk(inputs: 2)
        for i in 0..<1200 {
            try stream.append(Sample([i < 600 ? 0 : 5, Float(i % 7)], label: .text(i % 2 == 0 ? "a" : "b")))
        }
        let alarms = try Learner(configuration(.adwin, in: .features, profile: .fast)).learn(stream).drifts
        #expect(alarms.map(\.column) == ["x0"])
    }

    /// Errors of values have a unit: what is found must not depend on it.
    @Test func theUnitOfValues_doesNotMatter() throws {
        let stream = try turning(isRegression: true)
        let found = try [1, 0x1p-40, 0x1p40].map { (unit: Float) in
            var scaled = stream
            scaled.labels = Labels()
            for i in 0..<stream.count {
                if case .number(let value) = stream.labels[i] {
                    scaled.labels.append(.number(value * unit))
                } else {
                    scaled.labels.append(.none)
                }
            }
            return try Learner(configuration(.adwin, [.forgetMemory])).learn(scaled).drifts.map(\.step)
        }
        #expect(!found[0].isEmpty && found[0] == found[1] && found[0] == found[2], "\(found)")
    }

    @Test func whereNothingIsWatched_nothingIsFound() throws {
        for configuration in [configuration(nil), configuration(nil, profile: .fast), plain()] {
            let learner = try Learner(configuration)
            #expect(learner.learn(try turning()).drifts.isEmpty && learner.drift.alarms == 0)
        }
    }

    @Test func subscribersOfASession_areToldEachAlarmOnce() async throws {
        let stream = try turning()
        let session = try LearningSession(configuration(.adwin, in: [.errors, .loss]))
        let alarms = session.drifts
        let listening = Task {
            var told: [DriftAlarm] = []
            for await series in alarms { told += series.alarms }
            return told
        }
        var late = session.drifts.makeAsyncIterator()
        while !session.drifts.hasSubscribers { await Task.yield() }
        var steps: [DriftAlarm] = []
        for first in stride(from: 0, to: stream.count, by: 100) {
            steps += await session.learn(stream[first..<first + 100]).steps.drifts
        }
        #expect(!steps.isEmpty)
        #expect(await session.snapshot().newestDrift == steps.last)
        await session.finish()
        #expect(await late.next()?.alarms == steps)  // merged while it did not ask
        let told = await listening.value
        #expect(told == steps || told.isEmpty)  // empty where the task began after the last sample
    }

    @Test func alarmsThatNobodyReads_areBoundedAndCounted() {
        var series = DriftSeries([])
        for step in 1...1000 as ClosedRange<UInt64> {
            series.merge(DriftSeries([DriftAlarm(step: step, detector: .adwin, watched: .loss)]))
        }
        #expect(series.alarms.count == DriftSeries.limit && series.missed == 1000 - DriftSeries.limit)
        #expect(series.alarms.last?.step == 1000)
    }
}

extension StepChunk {
    fileprivate func wasLearned(_ index: Int) -> Bool { !targets[index].isNaN }
}
