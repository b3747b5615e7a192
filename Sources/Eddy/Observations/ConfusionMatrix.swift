// Which class was taken for which: of all samples, and of the newest 1,000.
//
// Fixed in size: the first 16 classes have a row and a column each, and all others share one more of both, which is
// counted and not shown.

/// Counts of (label, predicted class), from before each sample was learned.
///
/// The first sample of a class that was never seen is in its label's row, under the class that was predicted. The very first
/// sample had no prediction and is in no cell.
///
///     matrix.total[0][1]  // samples of the first class that were taken for the second
public struct ConfusionMatrix: Sendable {
    /// The most classes shown.
    public static let classLimit = 16
    /// The samples that ``recent`` is of.
    public static let recentLimit = 1000

    private static let side = classLimit + 1  // the last for all others

    private var totals = [UInt64](repeating: 0, count: side * side)  // (label, predicted)
    private var recents = [UInt64](repeating: 0, count: side * side)
    /// Cells of the newest samples, a ring.
    private var cells: [UInt16] = []
    private var next = 0
    /// The names of all classes, in order of first appearance.
    var names: [String] = []

    init() {}

    /// The classes shown, in order of first appearance.
    public var classes: [String] { Array(names.prefix(ConfusionMatrix.classLimit)) }
    /// Classes not shown.
    public var others: Int { names.count - classes.count }
    /// Samples of the shown classes. Shape: (label, predicted).
    public var total: [[UInt64]] { square(totals) }
    /// The same of the newest ``recentCount`` samples.
    public var recent: [[UInt64]] { square(recents) }
    /// Samples in ``recent`` and of classes not shown, at most 1,000.
    public var recentCount: Int { cells.count }

    private func square(_ counts: [UInt64]) -> [[UInt64]] {
        let shown = Swift.min(names.count, ConfusionMatrix.classLimit)
        return (0..<shown).map { row in
            Array(counts[row * ConfusionMatrix.side..<row * ConfusionMatrix.side + shown])
        }
    }

    /// Counts samples.
    ///
    /// - Parameters:
    ///   - targets: class indices, NaN where a sample was not learned. Shape: (count).
    ///   - predictions: class indices, NaN where nothing was predicted. Shape: (count).
    mutating func count(targets: ArraySlice<Float>, predictions: ArraySlice<Float>) {
        let side = ConfusionMatrix.side
        let last = Float(ConfusionMatrix.classLimit)
        targets.withUnsafeBufferPointer { targets in
            predictions.withUnsafeBufferPointer { predictions in
                totals.withUnsafeMutableBufferPointer { totals in
                    recents.withUnsafeMutableBufferPointer { recents in
                        for i in targets.indices where !targets[i].isNaN && !predictions[i].isNaN {
                            let cell = Int(min(targets[i], last)) * side + Int(min(predictions[i], last))
                            totals[cell] += 1
                            recents[cell] += 1
                            if cells.count < ConfusionMatrix.recentLimit {
                                cells.append(UInt16(cell))
                                continue
                            }
                            recents[Int(cells[next])] -= 1
                            cells[next] = UInt16(cell)
                            next = next + 1 == ConfusionMatrix.recentLimit ? 0 : next + 1
                        }
                    }
                }
            }
        }
    }
}
