// Where subscribers are called: on the main queue, on the actor that subscribes, or where `scheduling:` says.

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

@Suite(.timeLimit(.minutes(2))) struct DeliveryTests {
    private func session() throws -> LearningSession { try LearningSession() }

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
