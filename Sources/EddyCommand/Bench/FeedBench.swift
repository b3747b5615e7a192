// Samples a second into `eddy serve`: workload W1 over loopback, as fast as the server takes it.

import ArgumentParser
import Eddy
import Foundation

/// How samples are written.
enum FeedFormat: String, ExpressibleByArgument, CaseIterable, Encodable {
    case csv
    /// Floats in binary: see PackedSamples.swift.
    case packed

    /// What begins a connection.
    func opening(of workload: Workload) -> [UInt8] {
        switch self {
        case .csv: return []
        case .packed:
            var header = Array("EDDY".utf8) + [1, 0, 1, 0]
            withUnsafeBytes(of: UInt32(workload.inputs).littleEndian) { header += $0 }
            return header
        }
    }

    /// All samples, the label last.
    func bytes(of workload: Workload) -> [UInt8] {
        var bytes: [UInt8] = []
        for (i, label) in workload.labels.enumerated() {
            let features = workload.features[i * workload.inputs..<(i + 1) * workload.inputs]
            switch self {
            case .csv:
                for feature in features { bytes += String(format: "%.6g,", feature).utf8 }
                bytes += "\(label)\n".utf8
            case .packed:
                for number in features + [Float(label)] {
                    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
                }
            }
        }
        return bytes
    }
}

/// The samples of W1 as they are sent: a header where there is one, then a block that is sent again and again.
struct FeedStream {
    let opening: [UInt8]
    let block: [UInt8]
    /// Samples in the block.
    let count: Int

    init(_ format: FeedFormat) {
        let workload = Workload("w1")
        let repeats = 8  // so that a block is more than a socket takes at once
        opening = format.opening(of: workload)
        block = Array(repeatElement(format.bytes(of: workload), count: repeats).joined())
        count = workload.labels.count * repeats
    }

    /// Samples a second of one connection to a server. Throws where it did not take them all.
    func rate(
        into server: ServerProcess, reply: String, seconds: Double, watcher: Watcher? = nil
    ) throws -> (rate: Double, samples: Int, watchedPerSecond: Double) {
        let result = try Loopback(port: server.feedPort).stream(
            opening: opening, block, seconds: seconds, watcher: watcher)
        let samples = result.blocks * count
        let isComplete =
            reply == "summary"
            ? result.tail.contains("accepted=\(samples) learned=\(samples) predicted=0 rejected=0")
            : result.replyLines >= samples && !result.tail.contains("!error")
        guard isComplete else {
            throw CommandError(
                "the server did not take all of \(samples) samples; it said last: \(result.tail.suffix(200))")
        }
        return (Double(samples) / result.seconds, samples, Double(result.watched) / result.seconds)
    }
}

struct FeedReport: Encodable {
    struct Row: Encodable {
        /// `fixed` (30-1 logistic, plain SGD), `fast` and `best` (what `eddy serve` finds out by itself in these profiles)
        /// or `echo`.
        let network: String
        let reply: String
        let samplesPerSecond: Spread
        /// The server's CPU time, in nanoseconds a sample; nil where the system does not tell.
        let cpuNanoseconds: Double?
        /// The server's resident bytes after the streams, and at most.
        let residentBytes: Int?
        let peakResidentBytes: Int?
    }

    let format: FeedFormat
    let bytesPerSample: Double
    let rows: [Row]

    var text: String {
        var table = TextTable([
            "feed (\(format.rawValue), W1)", "replies", "samples/s", "lowest", "highest", "CPU, ns a sample", "MB",
            "MB at most",
        ])
        for row in rows {
            table.add([
                row.network, row.reply, decimal(row.samplesPerSecond.median, 0),
                decimal(row.samplesPerSecond.lowest, 0),
                decimal(row.samplesPerSecond.highest, 0), row.cpuNanoseconds.map { decimal($0, 0) } ?? "–",
                megabytes(row.residentBytes), megabytes(row.peakResidentBytes),
            ])
        }
        return table.text + "\n\(decimal(bytesPerSample, 0)) bytes a sample"
    }
}

struct FeedBench {
    let format: FeedFormat
    let seconds: Double

    /// Streams into each server; they take turns.
    private static let rounds = 5

    func run() throws -> FeedReport {
        let stream = FeedStream(format)
        let kinds = [
            ("fixed", "predictions"), ("fixed", "summary"), ("fast", "predictions"), ("best", "predictions"),
        ]
        let servers = try kinds.map { network, reply in
            try ServerProcess(
                ["--reply", reply] + (network == "fixed" ? ServerProcess.fixed : ["--profile", network]))
        }
        let echo = format == .csv ? try EchoProcess() : nil
        defer {
            for server in servers { server.process.end() }
            echo?.process.end()
        }
        let length = seconds / Double(FeedBench.rounds)
        for (server, kind) in zip(servers, kinds) {  // unmeasured, the first of all
            _ = try stream.rate(into: server, reply: kind.1, seconds: length / 4)
        }
        let cpuBefore = servers.map(\.process.cpuSeconds)
        var rates = kinds.map { _ in [Double]() }
        var samples = kinds.map { _ in 0 }
        var floor: [Double] = []
        for _ in 0..<FeedBench.rounds {
            for (index, kind) in kinds.enumerated() {
                let one = try stream.rate(into: servers[index], reply: kind.1, seconds: length)
                rates[index].append(one.rate)
                samples[index] += one.samples
            }
            if let echo {
                let one = try Loopback(port: echo.port).stream(stream.block, seconds: length)
                floor.append(Double(one.replyLines) / one.seconds)
            }
        }
        var rows = kinds.indices.map { index in
            let process = servers[index].process
            let memory = process.memory
            let cpu = process.cpuSeconds.flatMap { after in cpuBefore[index].map { after - $0 } }
            return FeedReport.Row(
                network: kinds[index].0, reply: kinds[index].1, samplesPerSecond: Spread(rates[index]),
                cpuNanoseconds: cpu.map { $0 * 1e9 / Double(samples[index]) }, residentBytes: memory?.resident,
                peakResidentBytes: memory?.peak)
        }
        if !floor.isEmpty {
            rows.append(
                FeedReport.Row(
                    network: "echo", reply: "lines", samplesPerSecond: Spread(floor), cpuNanoseconds: nil,
                    residentBytes: nil, peakResidentBytes: nil))
        }
        return FeedReport(
            format: format, bytesPerSample: Double(stream.block.count) / Double(stream.count), rows: rows)
    }
}
