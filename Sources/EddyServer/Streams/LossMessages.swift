// The loss feed's messages. Every field is in README.md, with its unit.

import Eddy
import Foundation

/// A window of losses as JSON.
struct LossMessage: Encodable {
    struct Figures: Encodable {
        var accuracy: Double?
        var recentAccuracy: Double?
        var majority: Double?
        var mae: Double?
        var recentMAE: Double?
        var rmse: Double?
        var baseline: Double

        init(_ summary: MetricsSummary, _ unit: LossUnit) {
            accuracy = summary.accuracy
            recentAccuracy = summary.recentAccuracy
            majority = summary.majority
            mae = summary.mae
            recentMAE = summary.recentMAE
            rmse = summary.rmse
            baseline = unit.from(nats: summary.baseline)
        }
    }

    let type = "loss"
    var step: UInt64
    var count: Int
    var last: Double?
    var windowMean: Double?
    var min: Double?
    var max: Double?
    /// [steps back from `step`, count, mean, min, max] of each part; absent where there is one.
    var parts: [[Float]]?
    var runningMean: Double
    var recentMean: Double
    var unit: String
    var missed: Int
    var rejected: UInt64
    var samplesPerSecond: Double?
    var metrics: Figures

    /// - Parameter unit: nats or bits, for classification; a regression's loss has the unit that it has.
    init(_ window: LossWindow, unit asked: LossUnit, samplesPerSecond: Double?) {
        let unit = window.task == .classification ? asked : .nats  // no conversion for squared units
        step = window.step
        count = window.count
        if window.count > 0 {
            last = unit.from(nats: window.last)
            windowMean = unit.from(nats: window.mean)
            min = unit.from(nats: window.min)
            max = unit.from(nats: window.max)
        }
        if window.parts.count > 1 {
            parts = window.parts.map { part in
                // The step counts back from the window's, as a Float holds no more than seven digits.
                let back = Float(window.step - part.step)
                return [back, Float(part.count)] + [part.mean, part.min, part.max].map { Float(unit.from(nats: $0)) }
            }
        }
        runningMean = unit.from(nats: window.metrics.meanLoss)
        recentMean = unit.from(nats: window.metrics.recentLoss)
        self.unit = window.task == .classification ? asked.rawValue : "squared units"
        missed = window.missed
        rejected = window.rejected
        self.samplesPerSecond = samplesPerSecond
        metrics = Figures(window.metrics, unit)
    }
}

/// Turns windows into messages, and knows how fast the steps go by.
struct LossMessages: AsyncSequence, Sendable {
    typealias Failure = Never

    /// At most 30 messages a second.
    static let interval = Duration.seconds(1) / 30

    let session: LearningSession
    let unit: LossUnit

    func makeAsyncIterator() -> Iterator {
        Iterator(session: session, unit: unit, windows: session.losses.paced(LossMessages.interval).makeAsyncIterator())
    }

    struct Iterator: AsyncIteratorProtocol {
        let session: LearningSession
        let unit: LossUnit
        var windows: Paced<Broadcast<LossWindow>>.Iterator
        private var isFirst = true
        private var rate = StepRate()

        init(session: LearningSession, unit: LossUnit, windows: Paced<Broadcast<LossWindow>>.Iterator) {
            self.session = session
            self.unit = unit
            self.windows = windows
        }

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            if isFirst {  // where things stand, for who comes late; nothing where nothing has been learned
                isFirst = false
                if let window = await session.presentWindow() { return message(window) }
            }
            guard let window = await windows.next(isolation: actor) else { return nil }
            return message(window)
        }

        private mutating func message(_ window: LossWindow) -> WebMessage? {
            JSONMessage.text(LossMessage(window, unit: unit, samplesPerSecond: rate.advance(to: window.step)))
        }
    }
}

/// Every sample's loss as messages.
struct LossSeriesMessages: AsyncSequence, Sendable {
    typealias Failure = Never

    let session: LearningSession
    let unit: LossUnit

    func makeAsyncIterator() -> Iterator {
        Iterator(unit: unit, series: session.everyLoss.paced(LossMessages.interval).makeAsyncIterator())
    }

    /// Written by hand: thousands of numbers a message take Foundation's encoder ten times as long.
    static func json(_ series: LossSeries, unit: LossUnit) -> String {
        var text = "{\"first\":\(series.first),\"missed\":\(series.missed),\"type\":\"losses\",\"values\":["
        text.reserveCapacity(64 + 12 * series.values.count)
        for (index, value) in series.values.enumerated() {
            if index > 0 { text += "," }
            text += unit == .nats ? value.description : Float(unit.from(nats: Double(value))).description
        }
        return text + "]}"
    }

    struct Iterator: AsyncIteratorProtocol {
        let unit: LossUnit
        var series: Paced<Broadcast<LossSeries>>.Iterator

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            guard let series = await series.next(isolation: actor) else { return nil }
            return .text(LossSeriesMessages.json(series, unit: unit))
        }
    }
}

/// Steps a second between calls.
private struct StepRate {
    private var last: (step: UInt64, time: ContinuousClock.Instant)?

    mutating func advance(to step: UInt64) -> Double? {
        let now = ContinuousClock.now
        defer { last = (step, now) }
        guard let last, now > last.time, step >= last.step else { return nil }
        return Double(step - last.step) / ((now - last.time) / .seconds(1))
    }
}

enum JSONMessage {
    /// A value as one line of JSON; numbers that are not finite become strings rather than an error.
    static func text(_ value: some Encodable) -> WebMessage { .text(String(decoding: encode(value), as: UTF8.self)) }

    static func encode(_ value: some Encodable) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        // Values of ours hold nothing that cannot be encoded.
        return (try? encoder.encode(value)) ?? Data("{}".utf8)
    }
}
