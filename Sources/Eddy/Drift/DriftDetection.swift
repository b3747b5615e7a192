// What is watched for drift, by which detector, and what is done about it: the choices, without their machinery
// (Learning/DriftWatch.swift).
//
// A detector has the settings of its paper, but for KSWIN, which as published would alarm falsely every few hundred
// samples. Numbers that have a unit (features, errors of values) are told to it in deviations of the first fifty.

import Backprop

/// Which detector looks for drift, and in what.
///
///     var configuration = Configuration()
///     configuration.drift = DriftDetection(.pageHinkley, in: [.errors, .features])
public struct DriftDetection: Sendable, Hashable, Codable {
    /// A detector by name.
    public enum Detector: String, Sendable, Hashable, Codable, CaseIterable {
        case adwin
        case pageHinkley = "page-hinkley"
        case ddm
        case kswin
    }

    /// Numbers that can be watched.
    public struct Sources: OptionSet, Sendable, Hashable, Codable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// 1 for a wrong class and 0 for a right one, or the absolute error. A rise alarms.
        public static let errors = Sources(rawValue: 1)
        /// Nats, or squared units. A rise alarms.
        public static let loss = Sources(rawValue: 2)
        /// Every column, by a detector of its own, where there are 128 at most. Any change alarms. Words and other terms
        /// are not watched.
        public static let features = Sources(rawValue: 4)
    }

    /// nil: nothing is watched.
    public var detector: Detector?
    public var sources: Sources

    public init(_ detector: Detector? = .adwin, in sources: Sources = .errors) {
        self.detector = detector
        self.sources = sources
    }

    /// Nothing is watched.
    public static let off = DriftDetection(nil)

    var isOff: Bool { detector == nil }

    /// The most columns that are watched.
    public static let columnLimit = 128

    /// Throws with a sentence where the choices contradict each other, or a task that is known.
    func validate(task: LearningTask? = nil) throws(ArchitectureError) {
        guard let detector else { return }
        let known: Sources = [.errors, .loss, .features]
        guard !sources.isEmpty, sources.isSubset(of: known) else {
            throw ArchitectureError("drift is looked for in nothing: expected errors, loss or features")
        }
        if detector == .ddm, sources != .errors {
            throw ArchitectureError(
                "DDM watches errors of classes, 1 or 0, and nothing else: for loss and features "
                    + "expected adwin, page-hinkley or kswin")
        }
        if let reason = unwatched(task: task) { throw ArchitectureError(reason) }
    }

    /// What cannot be watched in a stream, and why; nil where all can. The rest is.
    ///
    /// A stream shows its task and its columns only when it comes, and is learned all the same.
    func unwatched(task: LearningTask?, columns: Int = 0) -> String? {
        if detector == .ddm, task == .regression {
            return "errors are not watched for drift: DDM watches errors of classes, 1 or 0, and these labels are "
                + "values; expected adwin, page-hinkley or kswin"
        }
        if detector != nil, sources.contains(.features), columns > DriftDetection.columnLimit {
            return "features are not watched for drift: \(columns) columns, expected at most "
                + "\(DriftDetection.columnLimit)"
        }
        return nil
    }
}

/// What is done once drift is found, at the next sample whose number 64 divides.
public enum DriftReaction: String, Sendable, Hashable, Codable, CaseIterable {
    /// The committee replays only what is new: its memories forget all but the newest 50 samples.
    case forgetMemory = "forget-memory"
    /// Learning rates are doubled, and fall back within 512 samples.
    case raiseStep = "raise-step"
    /// The committee's network whose word weighs least begins anew.
    case restartWeakest = "restart-weakest"
    /// Means and deviations of features count as those of 100 samples, and so soon follow new ones.
    case forgetScaler = "forget-scaler"

    /// Whether it means nothing where one network learns alone.
    var needsCommittee: Bool { self == .forgetMemory || self == .restartWeakest }
}

/// That a stream was found to have changed. Told once.
public struct DriftAlarm: Sendable, Hashable, Codable {
    /// What was watched.
    public enum Watched: String, Sendable, Hashable, Codable {
        case errors, loss, feature
    }

    /// The learned sample at which it was found.
    public var step: UInt64
    public var detector: DriftDetection.Detector
    public var watched: Watched
    /// The column's name, of a feature.
    public var column: String?
    /// The mean since the alarm before, or the beginning; and of about the newest twenty. In the units of what is watched.
    public var before: Double?
    public var now: Double?
    /// Whose errors or losses, of several outputs; nil of one.
    public var output: String?
}

extension DriftAlarm: CustomStringConvertible {
    public var description: String {
        let what = (column.map { "feature \($0)" } ?? watched.rawValue) + (output.map { " of \($0)" } ?? "")
        var text = "drift found at sample \(step): \(what) "
        switch watched {
        case .errors: text += "have risen"
        case .loss: text += "has risen"
        case .feature: text += "has changed"
        }
        if let before, let now { text += ", from \(DriftAlarm.short(before)) to \(DriftAlarm.short(now))" }
        return text + " (\(detector.rawValue))"
    }

    /// Four digits.
    private static func short(_ value: Double) -> String {
        guard value != 0, value.magnitude >= 1e-4, value.magnitude < 1e9 else { return "\(value)" }
        var unit = 1e-8
        while unit * 1e4 <= value.magnitude { unit *= 10 }
        return "\(Float((value / unit).rounded() * unit))"
    }
}
