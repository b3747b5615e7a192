// One learning turn for the whole server.
//
// All connections of the feed and their session share one event loop. A loop looks at its sockets only when no task is
// due, and with two busy connections there is always one: a third, which only wants to say `!ping`, would wait for as
// long as these send. So whoever wants to learn takes a place in one queue, whatever door it came by, and is let in by
// itself. After a millisecond nobody is let in before the loop has looked at its sockets: the next turn is a timer, and
// until it fires no task is due.
//
// A turn is one chunk, about a millisecond of learning at most unless one sample alone takes longer. With n busy
// connections a newcomer's first line is learned after n turns.

import Eddy
import NIOCore

/// Turns at learning, in the order of asking, with a look at the sockets after every millisecond.
///
///     let turns = LoopTurns(on: loop, activity: options.activity)
///     let session = try LearningSession(executor: loop.executor, turns: turns)
public final class LoopTurns: LearningTurns {
    private struct State {
        var waiting = CircularBuffer<CheckedContinuation<Void, Never>>()
        var isTaken = false
        /// Whether the loop looks at its sockets before the next turn.
        var isLookDue = false
        /// When it last did.
        var looked = NIODeadline.now()
        /// The newest turn.
        var began = NIODeadline.now()
        var ended = NIODeadline.now()
    }

    private let loop: any EventLoop
    private let activity: FeedActivity
    private let state: NIOLoopBoundBox<State>

    /// How long others wait for a look at their sockets at most.
    private static let length = TimeAmount.milliseconds(1)
    /// How long the loop has for it: longer than the way back to the loop takes.
    private static let pause = TimeAmount.microseconds(20)

    /// - Parameters:
    ///   - loop: where the session runs.
    ///   - activity: is told how many wait.
    public init(on loop: any EventLoop, activity: FeedActivity) {
        self.loop = loop
        self.activity = activity
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
    }

    public func beginAtOnce() -> Bool {
        guard !state.value.isTaken, !state.value.isLookDue, state.value.waiting.isEmpty else { return false }
        let now = NIODeadline.now()
        // While nobody learned, the loop had time for its sockets.
        if now - state.value.ended >= LoopTurns.length { state.value.looked = now }
        guard now - state.value.looked < LoopTurns.length else { return false }
        (state.value.isTaken, state.value.began) = (true, now)
        return true
    }

    public nonisolated(nonsending) func begin() async {
        await withCheckedContinuation { continuation in
            state.value.waiting.append(continuation)
            activity.setQueue(state.value.waiting.count)
            if !state.value.isTaken { letIn() }
        }
    }

    public func end() {
        (state.value.isTaken, state.value.ended) = (false, .now())
        letIn()
    }

    /// The loop has just looked at its sockets, as it read from one.
    func looked() {
        if !state.value.isLookDue { state.value.looked = .now() }
    }

    private func letIn() {
        guard !state.value.isLookDue, !state.value.waiting.isEmpty else { return }
        guard NIODeadline.now() - state.value.looked >= LoopTurns.length else { return letFirstIn() }
        state.value.isLookDue = true
        // What follows a long turn takes longer too. A fiftieth of it costs little.
        let turn = (state.value.ended - state.value.began).nanoseconds
        let pause = max(LoopTurns.pause, TimeAmount.nanoseconds(min(turn, 1_000_000_000) / 50))
        // A timer that is due when the tasks at hand are done would fire without a look. So it is set behind them, and
        // behind those that they leave.
        loop.execute { self.loop.execute { self.letInLater(pause) } }
    }

    private func letInLater(_ pause: TimeAmount) {
        loop.assumeIsolated().scheduleTask(in: pause) {
            self.state.value.isLookDue = false
            self.state.value.looked = .now()
            if !self.state.value.isTaken { self.letIn() }
        }
    }

    private func letFirstIn() {
        guard let first = state.value.waiting.popFirst() else { return }
        activity.setQueue(state.value.waiting.count)
        (state.value.isTaken, state.value.began) = (true, .now())
        first.resume()
    }
}
