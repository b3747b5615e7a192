// Losses: the value, and right below it the gradient with respect to the outputs.
//
// Conventions: losses sum over outputs and are told for one sample. Squared error has no ½,
// so that a mean loss is a mean squared error. Both cross-entropies take logits (the last
// layer's sums before sigmoid or softmax): the gradient is then simply
// probability − target, and nothing overflows. They are told in nats: the surprise
// −log p of the label that came (see Information.swift for bits).

import Foundation

/// What a sample's outputs should have been.
public enum Target: Sendable, Hashable {
    /// One number for each output.
    case values([Double])
    /// The index of the right class, for ``Loss/crossEntropy``.
    case label(Int)
}

/// How far an output is from its target.
public enum Loss: Sendable, Hashable, Codable {
    /// Σ (o − t)², in squared units of the target.
    case squared
    /// Huber (1964): ½e² for |e| ≤ δ, else δ(|e| − ½δ), in squared units of the target.
    case huber(delta: Double)
    /// Binary cross-entropy from logits: Σ log(1 + eᶻ) − t·z, targets in [0, 1], in nats.
    case binaryCrossEntropy
    /// Softmax cross-entropy from logits: log Σ eᶻ − z[label], in nats.
    case crossEntropy

    /// The loss of one sample.
    ///
    ///     Loss.crossEntropy.value(outputs: [0, 0], target: .label(1))  // log 2 = 0.693 nats
    public func value(outputs: [Double], target: Target) -> Double {
        switch (self, target) {
        case (.squared, .values(let t)):
            return zip(outputs, t).reduce(0) { sum, pair in sum + (pair.0 - pair.1) * (pair.0 - pair.1) }
        case (.huber(let delta), .values(let t)):
            return zip(outputs, t).reduce(0) { sum, pair in
                let e = abs(pair.0 - pair.1)
                return sum + (e <= delta ? 0.5 * e * e : delta * (e - 0.5 * delta))
            }
        case (.binaryCrossEntropy, .values(let t)):
            // log(1 + eᶻ) = max(z, 0) + log(1 + e^−|z|)
            return zip(outputs, t).reduce(0) { sum, pair in
                sum + max(pair.0, 0) - pair.0 * pair.1 + log1p(exp(-abs(pair.0)))
            }
        case (.crossEntropy, .label(let label)):
            let highest = outputs.max()!
            return log(outputs.reduce(0) { $0 + exp($1 - highest) }) - (outputs[label] - highest)
        default: preconditionFailure("a \(self) loss cannot be taken against \(target)")
        }
    }

    /// ∂loss/∂outputs.
    ///
    ///     Loss.crossEntropy.gradient(outputs: [0, 0], target: .label(1))  // [0.5, -0.5]
    public func gradient(outputs: [Double], target: Target) -> [Double] {
        switch (self, target) {
        case (.squared, .values(let t)): return zip(outputs, t).map { 2 * ($0 - $1) }
        case (.huber(let delta), .values(let t)): return zip(outputs, t).map { min(max($0 - $1, -delta), delta) }
        case (.binaryCrossEntropy, .values(let t)): return zip(outputs, t).map { Activation.sigmoid($0) - $1 }
        case (.crossEntropy, .label(let label)):
            var gradient = Loss.softmax(outputs)
            gradient[label] -= 1
            return gradient
        default: preconditionFailure("a \(self) loss has no gradient against \(target)")
        }
    }

    /// softmax(z)ₖ = e^zₖ / Σ e^zⱼ, shifted by the highest logit so that nothing overflows.
    public static func softmax(_ logits: [Double]) -> [Double] {
        let highest = logits.max() ?? 0
        let exponentials = logits.map { exp($0 - highest) }
        let sum = exponentials.reduce(0, +)
        return exponentials.map { $0 / sum }
    }

    /// What people call it.
    public var name: String {
        switch self {
        case .squared: "squared"
        case .huber(let delta): "huber(\(delta))"
        case .binaryCrossEntropy: "binaryCrossEntropy"
        case .crossEntropy: "crossEntropy"
        }
    }

    /// Whether the outputs are logits of probabilities, so that the loss is told in nats.
    public var isCrossEntropy: Bool {
        switch self {
        case .squared, .huber: false
        case .binaryCrossEntropy, .crossEntropy: true
        }
    }
}
