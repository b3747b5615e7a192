// Short bursts of work, each timed by itself, and what they are compared with in between.
//
// A median of bursts does not mind the burst that the machine spoiled; and a comparison made between the bursts
// meets the same machine.

import Eddy
import Foundation

/// How a kind of work is timed.
struct Bursts {
    let seconds: Double
    /// One burst of exactly so many samples, rather than bursts by time.
    let steps: Int?

    /// Bursts of a figure.
    static let count = 9

    struct Figures {
        /// Nanoseconds a sample.
        let nanoseconds: Spread
        let samples: Int
        let chunks: Int
        /// Heap allocations meanwhile, where they are counted.
        let allocations: Int?
    }

    /// Times `work`, which does a chunk of at most so many samples and returns how many; `between` runs before each
    /// burst, untimed.
    func measure(between: () -> Void = {}, _ work: (Int) throws -> Int) throws -> Figures {
        var figures: [Double] = []
        figures.reserveCapacity(Bursts.count)
        var (samples, chunks, allocations) = (0, 0, 0)
        let length = Duration.seconds(seconds / Double(Bursts.count))
        for _ in 0..<(steps == nil ? Bursts.count : 1) {
            between()
            let allocated = AllocationCounter.count
            let start = ContinuousClock.now
            var done = 0
            var elapsed = Duration.zero
            repeat {
                done += try work(steps.map { $0 - done } ?? .max)
                chunks += 1
                elapsed = ContinuousClock.now - start
            } while steps.map { done < $0 } ?? (elapsed < length)
            allocations += AllocationCounter.count - allocated
            figures.append(elapsed / .nanoseconds(1) / Double(done))
            samples += done
        }
        return Figures(
            nanoseconds: Spread(figures), samples: samples, chunks: chunks,
            allocations: AllocationCounter.isCounting ? allocations : nil)
    }
}

/// Heap allocations of this process, where a preloaded library counts them in the symbol `eddy_allocations` (a
/// 64-bit number): Tests/EndToEnd/test_bench.py has such a library. It counts nothing by itself.
enum AllocationCounter {
    nonisolated(unsafe) private static let counter: UnsafePointer<UInt64>? =
        dlopen(nil, RTLD_NOW).flatMap { dlsym($0, "eddy_allocations") }.map {
            UnsafeRawPointer($0).assumingMemoryBound(to: UInt64.self)
        }

    static var isCounting: Bool { counter != nil }

    /// Allocations so far, or 0.
    static var count: Int {
        @inline(never) get { counter.map { Int($0.pointee) } ?? 0 }
    }
}

/// The least that a step over memory can take: one pass that reads and writes every byte once.
///
/// Two ways of doing so, of which the faster counts: a vector added to each line, as this program is compiled
/// (baseline instructions), and the C library's memmove by a line, which is written for this machine. In the first
/// and second cache wider instructions than either has can be faster still, by up to half; beyond, memory decides.
final class MemoryPass {
    private let block: AlignedBuffer
    private let repeats: Int
    /// Nanoseconds a pass.
    private(set) var figures: [Double] = []

    /// - Parameter floats: how much is read and written.
    init(floats: Int) {
        block = AlignedBuffer(count: floats)
        for i in 0..<block.count { block.floats[i] = 1 }
        repeats = max(1, 4_000_000 / max(block.count, 64))  // about a millisecond
    }

    /// Takes one figure.
    func time() {
        let added = time { add(addend) }
        figures.append(block.count >= 64 ? min(added, time(move)) : added)  // a line alone does not move
    }

    private func time(_ pass: () -> Void) -> Double {
        pass()  // brings the block into the cache that it fits into
        let start = ContinuousClock.now
        for _ in 0..<repeats { pass() }
        return (ContinuousClock.now - start) / .nanoseconds(1) / Double(repeats)
    }

    /// Nothing, though the compiler must not know: the block stays what it is.
    private var addend = Lanes()

    @inline(never)
    private func add(_ addend: Lanes) {
        let lanes = UnsafeMutableRawPointer(block.floats).assumingMemoryBound(to: Lanes.self)
        for i in 0..<block.count / 16 { lanes[i] += addend }
    }

    @inline(never)
    private func move() {
        memmove(block.floats, block.floats + 16, max(0, block.count - 16) * 4)
    }
}
