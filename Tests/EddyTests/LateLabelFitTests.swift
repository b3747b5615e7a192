// A label that does not fit leaves its sample waiting, wherever the stream is cut; so does the stream's first sample.

import Testing

@testable import Eddy

@Suite struct LateLabelFitTests {
    /// What came of each line, and what is left.
    private struct Course {
        var lines: [String] = []
        var hash: UInt64?
        var counts: LateLabelCounts
        var waiting: Int
        var samples: [UInt64]
        var reasons: [String]
    }

    /// Learns a stream in pieces of so many samples.
    private func course(
        _ text: String, by limit: Int, _ configuration: Configuration, _ limits: LateLabelLimits = LateLabelLimits()
    ) async throws -> Course {
        let session = try LearningSession(configuration, lateLabels: limits)
        var decoder = SampleDecoder(schema: session.schema)
        var rest = Array(text.utf8)[...]
        var lines: [(line: Int, what: String)] = []
        while !rest.isEmpty {
            let chunk = await session.learn(decoder.decode(&rest, limit: limit))
            let steps = chunk.steps
            lines += chunk.events.map { ($0.line, "\($0.kind)") }
            for (i, line) in chunk.lines.enumerated() {
                let error = steps.rejections.first { $0.index == i }?.error
                let id = chunk.samples.identifiers[i] ?? ""
                let said = steps.predictions(at: i).map { $0.map { "\($0)" } ?? "nothing" }
                lines.append((line, error?.expected ?? "\(id) \(said) \(steps.losses[i])"))
            }
        }
        let snapshot = await session.snapshot()
        let counts = await session.sampleCounts
        return Course(
            lines: lines.sorted { $0.line < $1.line }.map { "\($0.line): \($0.what)" }, hash: snapshot.parameterHash,
            counts: snapshot.lateLabels, waiting: snapshot.waiting,
            samples: [counts.learned, counts.predicted, counts.rejected],
            reasons: counts.latestRejections.map { "\($0.error)" })
    }

    private var fast: Configuration {
        var configuration = Configuration()
        configuration.hiddenLayers = [.dense(4, .tanh)]
        return configuration
    }

    @Test(arguments: [1, 3, 4096]) func labelThatDoesNotFit_leavesItsSampleWaiting(limit: Int) async throws {
        let begin = "{\"x\": 1, \"label\": 1.5}\n{\"x\": 2, \"label\": 40.5}\n{\"x\": 3, \"id\": \"a\"}\n"
        for bad in ["!label a nonsense\n", "{\"id\": \"a\", \"label\": \"nonsense\"}\n"] {
            let found = try await course(begin + bad + "!label a 2.5\n", by: limit, fast)
            let wanted = try await course(begin + "!label a 2.5\n", by: limit, fast)
            #expect(
                found.lines[3] == "4: a number, since the task is regression; the sample waits on", "\(found.lines)")
            #expect(found.reasons.count == 1 && found.reasons[0].contains("line=4 field=label"))
            #expect(found.hash == wanted.hash && found.counts == wanted.counts)
            #expect(found.counts.joined == 1 && found.counts.compared == 1 && found.waiting == 0)
            #expect(found.samples == [3, 1, 1])
        }
        let left = try await course(begin + "!label a nonsense\n", by: limit, fast)
        #expect(left.waiting == 1 && left.counts.joined == 0 && left.counts.compared == 0)
    }

    @Test func itsAgeGoesOn() async throws {
        let begin = "{\"x\": 1, \"label\": 1.5}\n{\"x\": 3, \"id\": \"a\"}\n!label a nonsense\n"
        for (others, waiting) in [(1, 1), (2, 0)] {
            let text = begin + String(repeating: "{\"x\": 1, \"label\": 2.5}\n", count: others) + "!label b 1\n"
            for limit in [1, 4096] {
                let found = try await course(text, by: limit, fast, LateLabelLimits(seconds: .infinity, age: 2))
                #expect(found.waiting == waiting && found.counts.expired == UInt64(1 - waiting), "\(others) others")
            }
        }
    }

    /// A sample sent again, whole, with a label that does not fit: as any bad line, it changes nothing.
    @Test func sampleThatComesAgainAndDoesNotFit_replacesNothing() async throws {
        let begin = "{\"x\": 1, \"label\": 1.5}\n{\"x\": 3, \"id\": \"a\"}\n"
        for limit in [1, 4096] {
            let bad = "{\"x\": 4, \"id\": \"a\", \"label\": \"nonsense\"}\n"
            let found = try await course(begin + bad + "!label a 2.5\n", by: limit, fast)
            #expect(found.counts.joined == 1 && found.counts.replaced == 0, "\(found.lines)")
            let good = try await course(begin + bad.replacing("\"nonsense\"", with: "7.5"), by: limit, fast)
            #expect(good.counts.joined == 0 && good.counts.replaced == 1 && good.waiting == 0)
        }
    }

    /// Small tables, few ids, labels good and bad, classes that turn out to be values: cut anywhere, the same comes out.
    @Test(arguments: 0..<30 as Range<UInt64>) func chunksDoNotMatter(seed: UInt64) async throws {
        var random = TestRandom(seed: seed)
        var text = "{\"x\": 0.5, \"id\": 9}\n"
        for i in 0..<120 {
            let isLate = i > 60 || seed % 2 == 0
            let good =
                isLate
                ? "\(Float.random(in: -2...2, using: &random))" : "\(Int.random(in: 0...2, using: &random))"
            let label = Int.random(in: 0..<3, using: &random) > 0 ? good : "nonsense"
            let id = Int.random(in: 0..<5, using: &random)
            let x = Float.random(in: -1...1, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: text += "{\"x\": \(x), \"id\": \(id)}\n"
            case 4..<7: text += isLate ? "!label \(id) \(label)\n" : "!label \(id) \(good)\n"
            case 7:
                let label = isLate && label == "nonsense" ? "\"nonsense\"" : good
                text += "{\"x\": \(x), \"id\": \(id), \"label\": \(label)}\n"
            case 8: text += "{\"x\": \(x), \"label\": \(good)}\n"
            default: text += "{\"x\": \"odd\", \"label\": \(good)}\n!ping\n"
            }
        }
        let limits = [
            LateLabelLimits(samples: 2, seconds: .infinity), LateLabelLimits(seconds: .infinity, age: 3),
            LateLabelLimits(bytes: 420, seconds: .infinity), LateLabelLimits(),
        ][Int(seed / 2 % 4)]
        let single = try await course(text, by: 1, fast, limits)
        #expect(single.counts.joined > 0)
        for limit in [2, 7, 4096] {
            let other = try await course(text, by: limit, fast, limits)
            let first = zip(other.lines, single.lines).first { $0 != $1 }
            #expect(first == nil && other.lines.count == single.lines.count, "cut at \(limit): \(first ?? ("", ""))")
            #expect(other.counts == single.counts && other.waiting == single.waiting, "cut at \(limit)")
            #expect(other.hash == single.hash && other.samples == single.samples && other.reasons == single.reasons)
        }
    }

    @Test func stepsPutTogether_sayWhereTheTaskBegins() throws {
        var stream = SampleChunk(inputs: 1)
        for i in 0..<8 { try stream.append(Sample([Float(i)], label: .number(i < 5 ? Float(i % 2) : 2.5))) }
        let whole = try Learner(fast).learn(stream)
        #expect(whole.taskBegin == 5)
        for cut in 1..<8 {
            let learner = try Learner(fast)
            var steps = learner.learn(stream[0..<cut])
            steps.append(contentsOf: learner.learn(stream[cut..<8]))
            #expect(steps.taskBegin == 5 && steps.classes == whole.classes && steps.learned == 8, "cut at \(cut)")
            #expect(steps.losses == whole.losses)
            #expect(steps.predictions.map(\.bitPattern) == whole.predictions.map(\.bitPattern))
            #expect((0..<8).allSatisfy { steps.task(at: $0) == whole.task(at: $0) })
        }
    }

    // MARK: Before the first label

    @Test(arguments: [1, 4096]) func sampleBeforeTheFirstLabel_waits_andIsNoError(limit: Int) async throws {
        let found = try await course(
            "{\"x\": 1, \"id\": \"a\"}\n{\"x\": 2}\n{\"x\": 2, \"id\": \"b\"}\n!label a 1.5\n", by: limit, fast)
        #expect(found.lines[0] == "1: a [\"nothing\"] nan")
        #expect(found.lines[1] == "2: a label, since nothing has been learned yet")  // nothing will come for it
        #expect(found.samples == [1, 2, 1] && found.waiting == 1)
        #expect(found.counts.joined == 1 && found.counts.compared == 0)
    }

    @Test func sampleThatMayNotWait_isAnErrorAsEver() async throws {
        let found = try await course("{\"x\": 1, \"id\": \"a\"}\n", by: 1, fast, LateLabelLimits(samples: 0))
        #expect(found.samples == [0, 0, 1] && found.waiting == 0)
    }

    @Test func sampleOfTheFirstIdInProcess_waits() async throws {
        let session = try LearningSession()
        let steps = try await session.learn(Sample([1, 2], id: "7"))
        #expect(steps.rejections.isEmpty && steps.predicted == 1 && steps.prediction(at: 0) == nil)
        await #expect(throws: SampleError.self) { try await session.learn(Sample([1, 2])) }
        #expect(try await session.learn(LateLabel(id: "7", label: "b")).learned == 1)
    }

    /// Nothing is known of either output.
    @Test func ofSeveralOutputsToo() async throws {
        let session = try LearningSession()
        let steps = try await session.learn(Sample([1, 2], id: "7"))
        #expect(steps.rejections.isEmpty)
        try await session.learn(Sample([2, 1], label: 1.5, furtherLabels: ["red"]))
        #expect(try await session.learn(LateLabel(id: "7", label: 2.5, furtherLabels: ["blue"])).learned == 1)
        await #expect(throws: SampleError.self) { try await session.learn(LateLabel(id: "7", label: 2.5)) }
    }
}
