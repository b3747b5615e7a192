// Several learners on one stream, and one answer.
//
// Nobody knows beforehand which width, step size or optimizer suits a stream, nor whether old samples still tell the
// truth in it. So a few small networks that differ in these are raced beside experts that need fewer samples
// (neighbours, counts, least squares, trees); each learns every sample, some networks learn past samples too, and the answer is
// their vote, weighted by how well each has done of late. It is the answer to tuning and to unlucky initial weights alike,
// and costs a few microseconds a sample.
//
// The composition was chosen on streams of many kinds (README, "What learns") and is the same for all but streams of many
// terms: there, linear networks and counts of words learn most from few samples, and what needs whole rows
// (neighbours, trees, least squares) sees the columns alone.

import Backprop

/// A network of a committee.
struct Racer {
    let name: String
    var network: Network
    let rehearsal: Rehearsal
}

/// What a network learns besides each sample.
struct Rehearsal: Hashable {
    /// The memory it learns from; nil where it learns each sample once.
    var memory: ReplayMemory.Kind?
    /// Samples learned again after each.
    var replays = 0

    static let none = Rehearsal()
}

/// Networks and other experts raced on one stream. A value, so that a change of the head can be taken back; its memories
/// are shared by copies.
struct Committee {
    var racers: [Racer]
    var others: Others?
    let seed: UInt64
    var buffers: CommitteeRun?

    /// Everything but networks.
    struct Others {
        /// Inputs of a whole row, or the columns before a list's terms: what all but networks and `terms` see.
        let columns: Int
        /// Whether samples are lists of the inputs that they have.
        let isSparse: Bool
        var reservoir: ReplayMemory
        var recent: ReplayMemory
        var neighbours: NearestNeighbours?
        var bayes: NaiveBayes?
        var terms: TermBayes?
        /// Classes' shares, or values.
        var leastSquares: LeastSquares?
        /// Of values whose level wanders, slowly and fast.
        var levels: [LeastSquares] = []
        var forest: Forest?
        /// Of classes.
        var logistic: LogisticRegression?
        var classVote: ClassVote
        var valueVote: ValueVote
        var values = ValueScale()
        /// The newest samples of which some are learned again: older ones were found not to hold any longer.
        var replayLimit = Int.max
        /// The index of the network that is shown.
        var leader = 0
        let task: LearningTask
    }

    /// One network alone: the profile `fast`.
    init(_ network: Network) {
        racers = [Racer(name: "network", network: network, rehearsal: .none)]
        seed = network.seed
    }

    var isAlone: Bool { others == nil }

    /// The network to be shown: the one whose word weighs most, or did until another's weighed half as much again.
    var leader: Network { racers[others?.leader ?? 0].network }

    /// What each expert's word weighs, networks first; they sum to 1. Shape: (experts).
    var weights: [Float] {
        guard let others else { return [1] }
        return others.task == .classification ? others.classVote.weights : others.valueVote.weights
    }

    /// What the experts are called, in the order of their weights.
    var names: [String] { racers.map(\.name) + (others?.names ?? []) }

    /// Names and weights; empty where one network answers alone.
    var votes: [(name: String, weight: Float)] { isAlone ? [] : Array(zip(names, weights)) }

    /// Whether samples are lists of the inputs that they have.
    var isSparse: Bool { others?.isSparse ?? false }

    /// Multiplications of one sample, about: what a chunk's length is chosen by.
    ///
    /// - Parameter inputs: that a sample has.
    func work(inputs: Int) -> Int {
        racers.reduce(0) { sum, racer in
            let network = racer.network
            let absent = (network.inputs - inputs) * network.layers[0].outputs
            return sum + (network.parameterCount - absent) * (1 + racer.rehearsal.replays)
        } + (others?.neighbours == nil ? 0 : 1000 * others!.columns)
    }
}

extension Committee.Others {
    var names: [String] {
        var names: [String] = []
        if neighbours != nil { names += ["10 nearest of 1,000", "7 nearest of 250"] }
        if bayes != nil { names.append("naive Bayes") }
        if terms != nil { names.append("naive Bayes of terms") }
        if leastSquares != nil { names.append("least squares") }
        if !levels.isEmpty { names += ["slow level", "fast level"] }
        if forest != nil { names.append("forest") }
        if logistic != nil { names.append("logistic regression") }
        return names
    }

    var count: Int {
        (neighbours == nil ? 0 : 2) + (bayes == nil ? 0 : 1) + (terms == nil ? 0 : 1) + (leastSquares == nil ? 0 : 1)
            + levels.count + (forest == nil ? 0 : 1) + (logistic == nil ? 0 : 1)
    }
}

// MARK: - The composition

extension Committee {
    /// The committee for a stream that nobody has seen before.
    ///
    /// - Parameter columns: the inputs before a list's terms, where samples are lists; nil for whole rows.
    init(
        task: LearningTask, inputs: Int, outputs: Int, seed: UInt64, columns: Int? = nil
    ) throws(ArchitectureError) {
        self.seed = seed
        racers = []
        for plan in Committee.plans(task, inputs: inputs, isSparse: columns != nil) {
            let network = try plan.network(
                task, inputs: inputs, outputs: outputs, seed: seed &+ UInt64(racers.count) &* 0x9E37_79B9)
            racers.append(Racer(name: plan.name, network: network, rehearsal: plan.rehearsal))
        }
        others = Others(
            task: task, inputs: columns ?? inputs, outputs: outputs, racers: racers.count, isSparse: columns != nil)
    }

    private struct Plan {
        /// nil for a linear network.
        var hidden: Layer?
        var optimizer: Optimizer
        var rehearsal = Rehearsal.none

        var name: String {
            "\(hidden.map { "\($0.outputs) \($0.activation.rawValue)" } ?? "linear"), \(optimizer), \(rehearsal)"
        }

        func network(
            _ task: LearningTask, inputs: Int, outputs: Int, seed: UInt64
        ) throws(ArchitectureError) -> Network {
            try Network(
                inputs: inputs, layers: [hidden, .dense(outputs)].compactMap { $0 },
                loss: task == .classification ? .crossEntropy : .huber(delta: 1), optimizer: optimizer,
                initialization: hidden == nil ? .zeros : .automatic, seed: seed)
        }
    }

    private static func plans(_ task: LearningTask, inputs: Int, isSparse: Bool) -> [Plan] {
        // Fewer samples again where each costs much: what a sample costs stays within some tens of microseconds.
        let replays = isSparse ? 2 : inputs <= 128 ? 4 : inputs <= 512 ? 1 : 0
        let old = Rehearsal(memory: replays > 0 ? .reservoir : nil, replays: replays)
        let new = Rehearsal(memory: replays > 0 ? .recent : nil, replays: replays)
        if isSparse {
            // A step on a value moves the answer by rate · ‖x‖², which must stay below 2; a class's share is bounded.
            let rate: Float = task == .classification ? 0.5 : 0.02
            return [
                Plan(optimizer: .sgd(rate, clip: 4)),
                // In the place where it stands among whole rows, as it goes on from there, with the seed of the place.
                Plan(hidden: .dense(32, .relu), optimizer: .adam(0.005, clip: 4), rehearsal: old),
                Plan(hidden: .dense(32, .tanh), optimizer: .adaGrad(0.05, clip: 4), rehearsal: old),
                Plan(optimizer: .adaGrad(0.3, clip: 4)),
            ]
        }
        return [
            Plan(hidden: .dense(32, .tanh), optimizer: .sgd(0.05, clip: 4), rehearsal: old),
            Plan(hidden: .dense(32, .relu), optimizer: .adam(0.005, clip: 4), rehearsal: old),
            Plan(hidden: .dense(32, .relu), optimizer: .adam(0.005, clip: 4), rehearsal: new),
            Plan(hidden: .dense(32, .relu), optimizer: .sgd(0.1, clip: 4)),
        ]
    }
}

extension Rehearsal: CustomStringConvertible {
    var description: String {
        switch memory {
        case nil: "no replay"
        case .reservoir: "\(replays) replayed of all"
        case .recent: "\(replays) replayed of the newest"
        }
    }
}

extension Committee.Others {
    init(task: LearningTask, inputs: Int, outputs: Int, racers: Int, isSparse: Bool) {
        self.task = task
        self.isSparse = isSparse
        columns = inputs
        reservoir = ReplayMemory(.reservoir, inputs: inputs, isSparse: isSparse)
        recent = ReplayMemory(.recent, inputs: inputs, isSparse: isSparse)
        let isValue = task == .regression
        if (1...1024).contains(inputs) {
            neighbours = NearestNeighbours(inputs: inputs, capacity: recent.capacity)
            if !isValue {
                bayes = NaiveBayes(inputs: inputs)
                logistic = LogisticRegression(inputs: inputs)
            }
            forest = Forest(inputs: inputs, capacity: recent.capacity, isValue: isValue)
        }
        if isSparse, !isValue { terms = TermBayes(classes: outputs) }
        if inputs <= LeastSquares.inputLimit, inputs > 0 || isValue {
            leastSquares = LeastSquares(inputs: inputs, outputs: outputs, isFree: isValue)
            if isValue, inputs <= LeastSquares.furtherLimit {
                levels = [0.1, 2].map {
                    LeastSquares(inputs: inputs, outputs: 1, forgetting: 0.999, wandering: $0, isFree: true)
                }
            }
        }
        (classVote, valueVote) = (ClassVote(experts: 0), ValueVote(experts: 0))
        let experts = racers + count
        (classVote, valueVote) = (ClassVote(experts: experts), ValueVote(experts: experts))
    }
}

// MARK: - Changes of shape

extension Committee {
    /// The same with other outputs; see ``Network/replacingHead(outputs:loss:keepingOutputs:)``.
    mutating func replaceHead(outputs: Int, loss: Loss, keepingOutputs: Bool) throws(ArchitectureError) {
        for i in racers.indices {
            racers[i].network = try racers[i].network.replacingHead(
                outputs: outputs, loss: loss, keepingOutputs: keepingOutputs)
        }
        let known = others?.leastSquares?.outputs ?? 0
        others?.leastSquares?.add(outputs: outputs - known)
    }

    func reinitializeOutput(_ output: Int) {
        for racer in racers { racer.network.reinitializeOutput(output) }
    }
}

extension Committee {
    /// The same committee for samples with more features, which were 0 so far.
    mutating func widen(to inputs: Int) throws(ArchitectureError) {
        var wider = self
        // What is replayed depends on the width alone, so that a loaded committee is the one that was saved.
        if let others {
            for (i, plan) in Committee.plans(others.task, inputs: inputs, isSparse: others.isSparse).enumerated() {
                wider.racers[i] = Racer(name: plan.name, network: racers[i].network, rehearsal: plan.rehearsal)
            }
        }
        for i in racers.indices { wider.racers[i].network = try racers[i].network.widened(to: inputs) }
        if !isSparse { wider.others?.widen(to: inputs, racers: racers.count) }
        self = wider
    }

    /// The most numbers that networks and counts keep for lists of terms: 256 MB.
    static let numberLimit = 1 << 26

    /// Inputs of every network.
    var inputs: Int { racers[0].network.inputs }

    /// Numbers that networks and counts keep for one more input of a list.
    ///
    /// - Parameter outputs: that there are to be, where these are more than now.
    func numbersPerInput(outputs: Int = 0) -> Int {
        racers.reduce(max(others?.terms?.stride ?? 0, others?.terms == nil ? 0 : outputs)) {
            sum, racer in
            let layers = racer.network.layers
            let units = layers.count == 1 ? max(layers[0].outputs, outputs) : layers[0].outputs
            return sum + units * (1 + racer.network.stateBlocks)
        }
    }

    /// Numbers that a copy takes, but for the memories' few.
    var size: Int { racers.reduce(0) { $0 + $1.network.parameterCount * (1 + $1.network.stateBlocks) } }
}

extension Committee.Others {
    fileprivate mutating func widen(to inputs: Int, racers: Int) {
        var other = Committee.Others(task: task, inputs: inputs, outputs: 1, racers: racers, isSparse: false)
        other.reservoir = reservoir.widened(to: inputs)
        other.recent = recent.widened(to: inputs)
        other.neighbours?.restore(other.recent)
        other.bayes = other.bayes == nil ? nil : bayes?.widened(to: inputs)
        other.logistic = other.logistic == nil ? nil : logistic?.widened(to: inputs)
        if other.forest != nil, let forest { other.forest!.take(over: forest) }
        other.leastSquares = leastSquares?.widened(to: inputs)
        other.levels = other.levels.isEmpty ? [] : levels.compactMap { $0.widened(to: inputs) }
        (other.values, other.leader) = (values, leader)
        if other.count == count {  // else some have fallen silent: the others are weighed anew
            (other.classVote, other.valueVote) = (classVote, valueVote)
        }
        self = other
    }
}
