// `/events`: everything that the page follows, over one socket.
//
//     loss     10 a second    windows of losses, as on /losses
//     layers    2 a second    norms and histograms of each layer
//     stream    1 a second    rate, latency, connections, rejections, subscribers, largest losses, confusion
//     model    when it has changed
//     drift    each change found in the stream, once
//
// What a slow page misses merges kind by kind. Made once for all pages; histograms and encoding are off the session's
// executor, which pays for copies alone.

import AsyncAlgorithms
import Eddy
import Foundation
import NIOCore

/// What there is to tell at one moment. A newer part takes in or replaces an older one of its kind.
struct Events: Mergeable {
    var model: ModelDescription?
    var loss: LossReport?
    var layers: LayersReport?
    var stream: StreamReport?
    var drifts: DriftSeries?

    mutating func merge(_ newer: Events) {
        model = newer.model ?? model
        layers = newer.layers ?? layers
        stream = newer.stream ?? stream
        if let alarms = newer.drifts {
            if drifts == nil { drifts = alarms } else { drifts!.merge(alarms) }
        }
        guard let report = newer.loss else { return }
        if loss == nil { loss = report } else { loss!.merge(report) }
    }

    var messages: [WebMessage] {
        let alarms = drifts?.alarms.enumerated().map { index, alarm in
            WebJSON.encode(DriftMessage(alarm: alarm, missed: index == 0 ? drifts!.missed : 0))
        }
        return
            ([
                model.map { WebJSON.encode(ModelMessage(model: $0)) },
                loss.map { WebJSON.encode(LossMessage($0, unit: .nats)) },
                layers.map { WebJSON.encode($0) },
                stream.map { WebJSON.encode($0) },
            ].compactMap(\.self) + (alarms ?? [])).map(WebMessage.text)
    }
}

/// A description as a message: the same fields and a type.
private struct ModelMessage: Encodable {
    let model: ModelDescription

    private enum Key: CodingKey { case type }

    func encode(to encoder: any Encoder) throws {
        try model.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode("model", forKey: .type)
    }
}

/// A change found in the stream.
private struct DriftMessage: Encodable {
    let alarm: DriftAlarm
    /// Alarms before this one that the reader had no time for.
    let missed: Int

    private enum Key: CodingKey { case type, missed }

    func encode(to encoder: any Encoder) throws {
        try alarm.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode("drift", forKey: .type)
        try container.encode(missed, forKey: .missed)
    }
}

/// Norms and histograms of the layers.
struct LayersReport: Encodable, Sendable {
    struct Layer: Encodable, Sendable {
        /// (inputs, outputs).
        var shape: [Int]
        var activation: String
        var gradientNorm: Float
        var weightNorm: Float
        var updateRatio: Float
        var weights: Histogram
        /// Of the newest sample; nil where the network is too large.
        var gradients: Histogram?
    }

    let type = "layers"
    var step: UInt64
    var gradientHealth: String
    var layers: [Layer]
    /// The committee's experts and their shares in the answer; absent where one network answers.
    var committee: [ModelDescription.Vote]?

    /// - Parameter sample: whose gradient is shown.
    init(_ learner: FrozenLearner, sample: ObservedSample?) {
        step = learner.step
        gradientHealth = learner.gradientHealth.rawValue
        committee =
            learner.votes.isEmpty
            ? nil : learner.votes.map { ModelDescription.Vote(name: $0.name, weight: $0.weight) }
        // A sample kept without its features, or from before a change of the classes, has no histogram.
        let spread =
            (try? learner.histograms(features: sample?.features, label: sample?.label ?? .none))
            ?? (try? learner.histograms()) ?? []
        var inputs = learner.inputs
        layers = zip(zip(learner.layers, learner.norms), spread).map { pair, histograms in
            let (layer, norms) = pair
            defer { inputs = layer.outputs }
            return Layer(
                shape: [inputs, layer.outputs], activation: layer.activation.rawValue, gradientNorm: norms.gradient,
                weightNorm: norms.weights, updateRatio: norms.updateRatio, weights: histograms.weights,
                gradients: histograms.gradients)
        }
    }
}

extension SharedMessages<Events> {
    /// - Parameter tallies: of all streams, of which the last is this one.
    static func events(
        _ side: LearnerSide, tallies: [StreamTally], on loop: any EventLoop
    ) -> SharedMessages {
        let session = side.session
        return SharedMessages(
            on: loop, tally: tallies[tallies.count - 1],
            misses: { ($0.loss?.window.missed ?? 0) + ($0.drifts?.missed ?? 0) },
            present: {
                Events(
                    model: await side.description(), loss: await LossReport.present(session),
                    layers: await side.layers(), stream: await side.report(tallies))
            },
            encode: { $0.messages },
            source: {
                let reports = LossReport.reports(session, rate: 10).makeAsyncIterator()
                let changes = session.losses.paced(.milliseconds(500)).makeAsyncIterator()
                let drifts = session.drifts.makeAsyncIterator()
                return { publish in await tell(side, tallies, reports, changes, drifts, publish) }
            })
    }

    private static func tell(
        _ side: LearnerSide, _ tallies: [StreamTally], _ reports: LossReports.Iterator,
        _ changes: Paced<Broadcast<LossWindow>>.Iterator, _ drifts: Broadcast<DriftSeries>.Iterator,
        _ publish: @escaping @Sendable (Events) -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var reports = reports
                while let report = await reports.next() { publish(Events(loss: report)) }
            }
            group.addTask {
                var drifts = drifts
                while let series = await drifts.next() { publish(Events(drifts: series)) }
            }
            group.addTask {
                var changes = changes
                while await changes.next() != nil {
                    if let layers = await side.layers() { publish(Events(layers: layers)) }
                }
            }
            group.addTask {
                var told = await side.description().identity
                var rate = StepRate()
                for await _ in AsyncTimerSequence(interval: .seconds(1), clock: .continuous) {
                    var report = await side.report(tallies)
                    report.samplesPerSecond = rate.advance(to: report.step) ?? 0
                    var events = Events(stream: report)
                    let description = await side.description()
                    if description.identity != told {
                        told = description.identity
                        events.model = description
                    }
                    publish(events)
                }
            }
            await group.next()  // the losses end with the session, and the clock with them
            group.cancelAll()
        }
    }
}
