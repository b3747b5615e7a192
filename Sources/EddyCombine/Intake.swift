// A publisher's elements as an asynchronous sequence, asked for one at a time.
//
// OpenCombine's own `values` does nearly this, but asks only when the iterator waits, on whatever thread that is, and loses
// the type of the failure. Here whoever wants an element may ask for it beforehand (`ask`), on the thread where the
// publisher's own closures belong.

@preconcurrency import OpenCombine
import Synchronization

/// Subscribes to a publisher and hands its elements on to one iterator. Holds one element at most.
final class Intake<Input: Sendable, Failure: Error>: Subscriber, AsyncSequence, PumpSource, @unchecked Sendable {
    typealias Element = Input
    private typealias Reader = CheckedContinuation<Void, Never>

    private struct State {
        var subscription: Unchecked<any Subscription>?
        /// Whether an element was asked for that has not come yet.
        var isAsked = false
        var unread: Input?
        /// How it ended; nil while it goes on.
        var end: Subscribers.Completion<Failure>?
        var reader: Reader?
    }

    private let state = Mutex<State>(State())
    /// Told when the publisher has ended or failed.
    private let onEnd: Mutex<(@Sendable () -> Void)?> = Mutex(nil)

    func whenEnded(_ body: @escaping @Sendable () -> Void) { onEnd.withLock { $0 = body } }

    /// Asks the publisher for an element, unless one was asked for or has come.
    func ask() {
        let subscription = state.withLock { state -> Unchecked<any Subscription>? in
            guard !state.isAsked, state.unread == nil, state.end == nil else { return nil }
            state.isAsked = true
            return state.subscription
        }
        subscription?.value.request(.max(1))
    }

    func cancel() {
        let (subscription, reader) = state.withLock { state in
            state.end = state.end ?? .finished
            state.unread = nil
            return (state.subscription.take(), state.reader.take())
        }
        subscription?.value.cancel()
        reader?.resume()
    }

    // MARK: The publisher's side

    func receive(subscription: any Subscription) {
        let subscription = Unchecked(subscription)
        let (isTaken, isAsked) = state.withLock { state in
            guard state.subscription == nil, state.end == nil else { return (false, false) }
            state.subscription = subscription
            return (true, state.isAsked)
        }
        if !isTaken { subscription.value.cancel() } else if isAsked { subscription.value.request(.max(1)) }
    }

    /// An element that was not asked for is dropped.
    func receive(_ input: Input) -> Subscribers.Demand {
        let reader = state.withLock { state -> Reader? in
            guard state.isAsked, state.end == nil else { return nil }
            state.isAsked = false
            state.unread = input
            return state.reader.take()
        }
        reader?.resume()
        return .none
    }

    func receive(completion: Subscribers.Completion<Failure>) {
        let reader = state.withLock { state -> Reader? in
            guard state.end == nil else { return nil }
            state.end = completion
            state.subscription = nil
            return state.reader.take()
        }
        reader?.resume()
        onEnd.withLock { $0.take() }?()
    }

    // MARK: The iterator's side

    func makeAsyncIterator() -> Iterator { Iterator(intake: self) }

    struct Iterator: AsyncIteratorProtocol, Sendable {
        let intake: Intake

        mutating func next() async throws(Failure) -> Input? { try await intake.next() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> Input? {
            try await intake.next()
        }
    }

    private func next(isolation: isolated (any Actor)? = #isolation) async throws(Failure) -> Input? {
        ask()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.unread != nil || state.end != nil { return true }
                    precondition(state.reader == nil, "a publisher's elements are read by one task")
                    state.reader = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            cancel()
        }
        let (element, end) = state.withLock { state in (state.unread.take(), state.end) }
        if let element { return element }
        if case .failure(let error) = end { throw error }
        return nil
    }
}
