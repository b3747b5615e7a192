// ShortestFloat against Swift's own description, byte for byte: every exponent, both ends of each, the borders of the
// notations, subnormals, whole numbers, decimals of few digits. (All 2^31 finite bit patterns without sign were compared
// once; that takes minutes.) The random inputs are the same in every run.

import Testing

@testable import Eddy

@Suite struct ShortestFloatTests {
    @Test func randomBits_areWrittenAsDescribed() {
        var random = TestRandom(seed: 1)
        expectDescribed((0..<3_000_000).lazy.map { _ in UInt32.random(in: 0...UInt32.max, using: &random) })
    }

    @Test func everyExponent_isWrittenAsDescribedAtItsEnds() {
        var random = TestRandom(seed: 2)
        for exponent in UInt32(0)...255 {
            let base = exponent << 23
            expectDescribed((0..<300).map { base + $0 } + (1...300).map { base + 0x80_0000 - $0 })
            expectDescribed((0..<2_000).map { _ in base + UInt32.random(in: 0..<0x80_0000, using: &random) })
        }
    }

    @Test func powersOfTenAndTheirNeighbours_areWrittenAsDescribed() {
        for power in -45...38 {
            for digit in 1...9 {
                guard let value = Float("\(digit)e\(power)"), value.isFinite else { continue }
                expectDescribed((-20...20).map { UInt32(truncatingIfNeeded: Int(value.bitPattern) + $0) })
            }
        }
    }

    @Test func wholeNumbersAndProbabilities_areWrittenAsDescribed() {
        expectDescribed((0...100_000).lazy.map { Float($0).bitPattern })
        expectDescribed((16_700_000...16_900_000).lazy.map { Float($0).bitPattern })
        expectDescribed((0...100_000).lazy.map { (Float($0) / 100_000).bitPattern })
    }

    @Test func signsAndWhatIsNoNumber_areWrittenAsDescribed() {
        for value: Float in [0, -0.0, .infinity, -.infinity, .nan, 1, -1, -1e-5, -0.8731, .pi] {
            #expect(text(value) == value.description)
        }
    }

    private func text(_ value: Float) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ShortestFloat.room) { out in
            let count = ShortestFloat.write(value, to: out.baseAddress!)
            return String(decoding: out[..<count], as: UTF8.self)
        }
    }

    /// Of each bit pattern that is a number.
    private func expectDescribed(_ patterns: some Sequence<UInt32>) {
        var wrong: [Float] = []
        for bits in patterns {
            let value = Float(bitPattern: bits)
            if !value.isNaN, text(value) != value.description { wrong.append(value) }
        }
        #expect(wrong.isEmpty)
    }
}
