// One sender's totals: what became of its lines. Replies, answers to POST and the commands' summaries all tell these.

/// What became of one sender's data lines.
///
///     var tally = SampleTally()
///     for try await learned in bytes.samples(for: session).learned(by: session) { tally.add(learned) }
///     print("\(tally.learned) learned, mean loss \(tally.meanLoss ?? 0) \(tally.unit)")
public struct SampleTally: Sendable {
    /// Samples learned.
    public private(set) var learned: UInt64 = 0
    /// Samples that had no label: predicted, or waiting for one.
    public private(set) var predicted: UInt64 = 0
    /// Lines that were not taken.
    public private(set) var rejected: UInt64 = 0
    private var lossSum = 0.0
    private var isRegression = false
    /// The first ten rejections.
    public private(set) var errors: [SampleError] = []
    /// How often each kind of rejection came. Bounded.
    private var kinds: [RejectionKind: UInt64] = [:]
    /// The names of the label columns; empty before the first sample.
    public private(set) var labels: [String] = []
    /// Of several outputs, each one's own; else empty.
    public private(set) var outputs: [OutputTally] = []

    public init() {}

    /// One of several outputs.
    public struct OutputTally: Sendable {
        public let name: String
        public fileprivate(set) var learned: UInt64 = 0
        fileprivate var lossSum = 0.0
        fileprivate var isRegression: Bool?

        public var meanLoss: Double? { learned > 0 ? lossSum / Double(learned) : nil }
        public var unit: String { isRegression == true ? "squared" : isRegression == false ? "nats" : "none" }
    }

    /// Rejections that have the same cause.
    private struct RejectionKind: Hashable, Sendable {
        let code: SampleError.Code
        let field: String?
        let expected: String
    }

    /// The most kinds of rejections told apart.
    private static let kindLimit = 64

    /// The unit of the mean loss: mixed where outputs have different ones.
    public var unit: String {
        let units = Set(outputs.map(\.unit)).subtracting(["none"])
        return units.count > 1 ? "mixed" : units.first ?? (isRegression ? "squared" : "nats")
    }

    public var accepted: UInt64 { learned + predicted }
    /// Data lines, rejected ones included.
    public var processed: UInt64 { accepted + rejected }
    public var meanLoss: Double? { learned > 0 ? lossSum / Double(learned) : nil }

    /// What was rejected most: how often, in which field, and what had been expected there; nil where nothing was.
    public var commonestRejection: (count: UInt64, field: String?, expected: String)? {
        let commonest = kinds.max { ($0.value, $1.key.expected) < ($1.value, $0.key.expected) }
        return commonest.map { ($0.value, $0.key.field, $0.key.expected) }
    }

    /// Whether a run lost most of its input, or learned next to nothing: more than half of the lines were rejected, or
    /// fewer than two samples were learned.
    public var isFailure: Bool { 2 * rejected > processed || learned < 2 }

    /// Takes in what came of a chunk.
    public mutating func add(_ chunk: LearnedChunk) {
        let steps = chunk.steps
        var sum = lossSum
        for loss in steps.losses where !loss.isNaN { sum += Double(loss) }
        lossSum = sum
        learned += UInt64(steps.learned)
        predicted += UInt64(steps.predicted)
        if steps.learned > 0 { isRegression = steps.isRegression }
        if !steps.outputs.isEmpty { add(outputs: steps) }
        if !chunk.labels.isEmpty { labels = chunk.labels }
        guard !steps.rejections.isEmpty || !chunk.events.isEmpty else { return }
        for error in chunk.rejections { reject(error) }
    }

    private mutating func add(outputs steps: StepChunk) {
        if outputs.count != steps.outputs.count { outputs = steps.outputs.map { OutputTally(name: $0.name) } }
        for (index, output) in steps.outputs.enumerated() where output.steps.learned > 0 {
            outputs[index].learned += UInt64(output.steps.learned)
            for loss in output.steps.losses where !loss.isNaN { outputs[index].lossSum += Double(loss) }
            outputs[index].isRegression = output.steps.isRegression
        }
    }

    /// Counts a line that was not taken.
    package mutating func reject(_ error: SampleError) {
        rejected += 1
        if errors.count < 10 { errors.append(error) }
        let kind = RejectionKind(code: error.code, field: error.field, expected: error.expected)
        if kinds[kind] != nil || kinds.count < SampleTally.kindLimit { kinds[kind, default: 0] += 1 }
    }
}

extension StepChunk {
    /// Whether the newest sample is one of a regression.
    package var isRegression: Bool { task == .regression }
}
