// How the stream itself is doing: once a second to every page.

import Eddy
import Foundation

struct StreamReport: Encodable, Sendable {
    struct Latency: Encodable, Sendable {
        /// Microseconds from the arrival of a sample to its update, over the last ten seconds.
        var p50: Double
        var p99: Double
        var count: UInt64
    }

    struct Connections: Encodable, Sendable {
        var tcp: Int
        var websocket: Int
    }

    struct Reason: Encodable, Sendable {
        var reason: String
        var count: UInt64
    }

    struct Subscribers: Encodable, Sendable {
        var stream: String
        var count: Int
        var delivered: Int
        var missed: Int
    }

    struct Surprise: Encodable, Sendable {
        var step: UInt64
        var loss: Float
        var label: ClassOrValue?
        /// Absent of the first sample, of which nothing was predicted.
        var prediction: ClassOrValue?
        var probability: Float?
        /// Absent where there are more than 64.
        var features: [Float]?
    }

    struct Confusion: Encodable, Sendable {
        var classes: [String]
        /// Classes beyond the first 16, which are in no cell.
        var others: Int
        /// Rows: label; columns: prediction.
        var total: [[UInt64]]
        var recent: [[UInt64]]
        var recentCount: Int
    }

    struct Residuals: Encodable, Sendable {
        var min: Double
        var max: Double
        var counts: [Int]
        var count: Int
        var mean: Double
        var deviation: Double
    }

    let type = "stream"
    var time: Double
    var step: UInt64
    var samplesPerSecond = 0.0
    var latency: Latency?
    var connections: Connections
    var queue: Int
    var counts: ModelDescription.Counts
    var rejections: [Reason]
    var latestRejections: [ModelDescription.Rejection]
    var subscribers: [Subscribers]
    var largestLosses: [Surprise]
    var confusion: Confusion?
    var residuals: Residuals?

    init(
        step: UInt64, _ counts: SampleCounts, _ seen: Seen, _ activity: FeedActivity, tcp: Int, tallies: [StreamTally],
        time: Double
    ) {
        self.time = time
        self.step = step
        connections = Connections(tcp: tcp, websocket: activity.webSockets)
        queue = activity.queue
        self.counts = ModelDescription.Counts(counts)
        latestRejections = counts.latestRejections.map { ModelDescription.Rejection($0) }
        subscribers = tallies.map {
            Subscribers(stream: $0.stream, count: $0.subscribers, delivered: $0.delivered, missed: $0.missed)
        }
        (rejections, largestLosses) = (seen.rejections, seen.largestLosses)
        (confusion, residuals) = (seen.confusion, seen.residuals)
        latency = seen.latency
    }

    /// What is taken from a session's observations.
    struct Seen: Sendable {
        var rejections: [Reason] = []
        var largestLosses: [Surprise] = []
        var confusion: Confusion?
        var residuals: Residuals?
        var latency: Latency?

        init() {}

        init(_ observations: Observations, time: Double) {
            let times = observations.latency
            if let p50 = times.quantile(0.5, at: time), let p99 = times.quantile(0.99, at: time) {
                latency = Latency(p50: p50 * 1e6, p99: p99 * 1e6, count: times.recentCount(at: time))
            }
            rejections = observations.rejections.reasons.map { Reason(reason: $0.reason, count: $0.count) }
            largestLosses = observations.largestLosses.samples(at: time).map { sample in
                let said = sample.prediction.map { ClassOrValue.parts(of: $0) }
                return Surprise(
                    step: sample.step, loss: sample.loss, label: ClassOrValue(sample.label), prediction: said?.0,
                    probability: said?.probability,
                    features: (1...64).contains(sample.features.count) ? sample.features : nil)
            }
            confusion = observations.confusion.map { matrix in
                Confusion(
                    classes: matrix.classes, others: matrix.others, total: matrix.total, recent: matrix.recent,
                    recentCount: matrix.recentCount)
            }
            residuals = observations.residuals.map { residuals in
                let histogram = residuals.histogram()
                return Residuals(
                    min: histogram.min, max: histogram.max, counts: histogram.counts, count: residuals.count,
                    mean: residuals.mean, deviation: residuals.deviation)
            }
        }
    }
}
