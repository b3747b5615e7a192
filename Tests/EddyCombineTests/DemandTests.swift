// Demand, which only OpenCombine has: a publisher gives what was asked for, and never more.

import OpenCombine
import Synchronization
import Testing

@testable import Eddy
@testable import EddyCombine

private func window(_ step: Int) -> LossWindow {
    LossWindow(
        step: UInt64(step), count: 1, last: 0, mean: 0, min: 0, max: 0, missed: 0,
        metrics: Metrics().summary(for: .classification), task: .classification, rejected: 0)
}

private func until(_ condition: () -> Bool) async {
    while !condition() { await Task.yield() }
}

/// Lets everything that can run do so.
private func settle() async { for _ in 0..<1_000 { await Task.yield() } }

@Suite(.timeLimit(.minutes(2))) struct DemandTests {
    @Test func withoutDemand_nothingIsGiven() async {
        let broadcast = Broadcast<LossWindow>()
        let inbox = Inbox<LossWindow>()
        SequencePublisher(broadcast).subscribe(inbox)
        for step in 1...100 { broadcast.publish(window(step)) }
        await settle()
        #expect(inbox.count == 0)
        inbox.request(.max(1))
        await until { inbox.count == 1 }
        #expect(await inbox.next()?.count == 100)
    }

    @Test func elements_areGivenOneForOne() async {
        let broadcast = Broadcast<LossWindow>()
        let inbox = Inbox<LossWindow>()
        SequencePublisher(broadcast).subscribe(inbox)
        inbox.request(.max(2))
        inbox.request(.max(1))
        for step in 1...3 {
            broadcast.publish(window(step))
            await until { inbox.count == step }
        }
        for step in 4...50 { broadcast.publish(window(step)) }
        await settle()
        #expect(inbox.count == 3)
        for _ in 0..<3 { _ = await inbox.next() }
        #expect(await inbox.next()?.count == 47)
    }

    @Test func unlimitedDemand_givesEverything_andTheEnd() async {
        let session = try? LearningSession()
        guard let session else { return }
        let counted = Mutex(0)
        let hasEnded = Mutex(false)
        let subscription = session.lossPublisher.sink(
            receiveCompletion: { _ in hasEnded.withLock { $0 = true } },
            receiveValue: { window in counted.withLock { $0 += window.count } })
        for i in 0..<300 { _ = try? await session.learn(Sample([Float(i % 7)], label: .number(Float(i % 2)))) }
        await session.finish()
        await until { hasEnded.withLock { $0 } }
        #expect(counted.withLock { $0 } == 300)
        subscription.cancel()
    }

    @Test func demandThatASubscriberReturns_counts() async {
        let broadcast = Broadcast<LossWindow>()
        let received = Mutex(0)
        let subscriber = AnySubscriber<LossWindow, Never>(
            receiveSubscription: { $0.request(.max(1)) },
            receiveValue: { _ in
                received.withLock {
                    $0 += 1; return $0 < 5 ? .max(1) : .none
                }
            })
        SequencePublisher(broadcast).subscribe(subscriber)
        for step in 1...5 {
            broadcast.publish(window(step))
            await until { received.withLock { $0 } == step }
        }
        broadcast.publish(window(6))
        await settle()
        #expect(received.withLock { $0 } == 5)
    }

    /// The mailbox is there before the subscriber hears of its subscription.
    @Test func whatIsPublishedWhileSubscribing_isNotMissed() async {
        let broadcast = Broadcast<LossWindow>()
        let received = Mutex<[UInt64]>([])
        let subscriber = AnySubscriber<LossWindow, Never>(
            receiveSubscription: { subscription in
                broadcast.publish(window(1))
                subscription.request(.unlimited)
            },
            receiveValue: { window in
                received.withLock { $0.append(window.step) }
                return .none
            })
        SequencePublisher(broadcast).subscribe(subscriber)
        await until { !received.withLock { $0.isEmpty } }
        #expect(received.withLock { $0 } == [1])
    }

    @Test func operatorsOfOpenCombine_applyToIt() async throws {
        let session = try LearningSession()
        let means = Mutex<[Double]>([])
        let isDone = Mutex(false)
        let subscription = session.lossPublisher.map(\.mean).filter { $0 > 0 }.prefix(3)
            .sink(
                receiveCompletion: { _ in isDone.withLock { $0 = true } },
                receiveValue: { mean in means.withLock { $0.append(mean) } })
        var i = 0
        while !isDone.withLock({ $0 }) {
            try await session.learn(Sample([Float(i % 7), 1], label: .number(Float(i % 3))))
            i += 1
            await Task.yield()
        }
        #expect(means.withLock { $0.count } == 3)
        await until { !session.losses.hasSubscribers }
        subscription.cancel()
    }

    @Test func aDroppedSubscription_isFreed() async {
        let broadcast = Broadcast<LossWindow>()
        var subscription: AnyCancellable? = SequencePublisher(broadcast).sink { _ in }
        #expect(broadcast.hasSubscribers)
        withExtendedLifetime(subscription) {}
        subscription = nil
        await until { !broadcast.hasSubscribers }
    }
}
