// What a session keeps of recent samples, against plain lists of them all.

import Synchronization
import Testing

@testable import Eddy

@Suite struct ObservationsTests {
    /// A clock that goes on by hand.
    private final class Clock: Sendable {
        let time = Mutex(1_000.0)
        var now: Double { time.withLock { $0 } }
        func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
    }

    /// A session that observes, after a stream in chunks of a given length, and its steps one after another.
    private func observed(
        _ chunk: SampleChunk, chunkLength: Int, _ configuration: Configuration = Configuration(), clock: Clock = Clock()
    ) async throws -> (session: LearningSession, steps: [StepChunk]) {
        let session = try LearningSession(configuration)
        await session.observe { clock.now }
        var steps: [StepChunk] = []
        for first in stride(from: 0, to: chunk.count, by: chunkLength) {
            steps.append(await session.learn(chunk[first..<min(first + chunkLength, chunk.count)]).steps)
            clock.advance(0.01)
        }
        return (session, steps)
    }

    private func observations(_ session: LearningSession) async throws -> Observations {
        try #require(await session.withObservations { $0 })
    }

    @Test(arguments: ["iris", "trump_approval", "phishing"])
    func observing_changesNoBitOfTheWeights(name: String) async throws {
        let stream = try samples(name)
        let plain = try LearningSession()
        await plain.learn(stream)
        for length in [1, 33, 5000] {
            let (session, _) = try await observed(stream, chunkLength: length)
            #expect(await session.snapshot().parameterHash == plain.snapshot().parameterHash)
        }
        #expect(await plain.withObservations { $0.recent.count } == nil, "nothing is kept unasked")
    }

    // MARK: Confusion and residuals

    @Test(arguments: [1, 64, 4000])
    func confusion_equalsBruteForce(chunkLength: Int) async throws {
        let (session, steps) = try await observed(try samples("digits"), chunkLength: chunkLength)
        let matrix = try #require(try await observations(session).confusion)
        let classes = await session.snapshot().classes
        #expect(matrix.classes == classes && classes.count == 10 && matrix.others == 0)
        let pairs = steps.flatMap { zip($0.targets, $0.predictions) }
        var total = [[UInt64]](repeating: Array(repeating: 0, count: 10), count: 10)
        var recent = total
        #expect(pairs.filter { $1.isNaN }.count == 1, "of the first sample nothing is predicted")
        for (i, (target, prediction)) in pairs.enumerated() where !prediction.isNaN {
            total[Int(target)][Int(prediction)] += 1
            if i >= pairs.count - 1000 { recent[Int(target)][Int(prediction)] += 1 }
        }
        #expect(matrix.total == total && matrix.recent == recent && matrix.recentCount == 1000)
    }

    @Test func moreThanSixteenClasses_areCountedAsOthers() async throws {
        var random = TestRandom(seed: 3)
        let stream = try SampleChunk(
            (0..<3000).map { i in
                Sample([Float(i % 20), Float.random(in: 0...1, using: &random)], label: .text("class \(i % 20)"))
            })
        let (session, steps) = try await observed(stream, chunkLength: 100)
        let matrix = try #require(try await observations(session).confusion)
        #expect(matrix.classes.count == 16 && matrix.others == 4 && matrix.total.count == 16)
        let shown = steps.flatMap { zip($0.targets, $0.predictions) }.filter { $0 < 16 && $1 < 16 }.count
        #expect(matrix.total.flatMap { $0 }.reduce(0, +) == UInt64(shown))
    }

    @Test func residuals_areOfTheNewestThousand() async throws {
        let stream = try samples("trump_approval")
        let (session, steps) = try await observed(stream, chunkLength: 7)
        let all = steps.flatMap { zip($0.targets, $0.predictions) }.map { $0 - $1 }.filter { !$0.isNaN }.suffix(1000)
        let seen = try await observations(session)
        let residuals = try #require(seen.residuals)
        #expect(seen.confusion == nil && residuals.count == all.count)
        let histogram = residuals.histogram(bins: 32)
        #expect(histogram.min == Double(all.min()!) && histogram.max == Double(all.max()!))
        #expect(histogram.counts.count == 32 && histogram.counts.reduce(0, +) == all.count)
        let mean = all.reduce(0) { $0 + Double($1) } / Double(all.count)
        #expect(abs(residuals.mean - mean) < 1e-9 && residuals.deviation > 0)
    }

    @Test func histograms_countEveryValue() {
        #expect(Histogram([0, 1, 2, 9], bins: 3).counts == [3, 0, 1])
        #expect(Histogram([4, 4], bins: 3).counts == [2, 0, 0])
        #expect(Histogram([], bins: 2) == Histogram([0], bins: 2).emptied)
        let wide = Histogram([-.greatestFiniteMagnitude, .greatestFiniteMagnitude], bins: 24)
        #expect(wide.counts.first == 1 && wide.counts.last == 1)
    }

    // MARK: Samples

    @Test(arguments: [1, 10, 300, 2000])
    func recentSamples_areTheNewest512_byStep(chunkLength: Int) async throws {
        var stream = try samples("phishing")
        for i in stride(from: 0, to: stream.count, by: 5) where i > 0 { stream.labels[i] = .none }  // predicted only
        let (session, steps) = try await observed(stream, chunkLength: chunkLength)
        let seen = try await observations(session)
        #expect(seen.recent.count == 512)
        let losses = steps.flatMap(\.losses)
        let learned = losses.indices.filter { !losses[$0].isNaN }
        for age in [0, 1, 200, 511] {
            let index = learned[learned.count - 1 - age]
            let sample = seen.recent.sample(age: age)
            #expect(sample.step == UInt64(learned.count - age))
            #expect(sample.features == stream[index..<index + 1].features && sample.loss == losses[index])
            #expect(sample.label == .text(label(stream.labels[index])))
            #expect(seen.sample(step: sample.step) == sample)
        }
        #expect(seen.recent.sample(step: UInt64(learned.count) - 512) == nil)
        #expect(seen.recent.sample(step: UInt64(learned.count) + 1) == nil && seen.recent.sample(step: 0) == nil)
    }

    private func label(_ label: Label) -> String {
        switch label {
        case .none: "none"
        case .number(let value): ClassTable.name(of: value)
        case .text(let name): name
        }
    }

    @Test(arguments: [(600, 436), (262_144, 1), (262_145, 0)])
    func wideSamples_areFewer(inputs: Int, count: Int) async throws {
        let session = try LearningSession(
            inputs: inputs, layers: [.dense(2)], loss: .crossEntropy, optimizer: .sgd(0.001))
        await session.observe()
        let sample = Sample((0..<inputs).map { Float($0 % 7) }, label: 1)
        for _ in 0..<(inputs > 1000 ? 3 : 600) { try await session.learn(sample) }
        let seen = try await observations(session)
        #expect(seen.recent.count == count)
        let largest = seen.largestLosses.samples(at: 0)
        #expect(!largest.isEmpty && largest.allSatisfy { $0.features.isEmpty == (inputs > LargestLosses.inputLimit) })
    }

    @Test func largestLosses_areThoseOfTheLastMinute() async throws {
        let stream = try samples("bananas")[0..<3000]
        let clock = Clock()
        let session = try LearningSession()
        await session.observe { clock.now }
        var learned: [(time: Double, loss: Float)] = []
        for first in stride(from: 0, to: 3000, by: 30) {
            let steps = await session.learn(stream[first..<first + 30]).steps
            for loss in steps.losses { learned.append((clock.now, loss)) }
            clock.advance(1)  // 100 seconds in all
        }
        let last = clock.now - 1
        let seen = try await observations(session)
        let told = seen.largestLosses.samples(at: last)
        let minute = learned.enumerated().filter { $0.element.time >= last - 60 }
        let expected = minute.sorted { $0.element.loss > $1.element.loss }.prefix(10)
        #expect(told.map(\.loss) == expected.map(\.element.loss))
        for sample in told {
            let index = Int(sample.step) - 1
            #expect(sample.loss == learned[index].loss && sample.features == stream[index..<index + 1].features)
            #expect(seen.sample(step: sample.step) == sample)
        }
        #expect(seen.largestLosses.samples(at: last + 100).isEmpty)
    }

    // MARK: The rest

    @Test func rejections_areCountedByReason() async throws {
        let session = try LearningSession()
        await session.observe()
        try await session.learn(Sample([1, 2], label: "a"))
        for _ in 0..<3 { await session.learn(try SampleChunk([Sample([1, 2, 3], label: "a")])) }
        let events = (0..<20).map { number in
            DecodedEvent(
                index: 0, line: number,
                kind: .rejected(SampleError(line: number, expected: "reason \(number)", got: "x")))
        }
        await session.learn(DecodedChunk(samples: SampleChunk(inputs: 2), lines: [], events: events), from: "test")
        let reasons = try #require(await session.withObservations { $0.rejections.reasons.map { "\($0)" } })
        #expect(reasons.count == 17)
        #expect(reasons.first?.contains("2 features") == true && reasons.first?.contains("3") == true)
        #expect(reasons.last?.contains("other") == true && reasons.last?.contains("5") == true)
    }

    @Test(arguments: [1, 5, 64])
    func history_holdsEveryLearnedSample(chunkLength: Int) async throws {
        var stream = try samples("iris")
        for i in 20..<30 { stream.labels[i] = .none }
        let (session, steps) = try await observed(stream, chunkLength: chunkLength)
        let rows = try await observations(session).history.rows(by: .steps)
        let losses = steps.flatMap(\.losses).filter { !$0.isNaN }
        let errors = steps.flatMap(\.errors).filter { !$0.isNaN }
        #expect(rows.map(\.step) == Array(1...140) && rows.map(\.mean) == losses.map { Double($0) })
        #expect(rows.map(\.error) == errors.map { Double($0) })
        #expect(rows.last!.baseline > 1 && rows.last!.baseline < 1.2, "some log 3")
    }

    @Test(arguments: [1, 3, 100])
    func classesThatTurnIntoRegression_beginAnew(chunkLength: Int) async throws {
        let stream = try SampleChunk(
            (0..<60).map { (i: Int) -> Sample in
                let label: Float = i < 25 ? Float(i % 2) : Float(i) + 0.5
                return Sample([Float(i), Float(i % 3)], label: .number(label))
            })
        let (session, steps) = try await observed(stream, chunkLength: chunkLength)
        let seen = try await observations(session)
        #expect(seen.confusion == nil && seen.residuals?.count == 34)
        let rows = seen.history.rows(by: .steps)
        #expect(rows.map(\.step) == Array(26...60))
        #expect(rows.map(\.mean) == steps.flatMap(\.losses).suffix(35).map { Double($0) })
        #expect(seen.recent.count == 35 && seen.recent.sample(step: 26)?.label == .number(25.5))
        #expect(seen.recent.sample(step: 25) == nil && seen.largestLosses.sample(step: 25) == nil)
    }

    @Test func errorsOfSteps_areWhatMetricsCount() throws {
        let learner = try Learner()
        let steps = learner.learn(try samples("iris"))
        #expect(abs(steps.errors.reduce(0, +) / 150 - Float(1 - learner.metrics.accuracy)) < 1e-6)
        let regression = try Learner()
        let errors = regression.learn(try samples("trump_approval")).errors
        #expect(errors[0].isNaN && errors.dropFirst().allSatisfy { !$0.isNaN })
        let mean = errors.dropFirst().reduce(0) { $0 + Double($1) } / Double(errors.count - 1)
        #expect(abs(mean - regression.metrics.meanAbsoluteError) < 1e-6)
    }
}

extension Histogram {
    fileprivate var emptied: Histogram {
        var histogram = self
        histogram.counts = counts.map { _ in 0 }
        return histogram
    }
}
