// Several outputs: a learner for each, on the same features.
//
// A sample may have several labels (a price and a size; a class and a value; a temperature in one, three and six hours).
// Each is learned by a learner of its own, with its own task, classes and scale, as if the others were not there: to the
// bit what a stream with that label alone would have given (Read et al., Classifier Chains, 2011, call it binary relevance;
// for values, single-target regression: Borchani et al., A survey on multi-output regression, 2015). Outputs share neither
// weights nor scaling, so that tasks may be mixed, a label may be missing in one output, and nothing of an output can harm
// another. It costs what the learners cost together.
//
// A sample is taken whole or not at all. Labels are held against every learner before any learns. What a plain network
// finds beyond its numbers only turns out when it learns: the others are then put back to where they were before the block.
//
// Deliberately not here: outputs that learn from each other (chains, a shared hidden layer).

/// Learns samples with one label or several, and finds the task of each.
///
///     let learner = try MultiOutputLearner()
///     let steps = learner.learn(try SampleChunk([Sample([0.5, -1], label: 1.5, furtherLabels: ["red"])]))
///     steps.outputs[1].steps.classes  // ["red"]
///     steps.losses                    // of each sample, the mean over the outputs that had a label
public final class MultiOutputLearner {
    /// The first output's; those of the others differ in the seed (see ``Configuration/ofOutput(_:)``).
    public let configuration: Configuration
    /// One for each output, the first label's first. One alone until a sample shows more.
    public private(set) var outputs: [Learner]
    /// What the outputs are called.
    public private(set) var names: [String]
    /// The mean losses of samples, as those of values; empty for one output.
    private(set) var joint: Metrics
    /// Called with a sentence for everything that is found out.
    public var onDiscovery: ((String) -> Void)? {
        didSet { tell() }
    }
    /// What the outputs are to be called, where that is known before the first sample.
    package var expectedNames: [String] = []
    /// The columns, where they are known beforehand.
    package var expectedSchema: Schema? {
        didSet { for learner in outputs { learner.expectedSchema = expectedSchema } }
    }

    /// - Throws: ``ArchitectureError`` where the configuration contradicts itself.
    public convenience init(_ configuration: Configuration = Configuration()) throws(ArchitectureError) {
        self.init([try Learner(configuration)], names: Schema.outputNames(1), joint: nil)
    }

    /// Learners that were made or loaded, the first output's first.
    init(_ outputs: [Learner], names: [String], joint: Metrics?) {
        configuration = outputs[0].configuration
        self.outputs = outputs
        self.names = names
        self.joint = joint ?? Metrics(recentWindow: configuration.recentWindow)
    }

    /// The first output's learner.
    public var first: Learner { outputs[0] }
    public var isAlone: Bool { outputs.count == 1 }
    /// Samples learned so far, for whichever output.
    public var step: UInt64 { isAlone ? first.step : joint.learned }
    /// Whether nothing has been learned, so that it is still open how many outputs there are.
    private var isNew: Bool { outputs.allSatisfy { $0.head == nil } }
    /// Multiplications of one sample, about.
    var work: Int { outputs.reduce(0) { $0 + $1.work } }
    /// Multiplications of one more term in a sample, about.
    var workOfTerm: Int { outputs.reduce(0) { $0 + $1.workOfTerm } }

    // MARK: Learning

    /// Predicts and scores every sample, and learns those that have a label, in order.
    ///
    /// A sample that does not fit one of the outputs is rejected and changes none. An output whose label is missing only
    /// predicts.
    ///
    /// - Returns: for several outputs, losses that are means over the outputs that had a label, the first output's
    ///   predictions, and each output's own steps in ``StepChunk/outputs``.
    public func learn(_ chunk: SampleChunk) -> StepChunk {
        if chunk.outputs != outputs.count, isNew, (0..<chunk.count).contains(where: chunk.isLabelled),
            let error = begin(chunk.outputs)
        {
            return rejected(chunk, error)
        }
        return isAlone && chunk.outputs == 1 ? first.learn(chunk) : learnJointly(chunk)
    }

    /// Makes a learner for each output.
    private func begin(_ count: Int) -> SampleError? {
        do throws(ArchitectureError) {
            if count > 1, let setting = configuration.settingOfOneOutput {
                throw ArchitectureError("\(setting) for \(count) outputs: expected samples with one label")
            }
            var made = [first]
            while made.count < count { made.append(try Learner(configuration.ofOutput(made.count))) }
            outputs = made
        } catch {
            return SampleError(line: 0, field: "label", expected: "one label", got: "\(count): \(error)")
        }
        names = expectedNames.count == count ? expectedNames : Schema.outputNames(count)
        joint = Metrics(recentWindow: configuration.recentWindow)
        let schema = expectedSchema
        expectedSchema = schema  // told to the new ones
        tell()
        return nil
    }

    private func tell() {
        for (learner, name) in zip(outputs, names) {
            let isAlone = isAlone
            learner.onDiscovery = onDiscovery.map { say in { say(isAlone ? $0 : "\(name): \($0)") } }
        }
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

    private func learnJointly(_ chunk: SampleChunk) -> StepChunk {
        let parts = outputs.indices.map { output in
            var part = chunk
            if output > 0 {
                part.labels =
                    output < chunk.outputs
                    ? chunk.furtherLabels[output - 1]
                    : Labels(numbers: Array(repeating: .nan, count: chunk.count))
            }
            part.furtherLabels = []
            return part
        }
        var run = JointRun(stepsBefore: step, stepsBeforeOf: outputs.map(\.step), count: chunk.count)
        var first = 0
        while first < chunk.count {
            if let error = objection(to: chunk, first, parts) {
                run.reject(first, error)
                first += 1
                continue
            }
            // A sample that changes a head is learned alone; others together, up to the next such.
            var end = first + 1
            if outputs.indices.allSatisfy({ changesNothing(parts[$0], first, output: $0) }) {
                while end < min(chunk.count, first + MultiOutputLearner.longestBlock),
                    fits(chunk, end), outputs.indices.allSatisfy({ changesNothing(parts[$0], end, output: $0) })
                { end += 1 }
            }
            first = learn(parts, first..<end, &run)
        }
        return run.finished(names: isAlone ? [] : names)
    }

    /// The samples after which all networks are known to have taken them.
    private static let longestBlock = 256

    /// Learns samples whose labels fit all outputs; returns the first that is not done.
    private func learn(_ parts: [SampleChunk], _ range: Range<Int>, _ run: inout JointRun) -> Int {
        let tasks = outputs.map(\.task)
        let marks = outputs.map { $0.mark() }
        let steps = learnEach(parts, range)
        guard let bad = steps.compactMap({ $0?.rejections.first }).min(by: { $0.index < $1.index }) else {
            for (output, task) in tasks.enumerated() where task != nil && task != outputs[output].task {
                joint = Metrics(recentWindow: configuration.recentWindow, continuing: joint.learned)
                run.begin(task: range.lowerBound, ofOutput: output)
            }
            run.append(steps, range)
            joint.score(run.losses[range])
            return range.upperBound
        }
        // As if none had been seen, then those before it: the bits are the same again.
        for (learner, mark) in zip(outputs, marks) { learner.restore(mark) }
        let index = range.lowerBound + bad.index
        if bad.index > 0 { _ = learn(parts, range.lowerBound..<index, &run) }
        var error = bad.error
        error.line = index + 1
        run.reject(index, error)
        return index + 1
    }

    /// Each output's steps of samples; nil of an output that knows nothing and is told nothing.
    private func learnEach(_ parts: [SampleChunk], _ range: Range<Int>) -> [StepChunk?] {
        zip(outputs, parts).map { learner, part in
            if learner.head == nil, part.labels[range.lowerBound] == .none { return nil }
            return learner.learn(range == 0..<part.count ? part : part[range])
        }
    }

    // MARK: Before learning

    /// Whether a sample has as many labels as there are outputs, or none.
    private func fits(_ chunk: SampleChunk, _ index: Int) -> Bool {
        chunk.outputs == outputs.count || !chunk.isLabelled(index)
    }

    /// Whether a label only asks to be learned, or for an answer.
    private func changesNothing(_ part: SampleChunk, _ index: Int, output: Int) -> Bool {
        let learner = outputs[output]
        if learner.head == nil { return part.labels[index] == .none }
        if case .target = learner.meaning(of: part.labels[index], features: part.inputs) { return true }
        return false
    }

    /// What is wrong with a sample's labels, in any output.
    private func objection(to chunk: SampleChunk, _ index: Int, _ parts: [SampleChunk]) -> SampleError? {
        guard fits(chunk, index) else {
            let expected = isAlone ? "one label" : "\(outputs.count) labels: \(names.joined(separator: ", "))"
            return SampleError(line: index + 1, field: "label", expected: expected, got: "\(chunk.outputs)")
        }
        var isKnown = false
        for (output, learner) in outputs.enumerated() {
            if learner.head == nil, parts[output].labels[index] == .none { continue }
            isKnown = true
            if var error = learner.objection(to: parts[output], index) {
                if error.field == "label" { error.field = names[output] }
                return error
            }
        }
        if isKnown { return nil }
        return SampleError(
            .noLabelYet, line: index + 1, field: "label", expected: Learner.firstLabel, got: "none")
    }

    // MARK: Looking

    /// What the first output's learner says of features, changing nothing. Shape: (inputs).
    ///
    /// - Throws: ``SampleError`` where they do not fit, or nothing has been learned of it yet.
    public func predict(_ features: [Float]) throws(SampleError) -> Prediction { try first.predict(features) }

    /// Figures of all outputs together: mean losses for several, everything for one; nil before the first sample.
    var summary: MetricsSummary? {
        if isAlone { return first.task.map { first.metrics.summary(for: $0) } }
        guard !isNew else { return nil }
        return MetricsSummary(
            learned: joint.learned, meanLoss: joint.meanLoss, recentLoss: joint.recentLoss, baseline: baseline)
    }

    /// The loss to beat, on the mean over the outputs.
    var baseline: Double {
        let baselines = outputs.filter { $0.head != nil }.map(\.baseline)
        return baselines.isEmpty ? 0 : baselines.reduce(0, +) / Double(baselines.count)
    }

    /// Figures of each output; empty for one.
    public var summaries: [OutputSummary] {
        isAlone ? [] : zip(names, outputs).map { OutputSummary(name: $0, $1) }
    }
}

/// How one of several outputs is doing.
public struct OutputSummary: Sendable, Hashable, Codable {
    public var name: String
    /// Nil before its first label.
    public var task: LearningTask?
    public var classes: [String]
    public var metrics: MetricsSummary

    init(name: String, _ learner: Learner) {
        self.name = name
        task = learner.task
        classes = learner.classes
        metrics = learner.metrics.summary(for: learner.task)
    }
}

extension Configuration {
    /// The configuration of an output's learner: the same but for the seed.
    ///
    ///     Configuration().ofOutput(0) == Configuration()
    public func ofOutput(_ output: Int) -> Configuration {
        var configuration = self
        configuration.seed &+= UInt64(output) &* 0x9E37_79B9_7F4A_7C15
        return configuration
    }

    /// What is set that only one output can have.
    fileprivate var settingOfOneOutput: String? {
        initialParameters != nil ? "initial weights" : classes != nil ? "classes given beforehand" : nil
    }
}

extension Learner {
    /// What a plain network's sample may have to be put back to; nil of a committee, which takes every sample.
    struct Mark {
        let head: Head?
        let encoder: FeatureEncoder?
        let scaler: FeatureScaler?
        let metrics: Metrics
        let drift: DriftWatch
    }

    func mark() -> Mark? {
        var copy = head
        if let network = head?.network {
            guard head!.committee.isAlone else { return nil }
            do { try copy!.committee.widen(to: network.inputs) } catch {
                preconditionFailure("a network that is there cannot be copied: \(error)")
            }
        }
        return Mark(head: copy, encoder: encoder, scaler: scaler, metrics: metrics, drift: drift)
    }

    func restore(_ mark: Mark?) {
        guard let mark else { return }
        (head, encoder, scaler, metrics, drift) = (mark.head, mark.encoder, mark.scaler, mark.metrics, mark.drift)
        if head == nil { buffers = nil }
    }

    /// Multiplications of one sample, about; where it is a list, of one with 64 terms.
    var work: Int {
        guard let head else { return 0 }
        var inputs = head.network.inputs
        if let encoder, encoder.isSparse { inputs = min(inputs, encoder.columns + 64) }
        return head.committee.work(inputs: inputs)
    }

    /// Multiplications of one more term in a sample, about: finding its input takes as long as 200.
    var workOfTerm: Int {
        guard let head else { return 0 }
        return 200 + head.committee.work(inputs: 1) - head.committee.work(inputs: 0)
    }

    /// The loss to beat.
    var baseline: Double { task == .classification ? metrics.labelEntropy : metrics.targetVariance }
}
