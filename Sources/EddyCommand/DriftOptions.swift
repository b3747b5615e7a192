// How drift is spoken of on the command line: names of detectors, of what they watch and of reactions, in lists.

import ArgumentParser
import Eddy

/// A detector, or none.
struct DetectorName: ExpressibleByArgument {
    let detector: DriftDetection.Detector?

    init?(argument: String) {
        guard argument == "none" || DriftDetection.Detector(rawValue: argument) != nil else { return nil }
        detector = DriftDetection.Detector(rawValue: argument)
    }

    static var allValueStrings: [String] { DriftDetection.Detector.allCases.map(\.rawValue) + ["none"] }
}

/// What is watched: names with commas between.
struct WatchedNames: ExpressibleByArgument {
    var sources: DriftDetection.Sources = []

    init?(argument: String) {
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            switch name {
            case "errors": sources.insert(.errors)
            case "loss": sources.insert(.loss)
            case "features": sources.insert(.features)
            default: return nil
            }
        }
    }
}

/// Reactions: names with commas between, or none.
struct ReactionNames: ExpressibleByArgument {
    var reactions: [DriftReaction] = []

    init?(argument: String) {
        guard argument != "none" else { return }
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let reaction = DriftReaction(rawValue: String(name)) else { return nil }
            reactions.append(reaction)
        }
    }
}

extension DriftSeries {
    /// A line for each of the newest alarms, for people; empty where there were none.
    func lines(_ limit: Int = 8) -> [String] {
        let count = alarms.count + missed
        var lines = alarms.suffix(limit).map(\.description)
        if count > lines.count { lines.insert("\(count - lines.count) more alarms of drift before", at: 0) }
        return lines
    }
}
