// What `GET /model` tells: what was found out, what it is doing, and how well.

import Eddy

struct ModelDescription: Encodable, Sendable {
    struct Layer: Encodable, Sendable {
        /// (inputs, outputs).
        var shape: [Int]
        var activation: String
    }

    /// One voice of a committee.
    struct Vote: Encodable, Sendable {
        var name: String
        var weight: Float
    }

    /// Changes found in the stream.
    struct Drift: Encodable, Sendable {
        var alarms: UInt64
        /// The newest.
        var newest: DriftAlarm

        private enum Key: CodingKey { case alarms }

        func encode(to encoder: any Encoder) throws {
            try newest.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(alarms, forKey: .alarms)
        }
    }

    /// What is watched for drift, by which detector, and what is done about it.
    struct Watching: Encodable, Sendable {
        var detector: String
        var on: [String]
        var reactions: [String]
        /// What cannot be watched, and why; absent where all is.
        var unwatched: String?

        init?(_ configuration: Configuration, unwatched: String?) {
            let detection = configuration.driftDetection
            guard let detector = detection.detector else { return nil }
            self.detector = detector.rawValue
            self.unwatched = unwatched
            let names: [(DriftDetection.Sources, String)] = [
                (.errors, "errors"), (.loss, "loss"), (.features, "features"),
            ]
            on = names.filter { detection.sources.contains($0.0) }.map(\.1)
            reactions = configuration.driftReactions.map(\.rawValue)
        }
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

    /// What became of samples that waited for their labels.
    struct LateLabels: Encodable, Sendable {
        var waiting: Int
        var joined: UInt64
        var expired: UInt64
        var evicted: UInt64
        var unmatched: UInt64
        /// Absent before the first.
        var firstError: Double?

        init(_ counts: LateLabelCounts, waiting: Int) {
            self.waiting = waiting
            (joined, expired, evicted, unmatched) = (counts.joined, counts.expired, counts.evicted, counts.unmatched)
            firstError = counts.firstError
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
    /// The first of them: streams of words have thousands, and their names would be most of every message.
    var inputs: [String]?
    private static let namedInputs = 1024
    /// How many inputs are columns, the first; the others are words, categories, and what is missing.
    var columns: Int
    var label: String?
    var parameters: Int
    /// A hash of every parameter's bits, in hexadecimal.
    var parameterHash: String?
    var layers: [Layer]?
    var loss: String?
    /// best: a committee; fast: one network.
    var profile: String
    /// Whether rare classes weigh as much as common ones; absent where not.
    var balance: Bool?
    /// The committee's experts and their shares in the answer, networks first.
    var committee: [Vote]?
    /// Absent before the first.
    var drift: Drift?
    var driftDetection: Watching?
    /// Terms that share an input with another.
    var collisions: UInt64
    /// Of the network shown.
    var optimizer: String
    var scaling: Bool
    var seed: UInt64
    var gradientHealth: String
    var feed: Address
    var connections: Int
    var counts: Counts
    var lateLabels: LateLabels
    /// The newest ten, oldest first.
    var rejections: [Rejection]
    var metrics: LossMessage.Figures
    var meanLoss: Double
    var recentLoss: Double
    /// All figures; absent in messages.
    var classification: BySpan<ClassificationFigures>?
    var regression: BySpan<RegressionFigures>?
    /// Where there are several; task, classes, weights and explanations are the first one's.
    var outputs: [OutputFigures]?

    init(
        _ snapshot: Snapshot, _ configuration: Configuration, hash: UInt64?, started: Double, feed: Address,
        connections: Int
    ) {
        self.started = started
        step = snapshot.step
        task = snapshot.task?.rawValue
        classes = snapshot.classes
        inputs =
            snapshot.inputNames.isEmpty ? nil : Array(snapshot.inputNames.prefix(ModelDescription.namedInputs))
        columns = snapshot.columns
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
        profile = configuration.profile.rawValue
        balance = configuration.balance ? true : nil
        committee =
            snapshot.committee.isEmpty ? nil : snapshot.committee.map { Vote(name: $0.name, weight: $0.weight) }
        drift = snapshot.newestDrift.map { Drift(alarms: snapshot.driftAlarms, newest: $0) }
        driftDetection = Watching(configuration, unwatched: snapshot.unwatched)
        collisions = snapshot.collisions
        optimizer = snapshot.optimizer ?? configuration.optimizer.description
        scaling = configuration.scaling
        seed = configuration.seed
        gradientHealth = snapshot.gradientHealth.rawValue
        self.feed = feed
        self.connections = connections
        counts = Counts(snapshot.counts)
        lateLabels = LateLabels(snapshot.lateLabels, waiting: snapshot.waiting)
        rejections = snapshot.counts.latestRejections.map { Rejection($0) }
        metrics = LossMessage.Figures(snapshot.metrics, .nats)
        meanLoss = snapshot.metrics.meanLoss
        recentLoss = snapshot.metrics.recentLoss
        outputs = snapshot.outputs.map { $0.map { OutputFigures($0, .nats) } }
    }

    /// What changes only when something is found out.
    var identity: [String] {
        [task ?? "", label ?? "", "\(drift?.alarms ?? 0)"] + classes + (inputs ?? [])
            + (layers ?? []).map { "\($0.shape)" }
            + (outputs ?? []).map { "\($0.name) \($0.task ?? "") \($0.classes)" }
    }
}
