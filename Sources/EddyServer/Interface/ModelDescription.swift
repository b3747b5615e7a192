// What `GET /model` tells: what was found out, what it is doing, and how well.

import Eddy

struct ModelDescription: Encodable, Sendable {
    struct Layer: Encodable, Sendable {
        /// (inputs, outputs).
        var shape: [Int]
        var activation: String
    }

    struct Address: Encodable, Sendable {
        var host: String
        var port: Int
    }

    struct Counts: Encodable, Sendable {
        var accepted: UInt64
        var learned: UInt64
        var predicted: UInt64
        var rejected: UInt64

        init(_ counts: SampleCounts) {
            (accepted, learned, predicted, rejected) = (
                counts.accepted, counts.learned, counts.predicted, counts.rejected
            )
        }
    }

    struct Rejection: Encodable, Sendable {
        var line: Int
        var column: Int?
        var field: String?
        var expected: String
        var got: String
        var source: String?

        init(_ rejected: RejectedSample) {
            let error = rejected.error
            (line, column, field) = (error.line, error.column, error.field)
            (expected, got, source) = (error.expected, error.got, rejected.source)
        }
    }

    let name = "eddy"
    let version = EddyVersion.current
    /// When the server started, in seconds since 1970: another value is another learner.
    var started: Double
    var step: UInt64
    var task: String?
    var classes: [String]
    var inputs: [String]?
    var label: String?
    var parameters: Int
    /// A hash of every parameter's bits, in hexadecimal.
    var parameterHash: String?
    var layers: [Layer]?
    var loss: String?
    var optimizer: String
    var scaling: Bool
    var seed: UInt64
    var gradientHealth: String
    var feed: Address
    var connections: Int
    var counts: Counts
    /// The newest ten, oldest first.
    var rejections: [Rejection]
    var metrics: LossMessage.Figures
    var meanLoss: Double
    var recentLoss: Double
    /// All figures; absent in messages.
    var classification: BySpan<ClassificationFigures>?
    var regression: BySpan<RegressionFigures>?

    init(
        _ snapshot: Snapshot, _ configuration: Configuration, hash: UInt64?, started: Double, feed: Address,
        connections: Int
    ) {
        self.started = started
        step = snapshot.step
        task = snapshot.task?.rawValue
        classes = snapshot.classes
        inputs = snapshot.schema?.inputs
        label = snapshot.schema?.label
        parameters = snapshot.parameterCount
        parameterHash = hash.map { String($0, radix: 16) }
        layers =
            snapshot.layers.isEmpty
            ? nil
            : snapshot.layers.map { layer in
                Layer(shape: [layer.inputs, layer.outputs], activation: layer.activation.rawValue)
            }
        loss = snapshot.loss.map { "\($0.name)" }
        optimizer = configuration.optimizer.description
        scaling = configuration.scaling
        seed = configuration.seed
        gradientHealth = snapshot.gradientHealth.rawValue
        self.feed = feed
        self.connections = connections
        counts = Counts(snapshot.counts)
        rejections = snapshot.counts.latestRejections.map { Rejection($0) }
        metrics = LossMessage.Figures(snapshot.metrics, .nats)
        meanLoss = snapshot.metrics.meanLoss
        recentLoss = snapshot.metrics.recentLoss
    }

    /// What changes only when something is found out.
    var identity: [String] {
        [task ?? "", label ?? ""] + classes + (inputs ?? []) + (layers ?? []).map { "\($0.shape)" }
    }
}
