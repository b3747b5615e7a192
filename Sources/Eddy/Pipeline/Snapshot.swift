// A copy of what a learner is at one moment.

import Backprop

/// Weights, norms, metrics and what was found out, at one step.
public struct Snapshot: Sendable, Codable {
    public struct Layer: Sendable, Codable {
        public var inputs: Int
        public var outputs: Int
        public var activation: Activation
        /// Shape: (inputs, outputs), row-major; empty where the snapshot was asked for without.
        public var weights: [Float]
        /// Shape: (outputs); empty like the weights.
        public var bias: [Float]
        public var norms: LayerNorms
    }

    /// One voice of a committee.
    public struct Vote: Sendable, Codable {
        public var name: String
        /// Its share in the answer, by how well it has done of late; all sum to 1.
        public var weight: Float
    }

    public var step: UInt64
    /// Changes that came since the subscriber's last snapshot and are in this one.
    public var missed = 0
    /// Of the one network, or of a committee's the one that weighs most. Empty before the first sample.
    public var layers: [Layer]
    /// The committee's experts, networks first; empty where one network answers.
    public var committee: [Vote]
    /// What each of the first layer's inputs stands for.
    public var inputNames: [String]
    /// How many of them are columns: the first.
    public var columns: Int
    /// Terms that share an input with another, for want of room.
    public var collisions: UInt64
    public var optimizer: String?
    /// How often the stream was found to have changed, and the newest alarm.
    public var driftAlarms: UInt64
    public var newestDrift: DriftAlarm?
    /// What drift is not looked for in, though it was asked for, and why; see ``Learner/unwatched``.
    public var unwatched: String?
    public var schema: Schema?
    public var task: LearningTask?
    public var classes: [String]
    public var metrics: MetricsSummary
    public var counts: SampleCounts
    /// What became of samples that waited for their labels, and how many wait now.
    public var lateLabels = LateLabelCounts()
    public var waiting = 0
    public var loss: Loss?
    /// Each output's own figures, where there are several; layers, committee and weights are the first's.
    public var outputs: [OutputSummary]?
    /// What the layers' gradient norms say, where they are not healthy.
    public var gradientHealth: GradientHealth

    init(_ learner: Learner, schema: Schema?, counts: SampleCounts, withWeights: Bool) {
        step = learner.step
        task = learner.task
        classes = learner.classes
        metrics = learner.summary ?? learner.metrics.summary(for: nil)
        loss = learner.head.map { $0.committee.isAlone ? $0.network.loss : learner.configuration.loss(for: $0.task) }
        committee = (learner.head?.committee.votes ?? []).map { Vote(name: $0.name, weight: $0.weight) }
        inputNames = learner.encoder?.inputNames(schema, room: learner.network?.inputs ?? 0) ?? schema?.inputs ?? []
        columns = learner.columns ?? schema?.inputs.count ?? 0
        collisions = learner.encoder?.collisions ?? 0
        optimizer = learner.network?.optimizer.description
        driftAlarms = learner.outputs.reduce(0) { $0 + $1.drift.alarms }
        newestDrift = learner.drift.newest
        unwatched = learner.unwatched
        self.schema = schema
        self.counts = counts
        outputs = learner.isAlone ? nil : learner.summaries
        layers = []
        if let network = learner.network {
            let norms = network.layerNorms
            var inputs = network.inputs
            for (index, layer) in network.layers.enumerated() {
                layers.append(
                    Layer(
                        inputs: inputs, outputs: layer.outputs, activation: layer.activation,
                        weights: withWeights ? network.weights(of: index) : [],
                        bias: withWeights ? network.bias(of: index) : [], norms: norms[index]))
                inputs = layer.outputs
            }
        }
        gradientHealth = GradientHealth(layers.map(\.norms.gradient))
    }

    public var parameterCount: Int { layers.reduce(0) { $0 + ($1.inputs + 1) * $1.outputs } }

    /// A hash of every parameter's bits: equal hashes mean equal learning. Nil before the first sample, and without
    /// weights.
    public var parameterHash: UInt64? {
        guard let first = layers.first, !first.weights.isEmpty else { return nil }
        var hash = FNV1a()
        for layer in layers {
            for output in 0..<layer.outputs {
                for input in 0..<layer.inputs { hash.add(layer.weights[input * layer.outputs + output]) }
            }
            for value in layer.bias { hash.add(value) }
        }
        return hash.value
    }
}

/// Whether the error reaches the first layers, and at a size that they can learn from.
public enum GradientHealth: String, Sendable, Codable {
    case healthy
    /// The first layer's gradient is a thousandth of the last one's or less (Hochreiter 1991): ReLU, fewer layers or
    /// other initial weights help.
    case vanishing
    /// A gradient beyond 10³: a smaller learning rate or clipping helps.
    case exploding

    /// - Parameter norms: smoothed gradient norms, first layer first.
    public init(_ norms: [Float]) {
        if norms.contains(where: { !($0 <= 1e3) }) {
            self = .exploding
        } else if norms.count > 1, let first = norms.first, let last = norms.last, last > 1e-12, first < last * 1e-3 {
            self = .vanishing
        } else {
            self = .healthy
        }
    }
}

/// Snapshots at their subscriber's pace: each is taken when the subscriber asks for it. See
/// ``LearningSession/snapshots``.
public struct SnapshotSequence: AsyncSequence, Sendable {
    public typealias Failure = Never

    let session: LearningSession

    public func makeAsyncIterator() -> Iterator {
        Iterator(session: session, changes: session.losses.makeAsyncIterator())
    }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let session: LearningSession
        var changes: Broadcast<LossWindow>.Iterator
        var isFirst = true

        public mutating func next() async -> Snapshot? { await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> Snapshot? {
            var missed = 0
            if !isFirst {
                guard let change = await changes.next(isolation: actor) else { return nil }
                missed = change.missed
            }
            isFirst = false
            var snapshot = await session.snapshot()
            snapshot.missed = missed
            return snapshot
        }
    }
}
