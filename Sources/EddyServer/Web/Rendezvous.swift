// Rendezvous: where one producing task meets one consuming task, element by element.
//
//     producer: demand() … make an element … give(_:)  ──▶  take(): consumer
//
// An AsyncStream buffers, and so either grows or loses elements when the consumer is a slow socket. Here the producer
// makes an element only once the consumer is waiting for it: nothing is buffered, nothing is lost, and a subscriber
// that was busy for a second gets the newest news and not the oldest. Beside the elements there is one place for an
// urgent one (a pong, a heartbeat; newer replaces older) and one for the last one (a close frame; the first stays).
//
// Not a channel for several producers or consumers. The state is behind a mutex; continuations are resumed outside it.

import Synchronization

final class Rendezvous<Element: Sendable>: Sendable {
    private struct State {
        var urgent: Element?
        var given: Element?
        var last: Element?
        var isClosed = false
        var taker: CheckedContinuation<Element?, Never>?
        var demander: CheckedContinuation<Bool, Never>?

        /// The next element in hand, if any.
        mutating func next() -> Element? {
            if let element = urgent.take() ?? given.take() { return element }
            return isClosed ? last.take() : nil
        }
    }

    private let state = Mutex(State())

    /// The next element, or nil after the last one. Cancelling the caller ends the rendezvous.
    func take() async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (answer, demander) = state.withLock { state -> (Element??, CheckedContinuation<Bool, Never>?) in
                    if let element = state.next() { return (.some(element), nil) }
                    if state.isClosed { return (.some(nil), nil) }
                    precondition(state.taker == nil, "a rendezvous has one consumer")
                    state.taker = continuation
                    return (nil, state.demander.take())
                }
                demander?.resume(returning: true)
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            end()
        }
    }

    /// Waits until the consumer wants an element; false once the rendezvous is closed.
    func demand() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = state.withLock { state in
                if state.isClosed { return false }
                if state.taker != nil { return true }
                precondition(state.demander == nil, "a rendezvous has one producer")
                state.demander = continuation
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Hands an element over, after ``demand()``.
    func give(_ element: Element) {
        let taker: CheckedContinuation<Element?, Never>? = state.withLock { state in
            guard !state.isClosed else { return nil }
            if let taker = state.taker.take() { return taker }
            // The consumer went off with an urgent element meanwhile; it will be back.
            precondition(state.given == nil, "give(_:) without demand()")
            state.given = element
            return nil
        }
        taker?.resume(returning: element)
    }

    /// Waits for the consumer, then hands the element over; false if the rendezvous was closed.
    func send(_ element: Element) async -> Bool {
        guard await demand() else { return false }
        give(element)
        return true
    }

    /// Puts an element before all others, in place of an urgent one that has not been taken; false once closed.
    @discardableResult
    func interject(_ element: Element) -> Bool {
        let (isOpen, taker) = state.withLock { state -> (Bool, CheckedContinuation<Element?, Never>?) in
            guard !state.isClosed else { return (false, nil) }
            if let taker = state.taker.take() { return (true, taker) }
            state.urgent = element
            return (true, nil)
        }
        taker?.resume(returning: element)
        return isOpen
    }

    /// Names the element to end with, unless one has been named.
    func conclude(with last: Element) {
        state.withLock { state in
            if state.last == nil, !state.isClosed { state.last = last }
        }
    }

    /// Lets the consumer have what is in hand, and the concluding element after it, and then nil.
    func close() { finish(discarding: false) }

    /// Ends at once: what is in hand is dropped.
    func end() { finish(discarding: true) }

    private func finish(discarding: Bool) {
        let (taker, answer, demander) = state.withLock { state in
            state.isClosed = true
            if discarding { (state.urgent, state.given, state.last) = (nil, nil, nil) }
            let taker = state.taker.take()
            // A waiting consumer has left nothing in hand but the concluding element.
            return (taker, taker == nil ? nil : state.next(), state.demander.take())
        }
        demander?.resume(returning: false)
        taker?.resume(returning: answer)
    }
}
