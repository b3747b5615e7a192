// The few least of many distances.
//
// What cannot be among them is left out by a bound (``Kernels/candidates(among:_:k:limit:places:values:)``). The rest are
// ranked by counting, which has no branches to guess; where many are equally far, they are inserted one by one.

import Backprop

/// The places of the nearest samples, the nearest first. A class, because it is scratch memory.
final class Nearest {
    private static let candidateLimit = 48
    private let limit: Int
    private let places: UnsafeMutablePointer<Int>
    private let distances: UnsafeMutablePointer<Float>
    private var count = 0
    private let candidates: UnsafeMutablePointer<Int32>
    private let candidateDistances: UnsafeMutablePointer<Float>

    /// - Parameter limit: the most that are looked for, at most 16.
    init(_ limit: Int) {
        self.limit = limit
        places = .allocate(capacity: limit)
        places.initialize(repeating: 0, count: limit)
        distances = .allocate(capacity: limit)
        distances.initialize(repeating: .infinity, count: limit)
        candidates = .allocate(capacity: Nearest.candidateLimit)
        candidates.initialize(repeating: 0, count: Nearest.candidateLimit)
        candidateDistances = .allocate(capacity: Nearest.candidateLimit)
        candidateDistances.initialize(repeating: 0, count: Nearest.candidateLimit)
    }

    deinit {
        places.deallocate()
        distances.deallocate()
        candidates.deallocate()
        candidateDistances.deallocate()
    }

    /// What was found last.
    var found: UnsafeBufferPointer<Int> { UnsafeBufferPointer(start: places, count: count) }

    /// Finds the nearest of two ranges of places; of equally near ones those that come first.
    ///
    /// - Parameter all: distances by place.
    func find(among ranges: (Range<Int>, Range<Int>), _ all: AlignedBuffer, _ kernels: Kernels) {
        let (left, bound) = kernels.candidates(
            among: all, ranges, k: limit, limit: Nearest.candidateLimit, places: candidates,
            values: candidateDistances)
        if left <= Nearest.candidateLimit {
            rankCandidates(left)
            count = min(left, limit)
        } else {
            count = 0
            for range in [ranges.0, ranges.1] {
                for place in range where all.floats[place] <= bound { insert(place, all.floats[place]) }
            }
        }
    }

    /// Puts each candidate where it belongs.
    private func rankCandidates(_ left: Int) {
        for i in 0..<left {
            let distance = candidateDistances[i]
            var before = 0
            for j in 0..<i { before += candidateDistances[j] <= distance ? 1 : 0 }
            for j in i..<left { before += candidateDistances[j] < distance ? 1 : 0 }
            if before < limit { places[before] = Int(candidates[i]) }
        }
    }

    /// Takes one in that is nearer than the farthest, or any while there are fewer than wanted.
    private func insert(_ place: Int, _ distance: Float) {
        var i = count
        if count == limit {
            guard distance < distances[limit - 1] else { return }
            i = limit - 1
        }
        while i > 0, distances[i - 1] > distance {
            distances[i] = distances[i - 1]
            places[i] = places[i - 1]
            i -= 1
        }
        distances[i] = distance
        places[i] = place
        if count < limit { count += 1 }
    }
}
