// Trees, grown anew from what is remembered: an expert for all that is jagged, one-sided or without a scale.
//
// A forest of random trees asks nothing of its features: neither scale nor shape, and of two that say the same it takes
// either. On tables from daily life it is the best single expert here (README, "What learns"). Growing it costs too
// much for each sample, so a tree at a time is grown anew, each once in about as many samples as there are in memory;
// between, each sample is counted at the leaf that it comes to. Trees of even number are grown from the reservoir of the whole
// stream, the others from the newest samples: so it knows much, and follows. Which tree is grown when, and from what,
// follows from seed and samples alone.

import Backprop

/// Extremely randomised trees, grown from the samples of two memories.
struct Forest {
    static let trees = 16
    /// A class that none of a leaf's samples had is given the weight of this many, shared by all classes.
    private static let smoothing: Float = 1
    private static let firstTree = 4
    /// How many times the samples in memory come before a tree is grown anew. Values gain more by young trees than classes
    /// do.
    private var pause: Double { isValue ? 0.6 : 1.25 }

    let inputs: Int
    let isValue: Bool
    private(set) var trees: [RandomTree] = []
    /// The tree that is grown next.
    private var next = 0
    private var seen = 0
    /// Trees, and parts of one, that are due to be grown.
    private var due = 0.0
    /// The leaf of each tree that the sample in hand came to.
    private var leaves = Array(repeating: 0, count: trees)
    /// Scratch memory, which copies share: it holds nothing between two samples.
    let grower: TreeGrower

    init(inputs: Int, capacity: Int, isValue: Bool) {
        (self.inputs, self.isValue) = (inputs, isValue)
        grower = TreeGrower(inputs: inputs, capacity: capacity, isValue: isValue)
    }

    /// Takes over the trees of one with fewer inputs.
    mutating func take(over other: Forest) {
        (trees, next, seen, due, leaves) = (other.trees, other.next, other.seen, other.due, other.leaves)
    }

    /// Walks down all trees with a sample as it came. Shape: (inputs).
    mutating func take(_ x: UnsafePointer<Float>) {
        for t in trees.indices { leaves[t] = trees[t].leaf(of: x) }
    }

    /// Probabilities of the sample taken. Shape: (outputs).
    ///
    /// - Parameter outputs: places in the row, of which only classes get a share.
    func predict(classes: Int, outputs: Int, into p: UnsafeMutablePointer<Float>) {
        for k in 0..<outputs { p[k] = 0 }
        guard !trees.isEmpty else {
            for k in 0..<classes { p[k] = 1 / Float(classes) }
            return
        }
        // What no slot of a leaf tells is shared by all classes.
        var rest: Float = 0
        for (tree, leaf) in zip(trees, leaves) {
            tree.leaves.withUnsafeBufferPointer { leaves in
                let place = leaf * tree.stride
                let share = 1 / (leaves[place] + Forest.smoothing)
                var told: Float = 0
                for slot in 0..<RandomTree.slots where leaves[place + 2 + 2 * slot] > 0 {
                    let part = leaves[place + 2 + 2 * slot] * share
                    p[Int(leaves[place + 1 + 2 * slot])] += part
                    told += part
                }
                rest += max(0, 1 - told)
            }
        }
        let scale = 1 / Float(trees.count)
        for k in 0..<classes { p[k] = (p[k] + rest / Float(classes)) * scale }
    }

    /// The value of the sample taken; nil before the first tree.
    var value: Double? {
        guard !trees.isEmpty else { return nil }
        var sum = 0.0
        for (tree, leaf) in zip(trees, leaves) { sum += Double(tree.leaves[leaf * tree.stride + 1]) }
        return sum / Double(trees.count)
    }

    /// Counts the sample taken, once it is in the memories, and grows what is due.
    ///
    /// - Parameter classes: that are known; 0 for values.
    mutating func learn(
        _ target: Float, weight: Float, _ recent: ReplayMemory, _ reservoir: ReplayMemory, classes: Int, seed: UInt64
    ) {
        for t in trees.indices { trees[t].learn(target, weight: weight, at: leaves[t]) }
        seen += 1
        guard seen >= Forest.firstTree, recent.count > 0 else { return }
        due += Double(Forest.trees) / (pause * Double(max(Forest.trees, recent.count)))
        while due >= 1 {
            due -= 1
            let memory = next % 2 == 0 && reservoir.count > 0 ? reservoir : recent
            var random = SeededRandom(seed: seed, stream: UInt64(seen))
            grower.take(memory, classes: classes)
            let tree = grower.grow(&random)
            if trees.count < Forest.trees { trees.append(tree) } else { trees[next] = tree }
            next = (next + 1) % Forest.trees
        }
    }

    // MARK: In the model file

    struct Record: Sendable, Codable {
        var next: Int
        var seen: Int
        var due: Double
        /// Numbers of each tree.
        var lengths: [Int]
    }

    var record: Record { Record(next: next, seen: seen, due: due, lengths: trees.map(\.length)) }

    var contents: [Float] {
        var contents: [Float] = []
        contents.reserveCapacity(trees.reduce(0) { $0 + $1.length })
        for tree in trees { tree.append(to: &contents) }
        return contents
    }

    /// - Returns: whether the record and the contents could be a forest's.
    mutating func restore(_ record: Record, _ contents: [Float], classes: Int) -> Bool {
        guard record.lengths.count <= Forest.trees, record.lengths.allSatisfy({ (1..<1 << 24).contains($0) }),
            record.lengths.reduce(0, +) == contents.count, (0..<Forest.trees).contains(record.next),
            record.trees(next: record.next), (0..<1 << 62).contains(record.seen), record.due >= 0, record.due < 1
        else { return false }
        var rest = contents[...]
        for length in record.lengths {
            guard
                let tree = RandomTree(rest.prefix(length), isValue: isValue, inputs: inputs, classes: classes)
            else { return false }
            trees.append(tree)
            rest = rest.dropFirst(length)
        }
        (next, seen, due) = (record.next, record.seen, record.due)
        return true
    }
}

extension Forest.Record {
    /// While trees are fewer than there will be, the next one is added at their end.
    fileprivate func trees(next: Int) -> Bool {
        lengths.count == Forest.trees || next == lengths.count
    }
}
