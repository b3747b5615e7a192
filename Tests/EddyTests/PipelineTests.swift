// Pipelines as an embedder writes them: any asynchronous sequence of samples, chunks or bytes, learned by a session.

import AsyncAlgorithms
import Synchronization
import Testing

@testable import Eddy

@Suite struct PipelineTests {
    private struct Broken: Error {}

    /// Elements one by one, counting how many were asked for, and failing after the last where told so.
    private struct Source<Element: Sendable>: AsyncSequence, Sendable {
        let elements: [Element]
        var asked = Counter()
        var fails = false

        struct Iterator: AsyncIteratorProtocol {
            let source: Source
            var next = 0

            mutating func next() async throws -> Element? {
                source.asked.add()
                guard next < source.elements.count else {
                    if source.fails { throw Broken() }
                    return nil
                }
                next += 1
                return source.elements[next - 1]
            }
        }

        func makeAsyncIterator() -> Iterator { Iterator(source: self) }
    }

    private func iris() throws -> (chunk: SampleChunk, samples: [Sample]) {
        let chunk = try samples("iris")
        return (chunk, (0..<chunk.count).map { i in Sample(Array(chunk[i..<i + 1].features), label: chunk.labels[i]) })
    }

    /// The hash of the weights after all of iris in order.
    private func expectedHash() throws -> UInt64? {
        let learner = try Learner()
        _ = learner.learn(try samples("iris"))
        return learner.network?.parameterHash
    }

    private func hash(_ session: LearningSession) async -> UInt64? { await session.snapshot().parameterHash }

    // MARK: Sources

    @Test func singleSamples_areLearnedOneAStep() async throws {
        let session = try LearningSession()
        var steps = 0
        for try await step in Source(elements: try iris().samples).learned(by: session) {
            #expect(step.count == 1 && step.steps.stepsBefore == UInt64(steps))
            steps += 1
        }
        #expect(steps == 150)
        #expect(try await hash(session) == expectedHash())
    }

    @Test(arguments: [1, 7, 64, 1_000])
    func samplesGatheredByAsyncAlgorithms_giveTheSameBits(count: Int) async throws {
        let session = try LearningSession()
        var counts: [Int] = []
        for try await steps in try iris().samples.async.chunks(ofCount: count).learned(by: session) {
            counts.append(steps.count)
        }
        #expect(counts.reduce(0, +) == 150 && counts.count == (150 + count - 1) / count)
        #expect(try await hash(session) == expectedHash())
    }

    @Test func twoFeedsMerged_areBothLearnedWhole() async throws {
        let session = try LearningSession()
        let samples = try iris().samples
        let (one, other) = (samples.prefix(100).async, samples.suffix(50).async)
        var learned = 0
        for try await steps in merge(one, other).learned(by: session) { learned += steps.learned }
        #expect(learned == 150)
        let snapshot = await session.snapshot()
        #expect(Set(snapshot.classes) == ["setosa", "versicolor", "virginica"])
        #expect(snapshot.counts.learned == 150)
    }

    @Test func chunks_areLearnedAsTheyCome() async throws {
        let session = try LearningSession()
        let chunk = try iris().chunk
        let parts = [chunk[0..<1], chunk[1..<1], chunk[1..<149], chunk[149..<150]]
        var counts: [Int] = []
        for try await steps in parts.async.learned(by: session) { counts.append(steps.learned) }
        #expect(counts == [1, 0, 148, 1])
        #expect(try await hash(session) == expectedHash())
    }

    @Test(arguments: [1, 10, 1_000, 100_000])
    func bytes_areDecodedAndLearned(size: Int) async throws {
        let session = try LearningSession()
        let bytes = try fixture("iris") + Array("oops,1\n5.1,3.5,1.4,0.2".utf8)  // no newline at the end
        let buffers = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
        var events = 0
        var predicted = 0
        for await learned in buffers.async.samples(for: session).learned(by: session) {
            events += learned.events.count
            predicted += learned.predicted
        }
        #expect(events == 1)
        #expect(predicted == 1)
        #expect(session.schema.current?.inputs.count == 4)
        #expect(try await hash(session) == expectedHash())
    }

    @Test func bytesOfAForeignStream_endTheSequence() async throws {
        let session = try LearningSession()
        let request = Source(elements: Array(repeating: Array("GET / HTTP/1.1\r\n\r\n1,2\n".utf8), count: 100))
        var chunks = 0
        for try await chunk in request.samples(for: session) {
            chunks += 1
            #expect(chunk.samples.isEmpty && chunk.events.count == 1)
        }
        #expect(chunks == 1)
        #expect(request.asked.value == 1, "and nothing more is read")
    }

    @Test func aLongBufferOfBytes_comesInChunksOfBoundedSize() async throws {
        let session = try LearningSession()
        let bytes = Array(String(repeating: "1,2,x\n", count: 10_000).utf8)
        var count = 0
        for try await chunk in [bytes].async.samples(for: session) {
            #expect((1...256).contains(chunk.samples.count))
            count += chunk.samples.count
        }
        #expect(count == 10_000)
    }

    // MARK: Errors, back pressure, cancellation

    @Test func anErrorOfTheSource_isRethrown_afterWhatCameBeforeWasLearned() async throws {
        let session = try LearningSession()
        var count = 0
        await #expect(throws: Broken.self) {
            for try await _ in Source(elements: try iris().samples, fails: true).learned(by: session) { count += 1 }
        }
        #expect(count == 150)
        let bytes = Source(elements: [Array("1,2,x\n".utf8)], fails: true)
        await #expect(throws: Broken.self) { for try await _ in bytes.samples(for: session) {} }
    }

    @Test func aSampleThatIsImpossible_isARejection_andThePipelineGoesOn() async throws {
        let session = try LearningSession()
        let source = Source(elements: [
            Sample([1], label: "a"), Sample([.infinity], label: "a"), Sample([1], label: "b"),
        ])
        var codes: [[SampleError.Code]] = []
        for try await learned in source.learned(by: session) { codes.append(learned.rejections.map(\.code)) }
        #expect(codes == [[], [.value], []])
        #expect(await session.snapshot().step == 2)
        let gathered = Source(elements: [
            [Sample([1], label: "a"), Sample([1, 2], label: "a"), Sample([2], label: "b")]
        ])
        for try await learned in gathered.learned(by: session) {
            #expect(learned.learned == 2 && learned.rejections.map(\.line) == [2])
        }
    }

    @Test func aSampleThatDoesNotFit_isRejectedInItsStep_andThePipelineGoesOn() async throws {
        let session = try LearningSession(inputs: 2, layers: [.dense(2)], loss: .crossEntropy, scaling: false)
        let source = Source(elements: [
            Sample([1, 2, 3], label: 0), Sample([1, 2], label: 0), Sample([1e30, 2], label: 1),
            Sample([1, 2], label: 1),
            Sample([1, 2], label: 2),
        ])
        var learned: [Int] = []
        for try await steps in source.learned(by: session) { learned.append(steps.learned) }
        #expect(learned == [0, 1, 0, 1, 0])
        let counts = await session.sampleCounts
        #expect(counts.learned == 2 && counts.rejected == 3 && counts.latestRejections.count == 3)
        await #expect(throws: SampleError.self) { try await session.learn(Sample([1, 2, 3], label: 0)) }
    }

    @Test func nothingIsAskedForAhead_ofWhatIsTaken() async throws {
        let session = try LearningSession()
        let source = Source(elements: try iris().samples)
        var iterator = source.learned(by: session).makeAsyncIterator()
        #expect(source.asked.value == 0)
        for taken in 1...20 {
            _ = try await iterator.next()
            #expect(source.asked.value == taken)
            #expect(await session.snapshot().step == UInt64(taken))
        }
        let bytes = Source(elements: Array(repeating: Array("1,2,x\n3,4,y\n".utf8), count: 100))
        var decoded = bytes.samples(for: try LearningSession()).makeAsyncIterator()
        for taken in 1...20 {
            _ = try await decoded.next()
            #expect(bytes.asked.value <= taken)
        }
    }

    @Test func aCancelledPipeline_ends() async throws {
        let session = try LearningSession()
        let channel = AsyncChannel<Sample>()
        let pipeline = Task {
            var count = 0
            for try await steps in channel.learned(by: session) { count += steps.learned }
            return count
        }
        for sample in try iris().samples.prefix(10) { await channel.send(sample) }
        pipeline.cancel()
        #expect((9...10).contains(try await pipeline.value))
    }

    // MARK: Asking the session

    @Test func questions_areAnsweredWhileLearning_andChangeNothing() async throws {
        let session = try LearningSession()
        await #expect(throws: SampleError.self) { try await session.predict([5.1, 3.5, 1.4, 0.2]) }
        let stream = try iris().samples
        async let learning: Void = {
            for try await _ in stream.async.learned(by: session) {}
        }()
        for _ in 0..<500 {
            if case .class(_, let probability)? = try? await session.predict([5.1, 3.5, 1.4, 0.2]) {
                #expect((0...1).contains(probability))
            }
        }
        try await learning
        #expect(try await hash(session) == expectedHash())
        guard case .class("setosa", _) = try await session.predict([5.1, 3.5, 1.4, 0.2]) else {
            Issue.record("not setosa")
            return
        }
        await #expect(throws: SampleError.self) { try await session.predict([1, 2]) }
        await #expect(throws: SampleError.self) { try await session.predict([1, 2, 3, .infinity]) }
    }

    @Test func manyPipelinesAtOnce_shareOneSession() async throws {
        let session = try LearningSession()
        let stream = try iris().samples
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for try await _ in stream.async.chunks(ofCount: 10).learned(by: session) {} }
            }
            try await group.waitForAll()
        }
        #expect(await session.snapshot().step == 8 * 150)
    }

    @Test func anEmbeddersFirstSample_fixesTheSchemaOfFeedsToo() async throws {
        let session = try LearningSession()
        try await session.learn(Sample([1, 2], label: "a"))
        #expect(session.schema.current == Schema(inputs: 2))
        let bytes = [Array("1,2,3,a\n1,2,b\n".utf8)]
        for try await chunk in bytes.async.samples(for: session) {
            #expect(chunk.events.count == 1)
            #expect(await session.learn(chunk.samples).learned == 1)
        }
    }

    // MARK: Snapshots

    @Test func snapshots_comeAtTheirSubscribersPace() async throws {
        let session = try LearningSession()
        let stream = try iris().chunk
        var snapshots = session.snapshots.makeAsyncIterator()
        let first = try #require(await snapshots.next())
        #expect(first.step == 0 && first.layers.isEmpty)
        for i in 0..<100 { await session.learn(stream[i..<i + 1]) }
        let second = try #require(await snapshots.next())
        #expect(second.step == 100, "one for all that was missed")
        #expect(second.layers.map(\.inputs) == [4, 32])
        #expect(second.layers.map(\.weights.count) == [128, 32 * 3])
        async let third = snapshots.next()
        await session.learn(stream[100..<150])
        #expect(await third?.step == 150)
        await session.finish()
        var ended = session.snapshots.makeAsyncIterator()
        #expect(await ended.next() != nil)
        #expect(await ended.next() == nil)
    }
}

/// A number that any task may raise.
final class Counter: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
}
