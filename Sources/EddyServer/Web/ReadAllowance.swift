// How many bytes one websocket frame may cost before FlyingFox shows it to us.
//
// FlyingFox hands over a frame only after it has read all of it, so a frame that announces 10 GB would be collected
// in memory before our size limit sees it. The reading task therefore carries this allowance as a task-local value,
// and the socket pool, which every read that would block passes through, compares it with the socket's byte counter.
// What a sender delivers without a single pause is not seen; in practice a sender is outpaced within a few megabytes.

import Synchronization

final class ReadAllowance: Sendable {
    @TaskLocal static var current: ReadAllowance?

    private struct State {
        var base: Int64?
    }

    private let limit: Int64
    private let state = Mutex(State())

    init(limit: Int) { self.limit = Int64(limit) }

    /// A whole frame has been read; the next one begins.
    func frameEnded() { state.withLock { $0.base = nil } }

    /// Called when the reader has drained the socket: throws once the frame under way has cost more than the limit.
    func check(bytesReceived: Int64) throws(WebSocketViolation) {
        let isOver = state.withLock { state in
            guard let base = state.base else {
                state.base = bytesReceived
                return false
            }
            return bytesReceived - base > limit
        }
        if isOver { throw .tooBig(limit: Int(limit)) }
    }
}
