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
    /// Features a sample.
    let inputs: Int
    let capacity: Int
    /// Samples held.
    private(set) var count = 0
    /// Samples seen since the beginning.
    private(set) var seen: UInt64 = 0
    /// Row-major. Shape: (capacity, inputs).
    private let rows: UnsafeMutablePointer<Float>
    /// Class indices, or values in the target's units. Shape: (capacity).
    let targets: UnsafeMutablePointer<Float>
    /// What each sample's updates are scaled by. Shape: (capacity).
    let weights: UnsafeMutablePointer<Float>

    /// The most Floats that are kept: 4 MB.
    private static let floatLimit = 1 << 20

    init(_ kind: Kind, inputs: Int, capacity wanted: Int = 1000) {
        self.kind = kind
        self.inputs = inputs
        capacity = max(16, min(wanted, ReplayMemory.floatLimit / max(inputs, 1)))
        rows = .allocate(capacity: capacity * inputs)
        rows.initialize(repeating: 0, count: capacity * inputs)
        targets = .allocate(capacity: capacity)
        targets.initialize(repeating: 0, count: capacity)
        weights = .allocate(capacity: capacity)
        weights.initialize(repeating: 1, count: capacity)
    }

    deinit {
        rows.deallocate()
        targets.deallocate()
        weights.deallocate()
    }

    /// A sample's features. Shape: (inputs).
    @inline(__always)
    func row(_ place: Int) -> UnsafePointer<Float> { UnsafePointer(rows + place * inputs) }

    /// A place to be learned again, or nil where there is none.
    @inline(__always)
    func draw(_ random: inout SeededRandom) -> Int? {
        guard count > 0 else { return nil }
        switch kind {
        case .reservoir: return random.index(below: count)
        case .recent:
            let u = random.uniform(in: 0...1)
            let age = min(Int(u * u * Float(count)), count - 1)  // 0: the newest
            let newest = Int((seen - 1) % UInt64(capacity))
            return newest >= age ? newest - age : newest - age + count
        }
    }

    /// Takes a sample in, in place of another where the memory is full; returns its place, nil where it is not kept.
    @inline(__always) @discardableResult
    func insert(_ x: UnsafePointer<Float>, target: Float, weight: Float, _ random: inout SeededRandom) -> Int? {
        defer { seen += 1 }
        var place = Int(seen % UInt64(capacity))
        if kind == .reservoir {
            place = count < capacity ? count : random.index(below: Int(min(seen + 1, 1 << 31)))
            guard place < capacity else { return nil }
        }
        (rows + place * inputs).update(from: x, count: inputs)
        targets[place] = target
        weights[place] = weight
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
            insert(other.row(place), target: other.targets[place], weight: other.weights[place], &random)
        }
    }

    /// The same samples with more features, which they did not have.
    func widened(to inputs: Int) -> ReplayMemory {
        let other = ReplayMemory(kind, inputs: inputs, capacity: capacity)
        // A narrower memory may hold more: the newest of a ring go over, the first of a reservoir.
        var random = SeededRandom(seed: seen)
        let kept = min(count, other.capacity)
        let oldest = kind == .recent && count == capacity ? Int(seen % UInt64(capacity)) : 0
        var x = [Float](repeating: 0, count: inputs)
        for i in (count - kept)..<count {
            let place = (oldest + i) % capacity
            for j in 0..<self.inputs { x[j] = row(place)[j] }
            other.insert(x, target: targets[place], weight: weights[place], &random)
        }
        if kind == .reservoir { other.seen = seen }
        return other
    }

    // MARK: In the model file

    /// Everything held, for a file: each sample's features, target and weight. Shape: (count, inputs + 2).
    var contents: [Float] {
        (0..<count).flatMap { place in
            Array(UnsafeBufferPointer(start: row(place), count: inputs)) + [targets[place], weights[place]]
        }
    }

    /// - Returns: whether the contents could be such.
    func restore(_ contents: [Float], seen: UInt64, where isTarget: (Float) -> Bool) -> Bool {
        let count = contents.count / (inputs + 2)
        guard contents.count == count * (inputs + 2), count <= capacity, seen >= UInt64(count), seen < 1 << 62,
            count == capacity || seen == UInt64(count)
        else { return false }
        for place in 0..<count {
            let first = place * (inputs + 2)
            guard isTarget(contents[first + inputs]), contents[first + inputs + 1].isFinite else { return false }
            for j in 0..<inputs { rows[place * inputs + j] = contents[first + j] }
            targets[place] = contents[first + inputs]
            weights[place] = contents[first + inputs + 1]
        }
        (self.count, self.seen) = (count, seen)
        return true
    }
}
