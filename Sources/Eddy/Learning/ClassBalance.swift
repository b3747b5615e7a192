// Class imbalance: how much a sample counts in learning so that rare classes weigh as much as common ones.
//
// The weight of a class is n / (K · n_c): King and Zeng, Logistic Regression in Rare Events Data, 2001; scikit-learn's
// `class_weight="balanced"`, of what was counted before the sample. Each class counts as one sample more, so that a
// class's first sample has a weight. Weights lie within [1/10, 10]: a class of one in ten thousand would else come as
// a single step of thousands.
//
// A plain network gets them divided by the largest: what counts is their ratio, and a step ten times as long would be
// clipped to the usual length, so that common classes have to take shorter ones. (Multiplied instead, on a stream of 1 in
// 100 the recall of the rare class was .19, divided .59.) A committee's vote, counts and least squares have no clip.
//
// It moves the answer's probabilities towards those of a stream in which all classes come equally often: the recall of rare
// classes rises, and the log loss, which is of the stream as it is, rises too. So it is off unless asked for.
//
// Deliberately not here: metrics. A sample is one sample there, whatever it weighs.

/// The labels counted so far, and the weights that follow.
struct ClassBalance {
    private static let least = 0.1
    private static let most = 10.0

    private var counts: [Double]
    private var total: Double

    /// - Parameters:
    ///   - counts: labels of each class so far; of fewer than there are classes, the rest has none.
    ///   - classes: that are known.
    init(counts: [UInt64], classes: Int) {
        self.counts = (0..<max(classes, 1)).map { $0 < counts.count ? Double(counts[$0]) + 1 : 1 }
        total = self.counts.reduce(0, +)
    }

    /// The weight of a sample of a class, which is then counted.
    mutating func weigh(_ label: Int) -> Float {
        let weight = total / (Double(counts.count) * counts[label])
        counts[label] += 1
        total += 1
        return ClassBalance.bounded(weight)
    }

    /// The weight of the rarest class at this moment.
    var largest: Float { ClassBalance.bounded(total / (Double(counts.count) * counts.min()!)) }

    private static func bounded(_ weight: Double) -> Float { Float(min(max(weight, least), most)) }
}

extension LearnerOutput {
    /// Multiplies the weights of a run's samples by those of their classes.
    func balance(_ count: Int, _ buffers: OutputBuffers) {
        var balance = ClassBalance(counts: metrics.classCounts, classes: classes.count)
        let isAlone = head!.committee.isAlone
        for i in 0..<count where !buffers.targets[i].isNaN {
            let largest = isAlone ? balance.largest : 1
            buffers.balances[i] = balance.weigh(Int(buffers.targets[i]))
            buffers.weights[i] *= buffers.balances[i] / largest
        }
    }
}
