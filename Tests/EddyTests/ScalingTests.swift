// Online standardisation: what it computes, and the same bits from Swift and C.

import Backprop
@testable import Eddy
import Testing

@Suite struct ScalingTests {
    private func rows(_ features: [Float], inputs: Int, labels: [Float], kernels: Kernels) -> (
        [UInt32], FeatureScaler
    ) {
        var scaler = FeatureScaler(inputs: inputs)
        let stride = (inputs + 15) & ~15
        let rows = AlignedBuffer(count: labels.count * stride)
        features.withUnsafeBufferPointer { x in
            scaler.standardise(
                x.baseAddress!, labels.count, labels: labels, into: rows.floats, stride: stride, kernels: kernels)
        }
        return ((0..<rows.count).map { rows.floats[$0].bitPattern }, scaler)
    }

    @Test(arguments: [1, 2, 7, 8, 9, 16, 30, 33])
    func everyForm_hasTheSameBits(_ inputs: Int) {
        var random = SeededRandom(seed: UInt64(inputs), stream: 0)
        // Constants, ordinary features, tiny and huge ones, and outliers.
        let features = (0..<300 * inputs).map { i -> Float in
            switch i % inputs % 5 {
            case 0: return 3
            case 1: return random.uniform(in: -1...1) * 1e-25
            case 2: return random.uniform(in: -1...1) * 1e30
            case 3: return random.uniform(in: 0...1) < 0.01 ? 1e6 : random.uniform(in: -2...2)
            default: return random.uniform(in: -5...9)
            }
        }
        let labels = (0..<300).map { $0 % 11 == 10 ? Float.nan : 1 }
        let (reference, scaler) = rows(features, inputs: inputs, labels: labels, kernels: .swift)
        for kernels in Kernels.available {
            let (found, other) = rows(features, inputs: inputs, labels: labels, kernels: kernels)
            #expect(found == reference, "\(kernels)")
            #expect(other.means == scaler.means && other.squares == scaler.squares && other.count == scaler.count)
        }
        #expect(reference.allSatisfy { Float(bitPattern: $0).isFinite })
    }

    @Test func scores_areDistancesInDeviations() {
        let (bits, scaler) = rows([1, 5, 3, 5, 5, 5], inputs: 2, labels: [0, 0, 0], kernels: .chosen)
        #expect(scaler.means == [3, 5] && scaler.squares == [8, 0])
        // 5 is (5 − 3) / √(8/3) deviations above the mean; what never varies is 0.
        #expect(abs(Float(bitPattern: bits[32]) - 2 / (8.0 / 3).squareRoot()) < 1e-6)
        #expect(Float(bitPattern: bits[33]) == 0)
    }

    @Test func copy_keepsItsMoments() {
        var scaler = FeatureScaler(inputs: 1)
        scaler.update([2])
        let copy = scaler
        scaler.mark()
        scaler.update([4])
        #expect(copy.means == [2] && scaler.means == [3])
        scaler.rollBack()
        #expect(scaler.means == [2] && scaler.count == 1)
    }

    /// Wherever it stands among the first twenty, and whatever the feature's own scale.
    @Test(arguments: [0, 7, 19], [Float(1e-3), 1, 1e5])
    func aWildFirstValue_hidesNoFeature(place: Int, scale: Float) {
        var random = SeededRandom(seed: 5, stream: 0)
        var scaler = FeatureScaler(inputs: 2, isRobust: true)
        for i in 0..<100 {
            let x = i == place ? 1e30 : scale * random.uniform(in: -1...1)
            scaler.update([x, i % 10 == 3 ? 1 : 0])
        }
        let scaled = scaler.scaled([scale, 1])
        #expect(scaled[0] > 0.8 && scaled[0] < 3, "\(scaled)")
        #expect(scaled[1] > 1, "a rare category is no error")
    }

    /// Values that are merely spread widely stay what they are.
    @Test func ordinaryFirstValues_areBelieved() {
        var random = SeededRandom(seed: 6, stream: 0)
        var robust = FeatureScaler(inputs: 1, isRobust: true)
        var plain = FeatureScaler(inputs: 1)
        for _ in 0..<20 {
            let x = -Elementary.log(random.uniform(in: 0.001...1)) * 5
            robust.update([x])
            plain.update([x])
        }
        #expect(robust.means == plain.means && robust.squares == plain.squares)
    }
}
