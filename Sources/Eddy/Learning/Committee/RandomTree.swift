// One tree of a forest: a few hundred splits, and what was seen at each end of them.
//
// It is kept as flat arrays, so that walking down touches little memory and a copy is cheap. What it says of a sample is
// what the samples that came to the same leaf were; those that come later are counted too, until it is grown anew.

/// A binary tree of splits.
struct RandomTree: Sendable {
    struct Node: Sendable {
        /// The feature that is compared; −1 at a leaf.
        var feature: Int32
        /// A sample goes left where its feature is below, and right where it is not, or missing.
        var threshold: Float
        /// The left child, before the right one; of a leaf, its place.
        var next: Int32
    }

    /// Classes that a leaf tells apart; the others count together.
    static let slots = 4
    /// Weights are counted no further.
    private static let weightLimit: Float = 1e30

    var nodes: [Node]
    /// Of values: weight and mean. Of classes: weight, then for each slot its class and its weight. Shape: (leaves, stride).
    var leaves: [Float]
    let isValue: Bool

    init(isValue: Bool) {
        (nodes, leaves, self.isValue) = ([], [], isValue)
    }

    static func stride(isValue: Bool) -> Int { isValue ? 2 : 1 + 2 * slots }
    var stride: Int { RandomTree.stride(isValue: isValue) }

    /// The leaf that a sample comes to.
    @inline(__always)
    func leaf(of x: UnsafePointer<Float>) -> Int {
        nodes.withUnsafeBufferPointer { nodes in
            var node = nodes[0]
            while node.feature >= 0 {
                node = nodes[Int(node.next) + (x[Int(node.feature)] < node.threshold ? 0 : 1)]
            }
            return Int(node.next)
        }
    }

    mutating func addLeaf() -> Int {
        leaves.append(contentsOf: repeatElement(0, count: stride))
        return leaves.count / stride - 1
    }

    /// Counts a sample at a leaf.
    mutating func learn(_ target: Float, weight: Float, at leaf: Int) {
        let place = leaf * stride
        leaves[place] = min(leaves[place] + weight, RandomTree.weightLimit)
        guard !isValue else {
            // In Double, where the distance between two Floats does not overflow. Of samples that weigh nothing, the newest.
            let share = leaves[place] > 0 ? min(1, Double(weight / leaves[place])) : 1
            let mean = Double(leaves[place + 1])
            leaves[place + 1] = Float.clamped(mean + share * (Double(target) - mean))
            return
        }
        for slot in 0..<RandomTree.slots {
            let (label, count) = (place + 1 + 2 * slot, place + 2 + 2 * slot)
            guard leaves[count] == 0 || leaves[label] == target else { continue }
            leaves[label] = target
            leaves[count] = min(leaves[count] + weight, RandomTree.weightLimit)
            return
        }
    }

    // MARK: In the model file

    /// Everything, as numbers: the nodes in threes, then the leaves.
    func append(to contents: inout [Float]) {
        contents.append(Float(nodes.count))
        for node in nodes {
            contents.append(Float(node.feature))
            contents.append(node.threshold)
            contents.append(Float(node.next))
        }
        contents += leaves
    }

    /// Numbers of the contents.
    var length: Int { 1 + 3 * nodes.count + leaves.count }

    /// - Returns: nil where the contents cannot be such a tree's.
    init?(_ contents: ArraySlice<Float>, isValue: Bool, inputs: Int, classes: Int) {
        self.init(isValue: isValue)
        func whole(_ number: Float, in range: Range<Int>) -> Int? {
            guard number >= -1, number < 0x1p24, number == number.rounded(), range.contains(Int(number)) else {
                return nil
            }
            return Int(number)
        }
        guard let first = contents.first, let count = whole(first, in: 1..<65_536), contents.count > 1 + 3 * count
        else { return nil }
        let begin = contents.startIndex + 1
        leaves = [Float](contents[(begin + 3 * count)...])
        guard leaves.count % stride == 0, leaves.allSatisfy(\.isFinite) else { return nil }
        nodes.reserveCapacity(count)
        for i in 0..<count {
            let place = begin + 3 * i
            // Children come after their parents, so that every walk ends.
            guard let feature = whole(contents[place], in: -1..<inputs), !contents[place + 1].isNaN,
                let next = whole(contents[place + 2], in: 0..<0x100_0000),
                feature < 0 ? next < leaves.count / stride : next > i && next + 1 < count
            else { return nil }
            nodes.append(Node(feature: Int32(feature), threshold: contents[place + 1], next: Int32(next)))
        }
        for place in Swift.stride(from: 0, to: isValue ? 0 : leaves.count, by: stride) {
            guard leaves[place] >= 0 else { return nil }
            for slot in 0..<RandomTree.slots {
                guard whole(leaves[place + 1 + 2 * slot], in: 0..<max(classes, 1)) != nil,
                    leaves[place + 2 + 2 * slot] >= 0
                else { return nil }
            }
        }
    }
}
