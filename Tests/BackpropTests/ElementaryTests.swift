// Our own functions against libm in Double, in units of the last place.

@testable import Backprop
import Foundation
import Testing

/// How many Floats apart two values are, roughly: their difference in units of the expected one's last place.
private func ulps(_ ours: Float, _ exact: Double) -> Double {
    abs(Double(ours) - exact) / Double(max(Float(exact).ulp, .leastNormalMagnitude))
}

@Test func exp_log_sigmoid_tanh_areWithinThreeUnitsInTheLastPlace() {
    var random = SeededRandom(seed: 1)
    var worst: (exp: Double, log: Double, sigmoid: Double, tanh: Double) = (0, 0, 0, 0)
    for _ in 0..<300_000 {
        let x = random.uniform(in: -86...86)
        worst.exp = max(worst.exp, ulps(Elementary.exp(x), exp(Double(x))))
        let small = random.uniform(in: -12...12)
        worst.sigmoid = max(worst.sigmoid, ulps(Elementary.sigmoid(small), 1 / (1 + exp(-Double(small)))))
        worst.tanh = max(worst.tanh, ulps(Elementary.tanh(Lanes(repeating: small))[0], tanh(Double(small))))
        let positive = Elementary.exp(x)
        worst.log = max(worst.log, ulps(Elementary.log(positive), log(Double(positive))))
    }
    #expect(worst.exp < 3)
    #expect(worst.sigmoid < 3)
    #expect(worst.tanh < 3)
    #expect(worst.log < 3)
}

@Test func atTheEdges_functionsStayFinite_andNaNStaysNaN() {
    #expect(Elementary.exp(Float.infinity).isFinite)
    #expect(Elementary.exp(-Float.infinity) < 2e-38)
    #expect(Elementary.exp(Float(0)) == 1)
    #expect(Elementary.exp(Float.nan).isNaN)
    #expect(Elementary.sigmoid(Float.nan).isNaN)
    #expect(Elementary.sigmoid(Float.infinity) == 1)
    #expect(Elementary.sigmoid(Float(0)) == 0.5)
    #expect(Elementary.tanh(Lanes(repeating: .infinity))[3] == 1)
    #expect(Elementary.tanh(Lanes(repeating: -.infinity))[3] == -1)
    #expect(Elementary.tanh(Lanes(repeating: .nan))[3].isNaN)
    #expect(Elementary.tanh(Lanes(repeating: 1e-30))[0] == 1e-30)
    #expect(Elementary.log1p(0) == 0)
    #expect(Elementary.log1p(1e-20) == 1e-20)
}

@Test func sumsAcrossLanes_haveOneOrder() {
    // 1e8 absorbs a 1 added to it: the result tells in which order the halves were added.
    var v = Lanes()
    v[0] = 1e8
    v[1] = 1
    v[8] = -1e8
    #expect(acrossLanes(v) == 1)
    v[8] = 0
    v[2] = -1e8
    #expect(acrossLanes(v) == 1)
}

@Test func seededRandom_isTheSameEverywhere() {
    var random = SeededRandom(seed: 1)
    #expect(random.next() == 0x910A_2DEC_8902_5CC1)  // SplitMix64's reference, seed 1
    #expect((0..<1000).allSatisfy { _ in (-2.0...3.0).contains(random.uniform(in: -2...3)) })
}
