// A stream's first samples, kept until there are enough to know which of their values are errors.
//
// One wild value among them would hide a feature for as long as it takes thousands of others to outweigh it. The median's
// deviation tells what is usual (Hampel, Journal of the American Statistical Association 69, 1974), unless most values are
// one, as of rare categories.

/// Some whole rows.
struct FirstSamples: Sendable {
    /// Those so many deviations from their median are gross errors.
    private static let gross = 20.0

    /// Row-major. Shape: (samples, width).
    private(set) var values: [Float] = []

    init(_ values: [Float] = []) { self.values = values }

    /// Whether they can be those of a scaler that has seen so many.
    func isSound(_ width: Int, at count: Double) -> Bool {
        values.isEmpty || count < 20 && values.count == Int(max(count, 0)) * width
    }

    mutating func append(_ x: UnsafePointer<Float>, _ width: Int) {
        values += UnsafeBufferPointer(start: x, count: width)
    }

    /// Makes rows of another width; further values were 0 so far.
    mutating func reshape(from old: Int, to width: Int) {
        guard !values.isEmpty else { return }
        values = stride(from: 0, to: values.count, by: old).flatMap { row in
            (0..<width).map { $0 < old ? values[row + $0] : 0 }
        }
    }

    /// The mean and M₂ of a feature with gross errors moved to the edge of what is usual; nil where there are none.
    ///
    /// - Parameter limit: that edge, in deviations from the median.
    func judged(_ j: Int, of width: Int, limit: Double) -> (mean: Double, squares: Double)? {
        let column = stride(from: j, to: values.count, by: width).map { Double(values[$0]) }.filter(\.isFinite)
        func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
        let middle = median(column)
        let deviation = 1.4826 * median(column.map { abs($0 - middle) })
        guard deviation > 0, column.contains(where: { abs($0 - middle) > FirstSamples.gross * deviation }) else {
            return nil
        }
        var (mean, squares) = (0.0, 0.0)
        for (n, value) in column.enumerated() {
            let value = min(max(value, middle - limit * deviation), middle + limit * deviation)
            let distance = value - mean
            mean += distance / Double(n + 1)
            squares += distance * (value - mean)
        }
        return (mean, squares)
    }
}
