// Samples by the inputs that they have, for streams of many terms.
//
// A row begins with all columns, in their order, whether zero or not; the terms follow, by ascending place, each once. So
// whoever sees only columns finds them as in a dense row, and what a sample costs follows what it has.

import Backprop

/// A sample's inputs, in either form. The memory is someone else's.
struct SampleRow {
    /// Shape: (count).
    let values: UnsafePointer<Float>
    /// The input of each value, ascending; nil where they are all inputs in their order.
    let places: UnsafePointer<UInt32>?
    let count: Int
}

/// Rows of either length, one behind the other, in memory that grows. One owner changes it.
final class SparseBuffer {
    private var places: UnsafeMutablePointer<UInt32>
    private var values: UnsafeMutablePointer<Float>
    private var ends: UnsafeMutablePointer<Int>
    private var capacity = 1024
    private var rowCapacity = 64
    private(set) var count = 0

    init() {
        places = .allocate(capacity: capacity)
        values = .allocate(capacity: capacity)
        ends = .allocate(capacity: rowCapacity)
    }

    deinit {
        places.deallocate()
        values.deallocate()
        ends.deallocate()
    }

    private var filled: Int { count == 0 ? 0 : ends[count - 1] }

    func removeAll() { count = 0 }

    /// Adds a row of so many inputs, to be written at once. What was handed out before may have moved.
    func append(_ inputs: Int) -> (places: UnsafeMutablePointer<UInt32>, values: UnsafeMutablePointer<Float>) {
        let begin = filled
        if begin + inputs > capacity {
            let wider = max(begin + inputs, 2 * capacity)
            SparseBuffer.move(&places, begin, to: wider)
            SparseBuffer.move(&values, begin, to: wider)
            capacity = wider
        }
        if count == rowCapacity {
            SparseBuffer.move(&ends, count, to: 2 * rowCapacity)
            rowCapacity *= 2
        }
        ends[count] = begin + inputs
        count += 1
        return (places + begin, values + begin)
    }

    /// Adds a copy of a row that has places, with other values to be written.
    func append(like row: SampleRow) -> UnsafeMutablePointer<Float> {
        let new = append(row.count)
        new.places.update(from: row.places!, count: row.count)
        return new.values
    }

    private static func move<Element>(_ memory: inout UnsafeMutablePointer<Element>, _ count: Int, to capacity: Int) {
        let wider = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        wider.update(from: memory, count: count)
        memory.deallocate()
        memory = wider
    }

    subscript(row: Int) -> SampleRow {
        let begin = row == 0 ? 0 : ends[row - 1]
        return SampleRow(
            values: UnsafePointer(values + begin), places: UnsafePointer(places + begin), count: ends[row] - begin)
    }

    /// The rows from `first` on, as a network takes them.
    func rows(from first: Int) -> SparseRows {
        SparseRows(
            places: UnsafePointer(places), values: UnsafePointer(values), ends: UnsafePointer(ends + first),
            first: first == 0 ? 0 : ends[first - 1])
    }
}
