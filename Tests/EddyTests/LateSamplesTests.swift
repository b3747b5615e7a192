// Late labels in a stream: decoded from each format, joined in their place, and learned as if they had come in time.

import Testing

@testable import Eddy

@Suite struct LateSamplesTests {
    private func decode(_ text: String) -> [DecodedEvent] {
        var decoder = SampleDecoder(schema: SchemaClaim())
        var bytes = Array(text.utf8)[...]
        return decoder.decode(&bytes).events
    }

    /// Learns a stream in pieces of so many samples.
    private func learn(_ text: String, by limit: Int) async throws -> (LearningSession, [SampleError]) {
        let session = try LearningSession()
        var decoder = SampleDecoder(schema: session.schema)
        var rest = Array(text.utf8)[...]
        var errors: [SampleError] = []
        while !rest.isEmpty {
            var chunk = decoder.decode(&rest, limit: limit)
            _ = await session.learn(&chunk)
            errors += chunk.events.compactMap(\.error)
        }
        return (session, errors)
    }

    @Test func directiveAndBareObject_areLateLabels() throws {
        let late = DecodedEvent.Kind.lateLabel(try LateLabel(id: "a7", label: .text("yes")))
        #expect(decode("1,2,no\n!label a7 yes\n").map(\.kind) == [late])
        #expect(decode("1,2,no\n!label a7 yes\n").map(\.index) == [1])
        #expect(decode("1 |f x:1\n!label a7 yes\n").map(\.kind) == [late])
        #expect(decode("1 1:2\n!label a7 yes\r\n").map(\.kind) == [late])
        #expect(decode("{\"id\": \"a7\", \"label\": \"yes\"}\n").map(\.kind) == [late])
        #expect(decode("{\"x\": 1, \"label\": 2}\n{\"label\": \"yes\", \"id\": \"a7\"}\n").map(\.kind) == [late])
    }

    @Test func halfALateLabel_isARejectedLine() {
        for line in ["!label a7", "!label", "{\"id\": \"a7\", \"label\": null}", "{\"id\": \"a7\"}"] {
            let events = decode("{\"x\": 1, \"label\": 2}\n\(line)\n")
            #expect(events.count == 1 && events.first?.error?.line == 2, "\(line)")
        }
    }

    @Test func lateLabels_learnTheSameBitsAsInTime_howeverTheStreamIsCut() async throws {
        var (inTime, late) = ("", "")
        for i in 0..<300 {
            let features = "\"x\": \(Float(i % 17) / 17), \"city\": \"c\(i % 5)\", \"weight\": \(1 + i % 2)"
            let label = i % 17 > 8 ? "high" : "low"
            inTime += "{\(features), \"label\": \"\(label)\"}\n"
            late += "{\(features), \"id\": \(i)}\n"
            late += i % 2 == 0 ? "!label \(i) \(label)\n" : "{\"id\": \"\(i)\", \"label\": \"\(label)\"}\n"
        }
        let expected = try await learn(inTime, by: 64).0.snapshot()
        for limit in [1, 7, 4096] {
            let (session, errors) = try await learn(late, by: limit)
            let snapshot = await session.snapshot()
            #expect(errors.isEmpty)
            #expect(snapshot.step == 300)
            #expect(snapshot.parameterHash == expected.parameterHash, "cut at \(limit)")
            #expect(snapshot.metrics.meanLoss == expected.metrics.meanLoss)
            #expect(snapshot.lateLabels.joined == 300 && snapshot.waiting == 0)
            #expect(snapshot.lateLabels.compared == 299)  // of the first nothing could be said
            #expect(snapshot.lateLabels.firstErrors == 299 * (snapshot.lateLabels.firstError ?? .nan))
        }
    }

    @Test func firstError_isThatOfTheFirstAnswer_inOneChunkOrMany() async throws {
        var text = "{\"x\": 1, \"label\": \"a\"}\n{\"x\": -1, \"label\": \"b\"}\n"
        for i in 0..<40 { text += "{\"x\": \(i % 2 == 0 ? 1 : -1), \"id\": \(i)}\n" }
        for i in 0..<40 { text += "!label \(i) \(i % 2 == 0 ? "a" : "b")\n" }
        let whole = try await learn(text, by: 4096).0.snapshot().lateLabels
        let cut = try await learn(text, by: 3).0.snapshot().lateLabels
        #expect(whole.compared == 40 && whole == cut)
    }

    @Test func unknownId_isAnErrorAtTheId_andChangesNothing() async throws {
        let text = "1,2,a\n2,1,b\n"
        let (session, errors) = try await learn(text + "!label nobody a\n", by: 64)
        #expect(errors.map(\.field) == ["id"] && errors.map(\.line) == [3])
        let snapshot = await session.snapshot()
        #expect(snapshot.lateLabels.unmatched == 1)
        let without = try await learn(text, by: 64).0.snapshot()
        #expect(snapshot.parameterHash == without.parameterHash)
    }

    @Test func sampleInProcess_waitsForItsLabel() async throws {
        let session = try LearningSession()
        try await session.learn(Sample([1, 2], label: "a"))
        try await session.learn(Sample([2, 1], id: "7"))
        #expect(await session.snapshot().waiting == 1)
        let steps = try await session.learn(LateLabel(id: "7", label: "b"))
        #expect(steps.learned == 1)
        await #expect(throws: SampleError.self) { try await session.learn(LateLabel(id: "7", label: "b")) }
        // A question is no sample: nothing waits.
        var question = SampleChunk(inputs: 2)
        try question.append(Sample([2, 1], id: "8"))
        await session.learn(question.withoutLabels())
        #expect(await session.snapshot().waiting == 0)
    }
}
