// Whether the stream has changed under the learner: detectors on its errors, its loss and the features, as asked for.
//
// A learner's error also changes because it learns, so that of errors and losses only a rise is drift. An alarm is told
// once, with the step it came at, and its detector begins anew. What is done about it (DriftReactions.swift) comes when the
// next step that 64 divides has been learned: at the same sample however the stream was cut into chunks, and never
// because of a question.

import Backprop

/// Watches a learner, and remembers what its alarms ask for.
struct DriftWatch: Sendable {
    /// Reactions come at multiples of it.
    static let period: UInt64 = 64

    let detection: DriftDetection
    /// Errors and loss, as far as they are watched.
    private var performance: [WatchedNumber] = []
    /// Of each column; empty before the first sample, or where features are not watched.
    private var columns: [WatchedNumber] = []
    /// What errors and losses are of.
    private var task: LearningTask?
    /// Alarms so far.
    private(set) var alarms: UInt64 = 0
    private(set) var newest: DriftAlarm?
    /// Whether an alarm waits for its reaction.
    private(set) var isPending = false
    /// The step after which the newest reaction came.
    private(set) var reactedAt: UInt64?

    init(_ detection: DriftDetection = .off) {
        self.detection = detection
        beginPerformance()
    }

    private mutating func beginPerformance() {
        guard let detector = detection.detector else { return }
        performance = []
        if detection.sources.contains(.errors) { performance.append(WatchedNumber(.errors, detector)) }
        if detection.sources.contains(.loss) { performance.append(WatchedNumber(.loss, detector)) }
    }

    var isOn: Bool { !detection.isOff }
    var watchesFeatures: Bool { isOn && detection.sources.contains(.features) }

    /// Takes in a learned sample's error and loss, and adds the alarms that they raise.
    ///
    /// - Parameter error: 1 for a wrong class, or the absolute error.
    mutating func update(
        error: Double, loss: Double, of task: LearningTask, step: UInt64, into alarms: inout [DriftAlarm]
    ) {
        if task != self.task {
            if self.task != nil { beginPerformance() }  // errors of another kind
            self.task = task
        }
        if detection.detector == .ddm, task == .regression { return }
        for i in performance.indices {
            let value = performance[i].subject == .errors ? error : loss
            guard let change = performance[i].update(value, hasUnit: task == .regression) else { continue }
            alarm(performance[i], step, change, &alarms)
        }
    }

    /// Takes in a learned sample's columns. Shape: (columns).
    mutating func update(
        features: UnsafePointer<Float>, count: Int, names: [String], step: UInt64, into alarms: inout [DriftAlarm]
    ) {
        if columns.isEmpty, let detector = detection.detector {
            columns = (0..<count).map {
                WatchedNumber(.feature, detector, column: $0 < names.count ? names[$0] : "x\($0)")
            }
        }
        for j in columns.indices {
            guard let change = columns[j].update(Double(features[j]), hasUnit: true) else { continue }
            alarm(columns[j], step, change, &alarms)
        }
    }

    private mutating func alarm(
        _ number: WatchedNumber, _ step: UInt64, _ change: (before: Double, now: Double), _ told: inout [DriftAlarm]
    ) {
        let alarm = DriftAlarm(
            step: step, detector: number.kind, watched: number.subject, column: number.column, before: change.before,
            now: change.now)
        alarms += 1
        newest = alarm
        isPending = true
        told.append(alarm)
    }

    /// Whether it is time for the reaction that an alarm asked for; it is then under way.
    mutating func takeReaction(after step: UInt64) -> Bool {
        guard isPending, step % DriftWatch.period == 0 else { return false }
        isPending = false
        reactedAt = step
        return true
    }

    /// Samples learned since the reaction, up to the last that 64 divides; nil where there was none.
    func samplesSinceReaction(at step: UInt64) -> UInt64? {
        reactedAt.map { step / DriftWatch.period * DriftWatch.period - $0 }
    }
}

/// A number that a detector watches.
private struct WatchedNumber: Sendable {
    let subject: DriftAlarm.Watched
    let column: String?
    let kind: DriftDetection.Detector
    private var detector: any DriftDetector
    /// Numbers since the alarm before, and their sum.
    private var count = 0.0
    private var sum = 0.0
    /// The mean of some twenty, and how many there were, up to that.
    private var recent = 0.0
    private var recentCount = 0.0
    /// In what a number with a unit is measured, once it is known.
    private var unit: Double?
    /// Of the first numbers, from which the unit follows.
    private var first = RunningMoments()

    /// Numbers from which a unit is taken.
    private static let unitFrom = 50.0

    init(_ subject: DriftAlarm.Watched, _ kind: DriftDetection.Detector, column: String? = nil) {
        (self.subject, self.kind, self.column) = (subject, kind, column)
        detector = WatchedNumber.detector(kind, subject)
    }

    private static func detector(
        _ kind: DriftDetection.Detector, _ subject: DriftAlarm.Watched
    ) -> any DriftDetector {
        switch kind {
        case .adwin: ADWIN()
        case .pageHinkley:
            // A feature's numbers are deviations: those of a tenth must not add up.
            subject == .feature ? PageHinkley(delta: 0.1) : PageHinkley(mode: .up)
        case .ddm: DDM()
        case .kswin: KSWIN(alpha: 0.00001, windowSize: 300)  // tested at every sample, of every column
        }
    }

    /// Takes in a number; returns the mean before and now where that raises an alarm.
    mutating func update(_ value: Double, hasUnit: Bool) -> (before: Double, now: Double)? {
        guard value.magnitude <= 1e100 else { return nil }  // nor NaN: a column that is missing
        if recentCount < 20 { recentCount += 1 }
        recent += (value - recent) / recentCount
        let before = count > 0 ? sum / count : 0
        count += 1
        sum += value
        guard let measure = hasUnit ? inUnits(value) : value, detector.update(measure) == .drift else { return nil }
        (count, sum, unit, first) = (0, 0, nil, RunningMoments())
        guard subject == .feature || recent > before else { return nil }
        return (before, recent)
    }

    /// A number in deviations of the first; nil as long as these are not known.
    private mutating func inUnits(_ value: Double) -> Double? {
        if let unit { return value / unit }
        first.update(value)
        if first.count >= WatchedNumber.unitFrom {
            // What has never varied is measured by its size.
            unit = first.variance > 0 ? first.scale : first.mean == 0 ? 1 : first.mean.magnitude
        }
        return nil
    }
}

// MARK: - In the model file

extension DriftWatch: Codable {
    private enum CodingKeys: CodingKey {
        case detection, performance, columns, task, alarms, newest, isPending, reactedAt
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        alarms = try values.decode(UInt64.self, forKey: .alarms)
        isPending = try values.decode(Bool.self, forKey: .isPending)
        detection = try values.decode(DriftDetection.self, forKey: .detection)
        performance = try values.decode([WatchedNumber].self, forKey: .performance)
        columns = try values.decode([WatchedNumber].self, forKey: .columns)
        task = try values.decodeIfPresent(LearningTask.self, forKey: .task)
        newest = try values.decodeIfPresent(DriftAlarm.self, forKey: .newest)
        reactedAt = try values.decodeIfPresent(UInt64.self, forKey: .reactedAt)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(detection, forKey: .detection)
        try values.encode(performance, forKey: .performance)
        try values.encode(columns, forKey: .columns)
        try values.encodeIfPresent(task, forKey: .task)
        try values.encode(alarms, forKey: .alarms)
        try values.encodeIfPresent(newest, forKey: .newest)
        try values.encode(isPending, forKey: .isPending)
        try values.encodeIfPresent(reactedAt, forKey: .reactedAt)
    }

    /// Whether what was read from a file can be a learner's of this configuration.
    ///
    /// - Parameter columns: those of the learner; nil before its first sample.
    func isSound(for expected: DriftDetection, columns count: Int?, step: UInt64) -> Bool {
        let fresh = DriftWatch(expected)
        guard detection == expected, performance.map(\.subject) == fresh.performance.map(\.subject),
            performance.allSatisfy({ $0.kind == expected.detector }),
            columns.allSatisfy({ $0.kind == expected.detector && $0.subject == .feature })
        else { return false }
        return alarms < 1 << 62 && (columns.isEmpty || (watchesFeatures && columns.count == count))
            && (reactedAt.map { $0 <= step && $0 % DriftWatch.period == 0 } ?? true)
    }
}

extension WatchedNumber: Codable {
    private enum CodingKeys: CodingKey {
        case subject, column, kind, detector, count, sum, recent, recentCount, unit, first
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        subject = try values.decode(DriftAlarm.Watched.self, forKey: .subject)
        column = try values.decodeIfPresent(String.self, forKey: .column)
        kind = try values.decode(DriftDetection.Detector.self, forKey: .kind)
        switch kind {
        case .adwin: detector = try values.decode(ADWIN.self, forKey: .detector)
        case .pageHinkley: detector = try values.decode(PageHinkley.self, forKey: .detector)
        case .ddm: detector = try values.decode(DDM.self, forKey: .detector)
        case .kswin: detector = try values.decode(KSWIN.self, forKey: .detector)
        }
        count = try values.decode(Double.self, forKey: .count)
        sum = try values.decode(Double.self, forKey: .sum)
        recent = try values.decode(Double.self, forKey: .recent)
        recentCount = try values.decode(Double.self, forKey: .recentCount)
        unit = try values.decodeIfPresent(Double.self, forKey: .unit)
        first = try values.decode(RunningMoments.self, forKey: .first)
        guard count >= 0, (0...20).contains(recentCount), unit.map({ $0 > 0 }) ?? true else {
            throw DecodingError.dataCorruptedError(
                forKey: .count, in: values, debugDescription: "no number can have been watched so")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(subject, forKey: .subject)
        try values.encodeIfPresent(column, forKey: .column)
        try values.encode(kind, forKey: .kind)
        try detector.encode(to: values.superEncoder(forKey: .detector))
        try values.encode(count, forKey: .count)
        try values.encode(sum, forKey: .sum)
        try values.encode(recent, forKey: .recent)
        try values.encode(recentCount, forKey: .recentCount)
        try values.encodeIfPresent(unit, forKey: .unit)
        try values.encode(first, forKey: .first)
    }
}
