// Which form of the training step runs: the C kernels of an instruction set, or the readable Swift.
//
// They give the same bits, so this decides speed alone.

internal import CBackpropKernels

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A form of the training step. All give the same bits.
///
///     EDDY_KERNELS=baseline eddy bench kernels
public enum Kernels: String, Sendable, Hashable, CaseIterable {
    /// The readable form, in Swift: four to eight times slower on W1, W3 and W4 (`eddy bench`).
    case swift
    /// For every machine: SSE2 on x86-64, NEON on arm64.
    case baseline
    case avx2
    case avx512

    /// The form that networks use: the widest that this machine has, or the one that the environment variable
    /// `EDDY_KERNELS` names, if the machine has it.
    public static let chosen: Kernels = named.flatMap { available.contains($0) ? $0 : nil } ?? available.last!

    /// The forms that this machine can run, the slowest first.
    public static let available: [Kernels] = {
        let widest = eddy_widest_kernels().rawValue
        return [.swift] + [.baseline, .avx2, .avx512].filter { $0.code.rawValue <= widest }
    }()

    /// What is wrong with `EDDY_KERNELS`; nil where nothing is.
    public static let environmentError: ArchitectureError? = {
        guard let text = environmentValue, named.map({ !available.contains($0) }) ?? true else { return nil }
        let forms = available.map(\.rawValue).joined(separator: ", ")
        return ArchitectureError("EDDY_KERNELS=\(text): this machine has \(forms)")
    }()

    private static var named: Kernels? { environmentValue.flatMap { Kernels(rawValue: $0) } }

    private static var environmentValue: String? {
        getenv("EDDY_KERNELS").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The C kernels' number; `swift` has none of its own.
    var code: eddy_kernels {
        switch self {
        case .swift, .baseline: EDDY_BASELINE
        case .avx2: EDDY_AVX2
        case .avx512: EDDY_AVX512
        }
    }
}

extension Kernels {
    /// Takes labelled rows into running moments, and writes all rows standardised by these.
    ///
    /// - Parameters:
    ///   - features: (count, inputs).
    ///   - labels: (count), NaN for a row that changes no moments.
    ///   - means: (inputs, padded to sixteen with zeros), 64-byte aligned, as are `squares` and `rows`.
    ///   - seen: labelled rows so far.
    ///   - rows: (count, stride), the stride a multiple of sixteen.
    package func standardise(
        _ features: UnsafePointer<Float>, count: Int, inputs: Int, labels: UnsafePointer<Float>,
        means: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>, seen: inout Double, bound: Float,
        into rows: UnsafeMutablePointer<Float>, stride: Int
    ) {
        withUnsafeMutablePointer(to: &seen) { seen in
            var all = eddy_standardisation(
                count: Int64(count), inputs: Int32(inputs), padded: Int32(AlignedBuffer.padded(inputs)),
                features: features, labels: labels, means: means, squares: squares, seen: seen, bound: bound,
                rows: rows, stride: Int64(stride))
            eddy_standardise(code, &all)
        }
    }

    /// Squared distances from a sample to many: Σ ((value − x) · factor)², in the order of the features; what is
    /// NaN, here or there, counts as equal.
    ///
    /// - Parameters:
    ///   - blocks: sixteen samples side by side. Shape: (count, inputs, 16).
    ///   - x: and `factors`, shape (inputs).
    ///   - distances: shape (count, 16).
    package func distances(
        to blocks: AlignedBuffer, count: Int, inputs: Int, from x: UnsafePointer<Float>,
        factors: UnsafePointer<Float>, into distances: AlignedBuffer
    ) {
        guard self == .swift else {
            eddy_distances(code, blocks.floats, Int64(count), Int64(inputs), x, factors, distances.floats)
            return
        }
        for block in 0..<count {
            var sum = Lanes()
            for j in 0..<inputs {
                let d = (blocks.lanes[block * inputs + j] - x[j]) * factors[j]
                let difference = d.replacing(with: 0, where: d .!= d)
                sum += difference * difference
            }
            distances.lanes[block] = sum
        }
    }

    /// The distances that may be among the `k` least of two ranges of places, in their order.
    ///
    /// The least of each lane, over all whole sixteens, are sixteen distances; so the k-th of these is no less than the k-th
    /// of all, and what lies beyond it is left out: of a thousand, some sixteen are left.
    ///
    /// - Parameters:
    ///   - k: at most 16.
    ///   - places: and `values`, shape (limit).
    /// - Returns: how many there are, `limit` + 1 where they are more than the limit, and the bound.
    package func candidates(
        among distances: AlignedBuffer, _ ranges: (Range<Int>, Range<Int>), k: Int, limit: Int,
        places: UnsafeMutablePointer<Int32>, values: UnsafeMutablePointer<Float>
    ) -> (count: Int, bound: Float) {
        guard self == .swift else {
            var bound: Float = 0
            let edges = (
                Int64(ranges.0.lowerBound), Int64(ranges.0.upperBound), Int64(ranges.1.lowerBound),
                Int64(ranges.1.upperBound)
            )
            let count = withUnsafeBytes(of: edges) {
                eddy_candidates(
                    code, distances.floats, $0.assumingMemoryBound(to: Int64.self).baseAddress!, Int64(k),
                    Int64(limit), places, values, &bound)
            }
            return (Int(count), bound)
        }
        var least = Lanes(repeating: .infinity)
        for range in [ranges.0, ranges.1] {
            for block in stride(from: (range.lowerBound + 15) / 16, to: range.upperBound / 16, by: 1) {
                least = pointwiseMin(least, distances.lanes[block])
            }
        }
        let bound = (0..<16).map { least[$0] }.sorted()[k - 1]
        var count = 0
        for range in [ranges.0, ranges.1] {
            for place in range where distances.floats[place] <= bound {
                guard count < limit else { return (limit + 1, bound) }
                (places[count], values[count]) = (Int32(place), distances.floats[place])
                count += 1
            }
        }
        return (count, bound)
    }

    /// What sixteen splits of some samples would leave on their left: where a sample's feature is below the threshold, and
    /// not missing, its amount is added to one of the split's sums, in the order of the samples.
    ///
    /// - Parameters:
    ///   - rows: shape (rows, inputs).
    ///   - order: the samples, by their row. Shape: (count).
    ///   - features: and `thresholds`, of the splits. Shape: (16).
    ///   - sums: which sum a sample counts in. Shape: (rows).
    ///   - amounts: shape (rows).
    ///   - values: where there are any, the second sum is of amount · value. Shape: (rows).
    ///   - left: shape (sums, 16), zero before.
    package func splits(
        of rows: UnsafePointer<Float>, inputs: Int, order: UnsafePointer<Int32>, count: Int,
        features: UnsafePointer<Int32>, thresholds: UnsafePointer<Float>, sums: UnsafePointer<Int32>,
        amounts: UnsafePointer<Float>, values: UnsafePointer<Float>?, into left: AlignedBuffer
    ) {
        guard self == .swift else {
            eddy_splits(
                code, rows, Int64(inputs), order, Int64(count), features, thresholds, sums, amounts, values,
                left.floats)
            return
        }
        for i in 0..<count {
            let row = Int(order[i])
            for k in 0..<16 where rows[row * inputs + Int(features[k])] < thresholds[k] {
                left.floats[Int(sums[row]) * 16 + k] += amounts[row]
                if let values { left.floats[16 + k] += amounts[row] * values[row] }
            }
        }
    }

    /// Runs `body` with subnormal numbers taken for zero, as all forms of a step do.
    static func flushingSubnormals<Result>(_ body: () -> Result) -> Result {
        let mode = eddy_flush_subnormals()
        defer { eddy_restore(mode) }
        return body()
    }

    /// Reads and writes every Float of a block once: the least that a step takes that touches each weight once.
    public func pass(over block: AlignedBuffer) {
        precondition(block.count % 64 == 0, "\(block.count) Floats: expected a multiple of 64")
        eddy_pass(code, block.floats, Int64(block.count))
    }

    /// exp, log1p, sigmoid and tanh of whole lanes by the C kernels, to be compared with ``Elementary``.
    func elementary(_ x: AlignedBuffer) -> (exp: [Float], log1p: [Float], sigmoid: [Float], tanh: [Float]) {
        let results = (0..<4).map { _ in AlignedBuffer(count: x.count) }
        eddy_elementary(
            code, Int64(x.count / 16), x.floats, results[0].floats, results[1].floats, results[2].floats,
            results[3].floats)
        let arrays = results.map { Array(UnsafeBufferPointer(start: $0.floats, count: x.count)) }
        return (arrays[0], arrays[1], arrays[2], arrays[3])
    }
}
