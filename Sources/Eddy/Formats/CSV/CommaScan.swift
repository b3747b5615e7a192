// Where a line's commas (or blanks) are: 64 bytes at a time, without a branch on any of them.
//
// Sixteen bytes are compared at once and the answers pressed into a mask of 64 bits, whose bits are then
// written out as positions, eight whether they are there or not (Langdale and Lemire, "Parsing gigabytes of JSON per
// second", 2019). Commas come at random in real data; a loop that looks for the next one guesses wrongly at each.
//
// Deliberately not here: quotes. A line where one matters does not read as plain numbers, and is read anew.

enum CommaScan {
    /// Room behind the last position for what is written and not counted.
    static let slack = 64

    /// Writes the offsets of the commas of the `count` bytes from `line`, and returns how many.
    ///
    /// - Parameters:
    ///   - separator: what is looked for, a constant.
    ///   - readable: where the buffer begins; from there to the line's end every byte may be read.
    ///   - positions: at least `limit + slack` elements.
    ///   - limit: beyond it counting stops, at up to `limit + slack`.
    @inline(__always)
    static func positions(
        _ line: UnsafePointer<UInt8>, count: Int, readable: UnsafePointer<UInt8>,
        into positions: UnsafeMutablePointer<UInt32>, limit: Int, separator: UInt8 = UInt8(ascii: ",")
    ) -> Int {
        let end = line + count
        guard end - readable >= 64 else {
            return fewPositions(line, count: count, into: positions, limit: limit, separator)
        }
        var found = 0
        var offset = 0
        while offset < count, found <= limit {
            let rest = count &- offset
            // The last block ends with the line; what of it was seen before, or belongs to an earlier line, is shifted out.
            var bits =
                rest >= 64
                ? mask(line + offset, separator) : mask(end - 64, separator) &>> UInt64(truncatingIfNeeded: 64 &- rest)
            let next = found &+ bits.nonzeroBitCount
            var place = found
            repeat {
                for i in 0..<8 {
                    positions[place &+ i] = UInt32(
                        truncatingIfNeeded: offset &+ (bits | 1 << 63).trailingZeroBitCount)
                    bits &= bits &- 1
                }
                place &+= 8
            } while place < next
            found = next
            offset &+= 64
        }
        return found
    }

    /// The same byte by byte, for the first short lines of a buffer.
    @inline(never)
    private static func fewPositions(
        _ line: UnsafePointer<UInt8>, count: Int, into positions: UnsafeMutablePointer<UInt32>, limit: Int,
        _ separator: UInt8
    ) -> Int {
        var found = 0
        for offset in 0..<count where line[offset] == separator && found <= limit {
            positions[found] = UInt32(truncatingIfNeeded: offset)
            found += 1
        }
        return found
    }

    /// Bit i is set where byte i of 64 is the separator.
    ///
    /// Sixteen bytes at a time in two words, since on pairs of words Swift emits vector instructions, and on vectors of
    /// bytes loops. A comparison leaves its answer in a byte's top bit; four pairs' answers are interleaved, and the
    /// matrix of 8 × 8 bits, (byte in its word, word), is transposed at the end (Warren, "Hacker's Delight", 7-3).
    @inline(__always)
    private static func mask(_ start: UnsafePointer<UInt8>, _ separator: UInt8) -> UInt64 {
        let top = SIMD2<UInt64>(repeating: 0x8080_8080_8080_8080)
        let first = (others(start, separator) & top) &>> 7 | (others(start + 16, separator) & top) &>> 5
        let second = (others(start + 32, separator) & top) &>> 3 | (others(start + 48, separator) & top) &>> 1
        let pairs = first | second
        var bits = ~(pairs[0] | pairs[1] << 1)
        var changed = (bits ^ (bits >> 7)) & 0x00AA_00AA_00AA_00AA
        bits ^= changed ^ (changed << 7)
        changed = (bits ^ (bits >> 14)) & 0x0000_CCCC_0000_CCCC
        bits ^= changed ^ (changed << 14)
        changed = (bits ^ (bits >> 28)) & 0x0000_0000_F0F0_F0F0
        return bits ^ changed ^ (changed << 28)
    }

    /// The top bit of each byte is set where the byte is not the separator; exact, for any bytes.
    @inline(__always)
    private static func others(_ start: UnsafePointer<UInt8>, _ separator: UInt8) -> SIMD2<UInt64> {
        let bytes = UnsafeRawPointer(start).loadUnaligned(as: SIMD2<UInt64>.self)
        let low = SIMD2<UInt64>(repeating: 0x7F7F_7F7F_7F7F_7F7F)
        let differences = bytes ^ SIMD2<UInt64>(repeating: 0x0101_0101_0101_0101 &* UInt64(separator))
        return (differences & low) &+ low | differences
    }
}
