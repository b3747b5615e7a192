// The connections of a server: how many there are, and how all of them are told to end.

import Synchronization

final class WebConnections: Sendable {
    private struct Entry {
        let stop: @Sendable () -> Void
        let cut: @Sendable () -> Void
    }

    private struct State {
        var nextID: UInt64 = 0
        var isStopping = false
        var entries: [UInt64: Entry] = [:]
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.entries.count } }

    /// Registers a connection.
    ///
    /// - Parameters:
    ///   - stop: asks it to end when the server stops; called at once, if it is stopping already.
    ///   - cut: ends it without asking.
    func enter(stop: @escaping @Sendable () -> Void, cut: @escaping @Sendable () -> Void) -> UInt64 {
        let (id, isStopping) = state.withLock { state in
            state.nextID += 1
            state.entries[state.nextID] = Entry(stop: stop, cut: cut)
            return (state.nextID, state.isStopping)
        }
        if isStopping { stop() }
        return id
    }

    func leave(_ id: UInt64) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.entries[id] = nil
            guard state.entries.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Asks all to end, now and those who come later.
    func stop() {
        let entries = state.withLock { state in
            state.isStopping = true
            return Array(state.entries.values)
        }
        for entry in entries { entry.stop() }
    }

    func cut() {
        let entries = state.withLock { Array($0.entries.values) }
        for entry in entries { entry.cut() }
    }

    /// Waits until the last has left.
    func emptied() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if state.entries.isEmpty { return true }
                state.waiters.append(continuation)
                return false
            }
            if isEmpty { continuation.resume() }
        }
    }
}
