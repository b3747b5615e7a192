// The streams that drift detectors are tested on, made by the same operations as in scripts/golden-drift.py.

import Eddy

/// Numbers whose distribution changes from a first concept to a second, or does not.
struct DriftStream: Decodable, Hashable {
    enum Change: String, Decodable {
        case none, abrupt, gradual, recurring
    }

    let concept: String
    let change: Change
    let seed: UInt64
    let count: Int

    init(_ concept: String, _ change: Change, seed: UInt64, count: Int) {
        (self.concept, self.change, self.seed, self.count) = (concept, change, seed, count)
    }

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        concept = try container.decode(String.self)
        change = try container.decode(Change.self)
        seed = try container.decode(UInt64.self)
        count = try container.decode(Int.self)
    }

    var values: [Double] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { i in
            let u = unit(&random)
            let isSecond =
                switch change {
                case .none: false
                case .abrupt: i >= count / 2
                case .gradual: u * Double(count / 3) < Double(i - count / 3)
                case .recurring: i / (count / 6) % 2 == 1
                }
            return value(&random, isSecond, Double(i))
        }
    }

    /// From the generator's upper 53 bits, in [0, 1).
    private func unit(_ random: inout SeededRandom) -> Double { Double(random.next() >> 11) * 0x1p-53 }

    private func value(_ r: inout SeededRandom, _ isSecond: Bool, _ i: Double) -> Double {
        switch concept {
        case "bernoulli": return unit(&r) < (isSecond ? 0.45 : 0.15) ? 1 : 0
        case "rare": return unit(&r) < (isSecond ? 0.06 : 0.01) ? 1 : 0
        case "noise":
            let sum = (1..<12).reduce(unit(&r)) { sum, _ in sum + unit(&r) }
            return sum - 6 + (isSecond ? 0.8 : 0)
        case "spread": return (unit(&r) - 0.5) * (isSecond ? 3 : 1)
        case "small": return (unit(&r) * (isSecond ? 6 : 4)).rounded(.down)
        case "loss":
            let u = unit(&r)
            let level = 0.05 + 0.6 / (1 + i / 150) + (isSecond ? 0.5 : 0)
            return level * u * u / (1.02 - u)
        case "falling": return unit(&r) * (isSecond ? 0.2 : 1) - 3
        case "constant": return isSecond ? 2.5 : 0.25
        case "large": return (unit(&r) + (isSecond ? 0.4 : 0)) * 1e9
        default: preconditionFailure("no concept \(concept)")
        }
    }
}

/// Where a detector alarms and warns in a stream, counted from 0.
func events(
    of detector: inout some DriftDetector, in values: some Sequence<Double>
) -> (drifts: [Int], warnings: [Int]) {
    var (drifts, warnings): ([Int], [Int]) = ([], [])
    for (i, value) in values.enumerated() {
        switch detector.update(value) {
        case .none: break
        case .warning: warnings.append(i)
        case .drift: drifts.append(i)
        }
    }
    return (drifts, warnings)
}
