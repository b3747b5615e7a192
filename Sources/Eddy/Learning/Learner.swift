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
    /// Features a sample, where they are known beforehand.
    var expectedInputs: Int?
    var inputs: Int? { head?.network.inputs ?? expectedInputs }

    private var buffers: RunBuffers?
    /// Found out from a sample that is not learned yet.
    private var discoveries: [String] = []
    /// Called with a sentence for everything that is found out.
    public var onDiscovery: ((String) -> Void)?

    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public init(_ configuration: Configuration = Configuration()) throws(ArchitectureError) {
        try configuration.validate()
        self.configuration = configuration
        metrics = Metrics(recentWindow: configuration.recentWindow)
    }

    public var task: LearningTask? { head?.task }
    public var classes: [String] { head?.classes.names ?? [] }
    public var network: Network? { head?.network }
    /// Samples learned so far.
    public var step: UInt64 { metrics.learned }

    // MARK: Learning

    /// Predicts and scores every sample, and learns those that have a label, in order.
    ///
    /// A sample that does not fit is rejected (see ``StepChunk/rejections``) and changes nothing.
    public func learn(_ chunk: SampleChunk) -> StepChunk {
        var steps = StepChunk(stepsBefore: step, count: chunk.count)
        var first = 0
        var before: (Head?, Metrics)?  // from before a change that sample `first` asked for
        let plain = chunk.plainEnds
        while first < chunk.count {
            if plain[first] == first {
                steps.reject(
                    first,
                    SampleError(
                        line: first + 1, expected: "numbers for all features, and no others",
                        got: "missing features or terms, which are not learned yet"))
                first += 1
                continue
            }
            switch meaning(of: chunk.labels[first], features: chunk.inputs) {
            case .rejected(let expected, let got):
                takeBack(&before)
                steps.reject(first, SampleError(line: first + 1, field: "label", expected: expected, got: got))
                first += 1
            case .newClass, .regression:
                if before == nil { before = (head, metrics) }
                if !classes.isEmpty { steps.classes = classes }  // of the steps so far, should it become regression
                if let error = changeHead(for: chunk.labels[first], inputs: chunk.inputs) {
                    takeBack(&before)
                    steps.reject(
                        first,
                        SampleError(
                            line: first + 1, field: "label", expected: "a label that can be learned",
                            got: error.description))
                    first += 1
                }
            case .target:
                let end = run(chunk, from: first, to: plain[first], &steps)
                if end == first {
                    takeBack(&before)
                    steps.reject(
                        first,
                        SampleError(
                            line: first + 1, expected: "a sample whose prediction, loss and gradient are finite",
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
        if head == nil { (scaler, buffers) = (nil, nil) }
        before = nil
        discoveries = []
    }

    private func announce() {
        guard !discoveries.isEmpty else { return }
        for discovery in discoveries { onDiscovery?(discovery) }
        discoveries = []
    }

    private func meaning(of label: Label, features: Int) -> LabelMeaning {
        if let inputs, features != inputs {
            return .rejected(expected: "\(inputs) features", got: "\(features) features")
        }
        if let head { return head.meaning(of: label, configuration: configuration) }
        if case .none = label {
            return .rejected(expected: "a label, since nothing has been learned yet", got: "none")
        }
        return .regression  // any change: the head does not exist yet
    }

    /// Begins the head, or grows or turns it for a label.
    private func changeHead(for label: Label, inputs: Int) -> ArchitectureError? {
        do throws(ArchitectureError) {
            guard var head else {
                let head = try configuration.head(inputs: inputs, firstLabel: label)
                self.head = head
                scaler = configuration.scaling ? FeatureScaler(inputs: inputs) : nil
                discoveries.append(Learner.describe(head, inputs: inputs))
                return nil
            }
            switch head.meaning(of: label, configuration: configuration) {
            case .newClass(let name):
                try head.addClass(name, configuration: configuration)
                discoveries.append("class \(head.classes.names.count) found: \(name), at sample \(step + 1)")
            case .regression:
                try head.becomeRegression(metrics, configuration: configuration)
                metrics = Metrics(recentWindow: configuration.recentWindow, continuing: metrics.learned)
                discoveries.append(
                    "labels are not classes: the head is rebuilt for regression at sample \(step + 1)")
            case .target, .rejected: break
            }
            self.head = head
            return nil
        } catch {
            return error
        }
    }

    private static func describe(_ head: Head, inputs: Int) -> String {
        let widths = ([inputs] + head.network.layers.map(\.outputs)).map { String($0) }.joined(separator: "-")
        let grows = head.task == .classification && head.classes.names.isEmpty ? ", an output more with each class" : ""
        return "\(head.task.rawValue) found: \(inputs) inputs, network \(widths)\(grows), \(head.network.optimizer)"
    }

    // MARK: A run of samples

    /// Learns samples from `first` until one needs the head changed or is rejected, and returns the first not done:
    /// `first` itself where the network rejected it.
    private func run(_ chunk: SampleChunk, from first: Int, to end: Int, _ steps: inout StepChunk) -> Int {
        guard let head, let inputs else { return first }
        let network = head.network
        let longest = RunBuffers.longest(network)
        if buffers == nil || buffers!.serves(network) == false { buffers = RunBuffers(network, count: longest) }
        let buffers = buffers!
        let scalesTargets = configuration.scaling && head.task == .regression
        let last = min(first + longest, end)
        let count = head.targets(of: chunk.labels, first..<last, into: buffers.targets)
        chunk.features.withUnsafeBufferPointer { features in
            Learner.prepare(
                features.baseAddress! + first * inputs, count, &scaler, isLabelled: buffers.targets,
                into: buffers.inputs, stride: network.inputStride, inputs)
        }
        if !chunk.weights.isEmpty {
            for i in 0..<count { buffers.weights[i] = chunk.weights[first + i] }
        }
        var targets = head.targets
        if scalesTargets { buffers.scaleTargets(count, by: &targets) }

        let done = network.run(
            NetworkChunk(
                count: count, inputs: UnsafePointer(buffers.inputs), targets: UnsafePointer(buffers.targets),
                weights: chunk.weights.isEmpty ? nil : UnsafePointer(buffers.weights), predictions: buffers.predictions,
                losses: buffers.losses))
        if done < count {
            // As if the rest had never been seen: the statistics again, of the samples done.
            scaler?.rollBack()
            targets = head.targets
            chunk.features.withUnsafeBufferPointer { features in
                for i in 0..<done where !buffers.targets[i].isNaN {
                    scaler?.update(features.baseAddress! + (first + i) * inputs)
                    if scalesTargets { targets.update(Double(buffers.values[i])) }
                }
            }
        }
        if scalesTargets { self.head!.targets = targets }
        record(first, done, head, scalesTargets, buffers, &steps)
        return first + done
    }

    /// Writes features as the network sees them. Shapes: (count, inputs) into (count, stride).
    ///
    /// - Parameter targets: NaN for a sample that is not to be learned, and changes no statistics.
    private static func prepare(
        _ features: UnsafePointer<Float>, _ count: Int, _ scaler: inout FeatureScaler?,
        isLabelled targets: UnsafePointer<Float>, into rows: UnsafeMutablePointer<Float>, stride: Int, _ inputs: Int
    ) {
        guard scaler != nil else {
            for i in 0..<count { (rows + i * stride).update(from: features + i * inputs, count: inputs) }
            return
        }
        scaler!.mark()
        scaler!.standardise(features, count, labels: targets, into: rows, stride: stride)
    }

    /// Writes a run into the steps, and scores it.
    private func record(
        _ first: Int, _ done: Int, _ head: Head, _ scalesTargets: Bool, _ buffers: RunBuffers, _ steps: inout StepChunk
    ) {
        guard done > 0 else { return }
        let before = metrics.learned
        let losses = buffers.losses
        steps.withPlaces(first..<first + done) { predictions, probabilities, stepLosses, targets in
            switch head.task {
            case .classification:
                let outputs = head.network.outputs
                let known = head.classes.names.count
                for i in 0..<done {
                    let (index, probability) = Learner.likeliest(
                        buffers.predictions + i * outputs, outputs: outputs, known: known)
                    predictions[i] = Float(index)
                    probabilities[i] = probability
                }
                targets.update(from: buffers.targets, count: done)
                metrics.scoreClasses(
                    done, targets: targets, predictions: predictions, losses: losses,
                    probabilities: buffers.predictions, outputs: outputs)
            case .regression:
                for i in 0..<done {
                    predictions[i] = buffers.predictions[i]
                    if scalesTargets {
                        let scale = buffers.scales[i]
                        predictions[i] = Learner.finite(Double(predictions[i]) * scale + buffers.offsets[i])
                        losses[i] = Learner.finite(Double(losses[i]) * scale * scale)
                    }
                }
                targets.update(from: scalesTargets ? buffers.values : buffers.targets, count: done)
                metrics.scoreValues(done, targets: targets, predictions: predictions, losses: losses)
            }
            stepLosses.update(from: losses, count: done)
        }
        steps.learned += Int(metrics.learned - before)
    }

    /// The nearest Float that is finite: targets about 10³⁰ have squares that are not.
    @inline(__always)
    private static func finite(_ value: Double) -> Float {
        let bound = Double(Float.greatestFiniteMagnitude)
        return Float(min(max(value, -bound), bound))
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
                line: 1, expected: "a labelled sample first: nothing has been learned yet", got: "a question")
        }
        let steps = learn(chunk)  // without a label nothing is learned
        if let rejection = steps.rejections.first { throw rejection.error }
        return steps.prediction(at: 0)!
    }

    /// The features as the network sees them. Shape: (inputs).
    public func scaled(_ features: [Float]) -> [Float] {
        guard let scaler, scaler.count > 0 else { return features }
        var row = features
        features.withUnsafeBufferPointer { x in scaler.scale(x.baseAddress!, into: &row) }
        return row
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

    /// A regression target as the network sees it.
    public func scaledTarget(_ value: Float) -> Float {
        guard configuration.scaling, let targets = head?.targets, head?.task == .regression else { return value }
        return Float((Double(value) - targets.mean) / targets.scale)
    }

    /// What a loaded model sets.
    func restore(head: Head?, scaler: FeatureScaler?, metrics: Metrics) {
        self.head = head
        self.scaler = scaler
        self.metrics = metrics
    }
}

/// Flat buffers for a run of samples, kept from run to run.
private final class RunBuffers {
    private let inputStride: Int
    private let outputs: Int
    private let block: AlignedBuffer
    let inputs: UnsafeMutablePointer<Float>  // (count, inputStride)
    let targets: UnsafeMutablePointer<Float>  // (count), as the network sees them
    let values: UnsafeMutablePointer<Float>  // (count), as they came, for regression
    let weights: UnsafeMutablePointer<Float>  // (count)
    let losses: UnsafeMutablePointer<Float>  // (count)
    let predictions: UnsafeMutablePointer<Float>  // (count, outputs)
    /// The mean and deviation by which each target was scaled.
    let offsets: UnsafeMutablePointer<Double>
    let scales: UnsafeMutablePointer<Double>

    init(_ network: Network, count: Int) {
        inputStride = network.inputStride
        outputs = network.outputs
        block = AlignedBuffer(count: count * (inputStride + 4 + outputs))
        inputs = block.floats
        targets = inputs + count * inputStride
        values = targets + count
        weights = values + count
        losses = weights + count
        predictions = losses + count
        offsets = .allocate(capacity: count)
        scales = .allocate(capacity: count)
    }

    deinit {
        offsets.deallocate()
        scales.deallocate()
    }

    func serves(_ network: Network) -> Bool { network.inputStride == inputStride && network.outputs == outputs }

    /// The samples of one run: no more than stay in the cache, whatever the width.
    static func longest(_ network: Network) -> Int {
        min(256, max(1, 65_536 / (network.inputStride + network.outputs)))
    }
}

extension RunBuffers {
    /// Keeps the targets as values and scales them, each by the statistics of those before it.
    func scaleTargets(_ count: Int, by moments: inout RunningMoments) {
        for i in 0..<count {
            let value = targets[i]
            values[i] = value
            offsets[i] = moments.mean
            scales[i] = moments.scale
            targets[i] = Float((Double(value) - moments.mean) / moments.scale)
            if !value.isNaN { moments.update(Double(value)) }
        }
    }
}

extension StepChunk {
    /// Calls `body` with the places of samples: predictions, probabilities, losses, targets. Shapes: (range).
    fileprivate mutating func withPlaces(
        _ range: Range<Int>,
        _ body: (
            UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        precondition(range.upperBound <= count, "samples \(range) of \(count)")
        predictions.withUnsafeMutableBufferPointer { predictions in
            probabilities.withUnsafeMutableBufferPointer { probabilities in
                losses.withUnsafeMutableBufferPointer { losses in
                    targets.withUnsafeMutableBufferPointer { targets in
                        body(
                            predictions.baseAddress! + range.lowerBound, probabilities.baseAddress! + range.lowerBound,
                            losses.baseAddress! + range.lowerBound, targets.baseAddress! + range.lowerBound)
                    }
                }
            }
        }
    }

    fileprivate mutating func reject(_ index: Int, _ error: SampleError) { rejections.append((index, error)) }
}

extension SampleChunk {
    /// For each sample, where the run of samples from it on ends that have all features and nothing else.
    fileprivate var plainEnds: [Int] {
        var ends = Array(repeating: count, count: count)
        guard inputs == 0 || !terms.isEmpty || features.contains(where: \.isNaN) else { return ends }
        var end = count
        for i in (0..<count).reversed() {
            let hasAll = inputs > 0 && features[i * inputs..<(i + 1) * inputs].allSatisfy { !$0.isNaN }
            if !hasAll || !terms.range(of: i).isEmpty { end = i }
            ends[i] = end
        }
        return ends
    }
}
