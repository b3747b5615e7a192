// How much each expert's word weighs.
//
// Of classes, two ways of voting are mixed. One is prediction with expert advice: exponential weights (Hedge: Littlestone
// and Warmuth 1994; Freund and Schapire 1997), an expert's weight being e^(−η·L), L its loss so far. With losses within
// [0, B], the vote loses after T samples at most B·√(T/2 · ln N) more than the best of N experts, for the best η and
// whatever the stream (Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, theorem 2.2). Losses are forgotten
// here, and each expert keeps a small share (Herbster and Warmuth 1998), so that the vote follows the stream: the bound
// is then against the best of recent times, T being what is remembered. The other multiplies: a product of experts, each
// to the power of a weight that is learned by gradient descent on the loss of the product (stacking: Wolpert 1992), and
// is better than the best of them where their errors differ.
//
// Values are averaged with weights that fall with the eighth power of recent absolute error.

import Backprop

/// The weights of experts' votes on classes.
struct ClassVote: Sendable, Codable {
    /// A loss's weight after 200 further samples is one half.
    private static let keep: Float = 0.996_540_3
    private static let rate: Float = 0.1
    private static let share: Float = 0.01
    /// The least probability of an expert that counts: one surprise must not silence it.
    private static let floor: Float = 1e-3
    private static let stackRate: Float = 0.3
    /// The stack's part in the answer.
    private static let stackShare: Float = 0.7

    let experts: Int
    private var losses: [Float]
    /// Of the average; they sum to 1. Shape: (experts).
    private(set) var weights: [Float]
    /// Of the product. Shape: (experts).
    private var exponents: [Float]
    private var squares: [Float]  // of the product's gradients, AdaGrad's
    private var logarithms: [Float] = []  // of the present opinions (experts, classes)
    private var product: [Float] = []  // (classes)

    init(experts: Int) {
        self.experts = experts
        losses = Array(repeating: 0, count: experts)
        weights = Array(repeating: 1 / Float(experts), count: experts)
        exponents = weights
        squares = losses
    }

    private enum CodingKeys: CodingKey { case experts, losses, weights, exponents, squares }

    /// Whether weights read from a file can be such.
    func isSound(experts: Int) -> Bool {
        self.experts == experts
            && [losses, weights, exponents, squares].allSatisfy { numbers in
                numbers.count == experts && numbers.allSatisfy { abs($0) < 1e30 }
            }
    }

    /// The answer, from opinions that are probabilities. Shapes: (experts, classes) by steps of `stride`, into (classes).
    mutating func decide(
        _ opinions: UnsafePointer<Float>, stride: Int, classes: Int, into answer: UnsafeMutablePointer<Float>
    ) {
        if product.count != classes {
            product = Array(repeating: 0, count: classes)
            logarithms = Array(repeating: 0, count: experts * classes)
        }
        var highest = -Float.greatestFiniteMagnitude
        for k in 0..<classes {
            var (sum, power): (Float, Float) = (0, 0)
            for e in 0..<experts {
                let p = opinions[e * stride + k]
                sum += weights[e] * p
                let logarithm = Elementary.log(max(p, ClassVote.floor))
                logarithms[e * classes + k] = logarithm
                power += exponents[e] * logarithm
            }
            answer[k] = sum
            product[k] = power
            highest = max(highest, power)
        }
        var sum: Float = 0
        for k in 0..<classes {
            product[k] = Elementary.exp(product[k] - highest)
            sum += product[k]
        }
        var total: Float = 0
        for k in 0..<classes {
            product[k] /= sum
            answer[k] =
                ClassVote.stackShare * product[k] + (1 - ClassVote.stackShare) * answer[k] + 1e-4 / Float(classes)
            total += answer[k]
        }
        for k in 0..<classes { answer[k] = total > 0 ? answer[k] / total : 1 / Float(classes) }
    }

    /// Learns from the label of the sample just decided.
    ///
    /// - Parameter weight: how much the sample counts.
    mutating func learn(_ label: Int, classes: Int, weight: Float = 1) {
        var least = Float.greatestFiniteMagnitude
        for e in 0..<experts {
            losses[e] = losses[e] * ClassVote.keep - weight * logarithms[e * classes + label]
            least = min(least, losses[e])
        }
        var sum: Float = 0
        for e in 0..<experts {
            weights[e] = Elementary.exp(-ClassVote.rate * (losses[e] - least))
            sum += weights[e]
            var gradient = -logarithms[e * classes + label]
            for k in 0..<classes { gradient += product[k] * logarithms[e * classes + k] }
            gradient = weight * min(max(gradient, -4), 4)
            squares[e] += gradient * gradient
            exponents[e] = max(exponents[e] - ClassVote.stackRate * gradient / (1 + squares[e]).squareRoot(), -0.2)
        }
        for e in 0..<experts {
            weights[e] = (1 - ClassVote.share) * weights[e] / sum + ClassVote.share / Float(experts)
        }
    }
}

/// The weights of experts' votes on values.
struct ValueVote: Sendable, Codable {
    private static let keep = 0.996_540_3
    private static let share: Float = 0.01
    private var losses: [Double]
    /// They sum to 1. Shape: (experts).
    private(set) var weights: [Float]

    init(experts: Int) {
        losses = Array(repeating: 0, count: experts)
        weights = Array(repeating: 1 / Float(experts), count: experts)
    }

    /// Whether weights read from a file can be such.
    func isSound(experts: Int) -> Bool {
        losses.count == experts && weights.count == experts && losses.allSatisfy { $0 >= 0 && $0 < 1e100 }
            && weights.allSatisfy { $0 >= 0 && $0 <= 1 }
    }

    /// The answer, from opinions in the target's units. Shape: (experts).
    func decide(_ opinion: (Int) -> Double) -> Double {
        var sum = 0.0
        for e in weights.indices { sum += Double(weights[e]) * opinion(e) }
        return sum
    }

    /// Learns from the target.
    ///
    /// - Parameter deviation: of the targets so far: an error beyond five of it counts as five.
    mutating func learn(_ target: Double, deviation: Double, _ opinion: (Int) -> Double) {
        var least = Double.infinity
        for e in losses.indices {
            losses[e] = losses[e] * ValueVote.keep + min(abs(opinion(e) - target), 5 * deviation)
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
}
