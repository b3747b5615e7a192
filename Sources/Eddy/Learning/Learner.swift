// The learner: predict, score, learn, for one sample after another.
//
// Synchronous and deterministic; sessions make it safe to share. Inputs are common to all outputs: one encoder finds what
// each input is, one scaler its mean and deviation, and a sample is encoded and scaled once. Each output then has a head of
// its own (LearnerOutput.swift). One output is a list of one.
//
// What does not depend on the weights (the meaning of labels, the inputs, the scaling) is prepared for a run of samples,
// which then go through the networks in one call (Learner+Run.swift); order and arithmetic are those of one sample at a
// time, so any split of a stream into chunks gives the same bits. A run ends where a label changes a head.
//
// A sample is taken whole or rejected whole. Its labels are held against every output before anything is learned; what a
// plain network finds beyond its numbers only turns out when it learns, and the other outputs are then put back.
//
// With several outputs, the encoder and the scaler advance with every sample that has a label for any output. So an output
// sees features scaled by all of these, and not by those alone that have a label of its own. With one output, or where no
// label is missing, this makes no difference.

import Backprop

/// Learns from chunks of samples with one label or several, and finds task, classes and scale by itself.
///
/// A class, because it holds megabytes and is changed in place; not `Sendable`. ``LearningSession`` shares one.
///
///     let learner = try Learner()
///     let steps = learner.learn(chunk)
///     steps.meanLoss
///
/// Samples may have several labels:
///
///     let learner = try Learner()
///     let steps = learner.learn(try SampleChunk([Sample([0.5, -1], label: 1.5, furtherLabels: ["red"])]))
///     steps.outputs[1].steps.classes  // ["red"]
///     steps.losses                    // of each sample, the mean over the outputs that had a label
public final class Learner {
    /// The first output's; those of the others differ in the seed (see ``Configuration/ofOutput(_:)``).
    public let configuration: Configuration
    /// The first label's first. One alone until a sample shows more.
    public internal(set) var outputs: [LearnerOutput]
    /// What the inputs stand for; nil before the first label.
    var encoder: FeatureEncoder?
    var scaler: FeatureScaler?
    /// The mean losses of samples, as those of values; empty for one output.
    var joint: Metrics
    /// The columns, where they are known beforehand, and what they and the labels are called.
    public var expectedSchema: Schema?

    var buffers: RunSamples?
    /// Found out from a sample that is not learned yet.
    var discoveries: [String] = []
    /// Called with a sentence for everything that is found out.
    public var onDiscovery: ((String) -> Void)?

    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public init(_ configuration: Configuration = Configuration()) throws(ArchitectureError) {
        try configuration.validate()
        self.configuration = configuration
        outputs = [LearnerOutput(configuration, name: "label")]
        joint = Metrics(recentWindow: configuration.recentWindow)
    }

    /// Numbers in a sample's row.
    var columns: Int? { encoder?.columns ?? expectedSchema?.inputs.count }
    /// Inputs of every network; nil before the first label.
    var inputs: Int? {
        for output in outputs { if let inputs = output.head?.committee.inputs { return inputs } }
        return nil
    }
    /// What the outputs are called.
    public var names: [String] { outputs.map(\.name) }
    /// Whether there is one output.
    public var isAlone: Bool { outputs.count == 1 }
    /// Samples learned so far, for whichever output.
    public var step: UInt64 { isAlone ? outputs[0].step : joint.learned }
    /// Whether nothing has been learned, so that it is still open how many outputs there are.
    private var isNew: Bool { outputs.allSatisfy { $0.head == nil } }

    // MARK: Learning

    /// Predicts and scores every sample, and learns those that have a label, in order.
    ///
    /// A sample that does not fit is rejected (see ``StepChunk/rejections``) and changes nothing. An output whose label is
    /// missing only predicts.
    ///
    /// - Returns: for several outputs, losses that are means over the outputs that had a label, the first output's
    ///   predictions, and each output's own steps in ``StepChunk/outputs``.
    public func learn(_ chunk: SampleChunk) -> StepChunk {
        if chunk.outputs != outputs.count, isNew, (0..<chunk.count).contains(where: chunk.isLabelled),
            let error = begin(chunk.outputs)
        {
            return rejected(chunk, error)
        }
        let chunk = LabelledChunk(chunk, outputs: outputs.count)
        var steps = ChunkSteps(outputs, stepsBefore: step, count: chunk.count)
        var first = 0
        while first < chunk.count {
            var before: [LearnerOutput.Mark]?
            do throws(SampleError) {
                try fitHeads(to: chunk, first, &before, &steps)
                let end = try run(chunk, from: first, &steps)
                noteNewTasks(first, before, &steps)
                joint.score(steps.join(first..<end))
                first = end
                announce()
            } catch {
                takeBack(before)
                steps.reject(first, error)
                first += 1
            }
        }
        return steps.finished(outputs)
    }

    /// Makes as many outputs as samples have labels.
    private func begin(_ count: Int) -> SampleError? {
        if count > 1, let setting = configuration.settingOfOneOutput {
            let error = ArchitectureError("\(setting) for \(count) outputs: expected samples with one label")
            return SampleError(line: 0, field: "label", expected: "one label", got: "\(count): \(error)")
        }
        let expected = expectedSchema?.labels ?? []
        let names = expected.count == count ? expected : Schema.outputNames(count)
        outputs = names.enumerated().map { k, name in
            let output = k < outputs.count ? outputs[k] : LearnerOutput(configuration.ofOutput(k), name: name)
            output.name = name
            return output
        }
        joint = Metrics(recentWindow: configuration.recentWindow)
        return nil
    }

    private func rejected(_ chunk: SampleChunk, _ error: SampleError) -> StepChunk {
        var steps = StepChunk(stepsBefore: step, count: chunk.count)
        for i in 0..<chunk.count {
            var error = error
            error.line = i + 1
            steps.reject(i, error)
        }
        return steps
    }

    // MARK: Before a sample is learned

    /// Changes the heads until a sample's labels are targets of all.
    ///
    /// - Parameter before: what the outputs were, where something was changed.
    /// - Throws: ``SampleError`` where the sample does not fit; what was changed is then to be taken back.
    private func fitHeads(
        to chunk: LabelledChunk, _ index: Int, _ before: inout [LearnerOutput.Mark]?, _ steps: inout ChunkSteps
    ) throws(SampleError) {
        if let columns, chunk.samples.inputs != columns {
            throw SampleError(
                .fieldCount, line: index + 1, field: "label", expected: "\(columns) features",
                got: "\(chunk.samples.inputs) features")
        }
        guard chunk.fits || !chunk.samples.isLabelled(index) else {
            let expected = isAlone ? "one label" : "\(outputs.count) labels: \(names.joined(separator: ", "))"
            throw SampleError(line: index + 1, field: "label", expected: expected, got: "\(chunk.samples.outputs)")
        }
        var isKnown = false
        for (k, output) in outputs.enumerated() {
            let label = chunk.labels[k][index]
            if output.head == nil {
                if case .none = label { continue }
                beginChange(&before, chunk, index)
                do throws(ArchitectureError) { try beginHead(of: output, chunk.samples, index, label) } catch {
                    throw cannotBeLearned(error, index, output)
                }
            }
            isKnown = true
            try fit(output, label, chunk, index, &before, &steps.own[k])
        }
        guard isKnown else {
            throw SampleError(
                .noLabelYet, line: index + 1, field: "label",
                expected: "a label, since nothing has been learned yet", got: "none")
        }
    }

    /// Changes a head until a label is a target of it.
    private func fit(
        _ output: LearnerOutput, _ label: Label, _ chunk: LabelledChunk, _ index: Int,
        _ before: inout [LearnerOutput.Mark]?, _ steps: inout StepChunk
    ) throws(SampleError) {
        while true {
            let meaning = output.head!.meaning(of: label, configuration: output.configuration)
            switch meaning {
            case .target: return
            case .rejected(let code, let expected, let got):
                throw SampleError(code, line: index + 1, field: labelField(of: output), expected: expected, got: got)
            case .newClass, .regression:
                beginChange(&before, chunk, index)
                if !output.classes.isEmpty { steps.classes = output.classes }  // should it become regression
                do throws(ArchitectureError) {
                    if case .newClass(let name) = meaning { try checkRoom(forClass: name, output) }
                    discoveries += try output.change(to: meaning).map { told($0, of: output) }
                } catch { throw cannotBeLearned(error, index, output) }
            }
        }
    }

    /// Keeps what the outputs are, and what they say of a sample without its labels, before the first change for it.
    private func beginChange(_ before: inout [LearnerOutput.Mark]?, _ chunk: LabelledChunk, _ index: Int) {
        guard before == nil else { return }
        answer(withoutLabels: chunk, index)
        before = outputs.map { $0.mark() }
    }

    private func labelField(of output: LearnerOutput) -> String { isAlone ? "label" : output.name }

    private func cannotBeLearned(_ error: ArchitectureError, _ index: Int, _ output: LearnerOutput) -> SampleError {
        SampleError(
            .label, line: index + 1, field: labelField(of: output), expected: "a label that can be learned",
            got: error.description)
    }

    /// Begins the head of an output with its first label; with the stream's first, encoder and scaler too.
    private func beginHead(
        of output: LearnerOutput, _ chunk: SampleChunk, _ index: Int, _ label: Label
    ) throws(ArchitectureError) {
        let encoder = encoder ?? FeatureEncoder(columns: chunk.inputs)
        let inputs = inputs ?? encoder.capacity(with: encoder.news(in: chunk, index))
        output.head = try output.configuration.head(
            inputs: inputs, firstLabel: label, columns: encoder.isSparse ? encoder.columns : nil)
        output.columns = encoder.columns
        if encoder.isSparse, isBeyondMemory(inputs: inputs) {
            throw ArchitectureError("\(output.name): beside \(inputs) inputs there is memory for no more outputs")
        }
        if self.encoder == nil {
            self.encoder = encoder
            let isRobust = configuration.profile == .best
            scaler = configuration.scaling ? FeatureScaler(inputs: inputs, isRobust: isRobust) : nil
        }
        discoveries.append(told(output.description(columns: encoder.columns), of: output))
        if let unwatched = output.unwatched { discoveries.append(told(unwatched, of: output)) }
    }

    private func checkRoom(forClass name: String, _ output: LearnerOutput) throws(ArchitectureError) {
        guard encoder?.isSparse == true, let inputs else { return }
        if isBeyondMemory(inputs: inputs, growing: output, to: output.classes.count + 2) {
            throw ArchitectureError("class \(name): beside \(inputs) inputs there is memory for no more classes")
        }
    }

    /// Changes back what a rejected sample changed.
    private func takeBack(_ before: [LearnerOutput.Mark]?) {
        guard let before else { return }
        for (output, mark) in zip(outputs, before) { output.restore(mark) }
        if isNew { (scaler, encoder, buffers) = (nil, nil, nil) }
        discoveries = []
    }

    private func noteNewTasks(_ index: Int, _ before: [LearnerOutput.Mark]?, _ steps: inout ChunkSteps) {
        for (k, old) in (before ?? []).enumerated() {
            guard let task = old.task, task != outputs[k].task else { continue }
            steps.begin(task: index, ofOutput: k)
            joint = Metrics(recentWindow: configuration.recentWindow, continuing: joint.learned)
        }
    }

    // MARK: What is told

    /// A sentence with the name of its output, where there are several.
    func told(_ sentence: String, of output: LearnerOutput) -> String {
        isAlone ? sentence : "\(output.name): \(sentence)"
    }

    private func announce() {
        guard !discoveries.isEmpty else { return }
        for discovery in discoveries { onDiscovery?(discovery) }
        discoveries = []
    }

    // MARK: Looking

    /// What the learner says of features, of several outputs the first, changing nothing. Shape: (columns).
    ///
    /// - Throws: ``SampleError`` where they do not fit, or nothing has been learned yet.
    public func predict(_ features: [Float]) throws(SampleError) -> Prediction {
        var chunk = SampleChunk(inputs: features.count)
        try chunk.append(Sample(features))
        guard head != nil else {
            throw SampleError(
                .noLabelYet, line: 1, expected: "a labelled sample first: nothing has been learned yet",
                got: "a question")
        }
        let steps = learn(chunk)  // without a label nothing is learned
        if let rejection = steps.rejections.first { throw rejection.error }
        return steps.prediction(at: 0)!
    }

    /// The features as the networks see them. Shape: (inputs).
    public func scaled(_ features: [Float]) -> [Float] {
        guard let scaler, scaler.count > 0 else { return features }
        return scaler.scaled(features)
    }

    /// Figures of all outputs together: mean losses for several, everything for one; nil before the first sample.
    public var summary: MetricsSummary? {
        if isAlone { return task.map { metrics.summary(for: $0) } }
        guard !isNew else { return nil }
        return MetricsSummary(
            learned: joint.learned, meanLoss: joint.meanLoss, recentLoss: joint.recentLoss, baseline: baseline)
    }

    /// Figures of each output; empty for one.
    public var summaries: [OutputSummary] { isAlone ? [] : outputs.map { OutputSummary($0) } }

    /// The loss to beat, on the mean over the outputs.
    var baseline: Double {
        let baselines = outputs.filter { $0.head != nil }.map(\.baseline)
        return baselines.isEmpty ? 0 : baselines.reduce(0, +) / Double(baselines.count)
    }

    /// Multiplications of one sample, about; where it is a list, of one with 64 terms.
    var work: Int {
        guard var inputs else { return 0 }
        if let encoder, encoder.isSparse { inputs = min(inputs, encoder.columns + 64) }
        return outputs.reduce(0) { $0 + $1.work(inputs: inputs) }
    }

    /// Multiplications of one more term in a sample, about: finding its input takes as long as 200.
    var workOfTerm: Int {
        guard inputs != nil else { return 0 }
        return outputs.reduce(200) { $0 + $1.work(inputs: 1) - $1.work(inputs: 0) }
    }
}

extension Learner {
    /// What a loaded model sets, and a copy for questions.
    func restore(encoder: FeatureEncoder?, scaler: FeatureScaler?, outputs: [LearnerOutput], joint: Metrics? = nil) {
        (self.encoder, self.scaler, self.outputs) = (encoder, scaler, outputs)
        if let joint { self.joint = joint }
    }
}

// MARK: - The first output

extension Learner {
    var head: Head? {
        get { outputs[0].head }
        set { outputs[0].head = newValue }
        _modify { yield &outputs[0].head }
    }
    var drift: DriftWatch { outputs[0].drift }
    /// The first output's, as are the following.
    public var metrics: Metrics { outputs[0].metrics }
    public var task: LearningTask? { outputs[0].task }
    public var classes: [String] { outputs[0].classes }
    public var network: Network? { outputs[0].network }
    /// Each expert's vote weight; empty where one network answers.
    public var votes: [(name: String, weight: Float)] { outputs[0].votes }
    /// What drift is not looked for in, though it was asked for, and why; see ``LearnerOutput/unwatched``.
    public var unwatched: String? { outputs.lazy.compactMap(\.unwatched).first }
    /// See ``LearnerOutput/classIndex(of:)``.
    public func classIndex(of label: Label) -> Int? { outputs[0].classIndex(of: label) }

    /// A regression target as the leading network sees it. Shape of features: (columns).
    func networkTarget(_ value: Float, for features: [Float]) -> Float {
        guard configuration.scaling, let head, head.task == .regression else { return value }
        guard let scaler, !head.committee.isAlone else {
            return Float((Double(value) - head.targets.mean) / head.targets.scale)
        }
        return head.committee.networkTarget(value, for: scaler.scaled(features), scaler)
    }
}

/// A chunk with a column of labels for each output.
struct LabelledChunk {
    let samples: SampleChunk
    /// Shape: (outputs); none where samples have another number of labels.
    let labels: [Labels]
    /// Whether samples have as many labels as there are outputs.
    let fits: Bool
    /// Whether samples have columns alone, and none of these is missing.
    let isPlain: Bool

    init(_ chunk: SampleChunk, outputs: Int) {
        samples = chunk
        isPlain = chunk.isPlain
        fits = chunk.outputs == outputs
        if fits {
            labels = outputs == 1 ? [chunk.labels] : [chunk.labels] + chunk.furtherLabels
        } else {
            labels = Array(repeating: Labels(numbers: Array(repeating: .nan, count: chunk.count)), count: outputs)
        }
    }

    var count: Int { samples.count }
}
