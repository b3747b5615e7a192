// How long a lone sample waits for its reply, and how much of that is the network's own time.
//
// Closed loop: the next sample leaves when the last reply has come, so no queue forms, and there is no omission to
// correct for. Percentiles by HdrHistogram (Tene), to three digits.

import Foundation
import Histogram  // without Eddy here, which has a Histogram of its own

struct LatencyReport: Encodable {
    struct Row: Encodable {
        let server: String
        let roundTrips: Int
        /// Microseconds.
        let p50: Double
        let p90: Double
        let p99: Double
        let p999: Double
        let max: Double

        init(_ server: String, _ histogram: Histogram<UInt64>) {
            func microseconds(_ percentile: Double) -> Double {
                Double(histogram.valueAtPercentile(percentile)) / 1000
            }
            self.server = server
            roundTrips = Int(histogram.totalCount)
            p50 = microseconds(50)
            p90 = microseconds(90)
            p99 = microseconds(99)
            p999 = microseconds(99.9)
            max = microseconds(100)
        }

        var figures: [Double] { [p50, p90, p99, p999, max] }
    }

    /// The feed with the fixed logistic network of W1, replies `predictions`.
    let eddy: Row
    let echo: Row
    /// Eddy's percentiles over the echo's.
    let ratios: [String: Double]

    init(eddy: Row, echo: Row) {
        self.eddy = eddy
        self.echo = echo
        ratios = Dictionary(
            uniqueKeysWithValues: zip(["p50", "p90", "p99", "p999", "max"], zip(eddy.figures, echo.figures)).map {
                ($0, $1.0 / $1.1)
            })
    }

    var text: String {
        var table = TextTable(["round trip, µs", "p50", "p90", "p99", "p99.9", "longest", "samples"])
        for row in [eddy, echo] {
            table.add([row.server] + row.figures.map { decimal($0, 1) } + ["\(row.roundTrips)"])
        }
        table.add(["ratio"] + zip(eddy.figures, echo.figures).map { decimal($0 / $1, 2) } + [""])
        return table.text
    }
}

struct LatencyBench {
    let roundTrips: Int

    /// Round trips with one server before it is the other's turn.
    private static let turn = 250

    func run() throws -> LatencyReport {
        let server = try ServerProcess(["--reply", "predictions"] + ServerProcess.fixed)
        let echo = try EchoProcess()
        defer {
            server.process.end()
            echo.process.end()
        }
        let lines = FeedFormat.csv.bytes(of: Workload("w1")).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true
        ).map { Array($0) + [UInt8(ascii: "\n")] }
        let connections = [try Loopback(port: server.feedPort), try Loopback(port: echo.port)]
        var next = 0
        func exchange(_ connection: Loopback) throws -> UInt64 {
            next = (next + 1) % lines.count
            let start = ContinuousClock.now
            try lines[next].withUnsafeBufferPointer { try connection.send($0) }
            try connection.awaitLine()
            return UInt64((ContinuousClock.now - start) / .nanoseconds(1))
        }
        for connection in connections {  // unmeasured
            for _ in 0..<LatencyBench.turn { _ = try exchange(connection) }
        }
        var histograms = connections.map { _ in
            Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
        }
        var done = 0
        while done < roundTrips {
            let turn = min(LatencyBench.turn, roundTrips - done)
            for (index, connection) in connections.enumerated() {
                for _ in 0..<turn { histograms[index].record(try exchange(connection)) }
            }
            done += turn
        }
        return LatencyReport(eddy: .init("eddy", histograms[0]), echo: .init("echo", histograms[1]))
    }
}
