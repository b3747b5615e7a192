// Error share: the lecture notes' picture of backpropagation, an error handed back to the
// units of the layer before in proportion to what each contributed.
//
// It is an attribution, not a gradient: it says who took part in an output, not which way a
// weight should move, and it uses no derivative. Eddy shows it beside the true gradient.
// Contributions of mixed sign partly cancel, so that their parts of the sum could exceed the
// whole; they are shared by magnitude instead, and the result says so. Biases get no share.

/// How a layer's errors are shared among the units of the layer before.
///
///     let share = ErrorShare(weights: [3, 2], inputs: [1, 1], errors: [0.6])
///     share.shares    // [0.6, 0.4]
///     share.sentBack  // [0.36, 0.24]
public struct ErrorShare: Sendable, Codable, Equatable {
    /// How one unit's error was shared.
    public enum Rule: String, Sendable, Codable {
        /// All contributions have one sign: w·a / Σ w·a.
        case proportional
        /// They have both: |w·a| / Σ |w·a|.
        case mixedSigns
        /// All are zero (or one is not finite): no shares, and the error goes no further back.
        case none
    }

    /// The part of each unit's error due to each unit of the layer before, (outputs, inputs) row-major.
    /// A row adds up to 1, or is all zero where the rule is `none`.
    public let shares: [Double]
    /// How each unit's error was shared, (outputs).
    public let rules: [Rule]
    /// For each unit of the layer before, the sum of its parts of the errors, (inputs): the errors for
    /// the next step back.
    public let sentBack: [Double]

    /// Shares one layer's errors.
    ///
    /// - Parameters:
    ///   - weights: (outputs, inputs) row-major, without biases.
    ///   - inputs: the activations of the layer before, (inputs).
    ///   - errors: the error of each unit of this layer, (outputs).
    public init(weights: [Double], inputs: [Double], errors: [Double]) {
        precondition(
            weights.count == inputs.count * errors.count,
            "\(errors.count) outputs of \(inputs.count) inputs need \(inputs.count * errors.count) weights, not \(weights.count)"
        )
        var shares: [Double] = []
        var rules: [Rule] = []
        var sentBack = [Double](repeating: 0, count: inputs.count)
        for (unit, error) in errors.enumerated() {
            let contributions = inputs.indices.map { weights[unit * inputs.count + $0] * inputs[$0] }
            let rule = Rule(contributions)
            // With one sign w·a / Σ w·a = |w·a| / Σ |w·a|, so one formula serves both rules.
            var magnitudes = contributions.map { rule == .none ? 0 : abs($0) }
            if !magnitudes.reduce(0, +).isFinite {  // the sum overflows: share in parts of the largest
                let largest = magnitudes.max()!
                magnitudes = magnitudes.map { $0 / largest }
            }
            let sum = rule == .none ? 1 : magnitudes.reduce(0, +)
            for (input, magnitude) in magnitudes.enumerated() {
                shares.append(magnitude / sum)
                sentBack[input] += error * (magnitude / sum)
            }
            rules.append(rule)
        }
        (self.shares, self.rules, self.sentBack) = (shares, rules, sentBack)
    }
}

extension ErrorShare.Rule {
    fileprivate init(_ contributions: [Double]) {
        let (positive, negative) = (contributions.contains { $0 > 0 }, contributions.contains { $0 < 0 })
        switch (positive, negative) {
        case _ where !contributions.allSatisfy(\.isFinite): self = .none
        case (true, true): self = .mixedSigns
        case (true, false), (false, true): self = .proportional
        case (false, false): self = .none
        }
    }
}
