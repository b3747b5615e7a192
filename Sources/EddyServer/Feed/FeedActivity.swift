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

    /// Learns a chunk (see ``LearningSession/learn(_:source:)``) and counts what its decoder could not take, on the session's executor.
    func learn(
        _ chunk: inout DecodedChunk, from source: String, with session: isolated LearningSession,
        arrived: ContinuousClock.Instant
    ) -> StepChunk {
        let steps = session.learn(&chunk, source: source)
        if !chunk.events.isEmpty {
            let rejected = chunk.events.compactMap { event in
                if case .rejected(let error) = event.kind { error } else { nil }
            }
            if !rejected.isEmpty { session.note(rejected: rejected, source: source) }
        }
        if steps.learned > 0 {
            let now = ContinuousClock.now
            let seconds = FeedActivity.seconds(now - arrived)
            times.withLock { $0.record(seconds, count: steps.learned, at: FeedActivity.time(now)) }
        }
        return steps
    }

    /// A chunk goes to the learner, or is back.
    func enqueue() { waiting.add(1, ordering: .relaxed) }
    func dequeue() { waiting.subtract(1, ordering: .relaxed) }

    /// Seconds of the clock by which latencies are told.
    static func time(_ instant: ContinuousClock.Instant = .now) -> Double { seconds(instant - epoch) }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    private static let epoch = ContinuousClock.now
}
