// From a sample's gradient g to its update: what all rules have in common (the rules: UpdateRule.swift).
//
// In the order in which they act:
//
//     clip:      g ← g · min(1, clip / ‖g‖)          over all layers at once (Pascanu et al. 2013)
//     L2:        g ← g + l2 · w                      weights only, not biases; AdamW: w ← w − η(t) · l2 · w instead
//     L1:        g ← g + l1 · sign(w)                weights only; sign(0) = 0
//     rule:      w ← w − η(t) · …
//
// The defaults are PyTorch's, where it has the rule, but for the learning rates of SGD and Nesterov, which must be given.

/// A rule that turns gradients into updates, with its learning rate, schedule, clip, L1 and L2.
///
///     let optimizer = Optimizer.sgd(0.05, momentum: 0.9)
///     let adaptive = Optimizer.adam(0.003, clip: 4)
public struct Optimizer: Sendable, Hashable, Codable {
    public var rule: UpdateRule
    /// η at the first step.
    public var learningRate: Float
    public var schedule: Schedule
    /// The largest gradient norm, over all layers; a longer gradient is shortened to it.
    public var clip: Float?
    /// The weight of Σ|w| in what is minimised.
    public var l1: Float
    /// Weight decay added to the gradient; with AdamW, apart from it.
    public var l2: Float

    public init(
        _ rule: UpdateRule, learningRate: Float, schedule: Schedule = .constant, clip: Float? = nil, l1: Float = 0,
        l2: Float = 0
    ) {
        self.rule = rule
        self.learningRate = learningRate
        self.schedule = schedule
        self.clip = clip
        self.l1 = l1
        self.l2 = l2
    }

    public static func sgd(
        _ learningRate: Float, schedule: Schedule = .constant, momentum: Float = 0, clip: Float? = nil, l1: Float = 0,
        l2: Float = 0
    ) -> Optimizer {
        Optimizer(
            .sgd(momentum: momentum), learningRate: learningRate, schedule: schedule, clip: clip, l1: l1, l2: l2)
    }

    public static func nesterov(
        _ learningRate: Float, schedule: Schedule = .constant, momentum: Float = 0.9, clip: Float? = nil,
        l1: Float = 0, l2: Float = 0
    ) -> Optimizer {
        Optimizer(
            .nesterov(momentum: momentum), learningRate: learningRate, schedule: schedule, clip: clip, l1: l1, l2: l2)
    }

    public static func adaGrad(
        _ learningRate: Float = 0.01, schedule: Schedule = .constant, epsilon: Double = 1e-10, clip: Float? = nil,
        l1: Float = 0, l2: Float = 0
    ) -> Optimizer {
        Optimizer(
            .adaGrad(epsilon: epsilon), learningRate: learningRate, schedule: schedule, clip: clip, l1: l1, l2: l2)
    }

    public static func rmsProp(
        _ learningRate: Float = 0.01, schedule: Schedule = .constant, decay: Double = 0.99, epsilon: Double = 1e-8,
        clip: Float? = nil, l1: Float = 0, l2: Float = 0
    ) -> Optimizer {
        Optimizer(
            .rmsProp(decay: decay, epsilon: epsilon), learningRate: learningRate, schedule: schedule, clip: clip,
            l1: l1, l2: l2)
    }

    public static func adam(
        _ learningRate: Float = 0.001, schedule: Schedule = .constant, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, clip: Float? = nil, l1: Float = 0, l2: Float = 0
    ) -> Optimizer {
        Optimizer(
            .adam(beta1: beta1, beta2: beta2, epsilon: epsilon), learningRate: learningRate, schedule: schedule,
            clip: clip, l1: l1, l2: l2)
    }

    /// Adam with L2 apart from the gradient: every weight is multiplied by 1 − η · l2 first.
    public static func adamW(
        _ learningRate: Float = 0.001, schedule: Schedule = .constant, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, clip: Float? = nil, l1: Float = 0, l2: Float = 0.01
    ) -> Optimizer {
        Optimizer(
            .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon), learningRate: learningRate, schedule: schedule,
            clip: clip, l1: l1, l2: l2)
    }

    /// COCOB-Backprop, which has no learning rate.
    public static func cocob(
        alpha: Double = 100, clip: Float? = nil, l1: Float = 0, l2: Float = 0
    ) -> Optimizer {
        Optimizer(.cocob(alpha: alpha), learningRate: 1, clip: clip, l1: l1, l2: l2)
    }

    /// η(t) for the sample learned after `step` others.
    @inline(__always)
    public func learningRate(at step: UInt64) -> Float {
        switch schedule {
        case .constant: learningRate
        case .inverseTime(let decay): learningRate / (1 + decay * Float(step))
        case .inverseSquareRoot(let decay): learningRate / (1 + decay * Float(step)).squareRoot()
        case .exponential(let halfLife): learningRate * Elementary.exp(-0.693_147_18 * (Float(step) / halfLife))
        }
    }

    /// Throws with a sentence where a number makes no sense.
    public func validate() throws(ArchitectureError) {
        if !(learningRate > 0 && learningRate <= 1_000) {
            throw ArchitectureError("learning rate \(learningRate): expected a number above 0, at most 1000")
        }
        try rule.validate()
        if case .cocob = rule, learningRate != 1 || schedule != .constant {
            throw ArchitectureError("COCOB has no learning rate: expected neither a rate nor a schedule")
        }
        if let clip, !(clip > 0 && clip.isFinite) {
            throw ArchitectureError("clip \(clip): expected a positive number")
        }
        if !(l1 >= 0 && l1 <= 1_000) {
            throw ArchitectureError("L1 \(l1): expected a number from 0 to 1000")
        }
        if !(l2 >= 0 && l2 * learningRate < 1) {
            throw ArchitectureError("L2 \(l2): expected a number from 0 to below 1 / learning rate")
        }
        if let rate = schedule.parameter, !(rate > 0 && rate.isFinite) {
            throw ArchitectureError("schedule \(schedule): expected a positive number in it")
        }
    }

    /// Whether updates are W − η · x dzᵀ and no more: the forms of a step that know only this are then open.
    var isPlain: Bool { rule == .sgd(momentum: 0) && l1 == 0 && l2 == 0 }

    /// Plain, but for weights that shrink first: L2 of SGD.
    var isPlainBesidesDecay: Bool { rule == .sgd(momentum: 0) && l1 == 0 }

    /// Whether a weight without a gradient stays as it is.
    var restsWithoutGradient: Bool { rule.restsWithoutGradient && l1 == 0 && l2 == 0 }
}

extension Optimizer: CustomStringConvertible {
    public var description: String {
        var parts = ["\(learningRate)"]
        let name: String
        func add(_ label: String, _ value: Double, unless usual: Double) {
            if value != usual { parts.append("\(label): \(value)") }
        }
        if schedule != .constant { parts.append("schedule: \(schedule)") }
        switch rule {
        case .sgd(let momentum):
            name = "sgd"
            if momentum != 0 { parts.append("momentum: \(momentum)") }
        case .nesterov(let momentum):
            name = "nesterov"
            parts.append("momentum: \(momentum)")
        case .adaGrad(let epsilon):
            name = "adagrad"
            add("epsilon", epsilon, unless: 1e-10)
        case .rmsProp(let decay, let epsilon):
            name = "rmsprop"
            add("decay", decay, unless: 0.99)
            add("epsilon", epsilon, unless: 1e-8)
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            if case .adam = rule { name = "adam" } else { name = "adamw" }
            add("beta1", beta1, unless: 0.9)
            add("beta2", beta2, unless: 0.999)
            add("epsilon", epsilon, unless: 1e-8)
        case .cocob(let alpha):
            name = "cocob"
            parts = []  // no learning rate
            add("alpha", alpha, unless: 100)
        }
        if let clip { parts.append("clip: \(clip)") }
        if l1 != 0 { parts.append("l1: \(l1)") }
        if l2 != 0 { parts.append("l2: \(l2)") }
        return "\(name)(\(parts.joined(separator: ", ")))"
    }
}

/// How the learning rate changes with the number of samples learned, t.
public enum Schedule: Sendable, Hashable, Codable {
    /// η: a stream may change at any time.
    case constant
    /// η / (1 + decay · t): meets the conditions of Robbins and Monro.
    case inverseTime(decay: Float)
    /// η / √(1 + decay · t).
    case inverseSquareRoot(decay: Float)
    /// η · 2^(−t / halfLife), half life in samples.
    case exponential(halfLife: Float)

    var parameter: Float? {
        switch self {
        case .constant: nil
        case .inverseTime(let value), .inverseSquareRoot(let value), .exponential(let value): value
        }
    }
}

extension Schedule: CustomStringConvertible {
    public var description: String {
        switch self {
        case .constant: "constant"
        case .inverseTime(let decay): "inverse-time(\(decay))"
        case .inverseSquareRoot(let decay): "inverse-sqrt(\(decay))"
        case .exponential(let halfLife): "exponential(\(halfLife))"
        }
    }
}
