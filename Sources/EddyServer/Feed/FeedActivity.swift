// How busy the feeds are: what the page and /metrics tell of them. Counted by every conversation of a server.

import Eddy
import Synchronization

/// How busy the feeds are, over all of them.
public final class FeedActivity: Sendable {
    private let times = Mutex(LatencyHistogram())
    private let waiting = Atomic(0)
    private let sockets = Atomic(0)

    public init() {}

    /// From the arrival of a sample's last byte to its update.
    var latency: LatencyHistogram { times.withLock { $0 } }
    /// Chunks that wait for the learner, or are being learned.
    var queue: Int { waiting.load(ordering: .relaxed) }
    /// Feeds over websockets that are open now.
    var webSockets: Int { sockets.load(ordering: .relaxed) }

    func openWebSocket() { sockets.add(1, ordering: .relaxed) }
    func closeWebSocket() { sockets.subtract(1, ordering: .relaxed) }

    func learn(
        _ chunk: DecodedChunk, from source: String, with session: LearningSession, arrived: ContinuousClock.Instant
    ) async -> StepChunk {
        waiting.add(1, ordering: .relaxed)
        let steps = await session.learn(chunk.samples, lines: chunk.lines, source: source)
        waiting.subtract(1, ordering: .relaxed)
        if steps.learned > 0 {
            let now = ContinuousClock.now
            let seconds = (now - arrived) / .seconds(1)
            times.withLock { $0.record(seconds, count: steps.learned, at: FeedActivity.time(now)) }
        }
        return steps
    }

    /// Seconds of the clock by which latencies are told.
    static func time(_ instant: ContinuousClock.Instant = .now) -> Double { (instant - epoch) / .seconds(1) }

    private static let epoch = ContinuousClock.now
}
