// How a tree grows: from all samples at the root, by the best of sixteen random splits at each node.
//
// Extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006) draw a split's feature and threshold
// at random and choose the best of a few. Here the threshold lies midway between two of the node's own samples, rather
// than anywhere between its least and its greatest: heavy tails then cost no depth, and no pass is needed to find them.
// The best split is the one that leaves the least Gini impurity, or of values the least variance.

import Backprop

/// Samples in a table, and scratch memory to grow trees from them.
final class TreeGrower {
    /// Nodes of so few samples are not split.
    private static let leafSize = 2
    /// Draws for a split's two samples, until they differ.
    private static let draws = 4
    /// Sums that classes share beyond so many.
    private static let sumLimit = 32

    let inputs: Int
    let isValue: Bool
    private var count = 0
    /// Sums of each side of a split: one a class, or weight and value.
    private var sumCount = 0
    /// Shape: (capacity, inputs).
    private let rows: AlignedBuffer
    private let targets: AlignedBuffer
    private let weights: AlignedBuffer
    /// Of values from their node's mean, in parts of the largest.
    private let differences: AlignedBuffer
    /// Which sum a sample counts in.
    private let sums: UnsafeMutablePointer<Int32>
    private let order: UnsafeMutablePointer<Int32>
    private let features: UnsafeMutablePointer<Int32>
    private let thresholds = AlignedBuffer(count: 16)
    private let left = AlignedBuffer(count: 16 * sumLimit)
    /// The sums of a whole node.
    private let totals = AlignedBuffer(count: sumLimit)
    private let capacity: Int
    var kernels = Kernels.chosen

    init(inputs: Int, capacity: Int, isValue: Bool) {
        (self.inputs, self.capacity, self.isValue) = (inputs, capacity, isValue)
        rows = AlignedBuffer(count: capacity * inputs)
        targets = AlignedBuffer(count: capacity)
        weights = AlignedBuffer(count: capacity)
        differences = AlignedBuffer(count: isValue ? capacity : 0)
        sums = .allocate(capacity: capacity)
        sums.initialize(repeating: 0, count: capacity)
        order = .allocate(capacity: capacity)
        order.initialize(repeating: 0, count: capacity)
        features = .allocate(capacity: 16)
        features.initialize(repeating: 0, count: 16)
    }

    deinit {
        sums.deallocate()
        order.deallocate()
        features.deallocate()
    }

    /// Takes a memory's samples.
    ///
    /// - Parameter classes: that are known.
    func take(_ memory: ReplayMemory, classes: Int) {
        count = min(memory.count, capacity)
        for row in 0..<count {
            (rows.floats + row * inputs).update(from: memory.row(row).values, count: inputs)
            targets.floats[row] = memory.targets[row]
            weights.floats[row] = memory.weights[row]
            sums[row] = isValue ? 0 : Int32(memory.targets[row]) % Int32(TreeGrower.sumLimit)
            order[row] = Int32(row)
        }
        sumCount = isValue ? 2 : min(classes, TreeGrower.sumLimit)
    }

    /// A tree of the samples taken.
    func grow(_ random: inout SeededRandom) -> RandomTree {
        var tree = RandomTree(isValue: isValue)
        tree.nodes.append(RandomTree.Node(feature: -1, threshold: 0, next: 0))
        var open: [(node: Int, samples: Range<Int>)] = [(0, 0..<count)]
        while let (node, samples) = open.popLast() {
            if let split = bestSplit(of: samples, &random) {
                let middle = partition(samples, by: split)
                let next = tree.nodes.count
                tree.nodes[node] = RandomTree.Node(
                    feature: split.feature, threshold: split.threshold, next: Int32(next))
                for part in [samples.lowerBound..<middle, middle..<samples.upperBound] {
                    open.append((tree.nodes.count, part))
                    tree.nodes.append(RandomTree.Node(feature: -1, threshold: 0, next: 0))
                }
            } else {
                let leaf = tree.addLeaf()
                for i in samples {
                    let row = Int(order[i])
                    tree.learn(targets.floats[row], weight: weights.floats[row], at: leaf)
                }
                tree.nodes[node].next = Int32(leaf)
            }
        }
        return tree
    }

    private typealias Split = (feature: Int32, threshold: Float)

    private func isPure(_ samples: Range<Int>) -> Bool {
        let first = targets.floats[Int(order[samples.lowerBound])]
        for i in samples where targets.floats[Int(order[i])] != first { return false }
        return true
    }

    /// The best of sixteen random splits; nil where none is needed, or none was found.
    private func bestSplit(of samples: Range<Int>, _ random: inout SeededRandom) -> Split? {
        guard samples.count > TreeGrower.leafSize, !isPure(samples) else { return nil }
        // Of a few samples there are few splits: no more are drawn than twice as many.
        let drawn = min(16, 2 * samples.count)
        var found = 0
        for k in 0..<16 {
            let split = k < drawn ? draw(samples, &random) : nil
            features[k] = split?.feature ?? 0
            thresholds.floats[k] = split?.threshold ?? .nan
            if split != nil { found += 1 }
        }
        guard found > 0 else { return nil }

        left.floats.update(repeating: 0, count: 16 * sumCount)
        if isValue { centre(samples) }
        kernels.splits(
            of: rows.floats, inputs: inputs, order: order + samples.lowerBound, count: samples.count,
            features: features, thresholds: thresholds.floats, sums: sums, amounts: weights.floats,
            values: isValue ? differences.floats : nil, into: left)
        sum(samples)
        var best: (score: Float, k: Int)?
        for k in 0..<16 where !thresholds.floats[k].isNaN {
            let score = isValue ? valueScore(k) : classScore(k)
            if let score, score > best?.score ?? -.infinity { best = (score, k) }
        }
        return best.map { (features[$0.k], thresholds.floats[$0.k]) }
    }

    /// A feature, and a threshold between two samples; nil where those drawn did not differ.
    private func draw(_ samples: Range<Int>, _ random: inout SeededRandom) -> Split? {
        for _ in 0..<TreeGrower.draws {
            // One draw of 64 bits gives three numbers of 21.
            let bits = random.next()
            func index(_ part: UInt64, below bound: Int) -> Int {
                Int((((bits >> (part * 21)) & 0x1F_FFFF) &* UInt64(bound)) >> 21)
            }
            let feature = index(0, below: inputs)
            let first = Int(order[samples.lowerBound + index(1, below: samples.count)])
            let second = Int(order[samples.lowerBound + index(2, below: samples.count)])
            let (a, b) = (rows.floats[first * inputs + feature], rows.floats[second * inputs + feature])
            if a.isNaN != b.isNaN { return (Int32(feature), .infinity) }  // what is missing from what is not
            guard a != b, !a.isNaN else { continue }
            let (low, high) = (min(a, b), max(a, b))
            let middle = low + (high - low) * 0.5
            return (Int32(feature), middle > low && middle <= high ? middle : high)
        }
        return nil
    }

    /// Tells values from the node's mean, or what they differ by would drown in what they share, and in parts of the largest
    /// difference, whatever the unit. There is one, or the node would be pure.
    private func centre(_ samples: Range<Int>) {
        var sum = 0.0
        for i in samples { sum += Double(targets.floats[Int(order[i])]) }
        let mean = sum / Double(samples.count)
        var largest = 0.0
        for i in samples { largest = max(largest, abs(Double(targets.floats[Int(order[i])]) - mean)) }
        for i in samples {
            let row = Int(order[i])
            differences.floats[row] = Float((Double(targets.floats[row]) - mean) / largest)
        }
    }

    /// Sums a whole node as its splits are summed.
    private func sum(_ samples: Range<Int>) {
        let (totals, sums) = (totals.floats, sums)
        totals.update(repeating: 0, count: sumCount)
        for i in samples {
            let row = Int(order[i])
            totals[Int(sums[row])] += weights.floats[row]
            if isValue { totals[1] += weights.floats[row] * differences.floats[row] }
        }
    }

    /// Variance that a split explains, but for what is the same for all splits; nil where a side would be empty.
    private func valueScore(_ k: Int) -> Float? {
        let (count, sum) = (left.floats[k], left.floats[16 + k])
        let rest = totals.floats[0] - count
        guard count > 0, rest > 0 else { return nil }
        return sum * sum / count + (totals.floats[1] - sum) * (totals.floats[1] - sum) / rest
    }

    /// Gini impurity that a split takes away, likewise.
    private func classScore(_ k: Int) -> Float? {
        var (count, rest, squares, restSquares): (Float, Float, Float, Float) = (0, 0, 0, 0)
        for sum in 0..<sumCount {
            let (a, b) = (left.floats[sum * 16 + k], totals.floats[sum] - left.floats[sum * 16 + k])
            count += a
            rest += b
            squares += a * a
            restSquares += b * b
        }
        guard count > 0, rest > 0 else { return nil }
        return squares / count + restSquares / rest
    }

    /// Puts the samples on the left of a split before the others; returns where these begin.
    private func partition(_ samples: Range<Int>, by split: Split) -> Int {
        var middle = samples.lowerBound
        for i in samples where rows.floats[Int(order[i]) * inputs + Int(split.feature)] < split.threshold {
            (order[i], order[middle]) = (order[middle], order[i])
            middle += 1
        }
        return middle
    }
}
