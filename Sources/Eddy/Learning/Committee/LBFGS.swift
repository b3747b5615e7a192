// Minimising a smooth function whose gradient is known: L-BFGS (Liu and Nocedal, Mathematical Programming 45, 1989).
//
// Gradients of the last few moves stand for the curvature, so that a handful of evaluations goes as far as hundreds of
// plain steps. A step is shortened until the function falls as it should (Armijo 1966).

/// Limited-memory BFGS.
struct LBFGS {
    /// Moves that are remembered.
    var memory = 6
    var iterations = 5
    /// It ends once a move gains less than this part of the function.
    var tolerance = 1e-3
    private static let lengthLimit = 6

    private struct Move {
        let step: [Float]
        let change: [Float]
        let product: Float
    }

    /// Moves `x` towards the minimum.
    ///
    /// - Parameters:
    ///   - scale: one over the curvature, about: how far the first move goes along the gradient.
    ///   - evaluate: the function at a place, and its gradient there.
    func minimise(_ x: inout [Float], scale: Float, _ evaluate: ([Float], inout [Float]) -> Double) {
        var gradient = [Float](repeating: 0, count: x.count)
        var value = evaluate(x, &gradient)
        var moves: [Move] = []
        var (next, nextGradient) = (x, gradient)
        for _ in 0..<iterations {
            let direction = LBFGS.direction(gradient, moves, scale: scale)
            let slope = LBFGS.dot(gradient, direction)
            guard slope > 0, slope.isFinite else { return }
            var length: Float = 1
            var lengths = 0
            var nextValue = Double.infinity
            while true {
                for i in x.indices { next[i] = x[i] - length * direction[i] }
                nextValue = evaluate(next, &nextGradient)
                if nextValue <= value - 1e-4 * Double(length * slope) { break }
                lengths += 1
                guard lengths < LBFGS.lengthLimit else { return }
                length *= 0.4
            }
            var (step, change) = (next, nextGradient)
            for i in x.indices {
                step[i] -= x[i]
                change[i] -= gradient[i]
            }
            let product = LBFGS.dot(step, change)
            if product > 1e-8 {
                if moves.count == memory { moves.removeFirst() }
                moves.append(Move(step: step, change: change, product: product))
            }
            let gain = value - nextValue
            (x, gradient, value) = (next, nextGradient, nextValue)
            if gain < tolerance * value { return }
        }
    }

    /// The gradient times an approximation of the inverse of the curvature, by two loops over the moves.
    private static func direction(_ gradient: [Float], _ moves: [Move], scale: Float) -> [Float] {
        var direction = gradient
        var shares = [Float](repeating: 0, count: moves.count)
        for (m, move) in moves.enumerated().reversed() {
            shares[m] = dot(move.step, direction) / move.product
            for i in direction.indices { direction[i] -= shares[m] * move.change[i] }
        }
        let scale = moves.last.map { $0.product / dot($0.change, $0.change) } ?? scale
        for i in direction.indices { direction[i] *= scale }
        for (m, move) in moves.enumerated() {
            let share = dot(move.change, direction) / move.product
            for i in direction.indices { direction[i] += move.step[i] * (shares[m] - share) }
        }
        return direction
    }

    private static func dot(_ a: [Float], _ b: [Float]) -> Float {
        var sum: Float = 0
        for i in a.indices { sum += a[i] * b[i] }
        return sum
    }
}
