// How much each expert's word weighs, of values.
//
// Two answers are mixed. One averages, with weights that fall with the eighth power of recent absolute error. The other
// corrects it by how far each expert stands from it, with coefficients learned by least squares (stacking: Breiman 1996),
// so that experts whose errors differ mend each other's. They too are weighed by the eighth power of recent error.

/// The weights of experts' votes on values.
struct ValueVote: Sendable, Codable {
    private static let keep = 0.996_540_3
    private static let share: Float = 0.01
    /// Errors beyond so many deviations count as so many.
    private static let bound = 5.0
    private var losses: [Double]
    /// Of the average; they sum to 1. Shape: (experts).
    private(set) var weights: [Float]
    /// What is added for each expert's distance from the average.
    private var correction: OnlineNewton
    /// Of the average, and of the corrected one, in deviations.
    private var averageLoss = 0.0
    private var correctedLoss = 0.0
    /// The usual error of the average.
    private var unit = 0.0
    private var average = 0.0  // of the sample in hand
    private var corrected = 0.0

    private enum CodingKeys: CodingKey { case losses, weights, correction, averageLoss, correctedLoss, unit }

    init(experts: Int) {
        losses = Array(repeating: 0, count: experts)
        weights = Array(repeating: 1 / Float(max(experts, 1)), count: experts)
        correction = OnlineNewton(from: losses, prior: 0.01)
    }

    /// Whether weights read from a file can be such.
    func isSound(experts: Int) -> Bool {
        losses.count == experts && weights.count == experts && losses.allSatisfy { $0 >= 0 && $0 < 1e100 }
            && weights.allSatisfy { $0 >= 0 && $0 <= 1 } && correction.isSound(count: experts)
            && [averageLoss, correctedLoss, unit].allSatisfy { $0 >= 0 && $0 < 1e100 }
    }

    /// The answer, from opinions in the target's units. Shape: (experts).
    mutating func decide(_ opinion: (Int) -> Double) -> Double {
        average = 0
        for e in weights.indices { average += Double(weights[e]) * opinion(e) }
        corrected = average
        for e in weights.indices { corrected += correction.coefficients[e] * (opinion(e) - average) }
        let share = ValueVote.trust(averageLoss, besides: correctedLoss)
        let other = ValueVote.trust(correctedLoss, besides: averageLoss)
        return (share * average + other * corrected) / (share + other)
    }

    /// The eighth power of how much less the better one lost.
    private static func trust(_ loss: Double, besides other: Double) -> Double {
        let grain = 1e-9
        let ratio = (min(loss, other) + grain) / (loss + grain)
        let fourth = ratio * ratio * ratio * ratio
        return fourth * fourth
    }

    /// Learns from the target of the sample just decided.
    ///
    /// - Parameter deviation: of the targets so far: an error beyond five of it counts as five.
    mutating func learn(_ target: Double, deviation: Double, _ opinion: (Int) -> Double) {
        if deviation > 0 { learnCorrection(target, deviation: deviation, opinion) }
        var least = Double.infinity
        for e in losses.indices {
            losses[e] = losses[e] * ValueVote.keep + min(abs(opinion(e) - target), ValueVote.bound * deviation)
            least = min(least, losses[e])
        }
        let grain = 1e-6 * deviation
        var sum: Float = 0
        for e in losses.indices {
            let ratio = Float((least + grain) / (losses[e] + grain))
            let fourth = ratio * ratio * ratio * ratio
            weights[e] = fourth * fourth
            sum += weights[e]
        }
        for e in weights.indices {
            weights[e] = (1 - ValueVote.share) * weights[e] / sum + ValueVote.share / Float(weights.count)
        }
    }

    private mutating func learnCorrection(_ target: Double, deviation: Double, _ opinion: (Int) -> Double) {
        func deviations(_ error: Double) -> Double { min(abs(error) / deviation, ValueVote.bound) }
        averageLoss = averageLoss * ValueVote.keep + deviations(average - target)
        correctedLoss = correctedLoss * ValueVote.keep + deviations(corrected - target)
        let error = abs(average - target)
        unit = unit == 0 ? deviation : unit + 0.01 * (min(error, 3 * unit + 1e-9 * deviation) - unit)
        let scale = 1 / max(unit, 1e-6 * deviation)
        func bounded(_ distance: Double) -> Double { min(max(distance * scale, -ValueVote.bound), ValueVote.bound) }
        let distances = weights.indices.map { bounded(opinion($0) - average) }
        var said = 0.0
        for e in distances.indices { said += correction.coefficients[e] * distances[e] }
        correction.move(along: distances, by: bounded(target - average) - said)
    }
}
