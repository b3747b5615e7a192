// What `.learned(by:)` promises on both surfaces: demand, order, the end, failure, cancellation.

import Dispatch
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
