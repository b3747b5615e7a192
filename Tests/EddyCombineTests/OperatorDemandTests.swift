// What the publishers promise beside that: re-entrant requests, requests from many threads, the end without demand,
// elements of every kind, and the subscriber.

import AsyncAlgorithms
import Foundation
import Synchronization
import Testing

@testable import Eddy
@testable import EddyCombine

private func until(_ condition: () -> Bool) async {
    while !condition() { await Task.yield() }
}

/// Lets everything that can run do so.
private func settle() async { for _ in 0..<1_000 { await Task.yield() } }

@Suite(.timeLimit(.minutes(2))) struct OperatorDemandTests {
    private func session() throws -> LearningSession { try LearningSession() }

    @Test(arguments: [true, false])
    func requestsFromWithinReceive_areHonoured(byReturning: Bool) async throws {
        let session = try session()
        let source = CountedPublisher(count: 2_000)
        let subscriber = Reentrant(byReturning: byReturning)
        source.learned(by: session, scheduling: .immediate).subscribe(subscriber)
        await until { subscriber.hasEnded }
        #expect(subscriber.count == 2_000 && source.requests.mostOutstanding == 1)
        #expect(await session.step == 2_000)
    }

    @Test func requestsFromManyThreads_areHonouredOneForOne() async throws {
        let session = try session()
        let source = CountedPublisher(count: 10_000)
        let inbox = Inbox<LearnedChunk>()
        source.assertNoFailure().learned(by: session).subscribe(inbox)
        await withTaskGroup { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<50 { inbox.request(.max(1)) } } }
        }
        await until { inbox.count == 400 }
        await settle()
        #expect(inbox.count == 400 && source.requests.mostOutstanding == 1)
        inbox.cancel()
    }

    @Test func theEnd_isToldWithoutDemand() async throws {
        let session = try session()
        let inbox = Inbox<LearnedChunk>()
        Just(sample(1)).learned(by: session).subscribe(inbox)
        inbox.request(.max(1))
        await until { inbox.hasEnded }
        #expect(inbox.count == 1)
        let empty = Inbox<LearnedChunk>()
        Empty<Sample, Never>().learned(by: session).subscribe(empty)
        await until { empty.hasEnded }
    }

    @Test func whatASubjectSendsMeanwhile_isKeptByABuffer() async throws {
        let session = try session()
        let subject = PassthroughSubject<Sample, Never>()
        let hasEnded = Mutex(false)
        let learned = Mutex(0)
        let feeding = subject.buffer(size: 1_000, prefetch: .keepFull, whenFull: .dropOldest).learned(by: session)
            .sink(
                receiveCompletion: { _ in hasEnded.withLock { $0 = true } },
                receiveValue: { chunk in learned.withLock { $0 += chunk.learned } })
        for number in 0..<500 { subject.send(sample(number)) }
        subject.send(completion: .finished)
        await until { hasEnded.withLock { $0 } }
        #expect(learned.withLock { $0 } == 500)
        feeding.cancel()
    }

    @Test func withoutABuffer_aSubjectsElementsAreDroppedWhileOneIsLearned() async throws {
        let session = try session()
        let subject = PassthroughSubject<[Sample], Never>()
        let inbox = Inbox<LearnedChunk>()
        subject.learned(by: session).subscribe(inbox)
        inbox.request(.unlimited)
        for number in 0..<100 { subject.send([sample(number)]) }
        await until { inbox.count > 0 }
        subject.send(completion: .finished)
        await until { inbox.hasEnded }
        #expect((1...100).contains(inbox.count))
    }

    @Test func elementsOfEveryKind_areLearned() async throws {
        let session = try session()
        let chunk = try SampleChunk([sample(0), sample(1)])
        let bad = Sample([1], label: 0)
        var inboxes: [Inbox<LearnedChunk>] = []
        func learn(_ publisher: SequencePublisher<LearnedChunk, Never>) {
            let inbox = Inbox<LearnedChunk>()
            publisher.subscribe(inbox)
            inbox.request(.unlimited)
            inboxes.append(inbox)
        }
        learn(Just(sample(0)).learned(by: session))
        await until { inboxes[0].hasEnded }
        learn(Just([sample(1), bad, sample(2)]).learned(by: session, from: "an array"))
        learn(Just(chunk).learned(by: session))
        learn(Just(DecodedChunk(samples: chunk)).learned(by: session))
        await until { inboxes.allSatisfy(\.hasEnded) }
        #expect(await session.step == 7)
        let array = await inboxes[1].next()
        #expect(array?.learned == 2 && array?.rejections.map(\.line) == [2])
        #expect(await session.sampleCounts.latestRejections.first?.source == "an array")
    }

    @Test func encodableValues_learnTheSameAsSequences() async throws {
        struct Reading: Encodable, Sendable { var x: Double, y: Int, load: Double }
        let readings = (0..<100).map { Reading(x: Double($0) / 7, y: $0 % 5, load: Double($0 % 5) / 3) }
        let sessions = try (0..<6).map { _ in try LearningSession() }
        for try await _ in readings.async.learned(by: sessions[0], label: \.load) {}
        let inboxes = sessions.dropFirst().map { _ in Inbox<LearnedChunk>() }
        let publisher = readings.publisher
        publisher.learned(by: sessions[1], label: \.load).subscribe(inboxes[0])
        publisher.learned(by: sessions[2], label: "load", scheduling: .immediate).subscribe(inboxes[1])
        publisher.collect(9).learned(by: sessions[3], label: \.load, scheduling: .immediate).subscribe(inboxes[2])
        publisher.collect(9).learned(by: sessions[4], label: "load").subscribe(inboxes[3])
        let feeding = LearningSubscriber<Reading, Never>(sessions[5], label: \.load)
        publisher.subscribe(feeding)
        for inbox in inboxes.dropLast() {
            inbox.request(.unlimited)
            await until { inbox.hasEnded }
        }
        await feeding.finished()
        let expected = await sessions[0].snapshot().parameterHash
        for session in sessions { #expect(await session.snapshot().parameterHash == expected) }
        let answers = Inbox<LearnedChunk>()
        publisher.collect(9).predicted(by: sessions[0]).subscribe(answers)
        #expect(await answers.next()?.count == 9)
        let answer = Inbox<LearnedChunk>()
        publisher.predicted(by: sessions[0], scheduling: .immediate).subscribe(answer)
        #expect(await answer.next()?.count == 1)
        #expect(await sessions[0].snapshot().parameterHash == expected)
    }

    @Test func predicting_changesNothing() async throws {
        let session = try session()
        for number in 0..<50 { try await session.learn(sample(number)) }
        let before = await session.snapshot().parameterHash
        let inbox = Inbox<LearnedChunk>()
        CountedPublisher(count: 20).assertNoFailure().predicted(by: session).subscribe(inbox)
        for _ in 0..<20 {
            let answer = await inbox.next()
            #expect(answer?.learned == 0 && answer?.prediction(at: 0) != nil)
        }
        #expect(await session.snapshot().parameterHash == before)
        #expect(await session.sampleCounts.predicted == 0)
    }

    // MARK: The subscriber

    @Test func aLearningSubscriber_asksForOneAtATime() async throws {
        let session = try session()
        let source = CountedPublisher(count: 1_000)
        let feeding = LearningSubscriber<Sample, SourceFailure>(session)
        source.subscribe(feeding)
        let counts = try await feeding.finished()
        #expect(counts.learned == 1_000 && source.requests.mostOutstanding == 1)
        #expect(await session.step == 1_000)
    }

    @Test func aLearningSubscriber_tellsFailureAndRejections() async throws {
        let session = try session()
        let feeding = LearningSubscriber<Sample, SourceFailure>(session, scheduling: .immediate)
        CountedPublisher(count: 3, ending: .failed)
            .append(Fail(error: SourceFailure())).subscribe(feeding)
        await #expect(throws: SourceFailure()) { try await feeding.finished() }
        #expect(feeding.counts.learned == 3)
        let second = LearningSubscriber<Sample, Never>(session)
        Just(Sample([1], label: 0)).subscribe(second)
        #expect(await second.finished().rejected == 1)
    }

    @Test func aLearningSubscriber_canBeCancelled() async throws {
        let session = try session()
        for waits in [true, false] {
            let source = CountedPublisher(count: 1, ending: .never)
            let feeding = LearningSubscriber<Sample, SourceFailure>(session)
            source.subscribe(feeding)
            let waiting = Task { try await feeding.finished() }
            if waits { await settle() }
            Thread.detachNewThread { feeding.cancel() }
            _ = try await waiting.value
            await until { source.requests.isCancelled }
        }
        let source = CountedPublisher(count: 1, ending: .never)
        let feeding = LearningSubscriber<Sample, SourceFailure>(session)
        source.subscribe(feeding)
        let waiting = Task { try await feeding.finished() }
        waiting.cancel()
        _ = try await waiting.value
        await until { source.requests.isCancelled }
    }
}

/// Asks for the next element while it receives one.
private final class Reentrant: Subscriber, @unchecked Sendable {
    typealias Input = LearnedChunk
    typealias Failure = SourceFailure

    private let byReturning: Bool
    private let state = Mutex((count: 0, hasEnded: false))
    private var subscription: (any Subscription)?

    init(byReturning: Bool) { self.byReturning = byReturning }

    var count: Int { state.withLock { $0.count } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func receive(subscription: any Subscription) {
        self.subscription = subscription
        subscription.request(.max(1))
    }

    func receive(_ input: LearnedChunk) -> Subscribers.Demand {
        state.withLock { $0.count += 1 }
        if byReturning { return .max(1) }
        subscription?.request(.max(1))
        return .none
    }

    func receive(completion: Subscribers.Completion<SourceFailure>) { state.withLock { $0.hasEnded = true } }
}
