// Counting, feature by feature: the expert that needs least to know something.
//
// Naive Bayes over features cut into ten bins by their deviations. Its assumption, that features are independent given
// the class, is never true and seldom does harm to the order of the classes (Domingos and Pazzani 1997); the exponent
// below 1 takes back some of the confidence that it does harm.

import Backprop

/// Class probabilities from counts of (feature, bin, class).
struct NaiveBayes: Sendable, Codable {
    static let bins = 10
    private static let smoothing: Float = 0.3
    private static let exponent: Float = 0.7

    private(set) var inputs: Int
    /// Samples of each class. Shape: (classes).
    private var classCounts: [Float] = []
    /// Shape: (classes, inputs, bins): few classes come late, and then stand behind the others.
    private var counts: [Float] = []

    init(inputs: Int) { self.inputs = inputs }

    /// Whether counts read from a file can be such.
    func isSound(outputs: Int) -> Bool {
        classCounts.count <= outputs && counts.count == classCounts.count * inputs * NaiveBayes.bins
            && (classCounts + counts).allSatisfy { $0 >= 0 && $0 <= 1e30 }
    }

    /// Bins of half a deviation each from −2 to 2, and all beyond on either side.
    @inline(__always)
    private static func bin(_ z: Float) -> Int { Int(min(max((z + 2.5) * 2, 0), 9)) }

    /// Log probabilities up to a constant, then probabilities. Shapes: (inputs), (outputs).
    func predict(_ z: UnsafePointer<Float>, classes: Int, outputs: Int, into p: UnsafeMutablePointer<Float>) {
        let total = classCounts.reduce(0, +)
        var highest = -Float.greatestFiniteMagnitude
        for k in 0..<outputs { p[k] = 0 }
        counts.withUnsafeBufferPointer { counts in
            for k in 0..<classes {
                let seen = k < classCounts.count ? classCounts[k] : 0
                var sum: Float = 0
                if k < classCounts.count {
                    // A product of sixteen quotients needs one logarithm.
                    let own = counts.baseAddress! + k * inputs * NaiveBayes.bins
                    let divisor = 1 / (seen + NaiveBayes.smoothing * Float(NaiveBayes.bins))
                    var product: Float = 1
                    for j in 0..<inputs {
                        let count = own[j * NaiveBayes.bins + NaiveBayes.bin(z[j])]
                        product *= (count + NaiveBayes.smoothing) * divisor
                        if product < 1e-20 {
                            sum += Elementary.log(product)
                            product = 1
                        }
                    }
                    sum += Elementary.log(product)
                } else {
                    sum = -Float(inputs) * 2.302_585  // every bin alike
                }
                p[k] = Elementary.log((seen + 0.5) / (total + 0.5 * Float(classes))) + NaiveBayes.exponent * sum
                highest = max(highest, p[k])
            }
        }
        NaiveBayes.normalise(p, classes, highest: highest)
    }

    /// Probabilities from their logarithms up to a constant.
    static func normalise(_ p: UnsafeMutablePointer<Float>, _ classes: Int, highest: Float) {
        var sum: Float = 0
        for k in 0..<classes {
            p[k] = Elementary.exp(p[k] - highest)
            sum += p[k]
        }
        for k in 0..<classes { p[k] /= sum }
    }

    /// Counts a sample. Shape: (inputs).
    mutating func learn(_ z: UnsafePointer<Float>, _ label: Int, weight: Float = 1) {
        if label >= classCounts.count {
            classCounts += repeatElement(0, count: label + 1 - classCounts.count)
            counts += repeatElement(0, count: classCounts.count * inputs * NaiveBayes.bins - counts.count)
        }
        classCounts[label] += weight
        for j in 0..<inputs { counts[(label * inputs + j) * NaiveBayes.bins + NaiveBayes.bin(z[j])] += weight }
    }

    /// The same with more features, whose values were 0 so far.
    func widened(to wider: Int) -> NaiveBayes {
        var other = NaiveBayes(inputs: wider)
        other.classCounts = classCounts
        other.counts = Array(repeating: 0, count: classCounts.count * wider * NaiveBayes.bins)
        for k in classCounts.indices {
            for j in 0..<wider {
                let to = (k * wider + j) * NaiveBayes.bins
                if j < inputs {
                    let from = (k * inputs + j) * NaiveBayes.bins
                    for bin in 0..<NaiveBayes.bins { other.counts[to + bin] = counts[from + bin] }
                } else {
                    other.counts[to + NaiveBayes.bin(0)] = classCounts[k]
                }
            }
        }
        return other
    }
}
