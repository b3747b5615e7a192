// `/events`: everything that the page follows, over one socket.
//
//     loss     10 a second    windows of losses, as on /losses
//     layers    2 a second    norms and histograms of each layer
//     stream    1 a second    rate, latency, connections, rejections, subscribers, largest losses, confusion
//     model    when it has changed
//     drift    each change found in the stream, once
//
// The four sources are merged (AsyncAlgorithms). What a slow page misses merges kind by kind. Made once for all pages; histograms and encoding are off the session's
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
                // Subscribed here, so that nothing told from now on is missed; iterated by the pump.
                let losses = Subscribed(iterator: LossReport.reports(session, rate: 10).makeAsyncIterator())
                let changes = Subscribed(iterator: session.losses.paced(.milliseconds(500)).makeAsyncIterator())
                let drifts = Subscribed(iterator: session.drifts.makeAsyncIterator())
                return { publish in
                    for await events in side.events(losses, changes, drifts, tallies) { publish(events) }
                }
            })
    }
}

extension LearnerSide {
    /// The four sources of `/events`, merged. It ends with the session's losses.
    fileprivate func events(
        _ losses: Subscribed<LossReports.Iterator>,
        _ changes: Subscribed<PacedSequence<Broadcast<LossWindow>, ContinuousClock>.Iterator>,
        _ drifts: Subscribed<Broadcast<DriftSeries>.Iterator>, _ tallies: [StreamTally]
    ) -> some AsyncSequence<Events, Never> & Sendable {
        let ticks = AsyncTimerSequence(interval: .seconds(1), clock: .continuous)
        let status = StreamStatus(self, tallies)
        // A session's end ends all four: the clock would go on.
        let told = chain(losses.map { Events(loss: $0) as Events? }, [nil].async)
        let others = merge(
            changes.compactMap { _ in await layers().map { Events(layers: $0) } }, drifts.map { Events(drifts: $0) },
            ticks.map { _ in await status.next() })
        return merge(told, others.map { $0 as Events? }).prefix { $0 != nil }.compactMap(\.self)
    }
}

/// What is told once a second: how the stream does, and what has been found out since.
private actor StreamStatus {
    private let side: LearnerSide
    private let tallies: [StreamTally]
    private var rate = StepRate()
    /// Nil before the first tick, which tells it: it may have changed since the subscriber came.
    private var told: [String]?

    init(_ side: LearnerSide, _ tallies: [StreamTally]) { (self.side, self.tallies) = (side, tallies) }

    func next() async -> Events {
        var report = await side.report(tallies)
        report.samplesPerSecond = rate.advance(to: report.step) ?? 0
        var events = Events(stream: report)
        let description = await side.description()
        if description.identity != told {
            told = description.identity
            events.model = description
        }
        return events
    }
}

/// A subscription that was made before it is iterated, by one task.
private struct Subscribed<Iterator: AsyncIteratorProtocol & Sendable>: AsyncSequence, Sendable
where Iterator.Failure == Never {
    typealias Element = Iterator.Element
    typealias Failure = Never

    let iterator: Iterator

    func makeAsyncIterator() -> Iterator { iterator }
}
