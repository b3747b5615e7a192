// What `.learned(by:)` promises on both surfaces: demand, order, the end, failure, cancellation.

import AsyncAlgorithms
import Dispatch
import Foundation
import OpenCombineFoundation
import Synchronization
import Testing

@testable import Eddy
@testable import EddyCombine

private func until(_ condition: () -> Bool) async {
    while !condition() { await Task.yield() }
}

/// Lets everything that can run do so.
private func settle() async { for _ in 0..<1_000 { await Task.yield() } }

/// The operator over a counted source, behind a listener that asks for one element at a time. A failure is an element of
/// its own, so that both ends can be told apart.
private func learning(
    _ surface: Surface, _ session: LearningSession, count: Int, _ ending: Ending = .finished
) -> (listener: any Listener<Outcome>, requests: Requests) {
    switch surface {
    case .sequence:
        let source = CountedSequence(count: count, ending: ending)
        let outcomes = Outcomes(base: source.learned(by: session))
        return (SequenceListener(outcomes.makeAsyncIterator()), source.requests)
    case .publisher, .immediatePublisher:
        let source = CountedPublisher(count: count, ending: ending)
        let learned =
            surface == .publisher ? source.learned(by: session) : source.learned(by: session, scheduling: .immediate)
        let outcomes = learned.map { Outcome.learned($0.learned) }.catch { Just(Outcome.failed($0)) }
        return (SubscriberListener(outcomes), source.requests)
    }
}

private enum Outcome: Sendable, Equatable { case learned(Int), failed(SourceFailure) }

private struct Outcomes<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Base.Element == LearnedChunk, Base.Failure == SourceFailure, Base.AsyncIterator: Sendable {
    let base: Base

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol, Sendable {
        var base: Base.AsyncIterator

        mutating func next() async -> Outcome? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> Outcome? {
            do throws(SourceFailure) {
                return try await base.next(isolation: nil).map { .learned($0.learned) }
            } catch { return .failed(error) }
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct OperatorConformanceTests {
    // MARK: Demand

    @Test(arguments: Surface.allCases)
    func nothingIsAskedFor_beforeThereIsDemand(surface: Surface) async throws {
        let session = try LearningSession()
        let (listener, requests) = learning(surface, session, count: 10)
        await settle()
        #expect(requests.asked == 0)
        listener.cancel()
    }

    @Test(arguments: Surface.allCases)
    func oneElementIsAskedFor_forEachThatIsWanted(surface: Surface) async throws {
        let session = try LearningSession()
        let (listener, requests) = learning(surface, session, count: 100)
        for number in 1...50 {
            #expect(await listener.next() == .learned(1))
            #expect(requests.asked == number)
            #expect(await session.step == number)
        }
        await settle()
        #expect(requests.asked == 50 && requests.mostOutstanding == 1)
        #expect(await session.step == 50, "what nobody wants is not learned")
        listener.cancel()
    }

    // MARK: Ends

    @Test(arguments: Surface.allCases)
    func theEnd_comesWhenTheLastElementIsLearned(surface: Surface) async throws {
        let session = try LearningSession()
        let (listener, _) = learning(surface, session, count: 5)
        for _ in 1...5 { #expect(await listener.next() == .learned(1)) }
        #expect(await listener.next() == nil)
        #expect(await listener.next() == nil)
        #expect(await session.step == 5)
    }

    @Test(arguments: Surface.allCases)
    func aFailure_isCarriedThrough_behindWhatCameBefore(surface: Surface) async throws {
        let session = try LearningSession()
        let (listener, _) = learning(surface, session, count: 3, .failed)
        for _ in 1...3 { #expect(await listener.next() == .learned(1)) }
        #expect(await listener.next() == .failed(SourceFailure()))
    }

    // MARK: Cancellation

    @Test(arguments: Surface.allCases)
    func cancelling_fromAnotherThread_reachesTheSource(surface: Surface) async throws {
        let session = try LearningSession()
        for count in [0, 1, 7] {
            let (listener, requests) = learning(surface, session, count: count, .never)
            for _ in 0..<count { _ = await listener.next() }
            async let last = listener.next()
            await settle()
            Thread.detachNewThread { listener.cancel() }
            #expect(await last == nil)
            await until { requests.isCancelled }
        }
    }

    @Test(arguments: Surface.allCases)
    func cancelling_atAnyMoment_endsTheListener(surface: Surface) async throws {
        let session = try LearningSession()
        for round in 0..<200 {
            let (listener, _) = learning(surface, session, count: 1_000)
            let reading = Task {
                var count = 0
                while await listener.next() != nil { count += 1 }
                return count
            }
            for _ in 0..<round % 20 { await Task.yield() }
            DispatchQueue.global().async { listener.cancel() }
            #expect(await reading.value <= 1_000)
        }
    }

    // MARK: Bits

    @Test func bothSurfaces_learnTheSame() async throws {
        var hashes: Set<UInt64?> = []
        for surface in Surface.allCases {
            let session = try LearningSession()
            let (listener, _) = learning(surface, session, count: 300)
            while await listener.next() != nil {}
            hashes.insert(await session.snapshot().parameterHash)
        }
        #expect(hashes.count == 1 && hashes.first != .some(nil))
    }
}

/// What is OpenCombine's alone.
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

    // MARK: Where it is delivered

    @Test func byDefault_everythingComesOnTheMainQueue() async throws {
        let session = try session()
        let hasEnded = Mutex(false)
        let learned = CountedPublisher(count: 20)
            .map { element -> Sample in element }
            .learned(by: session)
            .sink(
                receiveCompletion: { _ in
                    dispatchPrecondition(condition: .onQueue(.main))
                    hasEnded.withLock { $0 = true }
                },
                receiveValue: { _ in dispatchPrecondition(condition: .onQueue(.main)) })
        let losses = session.lossPublisher.sink { _ in dispatchPrecondition(condition: .onQueue(.main)) }
        await until { hasEnded.withLock { $0 } }
        learned.cancel()
        losses.cancel()
    }

    @Test func elsewhere_onTheQueueThatIsNamed() async throws {
        let session = try session()
        let queue = DispatchQueue(label: "elsewhere")
        let count = Mutex(0)
        let subscriptions = [
            CountedPublisher(count: 20).learned(by: session, scheduling: queue).assertNoFailure().sink { _ in
                dispatchPrecondition(condition: .onQueue(queue))
                count.withLock { $0 += 1 }
            },
            session.lossPublisher(scheduling: queue).sink { _ in dispatchPrecondition(condition: .onQueue(queue)) },
        ]
        await until { count.withLock { $0 } == 20 }
        for subscription in subscriptions { subscription.cancel() }
    }

    private actor Watcher {
        private(set) var seen = 0
        private(set) var order: [Int] = []
        private var watching: [AnyCancellable] = []

        private func passed<Element>(_ element: Element) -> Element {
            preconditionIsolated()
            return element
        }

        func watch(_ source: CountedPublisher, _ session: LearningSession) {
            watching = [
                source.assertNoFailure().map { self.passed($0) }.learned(by: session).map { self.passed($0) }
                    .sink { self.seen += self.passed($0).learned },
                (0..<1_000).publisher.receive(on: .actor(self)).sink { self.order.append($0) },
            ]
        }
    }

    private actor Counter {
        private(set) var count = 0
        private(set) var hasEnded = false
        private var watching: [AnyCancellable] = []

        func watch(_ session: LearningSession) {
            watching = [
                session.lossPublisher.sink { window in
                    self.assertIsolated()
                    self.count += window.count
                },
                session.lossPublisher.sink(
                    receiveCompletion: { _ in
                        self.assertIsolated()
                        self.hasEnded = true
                    },
                    receiveValue: { window in
                        self.assertIsolated()
                        self.count += window.count
                    }),
            ]
        }
    }

    @MainActor private final class Model {
        var count = 0
        var latest = 0.0
        private var watching: Set<AnyCancellable> = []

        func watch(_ session: LearningSession) {
            session.lossPublisher.sink { self.count += $0.count }.store(in: &watching)
            session.lossPublisher.sink { window in
                MainActor.assertIsolated()
                self.count += window.count
            }.store(in: &watching)
            session.lossPublisher.map(\.mean).assign(to: \.latest, on: self).store(in: &watching)
        }
    }

    @Test func closuresOfAnActor_areCalledOnIt() async throws {
        let session = try session()
        let counter = Counter()
        let model = await Model()
        await counter.watch(session)
        await model.watch(session)
        for number in 0..<100 { try await session.learn(sample(number)) }
        await session.finish()
        while await !counter.hasEnded { await Task.yield() }
        while await counter.count < 200 { await Task.yield() }
        while await model.count < 200 { await Task.yield() }
        #expect(await counter.count == 200)
        #expect(await model.count == 200)
        #expect(await model.latest > 0)
    }

    @Test func actors_areSchedulers_thatKeepTheOrder() async throws {
        let session = try session()
        let watcher = Watcher()
        await watcher.watch(CountedPublisher(count: 100), session)
        while await watcher.seen < 100 { await Task.yield() }
        while await watcher.order.count < 1_000 { await Task.yield() }
        #expect(await watcher.order == Array(0..<1_000))
    }

    @Test func anActorIsASchedulerOfLaterActionsToo() async {
        let watcher = Watcher()
        let scheduler = ActorScheduler(watcher)
        let ticks = Mutex(0)
        let timer = scheduler.schedule(
            after: scheduler.now.advanced(by: .milliseconds(1)), interval: .milliseconds(1)
        ) { ticks.withLock { $0 += 1 } }
        await until { ticks.withLock { $0 } >= 3 }
        timer.cancel()
        await withCheckedContinuation { continuation in
            scheduler.schedule(after: scheduler.now.advanced(by: .milliseconds(1))) { continuation.resume() }
        }
    }

    @Test func aTimer_isASource() async throws {
        let session = try session()
        let runLoop = RunningLoop()
        let learned = Mutex(0)
        let feeding = Timer.publish(every: 0.001, on: runLoop.runLoop, in: .default).autoconnect()
            .map { _ in [sample(1), sample(2)] }
            .learned(by: session)
            .sink { chunk in learned.withLock { $0 += chunk.learned } }
        await until { learned.withLock { $0 } >= 10 }
        feeding.cancel()
        runLoop.stop()
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

/// A run loop on a thread of its own, as Linux runs none beside the main queue.
private final class RunningLoop: Sendable {
    nonisolated(unsafe) private let thread: Thread
    nonisolated(unsafe) let runLoop: RunLoop

    init() {
        let ready = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var loop: RunLoop?
        thread = Thread {
            loop = RunLoop.current
            // A run loop without a timer does not run.
            RunLoop.current.add(Timer(timeInterval: 3_600, repeats: true) { _ in }, forMode: .default)
            ready.signal()
            while !Thread.current.isCancelled { _ = RunLoop.current.run(mode: .default, before: .now + 0.05) }
        }
        thread.start()
        ready.wait()
        runLoop = loop!
    }

    func stop() { thread.cancel() }
}
