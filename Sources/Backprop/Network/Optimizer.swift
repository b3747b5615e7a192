// Stochastic gradient descent (Robbins and Monro 1951) and what is commonly added to it.
//
// In the order in which they act on a sample's gradient g:
//
//     clip:      g ← g · min(1, clip / ‖g‖)          over all layers at once (Pascanu et al. 2013)
//     L2:        g ← g + l2 · w                      weights only, not biases
//     momentum:  v ← momentum · v + g                (Polyak 1964, in PyTorch's form)
//     update:    w ← w − η(t) · v

/// A rule that turns gradients into updates.
///
///     let optimizer = Optimizer.sgd(0.05, momentum: 0.9)
public struct Optimizer: Sendable, Hashable, Codable {
    /// η at the first step.
    public var learningRate: Float
    public var schedule: Schedule
    public var momentum: Float
    /// The largest gradient norm, over all layers; a longer gradient is shortened to it.
    public var clip: Float?
    /// Weight decay added to the gradient.
    public var l2: Float

    public static func sgd(
        _ learningRate: Float, schedule: Schedule = .constant, momentum: Float = 0, clip: Float? = nil, l2: Float = 0
    ) -> Optimizer {
        Optimizer(learningRate: learningRate, schedule: schedule, momentum: momentum, clip: clip, l2: l2)
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
        if !(momentum >= 0 && momentum < 1) {
            throw ArchitectureError("momentum \(momentum): expected a number from 0 to below 1")
        }
        if let clip, !(clip > 0 && clip.isFinite) {
            throw ArchitectureError("clip \(clip): expected a positive number")
        }
        if !(l2 >= 0 && l2 * learningRate < 1) {
            throw ArchitectureError("L2 \(l2): expected a number from 0 to below 1 / learning rate")
        }
        if let rate = schedule.parameter, !(rate > 0 && rate.isFinite) {
            throw ArchitectureError("schedule \(schedule): expected a positive number in it")
        }
    }
}

extension Optimizer: CustomStringConvertible {
    public var description: String {
        var parts = ["\(learningRate)"]
        if schedule != .constant { parts.append("schedule: \(schedule)") }
        if momentum != 0 { parts.append("momentum: \(momentum)") }
        if let clip { parts.append("clip: \(clip)") }
        if l2 != 0 { parts.append("l2: \(l2)") }
        return "sgd(\(parts.joined(separator: ", ")))"
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
