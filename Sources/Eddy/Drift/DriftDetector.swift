// What all detectors of drift share: a number goes in, a signal comes out.
//
// A detector watches one number of a stream (a loss, an error, a feature) and says when its distribution has changed.
// Detectors are values and know no clock: the signals are a function of the numbers alone, equal whatever the chunks.
// What is to be done about a drift is not decided here.
//
// Their decisions are those of River (Montiel et al., JMLR 22, 2021), event for event, so that figures from there hold
// here too; Fixtures/drift.json, made by scripts/golden-drift.py, has River's. As in River a detector that has alarmed
// forgets everything and begins anew, so that one change gives one alarm.

/// What a detector says of a stream after one more number.
public enum DriftSignal: String, Sendable, Hashable, Codable {
    /// Nothing new.
    case none
    /// The warning zone is entered: a drift may follow. Said once each time it is entered; only ``DDM`` has one.
    case warning
    /// The distribution has changed. Said once; the detector has begun anew.
    case drift
}

/// Finds out when the distribution of a stream of numbers changes.
///
///     var detector = PageHinkley(threshold: 5)
///     let signals = (0..<1000).map { detector.update($0 < 500 ? 0.1 : 0.9) }
///     signals.firstIndex(of: .drift)  // 506
public protocol DriftDetector: Sendable, Codable {
    /// Takes in one more number and says what follows from it.
    ///
    /// What is no measurement (not finite, or beyond ±10¹⁰⁰, whose sums would not stay finite) changes nothing.
    mutating func update(_ value: Double) -> DriftSignal
}

extension DriftDetector {
    /// Whether a value can be taken in; false for NaN.
    @inline(__always)
    static func isMeasurement(_ value: Double) -> Bool { value.magnitude <= 1e100 }
}
