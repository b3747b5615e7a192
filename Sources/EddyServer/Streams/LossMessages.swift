// The loss feed's messages. Every field is in README.md, with its unit.

import Eddy
import Foundation
import NIOCore

/// A window of losses as JSON.
struct LossMessage: Encodable {
    struct Figures: Encodable, Sendable {
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
    /// Seconds since 1970.
    var time: Double
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
    /// Each output's own figures, where there are several; the losses are then means over them.
    var outputs: [OutputFigures]?

    /// - Parameter unit: nats or bits, for classification; a regression's loss has the unit that it has.
    init(_ report: LossReport, unit asked: LossUnit) {
        let window = report.window
        time = report.time
        let tasks = window.outputs?.compactMap(\.task) ?? [window.task]
        let unit = tasks.allSatisfy { $0 == .classification } ? asked : .nats  // no conversion for squared units
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
        self.unit = asked.name(for: tasks)
        outputs = window.outputs.map { $0.map { OutputFigures($0, asked) } }
        missed = window.missed
        rejected = window.rejected
        samplesPerSecond = report.samplesPerSecond
        metrics = Figures(window.metrics, unit)
    }
}

/// How one of several outputs is doing.
struct OutputFigures: Encodable, Sendable {
    var name: String
    /// Absent before its first label.
    var task: String?
    var classes: [String]
    var runningMean: Double
    var recentMean: Double
    var unit: String
    var metrics: LossMessage.Figures
    /// All figures; absent in messages.
    var classification: BySpan<ClassificationFigures>?
    var regression: BySpan<RegressionFigures>?

    init(_ summary: OutputSummary, _ asked: LossUnit) {
        let tasks = summary.task.map { [$0] } ?? []
        let unit = summary.task == .regression ? .nats : asked
        name = summary.name
        task = summary.task?.rawValue
        classes = summary.classes
        runningMean = unit.from(nats: summary.metrics.meanLoss)
        recentMean = unit.from(nats: summary.metrics.recentLoss)
        self.unit = asked.name(for: tasks)
        metrics = LossMessage.Figures(summary.metrics, unit)
    }
}

extension LossUnit {
    /// Of a mean loss over outputs of these tasks.
    func name(for tasks: [LearningTask]) -> String {
        if tasks.allSatisfy({ $0 == .classification }) { return rawValue }
        return tasks.allSatisfy { $0 == .regression } ? "squared units" : "mixed units"
    }
}

/// A window of losses, when it was told, and how fast the steps went by.
struct LossReport: Mergeable {
    var window: LossWindow
    var time: Double
    var samplesPerSecond: Double?

    mutating func merge(_ newer: LossReport) {
        window.merge(newer.window)
        (time, samplesPerSecond) = (newer.time, newer.samplesPerSecond)
    }

    /// The session's windows, at most `rate` a second.
    ///
    /// What was merged to keep that rate is not missed by anyone.
    static func reports(_ session: LearningSession, rate: Int) -> LossReports {
        LossReports(windows: session.losses.paced(.seconds(1) / rate))
    }

    /// Where things stand.
    static func present(_ session: LearningSession) async -> LossReport? {
        await session.presentWindow().map { LossReport(window: $0, time: Date().timeIntervalSince1970) }
    }
}

struct LossReports: AsyncSequence, Sendable {
    typealias Failure = Never

    let windows: PacedSequence<Broadcast<LossWindow>, ContinuousClock>

    func makeAsyncIterator() -> Iterator { Iterator(windows: windows.makeAsyncIterator()) }

    struct Iterator: AsyncIteratorProtocol, Sendable {
        var windows: PacedSequence<Broadcast<LossWindow>, ContinuousClock>.Iterator
        private var rate = StepRate()

        init(windows: PacedSequence<Broadcast<LossWindow>, ContinuousClock>.Iterator) { self.windows = windows }

        mutating func next() async -> LossReport? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> LossReport? {
            guard var window = await windows.next(isolation: actor) else { return nil }
            window.missed = 0
            return LossReport(
                window: window, time: Date().timeIntervalSince1970, samplesPerSecond: rate.advance(to: window.step))
        }
    }
}

extension SharedMessages<LossReport> {
    /// Windows of losses.
    static func losses(
        _ session: LearningSession, unit: LossUnit, rate: Int, tally: StreamTally, on loop: any EventLoop
    ) -> SharedMessages {
        SharedMessages(
            on: loop, tally: tally, misses: { $0.window.missed }, present: { await LossReport.present(session) },
            encode: { [.text(WebJSON.encode(LossMessage($0, unit: unit)))] },
            source: {
                let reports = LossReport.reports(session, rate: rate).makeAsyncIterator()
                return { publish in
                    var reports = reports
                    while let report = await reports.next() { publish(report) }
                }
            })
    }
}

extension SharedMessages<LossSeries> {
    /// Every sample's loss.
    static func everyLoss(
        _ session: LearningSession, unit: LossUnit, tally: StreamTally, on loop: any EventLoop
    ) -> SharedMessages {
        SharedMessages(
            on: loop, tally: tally, misses: { Int($0.missed) }, encode: { [.text(json($0, unit: unit))] },
            source: {
                let chunks = session.everyLoss.paced(.seconds(1) / 30).makeAsyncIterator()
                return { publish in
                    var chunks = chunks
                    while let series = await chunks.next() { publish(series) }
                }
            })
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
}

/// Steps a second between calls.
struct StepRate {
    private var last: (step: UInt64, time: ContinuousClock.Instant)?

    mutating func advance(to step: UInt64) -> Double? {
        let now = ContinuousClock.now
        defer { last = (step, now) }
        guard let last, now > last.time, step >= last.step else { return nil }
        return Double(step - last.step) / ((now - last.time) / .seconds(1))
    }
}
