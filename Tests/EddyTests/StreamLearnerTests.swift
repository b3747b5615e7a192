// The core: who decides the schema, what a question leaves behind, and what is told of samples that were not taken.

import AsyncAlgorithms
import Testing

@testable import Eddy

@Suite struct StreamLearnerTests {
    private func decode(_ text: String, _ decoder: inout SampleDecoder) -> DecodedChunk {
        var bytes = Array(text.utf8)[...]
        return decoder.decode(&bytes)
    }

    private func bytes(_ core: StreamLearner) throws -> [UInt8] {
        try ModelFile.encode(core.learner, schema: core.schema.current, waiting: core.late)
    }

    // MARK: The schema

    @Test func aProposal_isAcceptedWithTheFirstSampleThatIsTaken() throws {
        var configuration = Configuration()
        configuration.task = .regression
        let core = try StreamLearner(configuration)
        var decoder = SampleDecoder(schema: core.schema)
        let refused = core.learn(decode("a,b,label\n1,2,red\n", &decoder))
        #expect(refused.rejections.map(\.code) == [.label])
        #expect(core.schema.current == nil, "a sample that is rejected fixes nothing")
        let taken = core.learn(decode("1,2,3.5\n", &decoder))
        #expect(taken.learned == 1 && taken.labels == ["label"])
        #expect(core.schema.current?.inputs == ["a", "b"])
    }

    @Test func aSampleThatWaits_isTaken() throws {
        let core = try StreamLearner()
        var decoder = SampleDecoder(schema: core.schema)
        let held = core.learn(decode("{\"x\": 1, \"y\": 2, \"id\": \"a\"}\n", &decoder))
        #expect(held.rejections.isEmpty && core.schema.current?.inputs == ["x", "y"])
        #expect(core.learn(decode("!label a yes\n", &decoder)).learned == 1)
    }

    /// Two connections are decoded before either is learned.
    @Test func theSecondOfTwoProposals_isReadByTheFirst() throws {
        let core = try StreamLearner()
        var (one, other) = (SampleDecoder(schema: core.schema), SampleDecoder(schema: core.schema))
        let first = decode("a,b,label\n1,2,x\n", &one)
        let second = decode("b,a,label\n20,10,y\n", &other)
        #expect(first.proposal != nil && second.proposal != nil)
        #expect(core.learn(first).learned == 1)
        let fitted = core.learn(second)
        #expect(fitted.learned == 1 && fitted.samples.features == [10, 20])
        // From then on it is decoded by the accepted schema.
        let next = decode("40,30,y\n", &other)
        #expect(next.proposal == nil && next.samples.features == [30, 40])
    }

    /// What two connections say first, and how many inputs the one has that is learned first.
    private static let races = [
        ("red,1,a\n", "5,blue,b\n"), ("2020-01-05,1,a\n", "1,2,3,4,5,6,b\n"),
        ("colour,x,label\nred,1,a\n", "kind,x,label\nblue,5,b\n"),
        ("{\"x\":1,\"y\":2,\"label\":\"a\"}\n", "{\"x\":3,\"label\":\"b\"}\n"),
        ("a,b,label\n1,2,x\n", "{\"p\": 1, \"a\": 2, \"label\": \"y\"}\n!label nobody y\n"),
        ("1,2,a\n", "{\"x\":3,\"label\":\"b\"}\n"), ("x y | a:1\n", "1,2,b\n"), ("1,2,a\n", "1 |f a:1\n"),
    ]

    /// Decoded before the other was learned or after it, a connection's first lines come to the same.
    @Test(arguments: races) func aRaceOfFirstLines_isAsIfTheSecondCameLater(first: String, second: String) throws {
        let (raced, orderly) = (try StreamLearner(), try StreamLearner())
        var (one, other) = (SampleDecoder(schema: raced.schema), SampleDecoder(schema: raced.schema))
        let chunks = [decode(first, &one), decode(second, &other)]
        let learned = chunks.map { raced.learn($0) }
        var (a, b) = (SampleDecoder(schema: orderly.schema), SampleDecoder(schema: orderly.schema))
        let expected = [orderly.learn(decode(first, &a)), orderly.learn(decode(second, &b))]
        #expect(learned.map(\.learned) == expected.map(\.learned))
        #expect(learned.map(\.rejections) == expected.map(\.rejections))
        #expect(try bytes(raced) == bytes(orderly))
        let more = String(second.split(separator: "\n").last!) + "\n"
        #expect(raced.learn(decode(more, &other)).rejections == orderly.learn(decode(more, &b)).rejections)
        #expect(try bytes(raced) == bytes(orderly))
    }

    @Test(arguments: [1, 4]) func namesOfOutputs_doNotDependOnHowAStreamIsCut(lines: Int) throws {
        let core = try StreamLearner()
        var decoder = SampleDecoder(schema: core.schema)
        let text = [
            "{\"id\":\"a\",\"x\":1}\n", "{\"id\":\"b\",\"x\":2}\n!label nobody 5\n",
            "{\"x\":3,\"label\":{\"p\":1.5,\"k\":\"red\"}}\n", "{\"x\":4,\"label\":{\"p\":2.5,\"k\":\"blue\"}}\n",
        ]
        var rejected = 0
        for first in stride(from: 0, to: 4, by: lines) {
            rejected += core.learn(decode(text[first..<first + lines].joined(), &decoder)).rejections.count
        }
        #expect(core.learner.names == ["p", "k"] && core.schema.current?.labels == ["p", "k"])
        #expect(rejected == 1, "a late label that matches nothing does not say how many labels there are")
    }

    // MARK: Questions

    @Test func predicting_changesNothing() throws {
        let core = try StreamLearner()
        var decoder = SampleDecoder(schema: core.schema)
        var text = ""
        for i in 0..<200 {
            text += "{\"x\": \(i % 9), \"w\": \"word\(i % 7)\", \"label\": \"\(i % 9 > 4 ? "hi" : "lo")\"}\n"
        }
        _ = core.learn(decode(text + "{\"x\": 3, \"w\": \"word1\", \"id\": \"waits\"}\n", &decoder))
        let (before, counts, late) = (try bytes(core), core.counts, core.lateLabels.counts)
        var asking = SampleDecoder(schema: core.schema)
        let question = decode(
            """
            {"x": 4, "w": "never heard of", "label": "new class"}
            {"x": null, "w": "word2", "id": "waits"}
            {"x": 1, "id": "another"}
            oops
            !label waits hi
            !ping

            """, &asking)
        let answer = core.predict(question)
        #expect(answer.count == 3 && answer.learned == 0)
        #expect((0..<3).allSatisfy { answer.prediction(at: $0) != nil })
        #expect(answer.rejections.map(\.line) == [4, 5, 6])
        #expect(answer.rejections.map(\.code).dropFirst() == [.notASample, .notASample])
        #expect(try bytes(core) == before)
        #expect(core.counts == counts && core.lateLabels.counts == late && core.lateLabels.waiting == 1)
        // What comes later is as if nobody had asked.
        let rest = "{\"x\": 2, \"w\": \"never heard of\", \"label\": \"hi\"}\n!label waits lo\n"
        _ = core.learn(decode(rest, &decoder))
        let unasked = try StreamLearner()
        var own = SampleDecoder(schema: unasked.schema)
        _ = unasked.learn(decode(text + "{\"x\": 3, \"w\": \"word1\", \"id\": \"waits\"}\n", &own))
        _ = unasked.learn(decode(rest, &own))
        #expect(try bytes(core) == bytes(unasked))
    }

    @Test func aQuestionBeforeTheFirstSample_isRejected_andFixesNothing() throws {
        let core = try StreamLearner()
        let answer = core.predict(try SampleChunk([Sample([1, 2])]))
        #expect(answer.rejections.map(\.code) == [.noLabelYet] && core.schema.current == nil)
    }

    // MARK: Rejections

    @Test func rejections_areInTheOrderOfTheLines() throws {
        let core = try StreamLearner()
        var decoder = SampleDecoder(schema: core.schema)
        let learned = core.learn(
            decode("1,2,a\noops,2,a\n1,2\n3,4,b\n1,2,3,4,5\n!label nobody a\n1,2,a\n", &decoder))
        #expect(learned.rejections.map(\.line) == [2, 5, 6])
        #expect(learned.rejections.map(\.code) == [.value, .fieldCount, .noWaitingSample])
        #expect(learned.learned == 3 && learned.predicted == 1)
        #expect(core.counts.rejected == 3 && core.counts.latestRejections.map(\.error.line) == [2, 5, 6])
    }

    @Test func aBadSampleAmongGoodOnes_isARejection_andTheSequenceGoesOn() async throws {
        let session = try LearningSession()
        let arrays = [
            [Sample([1, 2], label: "a"), Sample([.infinity, 2], label: "a"), Sample([3, 4], label: "b")],
            [Sample([1, 2, 3], label: "a"), Sample([5, 6], label: "a")],
        ]
        var found: [[Int]] = []
        for await learned in arrays.async.learned(by: session) {
            found.append([learned.learned] + learned.rejections.map(\.line))
        }
        #expect(found == [[2, 2], [1, 1]])
        var single: [Int] = []
        for await learned in [Sample([.nan, 1], label: "b"), Sample([], label: "b"), Sample([1, 1], label: "b")].async
            .learned(by: session)
        {
            single.append(learned.rejections.count)
        }
        #expect(single == [0, 1, 0], "a feature that is NaN is missing")
    }

    private struct SourceError: Error {}

    private struct FailingSource: AsyncSequence, AsyncIteratorProtocol {
        typealias Element = Sample
        typealias Failure = SourceError
        var count = 0

        func makeAsyncIterator() -> FailingSource { self }

        mutating func next() async throws(SourceError) -> Sample? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(SourceError) -> Sample? {
            count += 1
            if count > 3 { throw SourceError() }
            return Sample([Float(count)], label: "a")
        }
    }

    @Test func aSourcesFailure_isCarriedThrough_withItsType() async throws {
        let session = try LearningSession()
        var learned = 0
        do throws(SourceError) {
            for try await chunk in FailingSource().learned(by: session) { learned += chunk.learned }
            Issue.record("the source fails")
        } catch {
            let _: SourceError = error
        }
        #expect(learned == 3)
    }

    // MARK: Replies

    @Test func replies_areTheSame_whateverTheirSource() async throws {
        let text = "x,y,label\n1,2,a\n!ping\n3,4,b\n!reply json\n5,6,\n"
        func replies(_ pieces: [[UInt8]], _ framing: ByteFraming) async throws -> [String] {
            let session = try LearningSession()
            var replies: [String] = []
            let learned = pieces.async.samples(for: session, framing: framing).learned(by: session)
            for await bytes in learned.replies(as: .predictions, framing: framing) {
                replies.append(String(decoding: bytes, as: UTF8.self))
            }
            return replies
        }
        let whole = try await replies([Array(text.utf8)], .stream)
        #expect(whole.joined().split(separator: "\n").count == 4)
        #expect(whole.joined().hasPrefix("!none line=2\n!pong\na "))
        #expect(try await replies(text.utf8.map { [$0] }, .stream).joined() == whole.joined())
        // A message's end ends its last line, and each message has one reply, which may be empty.
        let messages = text.split(separator: "\n").map { Array($0.utf8) }
        let answers = try await replies(messages, .messages)
        #expect(answers.count == messages.count && answers[0].isEmpty && answers.joined() == whole.joined())
    }

    @Test func aTally_saysWhetherARunFailed() throws {
        func tally(_ text: String) throws -> SampleTally {
            let core = try StreamLearner()
            var decoder = SampleDecoder(schema: core.schema)
            var tally = SampleTally()
            tally.add(core.learn(decode(text, &decoder)))
            return tally
        }
        let good = try tally("1,2,a\n3,4,b\n5,6,\nbad,1,a\n")
        #expect(!good.isFailure && good.learned == 2 && good.predicted == 1 && good.rejected == 1)
        #expect(good.labels == ["label"] && good.commonestRejection?.count == 1)
        #expect(good.commonestRejection?.field == "x0" && good.commonestRejection?.expected == "number")
        #expect(try tally("1,2,a\n").isFailure, "one sample is next to nothing")
        #expect(try tally("1,2,a\n3,4,b\nbad,2,a\nbad,2,a\nbad,2,a\n").isFailure)
    }
}
