// Mean and deviation of one number, over a stream without end (Welford, Technometrics 4, 1962).

/// Running mean and deviation of one number.
struct RunningMoments: Sendable, Hashable, Codable {
    private(set) var count: Double = 0
    private(set) var mean: Double = 0
    private var squares: Double = 0

    mutating func update(_ value: Double) {
        count += 1
        let delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    }

    /// The same value several times at once (Chan, Golub and LeVeque 1979).
    mutating func update(_ value: Double, times: Double) {
        guard times > 0 else { return }
        let delta = value - mean
        let total = count + times
        mean += delta * (times / total)
        squares += delta * delta * (count * times / total)
        count = total
    }

    /// The moments of both (Chan, Golub and LeVeque 1979).
    func joined(with other: RunningMoments) -> RunningMoments {
        guard count > 0, other.count > 0 else { return count > 0 ? self : other }
        var joined = self
        let delta = other.mean - mean
        joined.count = count + other.count
        joined.mean += delta * (other.count / joined.count)
        joined.squares += other.squares + delta * delta * (count * other.count / joined.count)
        return joined
    }

    /// Lets the same mean and deviation count as those of fewer numbers.
    mutating func weigh(by share: Double) {
        count *= share
        squares *= share
    }

    /// Of the population, in squared units.
    var variance: Double { count > 0 ? squares / count : 0 }

    /// The deviation, or 1 where nothing has varied yet.
    var scale: Double { squares > 0 ? variance.squareRoot() : 1 }
}
