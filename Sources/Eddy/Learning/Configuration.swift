// What a learner can be told; told nothing, it finds out.

import Backprop

/// What is learned from the labels.
public enum LearningTask: String, Sendable, Hashable, Codable, CaseIterable {
    case regression
    case classification
}

/// How much is spent on each sample.
public enum Profile: String, Sendable, Hashable, Codable, CaseIterable {
    /// A committee of networks and neighbours with replay: the best predictions, some microseconds a sample.
    case best
    /// One plain network: a fraction of a microsecond a sample.
    case fast
}

/// How a learner is set up. Every default is for a stream that nobody has seen before.
///
/// Whoever sets the network itself (its layers, loss, optimizer, …) gets that network alone: the profile is then `fast`.
///
///     var configuration = Configuration()
///     configuration.profile                      // .best
///     configuration.hiddenLayers = [.dense(64, .tanh)]
///     configuration.profile                      // .fast
public struct Configuration: Sendable, Hashable, Codable {
    /// Whether a committee learns, or one network.
    public var profile = Profile.best
    /// The layers between inputs and outputs.
    public var hiddenLayers: [Layer] = [.dense(32, .relu)] { didSet { profile = .fast } }
    /// What the outputs do with their sums; cross-entropies want identity.
    public var outputActivation: Activation = .identity { didSet { profile = .fast } }
    /// nil: softmax cross-entropy for classes, squared error for regression.
    public var loss: Loss? { didSet { profile = .fast } }
    /// nil: found from the labels.
    public var task: LearningTask?
    /// The classes in the order of the outputs. nil: found, and an output added for each new one.
    public var classes: [String]?
    /// A fixed number of outputs. nil: as many as there are classes, and one in reserve.
    public var outputs: Int? { didSet { profile = .fast } }
    /// The most classes that are taken from a stream.
    public var classLimit = 1024
    /// Standardise features, and regression targets, by their running mean and deviation.
    public var scaling = true { didSet { profile = .fast } }
    public var optimizer: Optimizer = .sgd(0.1, clip: 4) { didSet { profile = .fast } }
    public var initialization: Initialization = .automatic { didSet { profile = .fast } }
    /// How sums are ordered; see ``Arithmetic``.
    public var arithmetic: Arithmetic = .sequential { didSet { profile = .fast } }
    public var seed: UInt64 = 1
    /// Initial parameters, for each layer W (outputs, inputs) row-major, then b.
    public var initialParameters: [Float]? { didSet { profile = .fast } }
    /// The samples over which recent metrics are taken.
    public var recentWindow = 1000
    /// What is watched for drift. nil: a committee's errors, by ADWIN; nothing where one network learns alone.
    public var drift: DriftDetection?
    /// What is done once drift is found. nil: a committee forgets its memory; nothing where one network learns alone.
    public var reactions: [DriftReaction]?

    /// Whether rare classes weigh as much in learning as common ones (see ClassBalance.swift). Metrics count each sample once;
    /// values are not concerned.
    public var balance: Bool {
        get { isBalanced ?? false }
        set { isBalanced = newValue ? true : nil }
    }
    /// Nil, and not in a file, where it is off.
    private var isBalanced: Bool?

    public init() {}

    /// A network given whole, its last layer included.
    public init(layers: [Layer], loss: Loss, optimizer: Optimizer = .sgd(0.05), seed: UInt64 = 1) {
        profile = .fast
        hiddenLayers = Array(layers.dropLast())
        outputs = layers.last?.outputs ?? 0
        outputActivation = layers.last?.activation ?? .identity
        self.loss = loss
        self.optimizer = optimizer
        self.seed = seed
        if loss.isCrossEntropy { task = .classification }
    }

    /// What is watched, in this profile.
    public var driftDetection: DriftDetection { drift ?? (profile == .best ? DriftDetection() : .off) }
    /// What is done, in this profile.
    public var driftReactions: [DriftReaction] { reactions ?? (profile == .best ? [.forgetMemory] : []) }

    /// The loss for a task.
    func loss(for task: LearningTask) -> Loss {
        loss ?? (task == .classification ? .crossEntropy : .squared)
    }

    /// Throws with a sentence where the settings contradict each other.
    public func validate() throws(ArchitectureError) {
        try optimizer.validate()
        if task == .regression, let loss, loss.isCrossEntropy {
            throw ArchitectureError("regression with a cross-entropy loss: expected squared or huber")
        }
        if task == .regression, balance { throw ArchitectureError("regression has no classes to balance") }
        if task == .regression, classes != nil { throw ArchitectureError("regression has no classes") }
        if let classes {
            guard Set(classes).count == classes.count else { throw ArchitectureError("a class is named twice") }
            guard classes.count >= 2 else { throw ArchitectureError("\(classes.count) classes: expected at least 2") }
            if let outputs, loss == .crossEntropy || loss == nil, outputs != classes.count {
                throw ArchitectureError("\(outputs) outputs for \(classes.count) classes: expected as many")
            }
            if let loss, loss != .crossEntropy, classes.count != 2 {
                throw ArchitectureError(
                    "\(classes.count) classes with a loss for one output: expected 2, or softmax cross-entropy")
            }
        }
        if let outputs, outputs != 1, let loss, loss != .crossEntropy {
            throw ArchitectureError("\(outputs) outputs with \(loss): a sample has one label, so expected 1 output")
        }
        guard (2...65_536).contains(classLimit) else {
            throw ArchitectureError("class limit \(classLimit): expected 2 to 65536")
        }
        guard (1...1_000_000).contains(recentWindow) else {
            throw ArchitectureError("recent window \(recentWindow): expected 1 to 1000000 samples")
        }
        try drift?.validate(task: task)
        if let reactions { try validate(reactions) }
        // The layers themselves: with the fewest outputs that the loss can have.
        let loss = loss ?? .crossEntropy
        let outputs = outputs ?? classes?.count ?? 2
        let head = Layer.dense(loss == .crossEntropy ? outputs : 1, outputActivation)
        try Network.validate(inputs: 1, layers: hiddenLayers + [head], loss: loss)
    }

    private func validate(_ reactions: [DriftReaction]) throws(ArchitectureError) {
        guard Set(reactions).count == reactions.count else {
            throw ArchitectureError("a reaction to drift is named twice")
        }
        guard let first = reactions.first else { return }
        if driftDetection.isOff {
            throw ArchitectureError(
                "\(first.rawValue) as a reaction to drift, for which nothing looks: name a detector")
        }
        if profile == .fast, let other = reactions.first(where: \.needsCommittee) {
            throw ArchitectureError(
                "\(other.rawValue) where one network learns alone: expected raise-step or forget-scaler")
        }
        if reactions.contains(.raiseStep), profile == .fast, case .cocob = optimizer.rule {
            throw ArchitectureError("raise-step with COCOB, which has no learning rate: leave it out")
        }
        if reactions.contains(.forgetScaler), !scaling {
            throw ArchitectureError("forget-scaler without scaling: leave it out")
        }
    }
}
