// Rules that turn a gradient into an update, each weight by itself: g is the weight's gradient after clip, L1 and L2,
// η the learning rate, t the number of samples learned, this one included. All is float32, no product is contracted with
// a sum, and square root and division are IEEE's, so CBackpropKernels gives the same bits (body/rules.h).
//
//     sgd        w ← w − η g                                                       Robbins and Monro 1951
//     momentum   v ← μ v + g             w ← w − η v                               Polyak 1964
//     nesterov   v ← μ v + g             w ← w − η (g + μ v)                       Sutskever et al., ICML 2013
//     AdaGrad    s ← s + g²              w ← w − η g / (√s + ε)                    Duchi, Hazan and Singer, JMLR 2011
//     RMSProp    s ← ρ s + (1 − ρ) g²    w ← w − η g / (√s + ε)                    Tieleman and Hinton 2012
//     Adam       m ← β₁ m + (1 − β₁) g   v ← β₂ v + (1 − β₂) g²                    Kingma and Ba, ICLR 2015
//                w ← w − η m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
//     AdamW      w ← (1 − η l2) w, then Adam without L2                            Loshchilov and Hutter, ICLR 2019
//     COCOB      L ← max(L, |g|)         G ← G + |g|                               Orabona and Tommasi, NeurIPS 2017
//                R ← max(R − (w − w₁) g, 0)      θ ← θ − g
//                w ← w₁ + θ (L + R) / (L max(G + L, α L))
//
// Where PyTorch has the rule, this is PyTorch's form of it. COCOB has no step size: it bets, on the sign of the next
// gradient, a fraction of what it has won, and the first bet is 1/α whatever the gradient's scale. The paper starts L at
// a small constant; here it starts at 0 and a weight that never had a gradient has no bet, so that the scale of the
// gradients does not matter at all.

/// How a gradient changes a weight; the constants are as in the papers (see this file's head).
public enum UpdateRule: Sendable, Hashable, Codable {
    /// Along the gradient; with momentum, along a sum of past gradients.
    case sgd(momentum: Float)
    case nesterov(momentum: Float)
    /// Every weight's steps shrink as its gradients add up: for rare features, and for streams that do not drift.
    case adaGrad(epsilon: Double)
    case rmsProp(decay: Double, epsilon: Double)
    case adam(beta1: Double, beta2: Double, epsilon: Double)
    case adamW(beta1: Double, beta2: Double, epsilon: Double)
    /// Without a learning rate.
    case cocob(alpha: Double)

    /// Numbers kept for each weight.
    var stateBlocks: Int {
        switch self {
        case .sgd(let momentum): momentum == 0 ? 0 : 1
        case .nesterov, .adaGrad, .rmsProp: 1
        case .adam, .adamW: 2
        case .cocob: 5  // L, G, R, θ and w₁
        }
    }

    /// Whether a gradient of zero changes neither the weight nor its state.
    var restsWithoutGradient: Bool {
        switch self {
        case .sgd(let momentum): momentum == 0
        case .adaGrad, .cocob: true
        case .nesterov, .rmsProp, .adam, .adamW: false
        }
    }

    /// Whether the update's length does not follow from the gradient's: the gradient itself is then bounded.
    var isAdaptive: Bool {
        switch self {
        case .sgd, .nesterov: false
        case .adaGrad, .rmsProp, .adam, .adamW, .cocob: true
        }
    }

    /// Which of the state blocks remembers where weights began.
    var startBlock: Int? {
        if case .cocob = self { 4 } else { nil }
    }

    /// 1 / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ) for the sample learned after `step` others; 1 and 1 from some step on.
    func corrections(at step: UInt64) -> (first: Float, second: Float) { Corrections(self)(at: step) }

    /// The same for many steps.
    struct Corrections {
        private let powers: (Powers, Powers)?

        init(_ rule: UpdateRule) {
            switch rule {
            case .adam(let beta1, let beta2, _), .adamW(let beta1, let beta2, _):
                powers = (Powers(of: beta1), Powers(of: beta2))
            case .sgd, .nesterov, .adaGrad, .rmsProp, .cocob: powers = nil
            }
        }

        func callAsFunction(at step: UInt64) -> (first: Float, second: Float) {
            guard let powers else { return (1, 1) }
            let t = step &+ 1
            return (Float(1 / (1 - powers.0[t])), Float(1 / (1 - powers.1[t]).squareRoot()))
        }
    }

    /// base^exponent by squaring, 0 where a square is below 10⁻²⁰: a function of both alone, so nothing need be saved.
    struct Powers {
        /// base, base², base⁴, …
        private let squares: [Double]

        init(of base: Double) {
            var squares: [Double] = []
            var square = base
            while squares.count < 64, square >= 1e-20 {
                squares.append(square)
                square *= square
            }
            self.squares = squares
        }

        subscript(exponent: UInt64) -> Double {
            var (result, rest) = (1.0, exponent)
            for square in squares where rest != 0 {
                if rest & 1 == 1 { result *= square }
                rest >>= 1
            }
            return rest == 0 ? result : 0
        }
    }

    /// Throws with a sentence where a constant makes no sense.
    func validate() throws(ArchitectureError) {
        func check(_ name: String, _ value: Double) throws(ArchitectureError) {
            if !(value >= 0 && value < 1) {
                throw ArchitectureError("\(name) \(value): expected a number from 0 to below 1")
            }
        }
        func check(epsilon: Double) throws(ArchitectureError) {
            if !(epsilon >= 1e-20 && epsilon <= 1) {
                throw ArchitectureError("epsilon \(epsilon): expected a number from 1e-20 to 1")
            }
        }
        switch self {
        case .sgd(let momentum), .nesterov(let momentum): try check("momentum", Double(momentum))
        case .adaGrad(let epsilon): try check(epsilon: epsilon)
        case .rmsProp(let decay, let epsilon):
            try check("decay", decay)
            try check(epsilon: epsilon)
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            try check("beta1", beta1)
            try check("beta2", beta2)
            try check(epsilon: epsilon)
            if !(beta1 * beta1 < beta2) {  // else m outlasts √v, and their ratio has no bound
                throw ArchitectureError("beta1 \(beta1) with beta2 \(beta2): expected beta1² below beta2")
            }
        case .cocob(let alpha):
            if !(alpha >= 1 && alpha <= 1e6) {
                throw ArchitectureError("alpha \(alpha): expected a number from 1 to 1000000")
            }
        }
    }
}

// MARK: - One update

/// The numbers of one sample's update, and the rule applied to sixteen weights.
struct UpdateStep {
    let rule: UpdateRule
    let rate: Float
    let l1: Float
    let l2: Float
    let first: Float  // 1 / (1 − β₁ᵗ)
    let second: Float  // 1 / √(1 − β₂ᵗ)

    init(_ optimizer: Optimizer, at step: UInt64, factor: Float = 1) {
        rule = optimizer.rule
        rate = optimizer.learningRate(at: step) * factor
        (l1, l2) = (optimizer.l1, optimizer.l2)
        (first, second) = rule.corrections(at: step)
    }

    /// What a rule keeps for sixteen weights; a rule uses the first of these.
    typealias State = (Lanes, Lanes, Lanes, Lanes, Lanes)

    /// A weight, not a bias: with L1 and L2.
    func weight(_ w: Lanes, along gradient: Lanes, _ state: inout State) -> Lanes {
        var (w, g) = (w, gradient)
        if case .adamW = rule {
            if l2 != 0 { w = w * (1 - rate * l2) }
        } else if l2 != 0 {
            g = g + w * l2
        }
        if l1 != 0 { g = g + Lanes().replacing(with: l1, where: w .> 0).replacing(with: -l1, where: w .< 0) }
        return self(w, along: g, &state)
    }

    /// The rule alone.
    func callAsFunction(_ w: Lanes, along g: Lanes, _ state: inout State) -> Lanes {
        switch rule {
        case .sgd(let momentum):
            if momentum == 0 { return w - g * rate }
            state.0 = state.0 * momentum + g
            return w - state.0 * rate
        case .nesterov(let momentum):
            state.0 = state.0 * momentum + g
            return w - (g + state.0 * momentum) * rate
        case .adaGrad(let epsilon):
            state.0 = state.0 + g * g
            return w - (g * rate) / (state.0.squareRoot() + Float(epsilon))
        case .rmsProp(let decay, let epsilon):
            state.0 = state.0 * Float(decay) + (g * g) * Float(1 - decay)
            return w - (g * rate) / (state.0.squareRoot() + Float(epsilon))
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            state.0 = state.0 * Float(beta1) + g * Float(1 - beta1)
            state.1 = state.1 * Float(beta2) + (g * g) * Float(1 - beta2)
            return w - (state.0 * (rate * first)) / (state.1.squareRoot() * second + Float(epsilon))
        case .cocob(let alpha):
            let magnitude = g.replacing(with: -g, where: g .< 0)
            let largest = state.0.replacing(with: magnitude, where: magnitude .> state.0)
            let sum = state.1 + magnitude
            let won = state.2 - (w - state.4) * g
            let reward = won.replacing(with: 0, where: won .< 0)
            let theta = state.3 - g
            (state.0, state.1, state.2, state.3) = (largest, sum, reward, theta)
            let (all, least) = (sum + largest, largest * Float(alpha))
            let divisor = largest * all.replacing(with: least, where: least .> all)
            let bet = theta / divisor.replacing(with: 1, where: divisor .<= 0) * (largest + reward)
            // Wealth grows exponentially while all gradients have one sign: a bet has a bound.
            let low = bet.replacing(with: -Network.longestUpdate, where: bet .< -Network.longestUpdate)
            let bounded = low.replacing(with: Network.longestUpdate, where: low .> Network.longestUpdate)
            return state.4 + bounded.replacing(with: 0, where: divisor .<= 0)
        }
    }
}
