// The learner: predict, score, learn, for one sample after another.
//
// Synchronous and deterministic; sessions make it safe to share. What does not depend on the weights
// (the meaning of labels, the scaling of features and targets) is prepared for a run of samples,
// which then go through the network in one call; order and arithmetic are those of one sample at
// a time, so any split of a stream into chunks gives the same bits. A run ends where a label changes the
// head, and a sample that the network rejects is taken back out of the scaling.

import Backprop

/// Learns from chunks of samples, and finds task, classes and scale by itself.
///
/// A class, because it holds megabytes and is changed in place; not `Sendable`. ``LearningSession`` shares one.
///
///     let learner = try Learner()
///     let steps = learner.learn(chunk)
///     steps.meanLoss
public final class Learner {
    public let configuration: Configuration
    public internal(set) var metrics: Metrics
    var head: Head?
    var scaler: FeatureScaler?
    /// What the network's inputs stand for; nil before the first sample.
    var encoder: FeatureEncoder?
    /// Watches for changes of the stream.
    var drift: DriftWatch
    /// The columns, where they are known beforehand: how many, and what they are called.
    public var expectedSchema: Schema?
    /// Numbers in a sample's row.
    var columns: Int? { encoder?.columns ?? expectedSchema?.inputs.count }

    var buffers: RunBuffers?
    /// Found out from a sample that is not learned yet.
    var discoveries: [String] = []
    /// Called with a sentence for everything that is found out.
    public var onDiscovery: ((String) -> Void)?

    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public init(_ configuration: Configuration = Configuration()) throws(ArchitectureError) {
        try configuration.validate()
        self.configuration = configuration
        drift = DriftWatch(configuration.driftDetection)
        metrics = Metrics(recentWindow: configuration.recentWindow)
    }

    public var task: LearningTask? { head?.task }
    public var classes: [String] { head?.classes.names ?? [] }
    public var network: Network? { head?.network }
    /// What each expert's word weighs in a committee's answer; empty where one network answers.
    public var votes: [(name: String, weight: Float)] { head?.committee.votes ?? [] }
    /// Samples learned so far.
    public var step: UInt64 { metrics.learned }

    // MARK: Learning

    /// Predicts and scores every sample, and learns those that have a label, in order.
    ///
    /// A sample that does not fit is rejected (see ``StepChunk/rejections``) and changes nothing.
    public func learn(_ chunk: SampleChunk) -> StepChunk {
        var steps = StepChunk(stepsBefore: step, count: chunk.count)
        let isPlain = chunk.isPlain
        var first = 0
        var before: (Head?, Metrics)?  // from before a change that sample `first` asked for
        while first < chunk.count {
            switch meaning(of: chunk.labels[first], features: chunk.inputs) {
            case .rejected(let code, let expected, let got):
                takeBack(&before)
                steps.reject(
                    first, SampleError(code, line: first + 1, field: "label", expected: expected, got: got))
                first += 1
            case .newClass, .regression:
                if before == nil { before = (head, metrics) }
                if !classes.isEmpty { steps.classes = classes }  // of the steps so far, should it become regression
                if let error = changeHead(for: chunk, first) {
                    takeBack(&before)
                    steps.reject(
                        first,
                        SampleError(
                            line: first + 1, field: "label", expected: "a label that can be learned",
                            got: error.description))
                    first += 1
                }
            case .target:
                let end = run(chunk, isPlain: isPlain, from: first, &steps)
                if end == first {
                    takeBack(&before)
                    steps.reject(
                        first,
                        SampleError(
                            .notFinite, line: first + 1, expected: "a sample whose prediction, loss and gradient are finite",
                            got: "one beyond; scale the features or lower the learning rate"))
                    first += 1
                } else {
                    if let old = before?.0, old.task != task { steps.taskBegin = first }
                    first = end
                    before = nil
                    announce()
                }
            }
        }
        if !classes.isEmpty { steps.classes = classes }
        return steps
    }

    /// Changes back what a rejected sample changed.
    private func takeBack(_ before: inout (Head?, Metrics)?) {
        guard let state = before else { return }
        (head, metrics) = state
        if head == nil { (scaler, encoder, buffers) = (nil, nil, nil) }
        before = nil
        discoveries = []
    }

    private func announce() {
        guard !discoveries.isEmpty else { return }
        for discovery in discoveries { onDiscovery?(discovery) }
        discoveries = []
    }

    /// What a sample lacks of which nothing can be said yet.
    static let firstLabel = "a label, since nothing has been learned yet"

    func meaning(of label: Label, features: Int) -> LabelMeaning {
        if let columns, features != columns {
            return .rejected(.fieldCount, expected: "\(columns) features", got: "\(features) features")
        }
        if let head { return head.meaning(of: label, configuration: configuration) }
        if case .none = label {
            return .rejected(.noLabelYet, expected: Learner.firstLabel, got: "none")
        }
        return .regression  // any change: the head does not exist yet
    }

    /// What the learner would reject a sample's label for, changing nothing; nil where it fits.
    func objection(to chunk: SampleChunk, _ index: Int) -> SampleError? {
        var before: (Head?, Metrics)?
        defer { takeBack(&before) }
        while true {
            switch meaning(of: chunk.labels[index], features: chunk.inputs) {
            case .target: return nil
            case .rejected(let code, let expected, let got):
                return SampleError(
                    code, line: index + 1, field: "label", expected: expected, got: got)
            case .newClass, .regression:
                if before == nil { before = (head, metrics) }
                if let error = changeHead(for: chunk, index) {
                    return SampleError(
                        line: index + 1, field: "label", expected: "a label that can be learned",
                        got: error.description)
                }
            }
        }
    }

    /// Begins the head, or grows or turns it for a label.
    private func changeHead(for chunk: SampleChunk, _ index: Int) -> ArchitectureError? {
        let label = chunk.labels[index]
        do throws(ArchitectureError) {
            guard var head else {
                let encoder = FeatureEncoder(columns: chunk.inputs)
                let inputs = encoder.capacity(with: encoder.news(in: chunk, index))
                let head = try configuration.head(inputs: inputs, firstLabel: label)
                self.head = head
                self.encoder = encoder
                scaler =
                    configuration.scaling
                    ? FeatureScaler(inputs: inputs, isRobust: configuration.profile == .best) : nil
                discoveries.append(Learner.describe(head, encoder))
                if let unwatched { discoveries.append(unwatched) }
                return nil
            }
            switch head.meaning(of: label, configuration: configuration) {
            case .newClass(let name):
                let outputs = head.classes.names.count + 2
                if encoder?.isSparse == true,
                    head.committee.isBeyondMemory(inputs: head.network.inputs, outputs: outputs)
                {
                    throw ArchitectureError(
                        "class \(name): beside \(head.network.inputs) inputs there is memory for no more classes")
                }
                try head.addClass(name, configuration: configuration)
                discoveries.append("class \(head.classes.names.count) found: \(name), at sample \(step + 1)")
            case .regression:
                try head.becomeRegression(metrics, configuration: configuration)
                metrics = Metrics(recentWindow: configuration.recentWindow, continuing: metrics.learned)
                discoveries.append(
                    "labels are not classes: the head is rebuilt for regression at sample \(step + 1)")
                // What columns are too many for was said at the beginning.
                if let reason = drift.detection.unwatched(task: .regression) { discoveries.append(reason) }
            case .target, .rejected: break
            }
            self.head = head
            return nil
        } catch {
            return error
        }
    }

    private static func describe(_ head: Head, _ encoder: FeatureEncoder) -> String {
        let grows = head.task == .classification && head.classes.names.isEmpty ? ", an output more with each class" : ""
        let found = "\(head.task.rawValue) found: \(encoder.columns) inputs"
        guard head.committee.isAlone else {
            return "\(found), a committee of \(head.committee.names.count)\(grows): "
                + head.committee.names.joined(separator: "; ")
        }
        let widths = ([head.network.inputs] + head.network.layers.map(\.outputs)).map { String($0) }
        return "\(found), network \(widths.joined(separator: "-"))\(grows), \(head.network.optimizer)"
    }

    /// The likeliest of the classes that are known, and its probability.
    @inline(__always)
    static func likeliest(_ p: UnsafePointer<Float>, outputs: Int, known: Int) -> (index: Int, probability: Float) {
        if outputs == 1 {
            let q = min(max(p[0], 0), 1)  // squared error's outputs may leave [0, 1]
            return q > 0.5 && known > 1 ? (1, q) : (0, 1 - q)
        }
        var best = 0
        for k in 1..<max(known, 1) where p[k] > p[best] { best = k }
        return (best, p[best])
    }

    // MARK: Predicting

    /// What the learner says of features, changing nothing. Shape: (inputs).
    ///
    /// - Throws: ``SampleError`` where they do not fit, or nothing has been learned yet.
    public func predict(_ features: [Float]) throws(SampleError) -> Prediction {
        var chunk = SampleChunk(inputs: features.count)
        try chunk.append(Sample(features))
        guard head != nil else {
            throw SampleError(
                .noLabelYet, line: 1, expected: "a labelled sample first: nothing has been learned yet", got: "a question")
        }
        let steps = learn(chunk)  // without a label nothing is learned
        if let rejection = steps.rejections.first { throw rejection.error }
        return steps.prediction(at: 0)!
    }

    /// The features as the network sees them. Shape: (inputs).
    public func scaled(_ features: [Float]) -> [Float] {
        guard let scaler, scaler.count > 0 else { return features }
        return scaler.scaled(features)
    }

    /// The output of a label's class; nil where it is not known, and for regression.
    public func classIndex(of label: Label) -> Int? {
        guard let head, head.task == .classification else { return nil }
        switch label {
        case .none: return nil
        case .number(let value): return head.classes.index(of: value)
        case .text(let name): return head.classes.index(of: name)
        }
    }

    /// A regression target as the leading network sees it. Shape of features: (columns).
    func networkTarget(_ value: Float, for features: [Float]) -> Float {
        guard configuration.scaling, let head, head.task == .regression else { return value }
        guard let scaler, !head.committee.isAlone else {
            return Float((Double(value) - head.targets.mean) / head.targets.scale)
        }
        return head.committee.networkTarget(value, for: scaler.scaled(features), scaler)
    }

    /// What a loaded model sets.
    func restore(
        head: Head?, encoder: FeatureEncoder?, scaler: FeatureScaler?, metrics: Metrics,
        drift: DriftWatch? = nil
    ) {
        if let drift { self.drift = drift }
        self.head = head
        self.encoder = encoder
        self.scaler = scaler
        self.metrics = metrics
    }
}
