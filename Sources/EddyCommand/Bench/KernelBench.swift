// Nanoseconds a sample: the network alone, then the learner and the decoder around it. No sockets, no threads.

import Eddy
import Foundation

struct KernelReport: Encodable {
    struct Row: Encodable {
        let workload: String
        let network: String
        /// Nanoseconds a sample.
        let nanoseconds: Spread
        let samplesPerSecond: Double
        /// Nanoseconds of one pass that reads and writes as many bytes as there are weights; nil without weights.
        let passNanoseconds: Double?
        /// That pass as a share of a sample's time: 1 is the bound of a step that touches each weight once.
        let boundReached: Double?
        /// Of the first pass over the samples, each scored before it was learned.
        let accuracy: Double?
        let meanLoss: Double?
        let samples: Int
        let chunks: Int
        /// Heap allocations during the bursts, where a preloaded counter counts them.
        let allocations: Int?
    }

    let kernels: String
    let data: String
    let rows: [Row]

    var text: String {
        var table = TextTable([
            "kernels (\(kernels))", "network", "ns a sample", "lowest", "highest", "samples/s", "one pass, ns",
            "reached", "accuracy", "mean loss",
        ])
        for row in rows {
            table.add([
                row.workload, row.network, significant(row.nanoseconds.median), significant(row.nanoseconds.lowest),
                significant(row.nanoseconds.highest), decimal(row.samplesPerSecond, 0),
                row.passNanoseconds.map(significant) ?? "", row.boundReached.map { decimal(100 * $0, 0) + " %" } ?? "",
                row.accuracy.map { decimal($0, 5) } ?? "", row.meanLoss.map { decimal($0, 5) } ?? "",
            ])
        }
        return table.text + "\naccuracy and mean loss: the first pass over the samples, \(data)"
    }
}

struct KernelBench {
    /// nil: all.
    let names: [String]?
    let data: String?
    let seconds: Double
    let steps: Int?
    let arithmetic: Arithmetic

    static let names = Workload.names + ["fast", "best", "decoder"]

    /// Samples that go through a call.
    private static let chunk = 256

    func run() throws -> KernelReport {
        var rows: [KernelReport.Row] = []
        for name in names ?? KernelBench.names {
            switch name {
            case "fast": rows.append(try learner(.fast, workload("w1")))
            case "best": rows.append(try learner(.best, workload("w1")))
            case "decoder": rows.append(try decoder(workload("w1")))
            default: rows.append(try network(workload(name)))
            }
        }
        return KernelReport(kernels: kernelsInUse(), data: data.map { "of \($0)" } ?? "made from a seed", rows: rows)
    }

    private func workload(_ name: String) throws -> Workload {
        try data.map { try Workload(name, folder: $0) } ?? Workload(name)
    }

    private func row(
        _ workload: String, _ network: String, _ figures: Bursts.Figures, pass: MemoryPass? = nil,
        first: (accuracy: Double, meanLoss: Double)? = nil
    ) -> KernelReport.Row {
        let nanoseconds = figures.nanoseconds
        let bound = pass.map { Spread($0.figures).median }
        return KernelReport.Row(
            workload: workload, network: network, nanoseconds: nanoseconds, samplesPerSecond: 1e9 / nanoseconds.median,
            passNanoseconds: bound, boundReached: bound.map { $0 / nanoseconds.median }, accuracy: first?.accuracy,
            meanLoss: first?.meanLoss, samples: figures.samples, chunks: figures.chunks,
            allocations: figures.allocations)
    }

    /// The fixed network over all samples, again and again.
    private func network(_ workload: Workload) throws -> KernelReport.Row {
        let stream = try NetworkStream(workload, arithmetic, chunk: KernelBench.chunk)
        let first = try stream.firstPass()
        let pass = MemoryPass(floats: stream.network.parameterCount)
        let figures = try Bursts(seconds: seconds, steps: steps).measure(between: pass.time) {
            try stream.advance(limit: $0)
        }
        return row(workload.name.uppercased(), workload.description, figures, pass: pass, first: first)
    }

    /// The learner that finds everything out by itself, on the samples of W1.
    private func learner(_ profile: Profile, _ workload: Workload) throws -> KernelReport.Row {
        let samples = try SampleChunk(
            workload.labels.indices.map {
                Sample(
                    Array(workload.features[$0 * workload.inputs..<($0 + 1) * workload.inputs]),
                    label: .number(Float(workload.labels[$0])))
            })
        let chunks = stride(from: 0, to: samples.count, by: KernelBench.chunk).map {
            samples[$0..<min($0 + KernelBench.chunk, samples.count)]
        }
        var configuration = Configuration()
        configuration.profile = profile
        let learner = try Learner(configuration)
        for chunk in chunks { _ = learner.learn(chunk) }
        let metrics = learner.metrics.summary(for: learner.task)
        guard let network = learner.network, let accuracy = metrics.accuracy else {
            throw CommandError("the samples of \(workload.name) have one class alone")
        }
        let pass = MemoryPass(floats: network.parameterCount)
        var next = 0
        let figures = try Bursts(seconds: seconds, steps: steps).measure(between: pass.time) { limit in
            let chunk = chunks[next]
            next = (next + 1) % chunks.count
            return chunk.count <= limit ? learner.learn(chunk).learned : learner.learn(chunk[0..<limit]).learned
        }
        let widths = ([network.inputs] + network.layers.map(\.outputs)).map { String($0) }.joined(separator: "-")
        let description = profile == .best ? "committee of \(learner.votes.count)" : widths
        return row(profile.rawValue, description, figures, pass: pass, first: (accuracy, metrics.meanLoss))
    }

    /// Lines of CSV into chunks, on the samples of W1.
    private func decoder(_ workload: Workload) throws -> KernelReport.Row {
        let text = FeedFormat.csv.bytes(of: workload)
        var decoder = SampleDecoder(format: .csv, schema: SchemaClaim(Schema(inputs: workload.inputs)))
        var rest = text[...]
        let figures = try Bursts(seconds: seconds, steps: steps).measure { limit in
            if rest.isEmpty { rest = text[...] }
            let chunk = decoder.decode(&rest, limit: min(limit, KernelBench.chunk))
            guard chunk.events.isEmpty, !chunk.samples.isEmpty else {
                throw CommandError("a line of \(workload.name) is no sample: \(chunk.events)")
            }
            return chunk.samples.count
        }
        return row("decoder", "CSV, \(workload.inputs) inputs", figures)
    }
}

/// A fixed network and its samples in flat arrays, which it goes round and round.
private final class NetworkStream {
    let network: Network
    private let count: Int
    private let chunk: Int
    private let inputs: AlignedBuffer  // (count, inputStride)
    private let targets: AlignedBuffer  // (count)
    private let predictions: AlignedBuffer  // (chunk, outputs)
    private let losses: AlignedBuffer  // (chunk)
    private var position = 0

    init(_ workload: Workload, _ arithmetic: Arithmetic, chunk: Int) throws {
        network = try workload.network(arithmetic)
        count = workload.labels.count
        self.chunk = chunk
        let stride = network.inputStride
        inputs = AlignedBuffer(count: count * stride)
        targets = AlignedBuffer(count: count)
        predictions = AlignedBuffer(count: chunk * network.outputs)
        losses = AlignedBuffer(count: chunk)
        for i in 0..<count {
            for j in 0..<workload.inputs { inputs.floats[i * stride + j] = workload.features[i * workload.inputs + j] }
            targets.floats[i] = Float(workload.labels[i])
        }
    }

    /// Learns the next samples, at most a chunk of them and none beyond the end; returns how many.
    func advance(limit: Int = .max) throws -> Int {
        let size = min(chunk, limit, count - position)
        let done = network.run(
            NetworkChunk(
                count: size, inputs: UnsafePointer(inputs.floats + position * network.inputStride),
                targets: UnsafePointer(targets.floats + position), weights: nil, predictions: predictions.floats,
                losses: losses.floats))
        guard done == size else { throw CommandError("sample \(position + done + 1) was rejected by the network") }
        position = (position + size) % count
        return size
    }

    /// Accuracy and mean loss over the samples, once.
    func firstPass() throws -> (accuracy: Double, meanLoss: Double) {
        var (correct, loss) = (0, 0.0)
        repeat {
            let first = position
            for i in 0..<(try advance()) {
                loss += Double(losses.floats[i])
                if prediction(i) == Int(targets.floats[first + i]) { correct += 1 }
            }
        } while position != 0
        return (Double(correct) / Double(count), loss / Double(count))
    }

    /// The class of sample `i` of the chunk: the likeliest, the first among equals.
    private func prediction(_ i: Int) -> Int {
        let p = UnsafeBufferPointer(start: predictions.floats + i * network.outputs, count: network.outputs)
        if p.count == 1 { return p[0] > 0.5 ? 1 : 0 }
        return p.indices.dropFirst().reduce(0) { p[$1] > p[$0] ? $1 : $0 }
    }
}
