// Options that set up a learner. Each overrides what would be found out from the stream.

import ArgumentParser
import Eddy
import Foundation

extension Activation: ExpressibleByArgument {}
extension Arithmetic: ExpressibleByArgument {}
extension LearningTask: ExpressibleByArgument {}
extension Profile: ExpressibleByArgument {}
extension Initialization: ExpressibleByArgument {}
extension SampleFormat: ExpressibleByArgument {}

struct LearningOptions: ParsableArguments {
    @Option(
        help: """
            How much to spend on each sample: best (a committee of networks, neighbours and others that replays past \
            samples, some 10 microseconds) or fast (one network, a fraction of one). Whoever sets the network or its \
            optimizer gets that network alone. (default: best)
            """)
    var profile: Profile?

    @Option(help: "Widths of the hidden layers, such as 64,32; none for no hidden layer. (default: 32)")
    var layers: Widths?

    @Option(help: "What hidden units do: identity, step, sigmoid, tanh, relu or leakyReLU. (default: relu)")
    var activation: Activation?

    @Option(help: "What output units do: identity where the loss is a cross-entropy. (default: identity)")
    var outputActivation: Activation?

    @Option(
        help: "squared, huber, huber:DELTA, binary-cross-entropy or cross-entropy. (default: found from the labels)")
    var loss: LossName?

    @Option(help: "regression or classification. (default: found from the labels)")
    var task: LearningTask?

    @Option(help: "The classes, separated by commas, in the order of the outputs. (default: found from the labels)")
    var classes: String?

    @Flag(help: "Let rare classes weigh as much in learning as common ones.")
    var balance = false

    @Flag(inversion: .prefixedNo, help: "Standardise features, and regression targets, online. (default: --scaling)")
    var scaling: Bool?

    @Option(
        help: """
            How sums are ordered: sequential (the same bits on every machine and for any chunks), or chunked (a large \
            first layer takes eight samples at once: faster, the last bits depend on the chunks). (default: sequential)
            """)
    var arithmetic: Arithmetic?

    @Option(help: "The optimizer: sgd, nesterov, adagrad, rmsprop, adam, adamw or cocob. (default: sgd)")
    var optimizer: OptimizerName?

    @Option(
        help: """
            The step size at the first sample; cocob has none. (default: 0.1 for sgd, 0.001 for adam and adamw, 0.01 \
            for the others)
            """)
    var learningRate: Float?

    @Option(
        help: """
            How the step size changes with the samples learned: constant, inverse-time:DECAY, inverse-sqrt:DECAY or \
            exponential:HALFLIFE. (default: constant)
            """)
    var schedule: ScheduleName?

    @Option(help: "Momentum of sgd and nesterov, from 0 to below 1. (default: 0 for sgd, 0.9 for nesterov)")
    var momentum: Float?

    @Option(help: "The longest gradient, over all layers; none for no limit. (default: 4)")
    var clip: Limit?

    @Option(help: "L1 regularisation of weights. (default: 0)")
    var l1: Float?

    @Option(help: "L2 regularisation of weights; for adamw, their decay. (default: 0; 0.01 for adamw)")
    var l2: Float?

    @Option(help: "The seed of all randomness. (default: 1)")
    var seed: UInt64?

    @Option(help: "How weights begin: automatic, xavier, he or zeros. (default: automatic)")
    var initialization: Initialization?

    @Option(
        help: """
            A file of initial parameters: float32, little-endian, for each layer W (outputs, inputs) row-major, then b.
            """,
        completion: .file())
    var initialWeights: String?

    @Option(help: "The samples over which recent loss and accuracy are taken. (default: 1000)")
    var recentWindow: Int?

    @Option(
        help: """
            What looks for drift, a change of the stream. (default: adwin; none where one network learns alone)
            """)
    var drift: DetectorName?

    @Option(
        help: """
            In what it looks: errors (1 for a wrong class and 0 for a right one, or the absolute error; ddm watches errors \
            of classes alone), loss, features (each column by itself, up to 128), or several, with commas. What a stream \
            does not allow is left out, and said once. (default: errors)
            """)
    var driftOn: WatchedNames?

    @Option(
        help: """
            What is done once drift is found: forget-memory (replay only what is new), raise-step (learning rates are \
            doubled, and fall back within 512 samples), restart-weakest (the network whose word weighs least begins \
            anew), forget-scaler (means and deviations follow faster), several, with commas, or none. (default: \
            forget-memory; none where one network learns alone, which can raise-step and forget-scaler)
            """)
    var onDrift: ReactionNames?

    func validate() throws {
        if let error = Kernels.environmentError { throw ValidationError(error.description) }
        if profile == .best, setsNetwork {
            throw ValidationError("--profile best is a committee: leave out the options of a single network")
        }
        if let drift, drift.detector == nil, driftOn != nil {
            throw ValidationError("--drift-on without a detector: leave out --drift none, or name another")
        }
    }

    /// Whether any of them was given: a loaded model has its own.
    var isEmpty: Bool {
        !setsNetwork && !balance && profile == nil && task == nil && classes == nil && seed == nil
            && recentWindow == nil && drift == nil && driftOn == nil && onDrift == nil
    }

    /// Whether any was given that describes one network.
    private var setsNetwork: Bool {
        layers != nil || activation != nil || outputActivation != nil || loss != nil || scaling == false
            || arithmetic != nil || setsOptimizer || initialization != nil || initialWeights != nil
    }

    private var setsOptimizer: Bool {
        optimizer != nil || learningRate != nil || schedule != nil || momentum != nil || clip != nil || l1 != nil
            || l2 != nil
    }

    func configuration() throws -> Configuration {
        var configuration = Configuration()
        if let profile { configuration.profile = profile }
        if layers != nil || activation != nil {
            let widths = layers?.widths ?? configuration.hiddenLayers.map(\.outputs)
            configuration.hiddenLayers = widths.map { .dense($0, activation ?? .relu) }
        }
        if let outputActivation { configuration.outputActivation = outputActivation }
        if let loss { configuration.loss = loss.loss }
        configuration.task = task
        if let classes {
            configuration.classes = classes.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        }
        configuration.balance = balance
        if scaling == false { configuration.scaling = false }
        if let arithmetic { configuration.arithmetic = arithmetic }
        if setsOptimizer { configuration.optimizer = try optimizer(from: configuration.optimizer) }
        if let seed { configuration.seed = seed }
        if let initialization { configuration.initialization = initialization }
        if let recentWindow { configuration.recentWindow = recentWindow }
        if let initialWeights { configuration.initialParameters = try LearningOptions.floats(initialWeights) }
        if drift != nil || driftOn != nil {
            let detector = drift.map(\.detector) ?? .adwin
            configuration.drift = DriftDetection(detector, in: driftOn?.sources ?? .errors)
        }
        if let onDrift { configuration.reactions = onDrift.reactions }
        do { try configuration.validate() } catch { throw ValidationError("\(error)") }
        return configuration
    }

    /// The optimizer that was named, or the usual one, with what was given; the clip stays unless it was given.
    private func optimizer(from usual: Optimizer) throws -> Optimizer {
        var result: Optimizer
        switch optimizer {
        case nil, .sgd: result = usual
        case .nesterov: result = .nesterov(0.01)
        case .adagrad: result = .adaGrad()
        case .rmsprop: result = .rmsProp()
        case .adam: result = .adam()
        case .adamw: result = .adamW()
        case .cocob: result = .cocob()
        }
        result.clip = usual.clip
        if let learningRate { result.learningRate = learningRate }
        if let schedule { result.schedule = schedule.schedule }
        if let momentum {
            switch result.rule {
            case .sgd: result.rule = .sgd(momentum: momentum)
            case .nesterov: result.rule = .nesterov(momentum: momentum)
            default: throw ValidationError("--momentum: only sgd and nesterov have it")
            }
        }
        if let clip { result.clip = clip.value }
        if let l1 { result.l1 = l1 }
        if let l2 { result.l2 = l2 }
        return result
    }

    private static func floats(_ path: String) throws -> [Float] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CommandError("cannot read the initial weights \(path): no such file, or it may not be read")
        }
        guard data.count % 4 == 0 else {
            throw CommandError("\(path): expected float32 numbers, got \(data.count) bytes, which 4 does not divide")
        }
        let floats = data.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map { offset in
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            }
        }
        guard floats.allSatisfy({ $0.isFinite }) else { throw CommandError("\(path): a number in it is not finite") }
        return floats
    }
}

/// Which columns mean what.
struct FormatOptions: ParsableArguments {
    @Option(help: "The samples' format: csv, json, vw (Vowpal Wabbit) or libsvm. (default: recognised)")
    var format: SampleFormat?

    @Option(
        help: """
            The label's column: a name, or in CSV a position, from 1, from the end where negative; several outputs with \
            commas between them, in CSV and JSON. (default: the one named label, target, class or y; else the last)
            """)
    var label: String?

    func validate() throws {
        guard let label else { return }
        if Int(label) == 0 {
            throw ValidationError("label 0: positions are counted from 1, from the end where negative")
        }
        do {
            guard case .several = try LabelColumn(parsing: label), let format, format == .vw || format == .libsvm else {
                return
            }
        } catch { throw ValidationError("--label: expected \(error.expected), got \(error.got)") }
        throw ValidationError(
            "--label \(label): a sample in \(format!.rawValue) has one label; csv and json have several")
    }

    var labelColumn: LabelColumn { label.flatMap { try? LabelColumn(parsing: $0) } ?? .automatic }
}

// MARK: - Values that need more than a word

struct Widths: ExpressibleByArgument {
    let widths: [Int]

    init?(argument: String) {
        if argument == "none" {
            widths = []
            return
        }
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0.map { $0 > 0 } ?? false }) else { return nil }
        widths = numbers.map { $0! }
    }
}

struct LossName: ExpressibleByArgument {
    let loss: Loss

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        switch (parts.first, parts.count) {
        case ("squared", 1): loss = .squared
        case ("huber", 1): loss = .huber(delta: 1)
        case ("huber", 2):
            guard let delta = Double(parts[1]) else { return nil }
            loss = .huber(delta: delta)
        case ("binary-cross-entropy", 1): loss = .binaryCrossEntropy
        case ("cross-entropy", 1): loss = .crossEntropy
        default: return nil
        }
    }
}

enum OptimizerName: String, ExpressibleByArgument {
    case sgd, nesterov, adagrad, rmsprop, adam, adamw, cocob
}

struct ScheduleName: ExpressibleByArgument {
    let schedule: Schedule

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        let value = parts.count == 2 ? Float(parts[1]) : nil
        switch (parts.first, value) {
        case ("constant", nil) where parts.count == 1: schedule = .constant
        case ("inverse-time", let decay?): schedule = .inverseTime(decay: decay)
        case ("inverse-sqrt", let decay?): schedule = .inverseSquareRoot(decay: decay)
        case ("exponential", let halfLife?): schedule = .exponential(halfLife: halfLife)
        default: return nil
        }
    }
}

struct Limit: ExpressibleByArgument {
    let value: Float?

    init?(argument: String) {
        if argument == "none" {
            value = nil
        } else {
            guard let number = Float(argument) else { return nil }
            value = number
        }
    }
}
