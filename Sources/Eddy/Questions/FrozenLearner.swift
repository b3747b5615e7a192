// A learner at one step, to be asked questions wherever that suits: explanations, maps of the weights, surfaces of
// predictions.
//
// A copy of everything that predictions depend on, and Sendable, so that a session's actor pays for the copy (some
// nanoseconds a parameter) and not for the answer. What it predicts has the bits of what the session would.

import Backprop

/// A copy of a learner at one step, for questions.
///
///     let frozen = await session.frozen()
///     let explanation = try frozen?.explain([5.1, 3.5, 1.4, 0.2], label: "setosa")
public struct FrozenLearner: Sendable {
    /// Samples learned before.
    public let step: UInt64
    public let task: LearningTask
    /// In the order of the outputs; empty for regression.
    public let classes: [String]
    /// Numbers in a sample's row: the first of the inputs.
    public let columns: Int
    /// The names of the network's inputs: the columns, and what was found beside them.
    public let inputNames: [String]
    /// First layer first.
    public let layers: [Layer]
    public let loss: Loss
    /// How strongly each layer is learning. Shape: (layers).
    public let norms: [LayerNorms]
    /// Per layer. Shape of each: (inputs, outputs), row-major.
    let weights: [[Float]]
    /// Per layer. Shape of each: (outputs).
    let biases: [[Float]]
    let table: ClassTable
    let targets: RunningMoments
    let encoder: FeatureEncoder
    let scaler: FeatureScaler?
    /// nil of a copy that gives no answers.
    let record: CommitteeRecord?
    /// What each expert's word weighs in a committee's answer, by name; empty where one network answers.
    public let votes: [(name: String, weight: Float)]
    let configuration: Configuration

    init?(_ learner: Learner, output: LearnerOutput, schema: Schema?, answers: Bool) {
        guard let head = output.head else { return nil }
        step = output.step
        task = head.task
        table = head.classes
        classes = head.classes.names
        let encoder = learner.encoder ?? FeatureEncoder(columns: head.network.inputs)
        columns = encoder.columns
        inputNames = encoder.inputNames(schema, room: head.network.inputs)
        layers = head.network.layers
        loss = head.network.loss
        norms = head.network.layerNorms
        let network = head.network
        weights = network.layers.indices.map { network.weights(of: $0) }
        biases = network.layers.indices.map { network.bias(of: $0) }
        targets = head.targets
        self.encoder = encoder
        scaler = learner.scaler
        record = answers ? head.committee.record : nil
        votes = head.committee.votes
        configuration = output.configuration
    }

    /// Features a sample.
    public var inputs: Int { inputNames.count }
    public var parameterCount: Int { zip(weights, biases).reduce(0) { $0 + $1.0.count + $1.1.count } }
    /// Whether the error reaches the first layers, and at what size.
    public var gradientHealth: GradientHealth { GradientHealth(norms.map(\.gradient)) }

    /// What each output stands for: a class, one to come, or the value.
    public var outputNames: [String] {
        let outputs = layers[layers.count - 1].outputs
        guard task == .classification else {
            return outputs == 1 ? ["value"] : (0..<outputs).map { "value \($0)" }
        }
        // One output alone says how likely the second class is.
        guard outputs > 1 else { return [classes.count > 1 ? classes[1] : "(reserve)"] }
        return (0..<outputs).map { $0 < classes.count ? classes[$0] : "(reserve)" }
    }

    /// Inputs of each layer. Shape: (layers).
    var widths: [Int] { [inputs] + layers.dropLast().map(\.outputs) }

    /// Of the network shown: for each layer W (outputs, inputs) row-major, then b.
    var flatParameters: [Float] {
        var flat: [Float] = []
        flat.reserveCapacity(parameterCount)
        for (weights, bias) in zip(weights, biases) {
            for unit in bias.indices {
                for place in stride(from: unit, to: weights.count, by: bias.count) { flat.append(weights[place]) }
            }
            flat.append(contentsOf: bias)
        }
        return flat
    }

    /// A learner that predicts as the original did, of its own.
    ///
    /// - Throws: ``QuestionError`` where what was copied makes no learner: a fault, which must not take others along.
    func thawed() throws(QuestionError) -> Learner {
        do {
            let learner = try Learner(configuration)
            let head = Head(
                task: task, classes: table,
                committee: try Committee(record!, task: task, classes: classes.count, configuration), targets: targets)
            learner.outputs[0].restore(head, columns: columns, metrics: Metrics(continuing: step))
            learner.restore(encoder: encoder, scaler: scaler, outputs: learner.outputs)
            return learner
        } catch {
            throw QuestionError(expected: "a learner that can be asked", got: "one that cannot be copied: \(error)")
        }
    }

    // MARK: Questions

    /// A sample as the network sees it.
    struct Question {
        /// Shape: (inputs), as that of `scaled`.
        let features: [Float]
        let scaled: [Float]
        let label: Label
        /// The scaled target, or the class; nil without a label.
        let target: Target?
    }

    /// - Parameter terms: of this one sample; those that have no input count for nothing.
    /// - Throws: ``QuestionError`` where the number of features, a feature or the label does not fit.
    func question(_ features: [Float], terms: Terms = Terms(), label: Label) throws(QuestionError) -> Question {
        guard features.count == columns else {
            throw QuestionError(expected: "\(columns) features", got: "\(features.count)")
        }
        for (name, feature) in zip(inputNames, features) where !feature.isFinite {
            throw QuestionError(expected: "a finite number for \(name)", got: "\(feature)")
        }
        var all = features + Array(repeating: 0, count: inputs - columns)
        if !terms.isEmpty {
            var encoder = encoder
            all.withUnsafeMutableBufferPointer { row in
                _ = encoder.encode(
                    FrozenLearner.row(features, terms), 0, isLabelled: false, columnNames: [], into: row.baseAddress!,
                    room: inputs)
            }
        }
        let scaled = scaler.map { $0.count > 0 ? $0.scaled(all) : all } ?? all
        return Question(features: all, scaled: scaled, label: label, target: try target(label, features))
    }

    /// One sample without a label.
    static func row(_ features: [Float], _ terms: Terms) -> SampleChunk {
        precondition(terms.ends.count <= 1, "the terms of \(terms.ends.count) samples, not of one")
        var row = SampleChunk(inputs: features.count)
        row.features = features
        row.terms = terms
        row.labels = [.none]
        return row
    }

    private func target(_ label: Label, _ features: [Float]) throws(QuestionError) -> Target? {
        switch (label, task) {
        case (.none, _): return nil
        case (.text(let name), .regression):
            throw QuestionError(expected: "a number as the label, since the task is regression", got: "\"\(name)\"")
        case (.number(let value), .regression):
            guard value.isFinite else { throw QuestionError(expected: "a finite number as the label", got: "\(value)") }
            return .values([Double(try thawed().networkTarget(value, for: features))])
        case (.text(let name), .classification): return try target(table.index(of: name), got: "\"\(name)\"")
        case (.number(let value), .classification):
            guard value.isFinite else { throw QuestionError(expected: "a finite number as the label", got: "\(value)") }
            return try target(table.index(of: value), got: ClassTable.name(of: value))
        }
    }

    private func target(_ index: Int?, got: String) throws(QuestionError) -> Target {
        guard let index else {
            let known = classes.prefix(12).joined(separator: ", ") + (classes.count > 12 ? ", …" : "")
            throw QuestionError(expected: "one of the \(classes.count) classes \(known) as the label", got: got)
        }
        return loss == .crossEntropy ? .label(index) : .values([Double(index)])
    }
}

extension Learner {
    /// A copy of one output to ask questions of, wherever that suits; nil before its first label.
    ///
    /// - Parameters:
    ///   - output: by its place.
    ///   - schema: for the names of the inputs.
    ///   - answers: whether it is to predict and explain; else it has weights and norms of the network shown alone, which
    ///     costs a fraction.
    public func frozen(output: Int = 0, schema: Schema? = nil, answers: Bool = true) -> FrozenLearner? {
        FrozenLearner(self, output: outputs[output], schema: schema, answers: answers)
    }

    /// Numbers that a copy of the first output for answers takes.
    package var size: Int { head?.committee.size ?? 0 }
}

/// A question that cannot be answered: what was expected, and what came.
public struct QuestionError: Error, Hashable, CustomStringConvertible {
    public let expected: String
    /// Cut to 80 characters.
    public let got: String

    init(expected: String, got: String) {
        self.expected = expected
        self.got = got.count <= 80 ? got : String(got.prefix(80)) + "…"
    }

    public var description: String { "expected \(expected), got \(got)" }
}
