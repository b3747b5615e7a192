// Counting words: the expert for streams of many terms.
//
// Multinomial naive Bayes (McCallum and Nigam, AAAI workshop on learning for text categorization, 1998) on which terms a
// sample has, not how often: of words that come in bursts, the first tells most. As in NaiveBayes, an exponent below 1
// takes back some of the confidence that comes of taking terms for independent.
//
// A class has few of all terms, so the sum over a sample's terms is that of terms never seen in a class, and a logarithm
// more for each that was.

import Backprop

/// Class probabilities from counts of (term, class).
struct TermBayes: Sendable {
    private static let smoothing: Float = 0.1
    private static let exponent: Float = 0.7
    /// The most counts: 64 MB. Terms beyond tell nothing.
    private static let limit = 1 << 24

    /// Room for classes.
    private(set) var stride: Int
    /// Samples of each class. Shape: (stride).
    private(set) var samples: [Float]
    /// Terms in samples of each class. Shape: (stride).
    private(set) var totals: [Float]
    /// Terms that were ever seen.
    private(set) var known: Float = 0
    /// Samples with a term, of each class. Shape: (terms, stride), as far as terms were seen.
    private(set) var counts: [Float] = []

    init(classes: Int) {
        stride = 4
        while stride < classes { stride *= 2 }
        samples = Array(repeating: 0, count: stride)
        totals = samples
    }

    /// What was saved; nil where it cannot be such.
    init?(samples: [Float], totals: [Float], known: Float, counts: [Float], inputs: Int) {
        let stride = samples.count
        guard stride >= 4, stride <= 1 << 17, stride & (stride - 1) == 0, totals.count == stride,
            counts.count % stride == 0, counts.count <= TermBayes.limit, counts.count / stride <= inputs,
            (samples + totals + counts + [known]).allSatisfy({ $0 >= 0 && $0 < 1e30 })
        else { return nil }
        (self.stride, self.samples, self.totals) = (stride, samples, totals)
        (self.known, self.counts) = (known, counts)
    }

    /// Makes room for so many classes.
    private mutating func widen(to classes: Int) {
        var wide = TermBayes(classes: classes)
        let terms = counts.count / stride
        wide.counts = Array(repeating: 0, count: min(terms, TermBayes.limit / wide.stride) * wide.stride)
        for term in 0..<wide.counts.count / wide.stride {
            for k in 0..<stride { wide.counts[term * wide.stride + k] = counts[term * stride + k] }
        }
        for k in 0..<stride { (wide.samples[k], wide.totals[k]) = (samples[k], totals[k]) }
        wide.known = known
        self = wide
    }

    /// Probabilities. Shape: (outputs).
    ///
    /// - Parameters:
    ///   - row: a list; its terms stand behind so many columns.
    func predict(
        _ row: SampleRow, columns: Int, classes: Int, outputs: Int, into p: UnsafeMutablePointer<Float>
    ) {
        let stride = stride
        for k in 0..<outputs { p[k] = 0 }
        var present: Float = 0
        counts.withUnsafeBufferPointer { counts in
            for n in columns..<row.count {
                let begin = (Int(row.places![n]) - columns) * stride
                guard begin + stride <= counts.count else { continue }
                present += 1
                for k in 0..<min(classes, stride) where counts[begin + k] > 0 {
                    p[k] += Elementary.log(1 + counts[begin + k] / TermBayes.smoothing)
                }
            }
        }
        let all = samples.reduce(0, +)
        var highest = -Float.greatestFiniteMagnitude
        for k in 0..<classes {
            let (own, total) = k < stride ? (samples[k], totals[k]) : (0, 0)
            let unseen = Elementary.log(TermBayes.smoothing / (total + TermBayes.smoothing * (known + 1)))
            p[k] =
                Elementary.log((own + 0.5) / (all + 0.5 * Float(classes)))
                + TermBayes.exponent * (p[k] + present * unseen)
            highest = max(highest, p[k])
        }
        NaiveBayes.normalise(p, classes, highest: highest)
    }

    /// Counts a sample.
    mutating func learn(_ row: SampleRow, columns: Int, _ label: Int, weight: Float = 1) {
        if label >= stride { widen(to: label + 1) }
        let stride = stride
        if let last = (columns < row.count ? row.places![row.count - 1] : nil) {
            let wanted = min((Int(last) - columns + 1), TermBayes.limit / stride) * stride
            if wanted > counts.count { counts += repeatElement(0, count: wanted - counts.count) }
        }
        samples[label] += weight
        counts.withUnsafeMutableBufferPointer { counts in
            for n in columns..<row.count {
                let begin = (Int(row.places![n]) - columns) * stride
                guard begin + stride <= counts.count else { continue }
                if !counts[begin..<begin + stride].contains(where: { $0 > 0 }) { known += 1 }
                counts[begin + label] += weight
                totals[label] += weight
            }
        }
    }
}
