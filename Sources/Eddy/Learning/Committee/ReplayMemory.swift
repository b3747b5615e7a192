// Samples of the past, to be learned from again.
//
// Experience replay (Lin, Machine Learning 8, 1992) makes much of few samples: each arrival is followed by some updates
// from the past. Two memories serve it. One is a reservoir (Vitter, ACM TOMS 11, 1985: algorithm R), in which every
// sample so far is as likely to be: the whole stream in small. The other is a ring of the newest, drawn from with a
// preference for the very newest: what still holds after the stream has changed. Which samples are kept and drawn is a
// function of (seed, sample) alone, so a run repeats to the bit, however it was cut into chunks.
//
// Features are kept as they came and scaled anew when they are used: less was known of their scale when they arrived.

import Backprop

/// A bounded memory of learned samples. A class, because it is large and changed in place; ``Committee`` owns it.
final class ReplayMemory {
    enum Kind: Int, Sendable, Codable {
        /// Each sample so far with equal probability.
        case reservoir
        /// The newest, and of these rather the newer ones.
        case recent
    }

    let kind: Kind
    /// Features a sample, of whole rows.
    let inputs: Int
    /// Whether samples are lists of the inputs that they have.
    let isSparse: Bool
    let capacity: Int
    /// Samples held.
    private(set) var count = 0
    /// Samples seen since the beginning.
    private(set) var seen: UInt64 = 0
    /// Row-major. Shape: (capacity, stride).
    private let rows: UnsafeMutablePointer<Float>
    /// The inputs of a list's values. Shape: (capacity, stride), of lists.
    private let places: UnsafeMutablePointer<UInt32>
    /// Values of each sample. Shape: (capacity), of lists.
    private let lengths: UnsafeMutablePointer<Int>
    private let stride: Int
    /// Class indices, or values in the target's units. Shape: (capacity).
    let targets: UnsafeMutablePointer<Float>
    /// What each sample's updates are scaled by. Shape: (capacity).
    let weights: UnsafeMutablePointer<Float>
    /// What of these is for the balance of classes; 1 where that was not asked for. Shape: (capacity).
    let balances: UnsafeMutablePointer<Float>

    /// The most Floats that are kept: 4 MB.
    private static let floatLimit = 1 << 20
    /// The longest list that is kept: longer ones are learned once.
    private static let longestList = 1024

    init(_ kind: Kind, inputs: Int, isSparse: Bool = false, capacity wanted: Int = 1000) {
        self.kind = kind
        self.inputs = inputs
        self.isSparse = isSparse
        stride = isSparse ? ReplayMemory.longestList : inputs
        capacity = max(16, min(wanted, ReplayMemory.floatLimit / max(stride, 1)))
        rows = .allocate(capacity: capacity * stride)
        rows.initialize(repeating: 0, count: capacity * stride)
        places = .allocate(capacity: isSparse ? capacity * stride : 0)
        places.initialize(repeating: 0, count: isSparse ? capacity * stride : 0)
        lengths = .allocate(capacity: capacity)
        lengths.initialize(repeating: isSparse ? 0 : inputs, count: capacity)
        targets = .allocate(capacity: capacity)
        targets.initialize(repeating: 0, count: capacity)
        weights = .allocate(capacity: capacity)
        weights.initialize(repeating: 1, count: capacity)
        balances = .allocate(capacity: capacity)
        balances.initialize(repeating: 1, count: capacity)
    }

    deinit {
        rows.deallocate()
        places.deallocate()
        lengths.deallocate()
        targets.deallocate()
        weights.deallocate()
        balances.deallocate()
    }

    /// A sample's features.
    @inline(__always)
    func row(_ place: Int) -> SampleRow {
        SampleRow(
            values: UnsafePointer(rows + place * stride),
            places: isSparse ? UnsafePointer(places + place * stride) : nil, count: lengths[place])
    }

    /// The places of the samples held, oldest first where it is the newest that are kept.
    var order: [Int] {
        let oldest = kind == .recent && count == capacity ? Int(seen % UInt64(capacity)) : 0
        return (0..<count).map { (oldest + $0) % capacity }
    }

    /// A place to be learned again, or nil where there is none.
    ///
    /// - Parameter limit: of the newest, only so many may be drawn.
    @inline(__always)
    func draw(_ random: inout SeededRandom, newest limit: Int = .max) -> Int? {
        guard count > 0 else { return nil }
        switch kind {
        case .reservoir: return random.index(below: count)
        case .recent:
            let u = random.uniform(in: 0...1)
            let reach = min(count, limit)
            let age = min(Int(u * u * Float(reach)), reach - 1)  // 0: the newest
            let newest = Int((seen - 1) % UInt64(capacity))
            return newest >= age ? newest - age : newest - age + count
        }
    }

    /// Takes a sample in, in place of another where the memory is full; returns its place, nil where it is not kept.
    @inline(__always) @discardableResult
    func insert(
        _ x: SampleRow, target: Float, weight: Float, balance: Float = 1, _ random: inout SeededRandom
    ) -> Int? {
        guard x.count <= stride else { return nil }
        defer { seen += 1 }
        var place = Int(seen % UInt64(capacity))
        if kind == .reservoir {
            place = count < capacity ? count : random.index(below: Int(min(seen + 1, 1 << 31)))
            guard place < capacity else { return nil }
        }
        (rows + place * stride).update(from: x.values, count: x.count)
        if let list = x.places {
            (places + place * stride).update(from: list, count: x.count)
            lengths[place] = x.count
        }
        targets[place] = target
        weights[place] = weight
        balances[place] = balance
        if count < capacity { count += 1 }
        return place
    }

    /// Forgets every sample but the newest of another memory: what older ones tell holds no longer.
    func forget(keeping other: ReplayMemory, newest: Int) {
        (count, seen) = (0, 0)
        var random = SeededRandom(seed: 0)  // of which nothing is drawn before the memory is full
        let kept = UInt64(min(newest, other.count))
        for number in other.seen - kept..<other.seen {
            let place = Int(number % UInt64(other.capacity))
            insert(
                other.row(place), target: other.targets[place], weight: other.weights[place],
                balance: other.balances[place], &random)
        }
    }

    /// The same samples with more features, which they did not have.
    func widened(to inputs: Int) -> ReplayMemory {
        if isSparse { return self }
        return copied(to: ReplayMemory(kind, inputs: inputs, capacity: capacity)) { row, add in
            let x = [Float](UnsafeBufferPointer(start: row.values, count: row.count))
            (x + repeatElement(0, count: inputs - x.count)).withUnsafeBufferPointer {
                add(SampleRow(values: $0.baseAddress!, places: nil, count: inputs))
            }
        }
    }

    /// The same samples as lists of all columns, and of whatever else they have.
    func sparse(columns: Int) -> ReplayMemory {
        let list = SparseBuffer()
        return copied(to: ReplayMemory(kind, inputs: 0, isSparse: true)) { row, add in
            let kept = (0..<row.count).filter { $0 < columns || row.values[$0] != 0 }
            list.removeAll()
            let (places, values) = list.append(kept.count)
            for (k, j) in kept.enumerated() { (places[k], values[k]) = (UInt32(j), row.values[j]) }
            add(list[0])
        }
    }

    /// Puts all samples into another memory. It may hold fewer: the newest of a ring go over, the last of a reservoir.
    private func copied(
        to other: ReplayMemory, _ form: (SampleRow, (SampleRow) -> Void) -> Void
    ) -> ReplayMemory {
        var random = SeededRandom(seed: seen)
        for place in order.suffix(other.capacity) {
            form(row(place)) {
                other.insert(
                    $0, target: targets[place], weight: weights[place], balance: balances[place], &random)
            }
        }
        // One that is not full has seen what it holds: it takes in all that comes.
        if kind == .reservoir, other.count == other.capacity { other.seen = max(seen, other.seen) }
        return other
    }

    // MARK: In the model file

    /// Everything held, for a file: each sample's features, target, weight and balance; of a list, the number of its values and
    /// their places before them.
    var contents: [Float] {
        var contents: [Float] = []
        for place in 0..<count {
            let row = row(place)
            if let places = row.places {
                contents.append(Float(row.count))
                for k in 0..<row.count { contents.append(Float(places[k])) }
            }
            contents += UnsafeBufferPointer(start: row.values, count: row.count)
            contents += [targets[place], weights[place], balances[place]]
        }
        return contents
    }

    /// - Parameters:
    ///   - columns: the inputs that every list begins with.
    ///   - inputs: of the networks: what places are below.
    /// - Returns: whether the contents could be such.
    func restore(_ contents: [Float], seen: UInt64, columns: Int, inputs: Int, where isTarget: (Float) -> Bool) -> Bool
    {
        var rest = contents[...]
        var count = 0
        while !rest.isEmpty {
            var length = self.inputs
            if isSparse {
                guard let first = rest.popFirst(), first >= 0, first <= Float(stride) else { return false }
                length = Int(first)
                guard length >= columns else { return false }
            }
            guard count < capacity, rest.count >= (isSparse ? 2 : 1) * length + 3 else { return false }
            if isSparse {
                var least: Float = 0
                for k in 0..<length {
                    let place = rest.removeFirst()
                    guard place >= least, place < Float(inputs), k >= columns || place == Float(k) else { return false }
                    places[count * stride + k] = UInt32(place)
                    least = place + 1
                }
                lengths[count] = length
            }
            for k in 0..<length {
                rows[count * stride + k] = rest.removeFirst()
                guard !rows[count * stride + k].isInfinite else { return false }  // NaN is what is missing
            }
            (targets[count], weights[count], balances[count]) = (
                rest.removeFirst(), rest.removeFirst(), rest.removeFirst()
            )
            guard isTarget(targets[count]), (0...Committee.weightLimit).contains(weights[count]),
                (0...Committee.weightLimit).contains(balances[count])
            else { return false }
            count += 1
        }
        guard seen >= UInt64(count), seen < 1 << 62, count == capacity || seen == UInt64(count) else { return false }
        (self.count, self.seen) = (count, seen)
        return true
    }
}
