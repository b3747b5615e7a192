// In which unit a committee learns values, and how far a target may pull.
//
// Networks learn how far a value lies from what least squares say of it, in a unit that follows such distances: the
// linear part of a map is then learned at once, and what remains is about 1 for every stream. One target beyond all
// others must not undo that: it counts as a hundred units away, and the unit grows by some percent a sample if such
// targets go on. What is scored is the target as it came.

/// What is known of values so far.
struct ValueScale: Sendable, Codable {
    /// The usual distance from the base: the mean absolute one, as a deviation of a normal distribution.
    private(set) var unit = 0.0
    private var moments = RunningMoments()
    private var lowest = Double.infinity
    private var highest = -Double.infinity

    /// What is known before a sample.
    ///
    /// - Parameter base: what least squares say of it; nil for the mean.
    func outlook(base: Double?) -> Outlook {
        let margin = 0.5 * (highest - lowest)
        return Outlook(
            base: base ?? moments.mean, unit: unit, deviation: moments.scale,
            lowest: moments.count > 0 ? lowest - margin : -.infinity,
            highest: moments.count > 0 ? highest + margin : .infinity, isKnown: moments.count > 20)
    }

    /// Learns a target that was ``Outlook/winsorised(_:)``.
    mutating func learn(_ target: Double, _ outlook: Outlook) {
        moments.update(target)
        (lowest, highest) = (min(lowest, target), max(highest, target))
        guard moments.count > 1 else { return }
        var distance = 1.25 * abs(target - outlook.base)
        if moments.count > 11 { distance = min(distance, 5 * unit) }
        unit += max(1 / (moments.count - 1), 0.005) * (distance - unit)
    }
}

/// What was known of values when a sample came.
struct Outlook {
    let base: Double
    let unit: Double
    /// Of the targets.
    let deviation: Double
    /// What targets have been, and half as far beyond.
    let lowest: Double
    let highest: Double
    /// Whether there were enough to know.
    let isKnown: Bool

    /// What a network's output stands for.
    func value(_ output: Double) -> Float { bounded(base + output * unit) }

    func bounded(_ value: Double) -> Float { Float.clamped(min(max(value, lowest), highest)) }

    /// The target, or what it counts as; NaN stays.
    func winsorised(_ target: Float) -> Float {
        guard isKnown, unit > 0, !target.isNaN else { return target }
        return Float.clamped(min(max(Double(target), base - 100 * unit), base + 100 * unit))
    }
}
