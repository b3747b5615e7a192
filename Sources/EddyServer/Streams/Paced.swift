// Elements at no more than a given rate, without a timer of their own.
//
// The pause comes before the next element is taken, so that what arrives meanwhile merges in the broadcast's mailbox:
// the first element is sent at once, an idle stream costs nothing, and the last element is never
// left behind.

struct Paced<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable where Base.Failure == Never {
    typealias Element = Base.Element
    typealias Failure = Never

    let base: Base
    let interval: Duration

    func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), interval: interval) }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let interval: Duration
        var due = ContinuousClock.now

        mutating func next() async -> Element? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> Element? {
            do { try await Task.sleep(until: due, clock: .continuous) } catch { return nil }  // cancelled
            let element = await base.next(isolation: actor)
            due = .now + interval
            return element
        }
    }
}

extension AsyncSequence where Self: Sendable, Failure == Never {
    /// The elements, with at least `interval` between one and the next.
    func paced(_ interval: Duration) -> Paced<Self> { Paced(base: self, interval: interval) }
}

extension Paced.Iterator: Sendable where Base.AsyncIterator: Sendable {}
