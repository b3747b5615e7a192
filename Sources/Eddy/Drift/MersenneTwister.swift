// The Mersenne Twister, MT19937 (M. Matsumoto and T. Nishimura, ACM TOMACS 8, 1998), seeded and sampled from as Python
// does, so that KSWIN draws the samples that River's draws. Nothing else here uses it: see SeededRandom.

/// Python's `random.Random(seed)`, as far as `sample` needs it.
struct MersenneTwister: Sendable, Hashable, Codable {
    private static let size = 624
    private var words: [UInt32] = []
    /// Words of the present block that were given out.
    private var used = MersenneTwister.size

    /// By `init_by_array`, with the seed's 32-bit words as key, the lowest first.
    init(seed: UInt64) {
        let size = MersenneTwister.size
        let low = UInt32(truncatingIfNeeded: seed)
        let high = UInt32(seed >> 32)
        let key = high > 0 ? [low, high] : [low]
        words = [19_650_218]
        for i in 1..<size { words.append(1_812_433_253 &* (words[i - 1] ^ words[i - 1] >> 30) &+ UInt32(i)) }
        var i = 1
        for step in 0..<size {
            let j = step % key.count
            words[i] = (words[i] ^ (words[i - 1] ^ words[i - 1] >> 30) &* 1_664_525) &+ key[j] &+ UInt32(j)
            advance(&i)
        }
        for _ in 1..<size {
            words[i] = (words[i] ^ (words[i - 1] ^ words[i - 1] >> 30) &* 1_566_083_941) &- UInt32(i)
            advance(&i)
        }
        words[0] = 0x8000_0000
    }

    /// The next place of the seeding, which goes round without the first word.
    private mutating func advance(_ i: inout Int) {
        i += 1
        guard i == words.count else { return }
        words[0] = words[words.count - 1]
        i = 1
    }

    mutating func next() -> UInt32 {
        if used == words.count { twist() }
        var y = words[used]
        used += 1
        y ^= y >> 11
        y ^= y << 7 & 0x9D2C_5680
        y ^= y << 15 & 0xEFC6_0000
        return y ^ y >> 18
    }

    private mutating func twist() {
        words.withUnsafeMutableBufferPointer { words in
            let size = words.count
            for i in 0..<size {
                let y = words[i] & 0x8000_0000 | words[i + 1 == size ? 0 : i + 1] & 0x7FFF_FFFF
                let other = words[i < size - 397 ? i + 397 : i + 397 - size]
                words[i] = other ^ y >> 1 ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
            }
        }
        used = 0
    }

    /// A number below `limit`, each as likely: as many upper bits as the limit has, again until they are below it.
    mutating func below(_ limit: Int) -> Int {
        let shift = UInt32(limit.leadingZeroBitCount - (Int.bitWidth - 32))
        while true {
            let number = Int(next() >> shift)
            if number < limit { return number }
        }
    }

    /// Draws `count` different numbers below `limit`: Python's `sample(range(limit), count)`.
    ///
    /// - Parameters:
    ///   - places: scratch. Shape: (≥ limit).
    ///   - mark: called with each number, in the order of drawing.
    mutating func sample(
        _ count: Int, below limit: Int, places: UnsafeMutableBufferPointer<Int32>, _ mark: (Int) -> Void
    ) {
        // Python looks up what is chosen in a set where that is the smaller table, and draws anew where it meets it.
        var setSize = 21
        if count > 5 {
            var table = 1
            while table < 3 * count { table *= 4 }
            setSize += table
        }
        for i in 0..<limit { places[i] = Int32(truncatingIfNeeded: i) }
        for i in 0..<count {
            if limit <= setSize {
                let j = below(limit - i)
                mark(Int(places[j]))
                places[j] = places[limit - i - 1]
            } else {
                var j = below(limit)
                while places[j] < 0 { j = below(limit) }
                places[j] = -1
                mark(j)
            }
        }
    }

    // MARK: Coding

    private enum CodingKeys: CodingKey { case words, used }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        words = try container.decode([UInt32].self, forKey: .words)
        used = try container.decode(Int.self, forKey: .used)
        guard words.count == MersenneTwister.size, (0...words.count).contains(used),
            words[0] & 0x8000_0000 != 0 || words.dropFirst().contains(where: { $0 != 0 })
        else {
            // All zero it would give zeros for ever, and `below` might not return.
            throw DecodingError.dataCorruptedError(forKey: .words, in: container, debugDescription: "no such generator")
        }
    }
}
