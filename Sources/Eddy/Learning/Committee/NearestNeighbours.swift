// What the most similar of the newest samples were: an expert that needs no training.
//
// k nearest neighbours (Cover and Hart 1967) in a window of a stream. Where classes interlock or a map is jagged it is
// right from the second example on, long before a network has bent its boundary. Two windows speak: a long one that
// knows more, and a short one that forgets sooner. Distances are Euclidean in deviations, by the deviations of now.
//
// Samples lie in blocks of sixteen, a feature's sixteen values side by side, so that sixteen distances are summed at a
// time, each in the order of the features: the same bits on every machine.

import Backprop

/// The samples nearest to one, among the newest.
struct NearestNeighbours {
    /// Samples looked through, and neighbours asked, by each of the two windows.
    static let long = (window: 1000, count: 10)
    static let short = (window: 250, count: 7)
    /// A class that no neighbour has is given this many neighbours, shared by all classes.
    static let smoothing: Float = 0.5

    let inputs: Int
    private let capacity: Int
    private var held = 0
    /// The place of the newest sample, −1 where there is none.
    private var newest = -1
    /// Shape: (capacity / 16, inputs, 16).
    private let blocks: AlignedBuffer
    private let targets: AlignedBuffer
    /// From the sample asked about. Shape: (capacity).
    private let distances: AlignedBuffer
    var kernels = Kernels.chosen
    /// The result of ``find(_:factors:)``.
    let ofLong: Nearest
    let ofShort: Nearest

    init(inputs: Int, capacity: Int) {
        self.inputs = inputs
        self.capacity = capacity
        blocks = AlignedBuffer(count: (capacity + 15) / 16 * inputs * 16)
        targets = AlignedBuffer(count: capacity)
        distances = AlignedBuffer(count: capacity + 15)
        ofLong = Nearest(NearestNeighbours.long.count)
        ofShort = Nearest(NearestNeighbours.short.count)
    }

    /// Writes a sample to a place; places come in turn. A feature that is missing is as far from any as from itself.
    /// Shape: (inputs).
    mutating func insert(_ x: UnsafePointer<Float>, target: Float, at place: Int) {
        let block = blocks.floats + place / 16 * inputs * 16 + place % 16
        for j in 0..<inputs { block[j * 16] = x[j] }
        targets.floats[place] = target
        newest = place
        held = max(held, place + 1)
    }

    mutating func forget() { (held, newest) = (0, -1) }

    /// Takes over the samples of a memory, each at its place.
    mutating func restore(_ memory: ReplayMemory) {
        forget()
        for place in 0..<memory.count { insert(memory.row(place).values, target: memory.targets[place], at: place) }
        if memory.count > 0 { newest = Int((memory.seen - 1) % UInt64(memory.capacity)) }
    }

    /// One feature of a sample.
    @inline(__always)
    func feature(_ j: Int, of place: Int) -> Float { blocks.floats[(place / 16 * inputs + j) * 16 + place % 16] }
    func target(of place: Int) -> Float { targets.floats[place] }

    /// Finds the nearest. Shapes: (inputs).
    ///
    /// - Parameter factors: one over each feature's deviation; 0 where it has none.
    mutating func find(_ x: UnsafePointer<Float>, factors: UnsafePointer<Float>) {
        let count = (held + 15) / 16
        kernels.distances(to: blocks, count: count, inputs: inputs, from: x, factors: factors, into: distances)
        ofLong.find(among: (0..<held, 0..<0), distances, kernels)
        // The newest, in a ring: up to the newest place, and before it what lies at the end.
        let window = min(held, NearestNeighbours.short.window)
        let first = max(0, newest + 1 - window)
        ofShort.find(
            among: (first..<newest + 1, held - max(0, window - (newest + 1))..<held), distances, kernels)
    }

    /// The shares of the classes among the nearest, smoothed. Shape: (outputs).
    ///
    /// - Parameter weights: how much each place's word counts; 1 where there are none.
    func vote(
        _ nearest: Nearest, classes: Int, outputs: Int, weights: UnsafeMutablePointer<Float>? = nil,
        into shares: UnsafeMutablePointer<Float>
    ) {
        for k in 0..<outputs { shares[k] = k < classes ? NearestNeighbours.smoothing / Float(classes) : 0 }
        var sum = NearestNeighbours.smoothing
        for place in nearest.found {
            let weight = weights?[place] ?? 1
            shares[Int(target(of: place))] += weight
            sum += weight
        }
        for k in 0..<outputs { shares[k] /= sum }
    }
}
