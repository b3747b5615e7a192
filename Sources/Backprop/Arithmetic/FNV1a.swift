// A hash by which equal bytes are known again: FNV-1a, 64 bits wide (Fowler, Noll and Vo 1991). Fast, the same on every
// machine, and no protection against somebody who wants two things to be taken for one.

/// FNV-1a over bytes.
///
///     FNV1a.hash("a".utf8)  // 0xAF63_DC4C_8601_EC8C
public struct FNV1a: Sendable {
    public private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    @inline(__always)
    public mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    /// The bits of a number, the lowest byte first.
    @inline(__always)
    public mutating func add(_ number: Float) {
        var bits = number.bitPattern
        for _ in 0..<4 {
            add(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
        }
    }

    public static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = FNV1a()
        for byte in bytes { hash.add(byte) }
        return hash.value
    }
}
