// What every subscriber of a broadcast may rely on, whether it iterates or is an OpenCombine subscriber.

import OpenCombine
import Synchronization
import Testing

@testable import Eddy
@testable import EddyCombine

private func window(_ step: Int, count: Int = 1, mean: Double = 1, min: Double = 0, max: Double = 2) -> LossWindow {
    LossWindow(
        step: UInt64(step), count: count, last: Double(step), mean: mean, min: min, max: max, missed: 0,
        metrics: Metrics().summary(for: .classification), task: .classification, rejected: UInt64(step))
}

/// Lets other tasks run until something is so. Waits for no time: the suite's limit ends what never comes.
private func until(_ condition: () -> Bool) async {
    while !condition() { await Task.yield() }
}

@Suite(.timeLimit(.minutes(2))) struct BroadcastConformanceTests {
    private typealias Windows = Broadcast<LossWindow>

    // MARK: Who gets what

    @Test(arguments: Surface.allCases)
    func aLateSubscriber_getsWhatComesAfterIt(surface: Surface) async {
        let broadcast = Windows()
        let early = surface.listen(to: broadcast)
        broadcast.publish(window(1))
        let late = surface.listen(to: broadcast)
        broadcast.publish(window(2))
        let (first, second) = (await early.next(), await late.next())
        #expect(first?.count == 2 && first?.step == 2)
        #expect(second?.count == 1 && second?.step == 2 && second?.missed == 0)
    }

    @Test(arguments: Surface.allCases)
    func everySubscriber_getsEveryElementItHasTimeFor(surface: Surface) async {
        let broadcast = Windows()
        let listeners = (0..<10).map { _ in surface.listen(to: broadcast) }
        for step in 1...20 {
            broadcast.publish(window(step))
            for listener in listeners {
                let element = await listener.next()
                #expect(element?.step == UInt64(step) && element?.count == 1 && element?.missed == 0)
            }
        }
    }

    @Test(arguments: Surface.allCases)
    func aSubscriberThatWaits_isWoken(surface: Surface) async {
        let broadcast = Windows()
        let listener = surface.listen(to: broadcast)
        for step in 1...100 {
            async let element = listener.next()
            if step % 2 == 0 { await Task.yield() }
            broadcast.publish(window(step))
            #expect(await element?.step == UInt64(step))
        }
    }

    @Test func bothSurfacesAtOnce_areIndependent() async {
        let broadcast = Windows()
        let listeners = Surface.allCases.map { $0.listen(to: broadcast) }
        broadcast.publish(window(1))
        #expect(await listeners[0].next()?.count == 1)
        broadcast.publish(window(2))
        #expect(await listeners[0].next()?.count == 1)
        #expect(await listeners[1].next()?.count == 2)
    }

    // MARK: Slow consumers

    @Test(arguments: Surface.allCases)
    func aSlowConsumersWindows_areMerged_soThatNothingIsLost(surface: Surface) async {
        let broadcast = Windows()
        let slow = surface.listen(to: broadcast)
        broadcast.publish(window(3, count: 3, mean: 2, min: 1, max: 4))
        broadcast.publish(window(4, count: 1, mean: 10, min: 10, max: 10))
        broadcast.publish(window(4, count: 0, mean: 0, min: 0, max: 0))  // only a rejection
        broadcast.publish(window(9, count: 5, mean: 0.4, min: 0.25, max: 0.5))
        let merged = await slow.next()
        #expect(merged?.step == 9 && merged?.count == 9 && merged?.last == 9 && merged?.rejected == 9)
        #expect(merged?.min == 0.25 && merged?.max == 10)
        #expect(merged.map { abs($0.mean - (3 * 2 + 10 + 5 * 0.4) / 9) < 1e-12 } == true)
        #expect(merged?.missed == 3)
        broadcast.publish(window(10))
        #expect(await slow.next()?.missed == 0, "what was told once is not told again")
    }

    @Test(arguments: Surface.allCases)
    func aSlowConsumersSeries_keepsTheNewest_andSaysHowManyAreMissing(surface: Surface) async {
        let broadcast = Broadcast<LossSeries>()
        let slow = surface.listen(to: broadcast)
        let total = 50_000
        for first in stride(from: 1, through: total, by: 100) {
            let values = (first..<first + 100).map { Float($0) }
            broadcast.publish(LossSeries(first: UInt64(first), values: values, missed: 0))
        }
        let series = await slow.next()
        let kept = LossSeries.limit
        #expect(series?.values == (total - kept + 1...total).map { Float($0) })
        #expect(series?.first == UInt64(total - kept + 1))
        #expect(series?.missed == UInt64(total - kept))
        broadcast.publish(LossSeries(first: UInt64(total + 1), values: [7], missed: 0))
        let next = await slow.next()
        #expect(next?.missed == 0 && next?.values == [7])
    }

    @Test(arguments: Surface.allCases)
    func stalledSubscribers_costNothing(surface: Surface) async {
        let broadcast = Windows()
        let stalled = (0..<100).map { _ in surface.listen(to: broadcast) }
        for step in 1...2_000 { broadcast.publish(window(step)) }
        for listener in stalled { #expect(await listener.next()?.count == 2_000) }
    }

    // MARK: Ends

    @Test(arguments: Surface.allCases)
    func cancelling_endsAndFreesASubscriptionThatWaits(surface: Surface) async {
        let broadcast = Windows()
        let listener = surface.listen(to: broadcast)
        #expect(broadcast.hasSubscribers)
        async let element = listener.next()
        await Task.yield()
        listener.cancel()
        #expect(await element == nil)
        await until { !broadcast.hasSubscribers }
        #expect(await listener.next() == nil)
    }

    @Test(arguments: Surface.allCases)
    func cancelling_endsAndFreesASubscriptionThatIsIdle(surface: Surface) async {
        let broadcast = Windows()
        let other = surface.listen(to: broadcast)
        for hasElement in [true, false] {
            let listener = surface.listen(to: broadcast)
            if hasElement { broadcast.publish(window(1)) }
            listener.cancel()
            listener.cancel()
            #expect(await listener.next() == nil)
        }
        #expect(await other.next()?.count == 1, "the others are not disturbed")
        other.cancel()
        await until { !broadcast.hasSubscribers }
    }

    @Test(arguments: Surface.allCases)
    func finishing_deliversWhatIsUnread_thenEnds(surface: Surface) async {
        let broadcast = Windows()
        let (full, empty, waiting) = (
            surface.listen(to: broadcast), surface.listen(to: broadcast), surface.listen(to: broadcast)
        )
        broadcast.publish(window(1))
        broadcast.publish(window(2))
        _ = await empty.next()
        _ = await waiting.next()
        async let last = waiting.next()
        await Task.yield()
        broadcast.finish()
        broadcast.publish(window(3))
        #expect(await last == nil)
        #expect(await empty.next() == nil)
        #expect(await full.next()?.count == 2)
        #expect(await full.next() == nil)
        #expect(await full.next() == nil)
    }

    @Test(arguments: Surface.allCases)
    func whoComesAfterTheEnd_isToldSo(surface: Surface) async {
        let broadcast = Windows()
        broadcast.finish()
        #expect(await surface.listen(to: broadcast).next() == nil)
        #expect(!broadcast.hasSubscribers)
    }

    // MARK: Nobody listens

    @Test(arguments: Surface.allCases)
    func nothingIsMade_whereNobodyListens(surface: Surface) async {
        let broadcast = Windows()
        let made = Atomic(0)
        func make() -> LossWindow {
            made.add(1, ordering: .relaxed)
            return window(1)
        }
        broadcast.publish(make())
        #expect(made.load(ordering: .relaxed) == 0)
        let listeners = (0..<5).map { _ in surface.listen(to: broadcast) }
        broadcast.publish(make())
        #expect(made.load(ordering: .relaxed) == 1, "once for all")
        for listener in listeners { listener.cancel() }
        await until { !broadcast.hasSubscribers }
        broadcast.publish(make())
        #expect(made.load(ordering: .relaxed) == 1)
    }

    // MARK: Races

    /// Publishers race with each other, with subscribers who come and go, and with a reader who stays.
    @Test(arguments: Surface.allCases)
    func inARace_aSteadySubscriberLosesNothing(surface: Surface) async {
        let broadcast = Windows()
        let steady = surface.listen(to: broadcast)
        let published = 4 * 2_000
        await withTaskGroup(of: Int.self) { group in
            group.addTask {
                var (count, low, high) = (0, Double.infinity, -Double.infinity)
                while count < published, let element = await steady.next() {
                    count += element.count
                    (low, high) = (min(low, element.min), max(high, element.max))
                }
                #expect(low == -2_000 && high == 8_000)
                return count
            }
            for publisher in 1...4 {
                group.addTask {
                    for i in 1...2_000 {
                        broadcast.publish(window(i, min: Double(-i), max: Double(publisher * i)))
                        if i % 16 == 0 { await Task.yield() }
                    }
                    return 0
                }
            }
            for seed in 0..<8 {
                group.addTask {
                    for i in 0..<200 {
                        let listener = surface.listen(to: broadcast)
                        if (i + seed) % 3 == 0 {
                            async let element = listener.next()
                            if i % 2 == 0 { await Task.yield() }
                            listener.cancel()
                            _ = await element
                        } else {
                            if (i + seed) % 3 == 1 { await Task.yield() }
                            listener.cancel()
                        }
                    }
                    return 0
                }
            }
            var total = 0
            for await count in group { total += count }
            #expect(total == published)
        }
        steady.cancel()
        await until { !broadcast.hasSubscribers }
    }

    @Test(arguments: Surface.allCases)
    func inARaceWithTheEnd_everySubscriberEnds(surface: Surface) async {
        for round in 0..<100 {
            let broadcast = Windows()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let listener = surface.listen(to: broadcast)
                        while await listener.next() != nil {}
                    }
                }
                group.addTask { for i in 1...20 { broadcast.publish(window(i)) } }
                group.addTask {
                    if round % 2 == 0 { await Task.yield() }
                    broadcast.finish()
                }
            }
        }
    }

    // MARK: A session's broadcasts

    @Test(arguments: Surface.allCases)
    func aSessionsLosses_addUpToItsMetrics(surface: Surface) async throws {
        let session = try LearningSession()
        let (windows, series) = (surface.listen(to: session.losses), surface.listen(to: session.everyLoss))
        let reading = Task {
            var (count, sum) = (0, 0.0)
            while let window = await windows.next() {
                count += window.count
                sum += window.mean * Double(window.count)
                #expect(window.min <= window.mean && window.mean <= window.max)
            }
            return (count, sum)
        }
        let following = Task {
            var values: [Float] = []
            while let part = await series.next() {
                #expect(part.missed == 0 && part.first == UInt64(values.count + 1))
                values += part.values
            }
            return values
        }
        for i in 0..<500 {
            let samples = (0...i % 5).map { Sample([Float((i + $0) % 11), 1], label: .number(Float(i % 2))) }
            await session.learn(try SampleChunk(samples))
        }
        let metrics = await session.snapshot().metrics
        await session.finish()
        let (count, sum) = await reading.value
        #expect(count == Int(metrics.learned))
        #expect(abs(sum / Double(count) - metrics.meanLoss) < 1e-9)
        let values = await following.value
        #expect(values.count == count)
        #expect(abs(values.reduce(0) { $0 + Double($1) } / Double(count) - metrics.meanLoss) < 1e-9)
    }

    @Test(arguments: Surface.allCases)
    func aSessionsSnapshots_areTakenWhenAskedFor(surface: Surface) async throws {
        let session = try LearningSession()
        let listener: any Listener<Snapshot> =
            switch surface {
            case .sequence: SequenceListener(session.snapshots.makeAsyncIterator())
            case .publisher: SubscriberListener(session.snapshotPublisher)
            case .immediatePublisher: SubscriberListener(session.snapshotPublisher(scheduling: .immediate))
            }
        #expect(await listener.next()?.step == 0)
        for i in 0..<50 { try await session.learn(Sample([Float(i), 1], label: .number(Float(i % 2)))) }
        #expect(await listener.next()?.step == 50)
        await session.finish()
        #expect(await listener.next() == nil)
    }
}
