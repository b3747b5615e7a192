// What a learner keeps for one output: the task of its labels, the networks or committee that learn them, the scale of its
// targets, its figures, and its watch for drift.
//
// Outputs share the inputs (encoder and scaler) and nothing else: neither weights nor memories nor votes. So tasks may be
// mixed, a label may be missing for one output, and nothing of an output can harm another (Read et al., Classifier Chains,
// 2011, call it binary relevance; for values, single-target regression: Borchani et al., A survey on multi-output
// regression, 2015).
//
// Deliberately not here: outputs that learn from each other (chains, a shared hidden layer).

import Backprop

/// One output of a ``Learner``.
///
/// A class, because it holds megabytes and is changed in place; the learner owns it.
public final class LearnerOutput {
    /// What the output is called: the name of its label.
    public internal(set) var name: String
    /// The learner's, but for the seed (see ``Configuration/ofOutput(_:)``).
    public let configuration: Configuration
    public internal(set) var metrics: Metrics
    /// Nil before the first label.
    var head: Head?
    /// Watches for changes of the stream.
    var drift: DriftWatch
    /// Columns of a sample; nil before the first label.
    var columns: Int?
    var buffers: OutputBuffers?
    /// What was said of the sample in hand before its label changed the head; nil where that is the next run's to say.
    var unseen: UnseenAnswer?

    init(_ configuration: Configuration, name: String) {
        self.name = name
        self.configuration = configuration
        drift = DriftWatch(configuration.driftDetection)
        metrics = Metrics(recentWindow: configuration.recentWindow)
    }

    public var task: LearningTask? { head?.task }
    public var classes: [String] { head?.classes.names ?? [] }
    /// The network to be shown: the one alone, or the one that leads the committee.
    public var network: Network? { head?.network }
    /// Each expert's vote weight; empty where one network answers.
    public var votes: [(name: String, weight: Float)] { head?.committee.votes ?? [] }
    /// Samples learned so far that had a label for this output.
    public var step: UInt64 { metrics.learned }

    /// What drift is not looked for in, though it was asked for, and why; nil where all is watched. It is said once, when
    /// the stream shows it.
    public var unwatched: String? {
        head.flatMap { drift.detection.unwatched(task: $0.task, columns: columns ?? 0) }
    }

    /// The loss of always saying the same: what a learner has to beat.
    var baseline: Double { task == .classification ? metrics.labelEntropy : metrics.targetVariance }

    /// Multiplications of one sample with so many inputs, about.
    func work(inputs: Int) -> Int { head?.committee.work(inputs: inputs) ?? 0 }

    /// The output of a label's class; nil where it is not known, and for regression.
    public func classIndex(of label: Label) -> Int? {
        guard let head, head.task == .classification else { return nil }
        switch label {
        case .none: return nil
        case .number(let value): return head.classes.index(of: value)
        case .text(let name): return head.classes.index(of: name)
        }
    }

    // MARK: Changes of the head

    /// What a change of the head is taken back to.
    struct Mark {
        fileprivate let head: Head?
        fileprivate let metrics: Metrics
        fileprivate let columns: Int?

        /// Nil before the first label.
        var task: LearningTask? { head?.task }
    }

    func mark() -> Mark { Mark(head: head, metrics: metrics, columns: columns) }

    /// What a loaded model sets, and a copy for questions.
    func restore(_ head: Head, columns: Int, metrics: Metrics) {
        (self.head, self.columns, self.metrics) = (head, columns, metrics)
    }

    func restore(_ mark: Mark) {
        (head, metrics, columns) = (mark.head, mark.metrics, mark.columns)
        unseen = nil
    }

    /// Grows or turns the head for a label that it has no output for; returns what is to be told.
    func change(to meaning: LabelMeaning) throws(ArchitectureError) -> [String] {
        var head = head!
        switch meaning {
        case .newClass(let name):
            try head.addClass(name, configuration: configuration)
            self.head = head
            return ["class \(head.classes.names.count) found: \(name), at sample \(step + 1)"]
        case .regression:
            try head.becomeRegression(metrics, configuration: configuration)
            metrics = Metrics(recentWindow: configuration.recentWindow, continuing: metrics.learned)
            self.head = head
            // What columns are too many for was said at the beginning.
            return ["labels are not classes: the head is rebuilt for regression at sample \(step + 1)"]
                + [drift.detection.unwatched(task: .regression)].compactMap { $0 }
        case .target, .rejected: return []
        }
    }

    /// What was found out from the first label.
    func description(columns: Int) -> String {
        let head = head!
        let grows = head.task == .classification && head.classes.names.isEmpty ? ", an output more with each class" : ""
        let found = "\(head.task.rawValue) found: \(columns) inputs"
        guard head.committee.isAlone else {
            return "\(found), a committee of \(head.committee.names.count)\(grows): "
                + head.committee.names.joined(separator: "; ")
        }
        let widths = ([head.network.inputs] + head.network.layers.map(\.outputs)).map { String($0) }
        return "\(found), network \(widths.joined(separator: "-"))\(grows), \(head.network.optimizer)"
    }
}

/// How one of several outputs is doing.
public struct OutputSummary: Sendable, Hashable, Codable {
    public var name: String
    /// Nil before its first label.
    public var task: LearningTask?
    public var classes: [String]
    public var metrics: MetricsSummary

    init(_ output: LearnerOutput) {
        name = output.name
        task = output.task
        classes = output.classes
        metrics = output.metrics.summary(for: output.task)
    }
}

extension Configuration {
    /// The configuration of one output: the same but for the seed.
    ///
    ///     Configuration().ofOutput(0) == Configuration()
    public func ofOutput(_ output: Int) -> Configuration {
        var configuration = self
        configuration.seed &+= UInt64(output) &* 0x9E37_79B9_7F4A_7C15
        return configuration
    }

    /// What is set that only one output can have.
    var settingOfOneOutput: String? {
        initialParameters != nil ? "initial weights" : classes != nil ? "classes given beforehand" : nil
    }
}
