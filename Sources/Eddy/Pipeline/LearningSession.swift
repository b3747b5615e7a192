// A session: one learner that many tasks may share.
//
// An actor, so that chunks from any number of connections are learned one after another. Its host
// may choose the executor: a server that learns on its feed's own event loop answers a lone
// sample without a hop between threads. What can be asked without waiting (the schema, the
// broadcasts) is outside the actor.

import Backprop
import Foundation
import Logging
import Synchronization

/// Learns from samples, tells its losses, and answers questions.
///
///     let session = try LearningSession()
///     for try await steps in samples.learned(by: session) { print(steps.meanLoss ?? 0) }
///     try await session.predict([5.1, 3.5, 1.4, 0.2])
public actor LearningSession {
    /// Windows of losses, for any number of subscribers; none of them slows learning.
    public nonisolated let losses = Broadcast<LossWindow>()
    /// Every sample's loss.
    public nonisolated let everyLoss = Broadcast<LossSeries>()
    /// Changes found in the stream, each once.
    public nonisolated let drifts = Broadcast<DriftSeries>()
    /// Who decides what the inputs are.
    public nonisolated let schema: SchemaClaim

    private let core: StreamLearner
    /// What others ask without waiting for the session.
    private nonisolated let shared: Mutex<Shared>
    private var observations: Observations?
    /// How long learning has taken in all, without decoding and waiting.
    public private(set) var learningTime = Duration.zero
    private var clock: @Sendable () -> Double
    private let turns: (any LearningTurns)?
    private let logger: Logger
    private let executor: any SerialExecutor

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - schema: the inputs, where they are known beforehand.
    ///   - lateLabels: how much may wait for labels, and how long.
    ///   - executor: where the session runs; nil for one of its own.
    ///   - turns: who learns next, where pipelines share a thread with others.
    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public init(
        _ configuration: Configuration = Configuration(), schema: Schema? = nil,
        lateLabels: LateLabelLimits = LateLabelLimits(), executor: (any SerialExecutor)? = nil,
        turns: (any LearningTurns)? = nil,
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws(ArchitectureError) {
        self.init(
            try StreamLearner(configuration, schema: schema, lateLabels: lateLabels), executor: executor, turns: turns,
            logger: logger)
    }

    /// A session with a network given whole.
    ///
    ///     try LearningSession(inputs: 4, layers: [.dense(16, .relu), .dense(3)], loss: .crossEntropy,
    ///                         optimizer: .sgd(0.05))
    public init(
        inputs: Int, layers: [Layer], loss: Loss, optimizer: Optimizer = .sgd(0.05), scaling: Bool = true,
        seed: UInt64 = 1
    ) throws(ArchitectureError) {
        try Network.validate(inputs: inputs, layers: layers, loss: loss)
        var configuration = Configuration(layers: layers, loss: loss, optimizer: optimizer, seed: seed)
        configuration.scaling = scaling
        try self.init(configuration, schema: Schema(inputs: inputs))
    }

    init(
        _ core: sending StreamLearner, executor: (any SerialExecutor)? = nil, turns: (any LearningTurns)? = nil,
        clock: @escaping @Sendable () -> Double = { Date().timeIntervalSince1970 },
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        core.learner.onDiscovery = { logger.info("\($0)") }
        self.core = core
        self.clock = clock
        shared = Mutex(Shared(limit: core.chunkLimit, step: core.step))
        schema = core.schema
        self.executor = executor ?? SessionExecutor()
        self.turns = turns
        self.logger = logger
    }

    private struct Shared {
        var limit: ChunkLimit
        var step: UInt64
        /// Since when a chunk is being learned; nil where none is.
        var learningSince: ContinuousClock.Instant?
    }

    /// A session around a learner that was made beforehand.
    ///
    /// - Parameter clock: the time by which samples that wait for labels expire, in seconds; constant for runs that repeat.
    package init(_ core: sending StreamLearner, clock: @escaping @Sendable () -> Double) {
        self.init(core, executor: nil, clock: clock)
    }

    private var learner: Learner { core.learner }

    // MARK: Learning

    /// Predicts, scores and learns every sample of a chunk, in order; see ``StreamLearner/learn(_:from:at:)``.
    ///
    /// - Parameter source: who sent it, for the list of rejections.
    @discardableResult
    public func learn(_ chunk: DecodedChunk, from source: String? = nil) -> LearnedChunk {
        let start = ContinuousClock.now
        shared.withLock { $0.learningSince = start }
        let learned = core.learn(chunk, from: source, at: clock())
        observations?.update(learned, learner, time: clock())
        publish(learned)
        learningTime += .now - start
        let after = Shared(limit: core.chunkLimit, step: core.step)
        shared.withLock { $0 = after }
        return learned
    }

    /// The same when it is this chunk's turn; see ``LearningTurns``.
    func learnInTurn(_ chunk: DecodedChunk, from source: String?) async -> LearnedChunk {
        guard let turns else { return learn(chunk, from: source) }
        if !turns.beginAtOnce() { await turns.begin() }
        defer { turns.end() }
        return learn(chunk, from: source)
    }

    /// Learns samples that were made one at a time.
    @discardableResult
    public func learn(_ samples: SampleChunk) -> LearnedChunk { learn(DecodedChunk(samples: samples)) }

    /// Learns the sample that waits for a label.
    ///
    /// - Throws: ``SampleError`` where none waits by the id, or the label does not fit; the sample then waits on.
    @discardableResult
    public func learn(_ label: LateLabel) throws(SampleError) -> LearnedChunk {
        try taken(learn(DecodedChunk(label)))
    }

    /// Predicts, scores and learns one sample.
    ///
    /// - Throws: ``SampleError`` where it does not fit; it then changed nothing.
    @discardableResult
    public func learn(_ sample: Sample) throws(SampleError) -> LearnedChunk {
        try taken(learn(try SampleChunk([sample])))
    }

    private func taken(_ learned: LearnedChunk) throws(SampleError) -> LearnedChunk {
        if let error = learned.rejections.first { throw error }
        return learned
    }

    // MARK: Predicting

    /// What the learner says of features, changing nothing; of several outputs, the first. Shape: (inputs).
    ///
    /// - Throws: ``SampleError`` where they do not fit, or nothing has been learned yet.
    public func predict(_ features: [Float]) throws(SampleError) -> Prediction { try learner.predict(features) }

    /// What the learner says of samples, changing nothing; see ``StreamLearner/predict(_:)``.
    public func predict(_ chunk: DecodedChunk) -> LearnedChunk { core.predict(chunk) }

    /// The same when it is this chunk's turn.
    func predictInTurn(_ chunk: DecodedChunk) async -> LearnedChunk {
        guard let turns else { return predict(chunk) }
        if !turns.beginAtOnce() { await turns.begin() }
        defer { turns.end() }
        return predict(chunk)
    }

    // MARK: Publishing

    /// Where things stand, as a window without samples; nil before the task is known.
    public func presentWindow() -> LossWindow? {
        learner.summary.map { metrics in
            LossWindow(
                step: learner.step, count: 0, last: 0, mean: 0, min: 0, max: 0, missed: 0, metrics: metrics,
                task: task, rejected: core.counts.rejected, outputs: summaries)
        }
    }

    private var task: LearningTask { learner.outputs.lazy.compactMap(\.task).first ?? .regression }
    /// Each output's figures; nil for one.
    private var summaries: [OutputSummary]? { learner.isAlone ? nil : learner.summaries }

    private func publish(_ learned: LearnedChunk) {
        let steps = learned.steps
        if !steps.drifts.isEmpty { drifts.publish(DriftSeries(steps.drifts)) }
        guard losses.hasSubscribers || everyLoss.hasSubscribers else { return }
        guard steps.learned > 0, let metrics = learner.summary else {
            // What was rejected is seen where the losses are.
            if losses.hasSubscribers, !learned.rejections.isEmpty, let window = presentWindow() {
                losses.publish(window)
            }
            return
        }
        let values = steps.losses.filter { !$0.isNaN }
        if losses.hasSubscribers {
            let parts = LossSpan.spans(of: values, before: steps.stepsBefore, limit: LossWindow.partLimit)
            let whole = parts.dropFirst().reduce(parts[0]) { $0.merged(with: $1) }
            losses.publish(
                LossWindow(
                    step: learner.step, count: whole.count, last: Double(values[values.count - 1]), mean: whole.mean,
                    min: whole.min, max: whole.max, parts: parts, missed: 0, metrics: metrics, task: task,
                    rejected: core.counts.rejected, outputs: summaries))
        }
        everyLoss.publish(LossSeries(first: steps.stepsBefore + 1, values: values, missed: 0))
    }

    /// Ends every subscription.
    public func finish() {
        losses.finish()
        everyLoss.finish()
        drifts.finish()
    }

    // MARK: Looking

    /// Samples learned since the model began, also before it was loaded.
    public var step: UInt64 { learner.step }

    /// All metrics at this moment: a copy, whose figures are worked out where it is. Of several outputs, the first's.
    public var metrics: Metrics { learner.metrics }

    /// The same of each output, by name.
    public var outputMetrics: [(name: String, metrics: Metrics)] {
        learner.outputs.map { ($0.name, $0.metrics) }
    }

    /// Samples since this session began, by what became of them.
    public var sampleCounts: SampleCounts { core.counts }

    /// Weights, norms and metrics at this moment: a copy, made when asked for.
    ///
    /// - Parameter withWeights: whether to copy them; the rest costs little, however large the network.
    public func snapshot(withWeights: Bool = true) -> Snapshot {
        var snapshot = Snapshot(learner, schema: schema.current, counts: core.counts, withWeights: withWeights)
        (snapshot.lateLabels, snapshot.waiting) = core.lateLabels
        return snapshot
    }

    /// A snapshot now and after each change, as often as the subscriber asks for the next; what it has no time for is
    /// never copied.
    public nonisolated var snapshots: SnapshotSequence { SnapshotSequence(session: self) }

    /// Everything that affects the future, for a file.
    public func save(to path: String) throws { try core.save(to: path) }

    /// Begins to keep what a page shows of the samples learned from now on; see ``Observations``. Some nanoseconds a
    /// sample, and no bit of the weights.
    public func observe() {
        if observations == nil { observations = Observations() }
    }

    /// The same with a clock, in seconds since 1970.
    func observe(clock: @escaping @Sendable () -> Double) {
        self.clock = clock
        observe()
    }

    /// Calls `body` with what was observed, on the session's executor; nil where nothing was (see ``observe()``).
    ///
    /// Take parts rather than the whole: a copy that is kept makes the next chunk copy what it changes.
    public func withObservations<Result: Sendable>(
        _ body: @Sendable (Observations) throws -> Result
    ) rethrows -> Result? {
        guard let observations else { return nil }
        return try body(observations)
    }

    /// A copy of the learner to ask questions of, wherever that suits; nil before the first sample.
    ///
    /// - Parameters:
    ///   - output: which, of several outputs; nil where there is none of the name.
    ///   - answers: whether it is to predict and explain (see ``Learner/frozen(schema:answers:)``).
    public func frozen(output: String? = nil, answers: Bool = true) -> FrozenLearner? {
        guard let output else { return learner.frozen(schema: schema.current, answers: answers) }
        return learner.names.firstIndex(of: output).flatMap {
            learner.frozen(output: $0, schema: schema.current, answers: answers)
        }
    }

    /// What the outputs are called; empty for one.
    public var outputNames: [String] { learner.isAlone ? [] : learner.names }

    /// Calls `body` with the learner, of several outputs the first's, on the session's executor.
    public func withLearner<Result: Sendable>(_ body: @Sendable (Learner) throws -> Result) rethrows -> Result {
        try body(learner)
    }

    /// Calls `body` with the core, on the session's executor.
    public func withCore<Result: Sendable>(_ body: @Sendable (StreamLearner) throws -> Result) rethrows -> Result {
        try body(core)
    }

    /// A session that goes on where a saved one stopped, to the bit.
    ///
    /// - Throws: ``ModelFileError`` where the file cannot be read, with its reason.
    public static func load(
        _ path: String, executor: (any SerialExecutor)? = nil, turns: (any LearningTurns)? = nil,
        logger: Logger = Logger(label: "eddy.session", factory: { _ in SwiftLogNoOpLogHandler() })
    ) throws -> LearningSession {
        LearningSession(try StreamLearner.load(path), executor: executor, turns: turns, logger: logger)
    }

    /// How much a chunk may hold; see ``StreamLearner/chunkLimit``. Asked for by decoders on any thread.
    public nonisolated var chunkLimit: ChunkLimit { shared.withLock { $0.limit } }

    /// Whether the learner makes progress, told without waiting for it.
    public nonisolated var progress: LearningProgress {
        let (step, since) = shared.withLock { ($0.step, $0.learningSince) }
        return LearningProgress(step: step, learning: since.map { .now - $0 })
    }
}

/// How far a learner is at one moment.
public struct LearningProgress: Sendable, Hashable {
    /// Samples learned since the model began.
    public var step: UInt64
    /// How long the present chunk has been in learning; nil where none is.
    public var learning: Duration?
}
