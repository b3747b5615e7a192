// From the keys of terms to small numbers: open addressing, as the keys are hashes already.

/// A dictionary from hashes to numbers from 0 on.
struct KeyTable: Sendable {
    private var keys: [UInt64] = []
    /// −1 where there is nothing. Shape: (keys).
    private var values: [Int32] = []
    private(set) var count = 0

    init() {}

    init(_ pairs: some Sequence<(key: UInt64, value: Int32)>) {
        for (key, value) in pairs { self[key] = value }
    }

    /// All that it holds, in no particular order.
    var pairs: [(key: UInt64, value: Int32)] { zip(keys, values).filter { $1 >= 0 }.map { ($0, $1) } }

    /// The number of a key, −1 where it has none.
    subscript(key: UInt64) -> Int32 {
        @inline(__always) get {
            guard count > 0 else { return -1 }
            let place = place(of: key)
            return values[place]
        }
        set {
            if 2 * (count + 1) > keys.count { grow() }
            let place = place(of: key)
            if values[place] < 0 { count += 1 }
            keys[place] = key
            values[place] = newValue
        }
    }

    /// Takes keys out again: rarely, as the table is built anew.
    mutating func remove(_ gone: [UInt64]) {
        guard !gone.isEmpty else { return }
        let gone = Set(gone)
        self = KeyTable(pairs.filter { !gone.contains($0.key) })
    }

    /// Where a key is, or would be.
    @inline(__always)
    private func place(of key: UInt64) -> Int {
        let mask = keys.count &- 1
        var place = Int(truncatingIfNeeded: (key ^ key &>> 32) & UInt64(mask))
        while values[place] >= 0, keys[place] != key { place = (place &+ 1) & mask }
        return place
    }

    private mutating func grow() {
        let old = pairs
        keys = Array(repeating: 0, count: max(256, 2 * keys.count))
        values = Array(repeating: -1, count: keys.count)
        count = 0
        for (key, value) in old { self[key] = value }
    }
}
