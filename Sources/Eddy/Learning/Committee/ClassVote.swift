// How much each expert's word weighs, of classes.
//
// Three ways of voting are mixed. One is prediction with expert advice: exponential weights (Hedge: Littlestone and
// Warmuth 1994; Freund and Schapire 1997), an expert's weight being e^(−η·L), L its loss so far. With losses within [0, B],
// the vote loses after T samples at most B·√(T/2 · ln N) more than the best of N experts, for the best η and whatever the
// stream (Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, theorem 2.2). Losses are forgotten here, and
// each expert keeps a small share (Herbster and Warmuth 1998), so that the vote follows the stream: the bound is then
// against the best of recent times, T being what is remembered. The other two multiply: a product of experts, each to the
// power of a weight that is learned on the loss of the product (stacking: Wolpert 1992), and is better than the best of
// them where their errors differ. One learns its powers by AdaGrad (Duchi, Hazan and Singer 2011), and is soon where it
// wants to be after a change; the other by online Newton steps, and is better where nothing changes.
//
// Which of the three is right depends on the stream, so they are weighed in turn by how well each did of late.

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
    private static let newtonPrior = 0.2

    let experts: Int
    private var losses: [Float]
    /// Of the average; they sum to 1. Shape: (experts).
    private(set) var averageWeights: [Float]
    /// Of the product that learns by gradient steps. Shape: (experts).
    private var exponents: [Float]
    private var squares: [Float]  // of the product's gradients, AdaGrad's
    /// Of the product that learns by Newton steps.
    private var newton: OnlineNewton
    private var ways = WayWeights()
    private var scratch = Scratch()

    /// What was said of the sample in hand.
    private struct Scratch {
        var logarithms: [Float] = []  // of the opinions (experts, classes)
        var average: [Float] = []  // (classes), as are the products
        var product: [Float] = []
        var newtonProduct: [Float] = []
        var gradient: [Double] = []  // (experts)
    }

    init(experts: Int) {
        self.experts = experts
        losses = Array(repeating: 0, count: experts)
        averageWeights = Array(repeating: 1 / Float(max(experts, 1)), count: experts)
        exponents = averageWeights
        squares = losses
        newton = OnlineNewton(from: averageWeights.map(Double.init), prior: ClassVote.newtonPrior)
    }

    private enum CodingKeys: CodingKey { case experts, losses, averageWeights, exponents, squares, newton, ways }

    /// Whether weights read from a file can be such.
    func isSound(experts: Int) -> Bool {
        self.experts == experts
            && [losses, averageWeights, exponents, squares].allSatisfy { numbers in
                numbers.count == experts && numbers.allSatisfy { abs($0) < 1e30 }
            } && newton.isSound(count: experts) && ways.isSound
    }

    /// What each expert's word weighs in the answer: its part in each of the three ways, by what these weigh. They sum to
    /// 1. Shape: (experts).
    var weights: [Float] {
        let sums = sums
        return (0..<experts).map { weight(of: $0, sums) }
    }

    /// What the experts' words are measured by.
    struct Sums {
        fileprivate let shares: WayWeights.Shares
        fileprivate var product: Float = 0
        fileprivate var newton: Float = 0
    }

    var sums: Sums {
        var sums = Sums(shares: ways.shares)
        for e in 0..<experts {
            sums.product += abs(exponents[e])
            sums.newton += abs(Float(newton.coefficients[e]))
        }
        return sums
    }

    /// What one expert's word weighs.
    func weight(of expert: Int, _ sums: Sums) -> Float {
        func part(_ power: Float, of sum: Float) -> Float { sum > 0 ? abs(power) / sum : 1 / Float(experts) }
        return sums.shares.average * averageWeights[expert]
            + sums.shares.product * part(exponents[expert], of: sums.product)
            + sums.shares.newton * part(Float(newton.coefficients[expert]), of: sums.newton)
    }

    /// The answer, from opinions that are probabilities. Shapes: (experts, classes) by steps of `stride`, into (classes).
    mutating func decide(
        _ opinions: UnsafePointer<Float>, stride: Int, classes: Int, into answer: UnsafeMutablePointer<Float>
    ) {
        if scratch.product.count != classes {
            scratch.average = Array(repeating: 0, count: classes)
            (scratch.product, scratch.newtonProduct) = (scratch.average, scratch.average)
            scratch.logarithms = Array(repeating: 0, count: experts * classes)
        }
        for k in 0..<classes {
            var (sum, power, second): (Float, Float, Double) = (0, 0, 0)
            for e in 0..<experts {
                let p = opinions[e * stride + k]
                sum += averageWeights[e] * p
                let logarithm = Elementary.log(max(p, ClassVote.floor))
                scratch.logarithms[e * classes + k] = logarithm
                power += exponents[e] * logarithm
                second += newton.coefficients[e] * Double(logarithm)
            }
            scratch.average[k] = sum
            scratch.product[k] = power
            scratch.newtonProduct[k] = Float(second)
        }
        ClassVote.normalise(&scratch.product)
        ClassVote.normalise(&scratch.newtonProduct)
        let shares = ways.shares
        var total: Float = 0
        for k in 0..<classes {
            answer[k] =
                shares.average * scratch.average[k] + shares.product * scratch.product[k]
                + shares.newton * scratch.newtonProduct[k] + 1e-4 / Float(classes)
            total += answer[k]
        }
        for k in 0..<classes { answer[k] = total > 0 ? answer[k] / total : 1 / Float(classes) }
    }

    /// Logarithms to probabilities.
    private static func normalise(_ logarithms: inout [Float]) {
        var highest = -Float.greatestFiniteMagnitude
        for logarithm in logarithms { highest = max(highest, logarithm) }
        var sum: Float = 0
        for k in logarithms.indices {
            logarithms[k] = Elementary.exp(logarithms[k] - highest)
            sum += logarithms[k]
        }
        for k in logarithms.indices { logarithms[k] /= sum }
    }

    /// Learns from the label of the sample just decided.
    ///
    /// - Parameter weight: how much the sample counts.
    mutating func learn(_ label: Int, classes: Int, weight: Float = 1) {
        ways.learn(
            average: scratch.average[label], product: scratch.product[label],
            newton: scratch.newtonProduct[label], weight: weight)
        var least = Float.greatestFiniteMagnitude
        for e in 0..<experts {
            losses[e] = losses[e] * ClassVote.keep - weight * scratch.logarithms[e * classes + label]
            least = min(least, losses[e])
        }
        if scratch.gradient.count != experts { scratch.gradient = Array(repeating: 0, count: experts) }
        var sum: Float = 0
        for e in 0..<experts {
            averageWeights[e] = Elementary.exp(-ClassVote.rate * (losses[e] - least))
            sum += averageWeights[e]
            let own = -scratch.logarithms[e * classes + label]
            var (gradient, second) = (own, own)
            for k in 0..<classes {
                gradient += scratch.product[k] * scratch.logarithms[e * classes + k]
                second += scratch.newtonProduct[k] * scratch.logarithms[e * classes + k]
            }
            gradient = weight * min(max(gradient, -4), 4)
            squares[e] += gradient * gradient
            exponents[e] = max(exponents[e] - ClassVote.stackRate * gradient / (1 + squares[e]).squareRoot(), -0.2)
            scratch.gradient[e] = Double(weight * second)
        }
        newton.move(along: scratch.gradient, by: -1)
        for e in 0..<experts {
            averageWeights[e] = (1 - ClassVote.share) * averageWeights[e] / sum + ClassVote.share / Float(experts)
        }
    }
}

/// What the three ways of voting on classes weigh, by their recent losses.
private struct WayWeights: Sendable, Codable {
    typealias Shares = (average: Float, product: Float, newton: Float)

    private static let first: Shares = (0.3, 0.35, 0.35)
    /// What each keeps, however much it lost.
    private static let kept: Float = 0.05
    private static let rate: Float = 0.3
    private static let keep: Float = 0.995
    private static let floor: Float = 1e-3
    private var losses: [Float] = [0, 0, 0]

    var isSound: Bool { losses.count == 3 && losses.allSatisfy { $0 >= 0 && $0 < 1e30 } }

    /// They sum to 1.
    var shares: Shares {
        let least = min(losses[0], losses[1], losses[2])
        let first = WayWeights.first
        let a = first.average * Elementary.exp(WayWeights.rate * (least - losses[0]))
        let b = first.product * Elementary.exp(WayWeights.rate * (least - losses[1]))
        let c = first.newton * Elementary.exp(WayWeights.rate * (least - losses[2]))
        let scale = (1 - WayWeights.kept) / (a + b + c)
        return (
            a * scale + WayWeights.kept * first.average, b * scale + WayWeights.kept * first.product,
            c * scale + WayWeights.kept * first.newton
        )
    }

    /// Learns what each gave the class that it was.
    mutating func learn(average: Float, product: Float, newton: Float, weight: Float) {
        for (way, said) in [average, product, newton].enumerated() {
            losses[way] = losses[way] * WayWeights.keep - weight * Elementary.log(max(said, WayWeights.floor))
        }
    }
}
