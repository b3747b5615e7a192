// Information: how surprising an event is, and how surprising a source is on average.
//
// A cross-entropy loss is the surprise of the label that came, in nats; the entropy of the
// label stream itself is what a model that only knows the labels' frequencies would lose,
// so a model must get below it to have learned anything (Shannon 1948).

import Foundation

/// The unit in which information, and so a cross-entropy loss, is told.
public enum LossUnit: String, Sendable, Hashable, Codable, CaseIterable {
    /// Natural logarithm; what all of Eddy computes in.
    case nats
    /// Logarithm to base 2: 1 nat is 1.4427 bits.
    case bits

    /// An amount of information in this unit.
    ///
    ///     LossUnit.bits.from(nats: Information.surprise(0.5))  // 1
    public func from(nats: Double) -> Double {
        switch self {
        case .nats: nats
        case .bits: nats / M_LN2
        }
    }
}

/// Shannon's measures, in nats.
public enum Information {
    /// −log p, in nats: 0 for what always happens, larger for rarer events, infinite for the
    /// impossible, and additive for independent events, whose probabilities multiply.
    ///
    ///     Information.surprise(0.5)  // 0.693, one bit
    public static func surprise(_ probability: Double) -> Double {
        precondition((0...1).contains(probability), "a probability lies between 0 and 1, got \(probability)")
        return 0 - log(probability)  // 0 −, so that certainty is 0 and not −0
    }

    /// Σ −p log p, in nats: the mean surprise of a source.
    ///
    /// Takes probabilities or counts: they are divided by their sum. The entropy of nothing is 0.
    ///
    ///     Information.entropy([50, 50])  // 0.693, one bit a label
    public static func entropy(_ distribution: [Double]) -> Double {
        precondition(distribution.allSatisfy { $0 >= 0 && $0.isFinite }, "counts are finite and not negative")
        let sum = distribution.reduce(0, +)
        return distribution.reduce(0) { $1 > 0 ? $0 + $1 / sum * surprise($1 / sum) : $0 }
    }
}
