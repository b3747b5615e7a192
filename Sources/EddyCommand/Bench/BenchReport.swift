// What was measured: as JSON for programs, as tables for people.

import Eddy
import Foundation

struct BenchReport: Encodable {
    let version = EddyVersion.current
    let kernelSet = kernelsInUse()
    let arithmetic: Arithmetic
    let cores = ProcessInfo.processInfo.activeProcessorCount
    /// Processes that ran or waited to, over the last minute: what else the machine was doing.
    let loadAverage: Double
    var kernels: KernelReport?
    var feed: FeedReport?
    var latency: LatencyReport?
    var subscribers: SubscriberReport?
    var startup: StartupReport?

    init(arithmetic: Arithmetic) {
        self.arithmetic = arithmetic
        var load = 0.0
        loadAverage = getloadavg(&load, 1) == 1 ? load : .zero
    }

    var heading: String {
        "eddy \(version), kernels \(kernelSet), arithmetic \(arithmetic.rawValue), \(cores) cores, "
            + "load average \(decimal(loadAverage, 1))"
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

/// Figures of one kind, from bursts.
struct Spread: Encodable {
    let median: Double
    let lowest: Double
    let highest: Double
    let bursts: Int

    /// - Parameter figures: at least one.
    init(_ figures: [Double]) {
        let sorted = figures.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        lowest = sorted.first!
        highest = sorted.last!
        bursts = sorted.count
    }
}

/// Columns of text: the first to the left, the others to the right.
struct TextTable {
    private var rows: [[String]]

    init(_ heading: [String]) { rows = [heading] }

    mutating func add(_ row: [String]) { rows.append(row) }

    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
        return rows.map { row in
            row.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + blanks : blanks + row[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

/// A number with so many digits after the point.
func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

/// A number for a column of very small and very large ones: three digits or more.
func significant(_ value: Double) -> String { decimal(value, value < 10 ? 2 : value < 1000 ? 1 : 0) }

/// Mebibytes.
func megabytes(_ bytes: Int?) -> String { bytes.map { decimal(Double($0) / Double(1 << 20), 1) } ?? "–" }
