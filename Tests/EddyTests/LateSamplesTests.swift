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
            let learned = await session.learn(decoder.decode(&rest, limit: limit))
            errors += learned.events.compactMap(\.error)
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

    /// Saved while samples wait, of columns with gaps and of words; the labels come to the loaded session.
    @Test func samplesThatWait_areInTheModelFile() async throws {
        var (head, tail) = ("{\"x\": 1, \"w\": \"a\", \"label\": \"low\"}\n", "")
        for i in 0..<60 {
            head +=
                "{\"x\": \(i % 7 == 0 ? "null" : "\(i % 9)"), \"w\": \"w\(i % 4)\", \"weight\": \(1 + i % 2), \"id\": \(i)}\n"
            tail += "{\"id\": \"\(i)\", \"label\": \"\(i % 9 > 4 ? "high" : "low")\"}\n"
        }
        let whole = try await learn(head + tail, by: 64).0.snapshot()
        #expect(whole.lateLabels.joined == 60)

        let (session, _) = try await learn(head, by: 64)
        let folder = try TemporaryFolder()
        try await session.save(to: folder.file("late.eddy"))
        let loaded = try LearningSession.load(folder.file("late.eddy"))
        #expect(await loaded.snapshot().waiting == 60)
        var decoder = SampleDecoder(schema: loaded.schema)
        var rest = Array(tail.utf8)[...]
        _ = await loaded.learn(decoder.decode(&rest))
        let end = await loaded.snapshot()
        #expect(end.parameterHash == whole.parameterHash && end.step == 61)
        #expect(end.lateLabels.joined == 60 && end.waiting == 0)
        #expect(end.lateLabels.firstErrors == whole.lateLabels.firstErrors)
        // Whoever wants the model alone has it.
        #expect(try Learner.load(folder.file("late.eddy")).learner.step == 1)
    }

    @Test func waitingSamplesThatCannotBe_areRefused() async throws {
        var late = LateSamples()
        var decoder = SampleDecoder(schema: SchemaClaim())
        var text = Array("{\"x\": 1, \"id\": \"seven\"}\n".utf8)[...]
        var rest = late.begin(decoder.decode(&text))
        #expect(late.next(of: &rest, seconds: 0)?.samples.count == 1)
        let bytes = try ModelFile.encode(try Learner(), schema: nil, waiting: late)
        #expect(try ModelFile.decodeAll(bytes).late?.waiting == 1)
        for (part, other) in [("\"samples\":1", "\"samples\":-1"), ("\"seven\"", "7"), ("{", "[")] {
            let damaged = try replacing(part, other, in: bytes, section: "waiting")
            #expect(damaged != bytes)
            #expect(throws: ModelFileError.self) { try ModelFile.decodeAll(damaged) }
        }
        for cut in [30, 60, bytes.count - 9] {
            #expect(throws: ModelFileError.self) { try ModelFile.decodeAll(Array(bytes[..<cut])) }
        }
    }
}
