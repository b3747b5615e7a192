// Pace by a clock that the test moves.

import AsyncAlgorithms
import Synchronization
import Testing

@testable import Eddy

/// A clock that stands still until it is advanced.
private final class ManualClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (one: Instant, other: Instant) -> Bool { one.offset < other.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleepers: [(until: Instant, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .zero }
    var sleepers: Int { state.withLock { $0.sleepers.count } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        await withCheckedContinuation { continuation in
            let isDue = state.withLock { state in
                if deadline <= state.now { return true }
                state.sleepers.append((deadline, continuation))
                return false
            }
            if isDue { continuation.resume() }
        }
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.until <= state.now }
            state.sleepers.removeAll { $0.until <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}

@Suite struct PacedSequenceTests {
    @Test func elements_comeAtThePaceOfTheClock_andMeanwhileMergeInTheBroadcast() async throws {
        let session = try LearningSession()
        let clock = ManualClock()
        var windows = session.losses.paced(.seconds(1), clock: clock).makeAsyncIterator()
        func learn(_ count: Int) async throws {
            for i in 0..<count { try await session.learn(Sample([Float(i)], label: i % 2 == 0 ? "a" : "b")) }
        }
        try await learn(3)
        #expect(await windows.next(isolation: nil)?.count == 3, "the first is given at once")
        try await learn(2)
        let second = Task { [windows] in
            var windows = windows
            return await windows.next(isolation: nil)?.count
        }
        while clock.sleepers == 0 { await Task.yield() }
        try await learn(5)
        clock.advance(by: .milliseconds(999))
        #expect(clock.sleepers == 1, "it is not time yet")
        clock.advance(by: .milliseconds(1))
        #expect(await second.value == 7, "all that came meanwhile, in one window")
    }

    @Test func theEndOfTheBase_isItsEnd() async {
        let clock = ManualClock()
        var numbers = [1].async.paced(.seconds(1), clock: clock).makeAsyncIterator()
        #expect(await numbers.next(isolation: nil) == 1)
        clock.advance(by: .seconds(1))
        #expect(await numbers.next(isolation: nil) == nil)
    }
}
