// Elements at no more than a given rate, without a timer of their own.
//
// AsyncAlgorithms' `throttle` drops what comes too early, or keeps the newest. Here nothing is dropped: the pause comes
// before the next element is taken, so that what arrives meanwhile merges in the broadcast's slot. The first element is
// given at once, an idle stream costs nothing, and the last element is never left behind.

/// A sequence whose elements come with at least an interval between one and the next. See
/// ``AsyncSequence/paced(_:clock:)``.
public struct PacedSequence<Base: AsyncSequence, Pace: Clock>: AsyncSequence where Base.Failure == Never {
    public typealias Element = Base.Element
    public typealias Failure = Never

    let base: Base
    let interval: Pace.Instant.Duration
    let clock: Pace

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), interval: interval, clock: clock)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let interval: Pace.Instant.Duration
        let clock: Pace
        private var due: Pace.Instant

        init(base: Base.AsyncIterator, interval: Pace.Instant.Duration, clock: Pace) {
            (self.base, self.interval, self.clock) = (base, interval, clock)
            due = clock.now
        }

        public mutating func next() async -> Element? { await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Element? {
            do { try await clock.sleep(until: due, tolerance: nil) } catch { return nil }  // cancelled
            let element = await base.next(isolation: actor)
            due = clock.now.advanced(by: interval)
            return element
        }
    }
}

extension PacedSequence: Sendable where Base: Sendable {}
extension PacedSequence.Iterator: Sendable where Base.AsyncIterator: Sendable {}

extension AsyncSequence where Failure == Never {
    /// The elements, with at least `interval` between one and the next; what comes meanwhile is the base's affair, as a
    /// ``Broadcast`` merges it.
    ///
    ///     for await window in session.losses.paced(.milliseconds(100), clock: .continuous) { … }
    public func paced<Pace: Clock>(
        _ interval: Pace.Instant.Duration, clock: Pace
    ) -> PacedSequence<Self, Pace> {
        PacedSequence(base: self, interval: interval, clock: clock)
    }

    /// The same by the continuous clock.
    public func paced(_ interval: Duration) -> PacedSequence<Self, ContinuousClock> {
        paced(interval, clock: .continuous)
    }
}
