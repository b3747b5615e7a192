// A flat, 64-byte-aligned, zeroed block of Floats.
//
// Parameters, optimizer state and activations each live in one such block, with views of
// whole rows of sixteen: one cache line, one AVX-512 register. Swift's arrays of SIMD16 align to
// 16 bytes only on Linux, which costs a third of the speed of a training step.

/// The vector that all arithmetic here is written in: sixteen Floats, whatever the machine.
public typealias Lanes = SIMD16<Float>

/// A 64-byte-aligned block of whole ``Lanes``, zero at first, freed with its owner.
public final class AlignedBuffer {
    public let floats: UnsafeMutablePointer<Float>
    let lanes: UnsafeMutablePointer<Lanes>
    /// The number of Floats, a multiple of 16.
    public let count: Int

    /// - Parameter count: Floats wanted; rounded up to whole lanes.
    public init(count wanted: Int) {
        count = AlignedBuffer.padded(wanted)
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(count, 16) * 4, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: max(count, 16) * 4)
        floats = bytes.bindMemory(to: Float.self, capacity: count)
        lanes = UnsafeMutableRawPointer(floats).assumingMemoryBound(to: Lanes.self)
    }

    deinit { UnsafeMutableRawPointer(floats).deallocate() }

    func copy() -> AlignedBuffer {
        let other = AlignedBuffer(count: count)
        other.floats.update(from: floats, count: count)
        return other
    }

    /// The next multiple of sixteen.
    @inline(__always)
    static func padded(_ count: Int) -> Int { (count + 15) & ~15 }
}
