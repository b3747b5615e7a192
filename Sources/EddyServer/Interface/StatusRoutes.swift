// For those who watch the server rather than the learner: health, readiness, Prometheus, and what may be asked.

import Eddy
import Foundation
import NIOCore

struct StatusRoutes: Sendable {
    let side: LearnerSide
    let streams: Streams
    let connections: @Sendable () -> Int

    var all: [WebRoute] {
        [
            .get("/healthz", isPublic: true) { _ in health },
            .get("/readyz", isPublic: true) { _ in
                // It listens before it serves, and answers nothing any more when it stops: who gets here is served.
                .json(Health(status: "ready", step: await side.session.step))
            },
            .get("/openapi.json", isPublic: true) { _ in
                WebResponse(
                    type: "application/json", cache: "no-cache", Assets.description)
            },
            .get("/metrics") { _ in
                WebResponse(
                    type: "text/plain; version=0.0.4; charset=utf-8", ByteBuffer(string: await metrics()))
            },
        ]
    }

    private struct Health: Encodable {
        let status: String
        let step: UInt64
        /// Seconds that the present chunk has been in learning; absent where none is.
        var learning: Double?
    }

    /// The longest time that a chunk may be in learning before the learner counts as stuck, in seconds.
    private static let patience = 10.0

    /// Answered without waiting for the learner, so that it tells of one that is stuck.
    private var health: WebResponse {
        let progress = side.session.progress
        let seconds = progress.learning.map { $0 / .seconds(1) }
        let isStuck = (seconds ?? 0) > StatusRoutes.patience
        return .json(
            Health(status: isStuck ? "stuck" : "ok", step: progress.step, learning: seconds),
            status: isStuck ? .serviceUnavailable : .ok)
    }

    private func metrics() async -> String {
        let snapshot = await side.session.snapshot(withWeights: false)
        var text = PrometheusText()
        let counts = snapshot.counts
        text.one("eddy_step", .gauge, "Samples learned since the model began.", Double(snapshot.step))
        text.one(
            "eddy_drift_alarms_total", .counter, "Changes found in the stream since the model began.",
            Double(snapshot.driftAlarms))
        text.family("eddy_samples_total", .counter, "Samples since the server started, by what became of them.")
        for (name, count) in [
            ("learned", counts.learned), ("predicted", counts.predicted), ("rejected", counts.rejected),
        ] {
            text.sample("eddy_samples_total", Double(count), ["result": name])
        }
        learning(snapshot, &text)
        times(await side.session.withObservations { $0.latency } ?? LatencyHistogram(), &text)
        text.family("eddy_connections", .gauge, "Open connections.")
        text.sample("eddy_connections", Double(side.feed.connectionCount), ["side": "feed"])
        text.sample("eddy_connections", Double(connections()), ["side": "web"])
        text.family("eddy_subscribers", .gauge, "Subscribers of a stream.")
        let tallies = streams.tallies
        for stream in tallies { text.sample("eddy_subscribers", Double(stream.subscribers), ["stream": stream.stream]) }
        text.family("eddy_messages_total", .counter, "Messages sent to the subscribers of a stream.")
        for stream in tallies {
            text.sample("eddy_messages_total", Double(stream.delivered), ["stream": stream.stream])
        }
        text.family("eddy_messages_missed_total", .counter, "What subscribers of a stream were too slow for.")
        for stream in tallies {
            text.sample("eddy_messages_missed_total", Double(stream.missed), ["stream": stream.stream])
        }
        text.one("process_start_time_seconds", .gauge, "When the server started, in seconds since 1970.", side.started)
        return text.text
    }

    private func learning(_ snapshot: Snapshot, _ text: inout PrometheusText) {
        let metrics = snapshot.metrics
        let tasks = snapshot.outputs?.compactMap(\.task) ?? snapshot.task.map { [$0] } ?? []
        let name = LossUnit.nats.name(for: tasks)
        let unit = name == "squared units" ? "squared units of the target" : name
        text.family("eddy_loss", .gauge, "Mean prequential loss, in \(unit).")
        text.sample("eddy_loss", metrics.meanLoss, ["window": "all"])
        text.sample("eddy_loss", metrics.recentLoss, ["window": "recent"])
        text.one("eddy_loss_baseline", .gauge, "The loss to beat, in \(unit).", metrics.baseline)
        if let accuracy = metrics.accuracy, let recent = metrics.recentAccuracy {
            text.family("eddy_accuracy", .gauge, "Share of right classes, each predicted before it was learned.")
            text.sample("eddy_accuracy", accuracy, ["window": "all"])
            text.sample("eddy_accuracy", recent, ["window": "recent"])
        }
        if let error = metrics.mae, let recent = metrics.recentMAE {
            text.family("eddy_absolute_error", .gauge, "Mean absolute error, in units of the target.")
            text.sample("eddy_absolute_error", error, ["window": "all"])
            text.sample("eddy_absolute_error", recent, ["window": "recent"])
        }
        if let outputs = snapshot.outputs { each(outputs, &text) }
        text.family("eddy_layer_gradient_norm", .gauge, "Smoothed norm of a layer's gradient.")
        for (index, layer) in snapshot.layers.enumerated() {
            text.sample("eddy_layer_gradient_norm", Double(layer.norms.gradient), ["layer": "\(index + 1)"])
        }
        text.family("eddy_layer_update_ratio", .gauge, "A step's change of a layer's weights over their norm.")
        for (index, layer) in snapshot.layers.enumerated() {
            text.sample("eddy_layer_update_ratio", Double(layer.norms.updateRatio), ["layer": "\(index + 1)"])
        }
    }

    /// What several outputs have each.
    private func each(_ outputs: [OutputSummary], _ text: inout PrometheusText) {
        func family(_ name: String, _ help: String, _ figures: (MetricsSummary) -> (all: Double?, recent: Double?)) {
            text.family(name, .gauge, help)
            for output in outputs {
                let (all, recent) = figures(output.metrics)
                if let all { text.sample(name, all, ["output": output.name, "window": "all"]) }
                if let recent { text.sample(name, recent, ["output": output.name, "window": "recent"]) }
            }
        }
        family("eddy_output_loss", "Mean prequential loss of an output: nats, or squared units of its target.") {
            ($0.meanLoss, $0.recentLoss)
        }
        family("eddy_output_accuracy", "Share of right classes of an output.") { ($0.accuracy, $0.recentAccuracy) }
        family("eddy_output_absolute_error", "Mean absolute error of an output.") { ($0.mae, $0.recentMAE) }
    }

    private func times(_ times: LatencyHistogram, _ text: inout PrometheusText) {
        let name = "eddy_latency_seconds"
        text.family(name, .histogram, "From the arrival of a sample to its update.")
        for (bound, count) in zip(LatencyHistogram.bounds, times.cumulativeCounts) {
            text.sample("\(name)_bucket", Double(count), ["le": "\(bound)"])
        }
        text.sample("\(name)_bucket", Double(times.count), ["le": "+Inf"])
        text.sample("\(name)_sum", times.sum)
        text.sample("\(name)_count", Double(times.count))
        text.one("eddy_queue", .gauge, "Chunks of samples that wait for the learner.", Double(side.activity.queue))
    }
}
