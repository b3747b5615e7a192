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

/// The least that a step over memory can take: one pass of the kernels in use that reads and writes every byte once.
final class MemoryPass {
    private let block: AlignedBuffer
    private let repeats: Int
    /// Nanoseconds a pass.
    private(set) var figures: [Double] = []

    /// - Parameter floats: how much is read and written.
    init(floats: Int) {
        block = AlignedBuffer(count: (floats + 63) & ~63)
        repeats = max(1, 4_000_000 / block.count)  // about a millisecond
    }

    /// Takes one figure.
    func time() {
        Kernels.chosen.pass(over: block)  // brings the block into the cache that it fits into
        let start = ContinuousClock.now
        for _ in 0..<repeats { Kernels.chosen.pass(over: block) }
        figures.append((ContinuousClock.now - start) / .nanoseconds(1) / Double(repeats))
    }
}
