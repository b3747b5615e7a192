// How busy the feeds of a server are, for the page and /metrics.

import Synchronization

/// How busy the feeds are, over all of them.
public final class FeedActivity: Sendable {
    private let waiting = Atomic(0)
    private let sockets = Atomic(0)

    public init() {}

    /// Chunks that wait for their turn at the learner.
    var queue: Int { waiting.load(ordering: .relaxed) }
    /// Feeds over websockets that are open now.
    var webSockets: Int { sockets.load(ordering: .relaxed) }

    func setQueue(_ count: Int) { waiting.store(count, ordering: .relaxed) }
    func openWebSocket() { sockets.add(1, ordering: .relaxed) }
    func closeWebSocket() { sockets.subtract(1, ordering: .relaxed) }
}
