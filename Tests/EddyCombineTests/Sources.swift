// Sources that count what they are asked for, on both surfaces: an asynchronous sequence and a publisher.

import Eddy
import EddyCombine
import Synchronization

/// What a source was asked for.
final class Requests: Sendable {
    private let state = Mutex((asked: 0, given: 0, most: 0, isCancelled: false))

    func ask(_ count: Int) {
        state.withLock { state in
            state.asked += count
            state.most = max(state.most, state.asked - state.given)
        }
    }

    func give() { state.withLock { $0.given += 1 } }
    func cancel() { state.withLock { $0.isCancelled = true } }

    /// Elements asked for so far.
    var asked: Int { state.withLock { $0.asked } }
    /// The most that were asked for and not given yet, at any time.
    var mostOutstanding: Int { state.withLock { $0.most } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }
}

/// One sample an element.
func sample(_ number: Int) -> Sample { Sample([Float(number % 7), 1], label: .number(Float(number % 2))) }

/// How a source ends.
enum Ending: Sendable { case finished, failed, never }

struct SourceFailure: Error, Equatable {}

/// Samples 0 ..< count, each when it is asked for.
struct CountedSequence: AsyncSequence, Sendable {
    typealias Element = Sample
    typealias Failure = SourceFailure

    let count: Int
    var ending = Ending.finished
    let requests = Requests()

    func makeAsyncIterator() -> Iterator { Iterator(source: self) }

    struct Iterator: AsyncIteratorProtocol, Sendable {
        let source: CountedSequence
        var next = 0

        mutating func next() async throws(SourceFailure) -> Sample? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(SourceFailure) -> Sample? {
            if next == source.count {
                switch source.ending {
                case .finished: return nil
                case .failed: throw SourceFailure()
                case .never:
                    await untilCancelled()
                    source.requests.cancel()
                    return nil
                }
            }
            source.requests.ask(1)
            await Task.yield()
            source.requests.give()
            defer { next += 1 }
            return sample(next)
        }
    }
}

private func untilCancelled() async {
    let (stream, continuation) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    withExtendedLifetime(continuation) {}
}

/// The same as a publisher, which gives elements at once where it is asked, within the call.
struct CountedPublisher: Publisher {
    typealias Output = Sample
    typealias Failure = SourceFailure

    let count: Int
    var ending = Ending.finished
    let requests = Requests()

    func receive<S: Subscriber>(subscriber: S) where S.Input == Sample, S.Failure == SourceFailure {
        subscriber.receive(subscription: Giver(self, AnySubscriber(subscriber)))
    }

    private final class Giver: Subscription, @unchecked Sendable {
        private let source: CountedPublisher
        private let subscriber: AnySubscriber<Sample, SourceFailure>
        private let next = Mutex(0)

        init(_ source: CountedPublisher, _ subscriber: AnySubscriber<Sample, SourceFailure>) {
            (self.source, self.subscriber) = (source, subscriber)
        }

        func request(_ demand: Subscribers.Demand) {
            var open = demand.max ?? .max
            source.requests.ask(open)
            while open > 0 {
                let number = next.withLock { next in
                    defer { next += 1 }
                    return next
                }
                guard number < source.count else { return }
                source.requests.give()
                let more = subscriber.receive(sample(number)).max ?? .max
                if more > 0 { source.requests.ask(more) }
                open += more - 1
                if number + 1 == source.count {
                    switch source.ending {
                    case .finished: subscriber.receive(completion: .finished)
                    case .failed: subscriber.receive(completion: .failure(SourceFailure()))
                    case .never: break
                    }
                }
            }
        }

        func cancel() { source.requests.cancel() }
    }
}
