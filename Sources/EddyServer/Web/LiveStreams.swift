// The streams and requests under way on a server, so that `stop` can say goodbye to each and wait for the last.
//
// A ticket stands for one of them and leaves the register when it is released; whoever works for a stream holds its
// ticket. FlyingFox's own stop sends no close frame and cannot tell an idle connection from a busy one.

import Synchronization

final class LiveStreams: Sendable {
    /// Held for as long as its stream or request lives.
    final class Ticket: Sendable {
        private let id: Int
        private let streams: LiveStreams

        fileprivate init(id: Int, streams: LiveStreams) {
            (self.id, self.streams) = (id, streams)
        }

        deinit { streams.leave(id) }
    }

    private struct State {
        var nextID = 0
        var isClosing = false
        var goodbyes: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())
    private let emptied = Promise<Void>()

    /// How many are alive.
    var count: Int { state.withLock { $0.goodbyes.count } }

    /// Registers a stream. Its goodbye is called when the server stops: at once, if it is stopping already.
    func enter(goodbye: @escaping @Sendable () -> Void = {}) -> Ticket {
        let (id, isClosing) = state.withLock { state in
            state.nextID += 1
            state.goodbyes[state.nextID] = goodbye
            return (state.nextID, state.isClosing)
        }
        if isClosing { goodbye() }
        return Ticket(id: id, streams: self)
    }

    /// Says goodbye to all, and waits until the last has left or the deadline has passed.
    func close(within deadline: Duration) async {
        let goodbyes = state.withLock { state in
            state.isClosing = true
            return Array(state.goodbyes.values)
        }
        if goodbyes.isEmpty { emptied.settle(.success(())) }
        for goodbye in goodbyes { goodbye() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await self.emptied.value }
            group.addTask { try? await Task.sleep(for: deadline) }
            await group.next()
            group.cancelAll()
        }
    }

    private func leave(_ id: Int) {
        let isEmptied = state.withLock { state in
            state.goodbyes[id] = nil
            return state.isClosing && state.goodbyes.isEmpty
        }
        if isEmptied { emptied.settle(.success(())) }
    }
}
