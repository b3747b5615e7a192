// A time by which something must have happened. It is moved with every request and met almost always, so moving it is
// a store; the one timer behind it looks when it fires whether the deadline has moved on.

import NIOCore

/// For one event loop.
final class Deadline {
    private let loop: any EventLoop
    private let action: () -> Void
    private var due: NIODeadline?
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?

    /// - Parameter action: called on the loop when the deadline has passed.
    init(on loop: any EventLoop, action: @escaping () -> Void) {
        (self.loop, self.action) = (loop, action)
    }

    /// Sets the deadline anew, or takes it away.
    func set(_ duration: Duration?) {
        guard let duration else { return due = nil }
        let due = loop.now + TimeAmount(duration)
        self.due = due
        if let timer, timer.at <= due { return }
        timer?.task.cancel()
        schedule(due)
    }

    /// Ends it for good.
    func cancel() {
        due = nil
        timer?.task.cancel()
        timer = nil
    }

    private func schedule(_ time: NIODeadline) {
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = (loop.scheduleTask(deadline: time) { bound.value.fire() }, time)
    }

    private func fire() {
        timer = nil
        guard let due else { return }
        if due > loop.now { return schedule(due) }
        self.due = nil
        action()
    }
}
