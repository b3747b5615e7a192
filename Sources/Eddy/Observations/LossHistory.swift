// The losses of a whole stream, at constant memory.
//
// Level k holds the newest 1,024 bins of 2ᵏ consecutive samples. A level is begun when the one below it first
// overflows, out of that one's bins, so the last level always reaches back to the first sample: the present sample
// by sample, the past ever more coarsely, as in a round-robin database. Every sample counts in a bin's count, mean,
// minimum and maximum; none is drawn at random. A day at 1,000 samples a second takes 18 levels, a day at a million
// 28: 48 KiB each.
//
// A sample costs a write at level 0 and a half, a quarter, … at those above: two bins in all.

/// Losses, errors and the baseline of all samples since the beginning, the older the coarser.
///
///     var history = LossHistory()
///     history.append(losses: [0.7, 0.5], errors: [1, 0], firstStep: 1, time: 1_732_160_000, baseline: 0.69)
///     history.rows(by: .steps, points: 1).first?.mean  // 0.6
public struct LossHistory: Sendable {
    /// What a range and the columns' widths are measured in.
    public enum Axis: String, Sendable, Hashable, Codable, CaseIterable {
        case steps
        /// Seconds since 1970.
        case time
    }

    /// Consecutive samples: ``count`` of them, that end at ``step``.
    public struct Row: Sendable, Hashable, Codable {
        /// The step of the last sample.
        public var step: UInt64
        /// When the last sample was learned, in seconds since 1970.
        public var time: Double
        public var count: UInt64
        /// Of the losses, in nats or squared units of the target; so are `min` and `max`.
        public var mean: Double
        public var min: Double
        public var max: Double
        /// The mean of the errors: 1 for a wrong class, or absolute errors in units of the target. A regression's first
        /// sample, of which no value was predicted, adds 0.
        public var error: Double
        /// The loss to beat after the last sample, in the unit of the losses.
        public var baseline: Double
    }

    /// 2ᵏ samples.
    struct Bin {
        var begin: Double  // the time of the first
        var end: Double  // and of the last
        var loss: Double  // the sum
        var error: Double  // the sum
        var baseline: Double
        var min: Float
        var max: Float

        @inline(__always)
        func joined(with next: Bin) -> Bin {
            Bin(
                begin: begin, end: next.end, loss: loss + next.loss, error: error + next.error,
                baseline: next.baseline, min: Swift.min(min, next.min), max: Swift.max(max, next.max))
        }
    }

    /// Bins a level. A power of two.
    static let length = 1024

    /// Level k's bin b, of samples b·2ᵏ ..< (b+1)·2ᵏ, stands at b modulo the length.
    private(set) var levels: [[Bin]] = []
    /// Samples since the beginning.
    public private(set) var count: UInt64 = 0
    /// Learned samples before the first.
    private var stepsBefore: UInt64 = 0

    public init() {}

    /// Forgets everything: the losses of two tasks do not mix.
    public mutating func reset() { self = LossHistory() }

    /// The first sample's step and time; nil before it.
    public var begin: (step: UInt64, time: Double)? {
        guard let last = levels.indices.last else { return nil }
        return (stepsBefore + 1, levels[last][0].begin)  // the last level has not overflowed
    }

    /// The newest sample's step and time; nil before the first.
    public var end: (step: UInt64, time: Double)? {
        guard count > 0 else { return nil }
        return (stepsBefore + count, bin(count - 1, level: 0).end)
    }

    // MARK: Appending

    /// Takes in consecutive learned samples, all losses finite.
    ///
    /// - Parameters:
    ///   - losses: in nats or squared units. Shape: (count).
    ///   - errors: 1 where wrong and 0 where right, or absolute errors; NaN where no value was predicted, which counts as
    ///     0. Shape: (count).
    ///   - firstStep: the step of the first; where it does not follow the last one's, a new history begins.
    ///   - time: when they were learned, in seconds since 1970; a clock that was set back stands still here.
    ///   - baseline: the loss to beat after them.
    public mutating func append(
        losses: [Float], errors: [Float], firstStep: UInt64, time: Double, baseline: Double
    ) {
        precondition(losses.count == errors.count, "\(losses.count) losses with \(errors.count) errors")
        guard !losses.isEmpty else { return }
        if count == 0 || firstStep != stepsBefore + count + 1 {
            self = LossHistory()
            stepsBefore = firstStep - 1
            levels = [LossHistory.emptyLevel]
        }
        var now = time.isFinite ? time : 0
        if let last = end { now = Swift.max(now, last.time) }
        // In pieces of half a level, so that a pair is joined before either half of it is overwritten.
        losses.withUnsafeBufferPointer { losses in
            errors.withUnsafeBufferPointer { errors in
                var first = 0
                while first < losses.count {
                    let end = Swift.min(first + LossHistory.length / 2, losses.count)
                    write(losses, errors, first..<end, now, baseline)
                    first = end
                }
            }
        }
    }

    private static var emptyLevel: [Bin] {
        Array(repeating: Bin(begin: 0, end: 0, loss: 0, error: 0, baseline: 0, min: 0, max: 0), count: length)
    }

    private mutating func write(
        _ losses: UnsafeBufferPointer<Float>, _ errors: UnsafeBufferPointer<Float>, _ range: Range<Int>,
        _ time: Double, _ baseline: Double
    ) {
        // Before level 0 is overwritten for the first time, and so on upwards.
        let (before, after) = (count, count + UInt64(range.count))
        while after > UInt64(LossHistory.length) << UInt64(levels.count - 1) { beginLevel(filledTo: before) }

        let mask = LossHistory.length - 1
        levels[0].withUnsafeMutableBufferPointer { bins in
            var place = Int(truncatingIfNeeded: before) & mask
            for i in range {
                let loss = losses[i]
                let error = errors[i].isNaN ? 0 : Double(errors[i])
                bins[place] = Bin(
                    begin: time, end: time, loss: Double(loss), error: error, baseline: baseline,
                    min: loss, max: loss)
                place = (place + 1) & mask
            }
        }
        count = after
        for level in 1..<Swift.max(levels.count, 1) {
            let done = before >> UInt64(level)
            let full = after >> UInt64(level)
            if done == full { break }  // then no bin of a level above is full either
            join(level, done..<full)
        }
    }

    /// Makes bins of a level out of pairs of the one below.
    private mutating func join(_ level: Int, _ range: Range<UInt64>) {
        let mask = LossHistory.length - 1
        var bins = levels[level]
        levels[level] = []  // so that it is changed in place
        levels[level - 1].withUnsafeBufferPointer { below in
            bins.withUnsafeMutableBufferPointer { bins in
                var place = Int(truncatingIfNeeded: range.lowerBound) & mask
                for _ in 0..<Int(range.upperBound - range.lowerBound) {
                    let pair = (2 * place) & mask
                    bins[place] = below[pair].joined(with: below[pair + 1])
                    place = (place + 1) & mask
                }
            }
        }
        levels[level] = bins
    }

    private mutating func beginLevel(filledTo samples: UInt64) {
        levels.append(LossHistory.emptyLevel)
        let level = levels.count - 1
        join(level, 0..<(samples >> UInt64(level)))
    }

    private func bin(_ index: UInt64, level: Int) -> Bin {
        levels[level][Int(truncatingIfNeeded: index) & (LossHistory.length - 1)]
    }

    // MARK: Reading

    /// The history within a range, ascending, in at most `points` columns of equal width.
    ///
    /// Every sample in hand that lies in the range is in exactly one row. The oldest and newest rows also hold what their
    /// finest bins hold beyond the range.
    ///
    /// - Parameters:
    ///   - from: the first step or second; nil for the beginning.
    ///   - to: the last step or second; nil for now.
    ///   - points: at least 1.
    public func rows(by axis: Axis, from: Double? = nil, to: Double? = nil, points: Int = 1000) -> [Row] {
        guard count > 0, let begin, let end else { return [] }
        let first = axis == .steps ? Double(begin.step) : begin.time
        let last = axis == .steps ? Double(end.step) : end.time
        var low = Swift.max(from ?? first, first)
        let high = Swift.min(to ?? last, last)
        if axis == .steps { low.round(.up) }
        guard low <= high else { return [] }
        let points = Double(Swift.max(points, 1))
        // Steps are whole numbers: low...high are one more than their difference.
        let width = axis == .steps ? ((high - low + 1) / points).rounded(.up) : (high - low) / points

        var rows: [Row] = []
        var lastColumn = -1.0
        forEachBin { (bin, firstIndex, size) in
            let endStep = stepsBefore + firstIndex + size
            let ends = axis == .steps ? Double(endStep) : bin.end
            let begins = axis == .steps ? Double(stepsBefore + firstIndex + 1) : bin.begin
            guard ends >= low, begins <= high else { return }
            let column = width > 0 ? Swift.min(((ends - low) / width).rounded(.down), points - 1) : 0
            if column == lastColumn {
                rows[rows.count - 1].add(bin, size, step: endStep)
            } else {
                rows.append(Row(bin, size, step: endStep))
                lastColumn = column
            }
        }
        for i in rows.indices {  // sums until here
            rows[i].mean /= Double(rows[i].count)
            rows[i].error /= Double(rows[i].count)
        }
        return rows
    }

    /// Calls `body` with the finest bins that there are, which cover every sample once, oldest first.
    private func forEachBin(_ body: (_ bin: Bin, _ first: UInt64, _ size: UInt64) -> Void) {
        var next: UInt64 = 0  // the first sample not covered yet
        for level in levels.indices.reversed() {
            let width = UInt64(1) << UInt64(level)
            // Up to where the level below begins, rounded up to whole bins of this one.
            var until = count
            if level > 0 {
                let below = width / 2
                let full = count / below
                let oldest = full > UInt64(LossHistory.length) ? (full - UInt64(LossHistory.length)) * below : 0
                until = Swift.min((oldest + width - 1) / width * width, count / width * width)
            }
            while next + width <= until {
                body(bin(next / width, level: level), next, width)
                next += width
            }
        }
    }
}

extension LossHistory.Row {
    /// A row whose mean and error are sums so far.
    fileprivate init(_ bin: LossHistory.Bin, _ size: UInt64, step: UInt64) {
        self.init(
            step: step, time: bin.end, count: size, mean: bin.loss, min: Double(bin.min), max: Double(bin.max),
            error: bin.error, baseline: bin.baseline)
    }

    fileprivate mutating func add(_ bin: LossHistory.Bin, _ size: UInt64, step: UInt64) {
        self.step = step
        time = bin.end
        count += size
        mean += bin.loss
        min = Swift.min(min, Double(bin.min))
        max = Swift.max(max, Double(bin.max))
        error += bin.error
        baseline = bin.baseline
    }
}
