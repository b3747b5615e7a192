import Foundation
import Testing

@testable import Backprop
@testable import Eddy

@Suite struct VoteTests {
    /// Two experts that see half each are worth more together: the answer beats the better one.
    @Test func expertsThatDiffer_mendEachOther() throws {
        var random = TestRandom(seed: 61)
        var vote = ClassVote(experts: 3)
        var (own, best) = (0.0, 0.0)
        for i in 0..<3000 {
            let isUp = random.oneIn(2)
            // A sign that is right three times in four, to each of two; the third knows nothing.
            let signs = (0..<2).map { _ in random.oneIn(4) ? !isUp : isUp }
            let said = signs.map { isUp -> [Float] in isUp ? [0.25, 0.75] : [0.75, 0.25] }
            let opinions: [Float] = said[0] + said[1] + [0.5, 0.5]
            var answer: [Float] = [0, 0]
            vote.decide(opinions, stride: 2, classes: 2, into: &answer)
            #expect(abs(answer[0] + answer[1] - 1) < 1e-5)
            vote.learn(isUp ? 1 : 0, classes: 2)
            guard i >= 1000 else { continue }
            own -= Double(Elementary.log(answer[isUp ? 1 : 0]))
            best -= Double(Elementary.log(opinions[isUp ? 1 : 0]))
        }
        // .562 nats is what one of them knows, .480 what both do.
        #expect(own < 0.90 * best, "\(own / best)")
        #expect(abs(vote.weights.reduce(0, +) - 1) < 1e-4 && vote.weights[2] < 0.2, "\(vote.weights)")
        #expect(vote.isSound(experts: 3) && !vote.isSound(experts: 2))
        // Two that are right for reasons of their own are both believed whole: the powers are 1, 1 and anything.
        let saved = try JSONDecoder().decode(Saved.self, from: try JSONEncoder().encode(vote))
        for power in saved.newton.coefficients[..<2] { #expect(abs(power - 1) < 0.35, "\(power)") }
    }

    private struct Saved: Decodable {
        struct Newton: Decodable { let coefficients: [Double] }
        let newton: Newton
    }

    /// The expert that was right until now is wrong from now on.
    @Test func theVote_followsAChange() throws {
        var random = TestRandom(seed: 62)
        var vote = ClassVote(experts: 2)
        var late = 0.0
        for i in 0..<2000 {
            let isUp = random.oneIn(2)
            let right: [Float] = isUp ? [0.1, 0.9] : [0.9, 0.1]
            let wrong: [Float] = [right[1], right[0]]
            var answer: [Float] = [0, 0]
            vote.decide(i < 1000 ? right + wrong : wrong + right, stride: 2, classes: 2, into: &answer)
            vote.learn(isUp ? 1 : 0, classes: 2)
            if i >= 1200 { late -= Double(Elementary.log(answer[isUp ? 1 : 0])) / 800 }
        }
        #expect(late < 0.2, "\(late)")
    }

    /// What one says too much, the other says too little by a half of it: a third of the one and two of the other are right.
    @Test func valuesOfExpertsThatErrTogether_areCorrected() throws {
        var random = TestRandom(seed: 63)
        var vote = ValueVote(experts: 2)
        var (error, count) = (0.0, 0)
        for i in 0..<2000 {
            let (target, wrong) = (
                Double.random(in: -5...5, using: &random), Double.random(in: -4...4, using: &random)
            )
            let opinions = [target + wrong, target - 0.5 * wrong]
            let answer = vote.decide { opinions[$0] }
            vote.learn(target, deviation: 3) { opinions[$0] }
            guard i >= 1000 else { continue }
            (error, count) = (error + abs(answer - target), count + 1)
        }
        // The better one alone is off by 1.
        #expect(error / Double(count) < 0.15, "\(error / Double(count))")
        #expect(vote.isSound(experts: 2) && !vote.isSound(experts: 3))
    }

    /// Experts that say nearly the same, for two million samples: rounding must not make a curvature of what is none.
    @Test func newtonSteps_stayStable_forEver() throws {
        var random = TestRandom(seed: 65)
        var newton = OnlineNewton(from: [0, 0, 0, 0], prior: 0.01)
        var worst = 0.0
        for i in 0..<2_000_000 {
            let (a, b) = (Double.random(in: -1...1, using: &random), Double.random(in: -1...1, using: &random))
            let near = a + 1e-4 * Double.random(in: -1...1, using: &random)
            let x = [a, near, b, a - near]
            let said = zip(x, newton.coefficients).reduce(0) { $0 + $1.0 * $1.1 }
            let y = a - 2 * b + 0.1 * Double.random(in: -1...1, using: &random)
            if i > 1_000_000 { worst = max(worst, abs(y - said)) }
            newton.move(along: x, by: y - said)
        }
        #expect(worst < 0.3 && newton.isSound(count: 4), "\(worst), \(newton.coefficients)")
    }

    /// With squared errors an online Newton step is least squares: the coefficients are found.
    @Test func newtonSteps_findALinearMap() throws {
        var random = TestRandom(seed: 64)
        var newton = OnlineNewton(from: [0, 0, 0], prior: 10)
        for _ in 0..<300 {
            let x = (0..<3).map { _ in Double.random(in: -1...1, using: &random) }
            let y = 2 * x[0] - 3 * x[1] + 0.5 * x[2]
            let said = zip(x, newton.coefficients).reduce(0) { $0 + $1.0 * $1.1 }
            newton.move(along: x, by: y - said)
        }
        for (found, expected) in zip(newton.coefficients, [2, -3, 0.5]) { #expect(abs(found - expected) < 0.01) }
    }
}
