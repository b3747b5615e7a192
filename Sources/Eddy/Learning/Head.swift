// The head: what the labels are, and which output each belongs to.
//
// A stream does not say beforehand what its labels are. The first decides: text, or a whole number
// from −1 to 31, means classes; any other number means regression. A class that was never seen
// gets an output; a number that cannot be a class turns a numeric classification into
// regression. Both happen once the sample has been predicted (UnseenAnswer.swift), and before its loss is taken.

import Backprop

/// The classes found so far.
struct ClassTable: Sendable, Hashable, Codable {
    private(set) var names: [String] = []
    private var indices: [String: Int] = [:]
    /// Whether every name is a number, so that the labels could still turn out to be a regression's.
    private(set) var isNumeric = true
    /// The index of each whole number from −1 to 31, −1 where it is no class.
    private var small = [Int32](repeating: -1, count: 33)

    init(_ names: [String] = []) {
        for name in names { append(name) }
    }

    mutating func append(_ name: String) {
        indices[name] = names.count
        if let number = Float(name), ClassTable.name(of: number) == name {
            if let slot = ClassTable.slot(number) { small[slot] = Int32(names.count) }
        } else {
            isNumeric = false
        }
        names.append(name)
    }

    @inline(__always)
    func index(of number: Float) -> Int? {
        if let slot = ClassTable.slot(number) {
            let index = small[slot]
            return index >= 0 ? Int(index) : nil
        }
        return indices[ClassTable.name(of: number)]
    }

    func index(of name: String) -> Int? { indices[name] }

    /// Whether a table read from a file can be one.
    var isSound: Bool {
        small.count == 33 && small.allSatisfy { $0 < names.count } && indices.count == names.count
            && indices.values.allSatisfy { names.indices.contains($0) }
    }

    /// A number as a class's name: 3, not 3.0.
    static func name(of number: Float) -> String {
        number == number.rounded() && abs(number) < 1e7 ? String(Int(number)) : "\(number)"
    }

    /// Whether a number may begin a classification.
    static func isClassLike(_ number: Float) -> Bool { slot(number) != nil }

    @inline(__always)
    private static func slot(_ number: Float) -> Int? {
        guard number >= -1, number <= 31 else { return nil }
        let whole = Int(number)
        return Float(whole) == number ? whole + 1 : nil
    }
}

/// The task, its classes, and the networks whose outputs they are. A value, so that a change can be taken back.
struct Head {
    var task: LearningTask
    var classes: ClassTable
    var committee: Committee
    var targets = RunningMoments()

    /// The network to be shown: the one alone, or the one that leads.
    var network: Network { committee.leader }
}

/// What a label asks of the head.
enum LabelMeaning {
    /// A class index or a value; NaN for no label.
    case target(Float)
    case newClass(String)
    /// A number that is no class, in a classification that was numeric so far.
    case regression
    case rejected(SampleError.Code, expected: String, got: String)
}

extension Head {
    @inline(__always)
    func meaning(of label: Label, configuration: Configuration) -> LabelMeaning {
        switch (label, task) {
        case (.none, _): return .target(.nan)
        case (.number(let value), .regression): return .target(value)
        case (.text(let name), .regression):
            return .rejected(.label, expected: "a number, since the task is regression", got: name)
        case (.text(let name), .classification):
            if let index = classes.index(of: name) { return .target(Float(index)) }
            return unseen(name, configuration)
        case (.number(let value), .classification):
            if let index = classes.index(of: value) { return .target(Float(index)) }
            let fits = ClassTable.isClassLike(value) || !classes.isNumeric
            if !fits, configuration.task == nil, configuration.classes == nil, configuration.outputs == nil {
                return .regression
            }
            return unseen(ClassTable.name(of: value), configuration)
        }
    }

    /// The targets of labels up to the first that asks for something else; returns how many those are.
    ///
    /// - Parameter targets: class indices or values; NaN for no label. Shape: (range).
    func targets(of labels: Labels, _ range: Range<Int>, into targets: UnsafeMutablePointer<Float>) -> Int {
        labels.numbers.withUnsafeBufferPointer { numbers in
            for (i, place) in range.enumerated() {
                if !labels.areNumbers, let name = labels.names[place] {
                    guard task == .classification, let index = classes.index(of: name) else { return i }
                    targets[i] = Float(index)
                } else if task == .regression || numbers[place].isNaN {
                    targets[i] = numbers[place]
                } else {
                    guard let index = classes.index(of: numbers[place]) else { return i }
                    targets[i] = Float(index)
                }
            }
            return range.count
        }
    }

    private func unseen(_ name: String, _ configuration: Configuration) -> LabelMeaning {
        let room = configuration.classes?.count ?? fixedOutputs(configuration) ?? configuration.classLimit
        if classes.names.count < room { return .newClass(name) }
        let known = classes.names.prefix(12).joined(separator: ", ") + (classes.names.count > 12 ? ", …" : "")
        return .rejected(.label, expected: "one of the \(classes.names.count) classes \(known)", got: name)
    }

    /// The classes that a fixed number of outputs has room for.
    private func fixedOutputs(_ configuration: Configuration) -> Int? {
        if network.loss != .crossEntropy { return 2 }
        return configuration.outputs
    }

    /// Gives a new class its output: the one in reserve, begun anew from the seed. Where outputs are not fixed, another
    /// takes its place in reserve.
    mutating func addClass(_ name: String, configuration: Configuration) throws(ArchitectureError) {
        let index = classes.names.count
        classes.append(name)
        guard network.loss == .crossEntropy else { return }
        let outputs = configuration.classes == nil && configuration.outputs == nil ? max(2, index + 2) : network.outputs
        try committee.replaceHead(outputs: outputs, loss: network.loss, keepingOutputs: true)
        committee.reinitializeOutput(index)
    }

    /// Turns a numeric classification into regression: a new output, and target statistics from the classes counted.
    mutating func becomeRegression(_ metrics: Metrics, configuration: Configuration) throws(ArchitectureError) {
        if committee.isAlone {
            try committee.replaceHead(outputs: 1, loss: configuration.loss(for: .regression), keepingOutputs: false)
        } else {
            let columns = committee.isSparse ? committee.others!.columns : nil
            committee = try Committee(
                task: .regression, inputs: network.inputs, outputs: 1, seed: configuration.seed, columns: columns)
        }
        for (name, count) in zip(classes.names, metrics.classCounts) {
            targets.update(Double(Float(name) ?? 0), times: Double(count))
        }
        task = .regression
        classes = ClassTable()
    }
}

extension Configuration {
    /// The head for a stream of `inputs` features whose first label is this one, not none.
    ///
    /// - Parameter columns: the inputs before a list's terms, where samples are lists; nil for whole rows.
    func head(inputs: Int, firstLabel: Label, columns: Int? = nil) throws(ArchitectureError) -> Head {
        let task: LearningTask
        var known = classes ?? []
        switch (self.task, firstLabel) {
        case (let given?, _): task = given
        case (nil, .none), (nil, .text): task = .classification
        case (nil, .number(let value)):
            task = classes != nil || ClassTable.isClassLike(value) ? .classification : .regression
        }
        let loss = loss(for: task)
        if task == .classification, classes == nil { known = impliedClasses(firstLabel, loss) }
        let outputs =
            switch (task, loss) {
            case (.classification, .crossEntropy): self.outputs ?? classes?.count ?? 2
            default: 1
            }
        if profile == .best {
            return Head(
                task: task, classes: ClassTable(known),
                committee: try Committee(
                    task: task, inputs: inputs, outputs: outputs, seed: seed, columns: columns))
        }
        let network = try network(inputs: inputs, outputs: outputs, loss: loss)
        if let initialParameters {
            guard initialParameters.count == network.parameterCount else {
                let widths = [inputs] + network.layers.map(\.outputs)
                throw ArchitectureError(
                    "\(initialParameters.count) initial weights for \(network.parameterCount) parameters "
                        + "(\(widths.map(String.init).joined(separator: "-")))")
            }
            network.flatParameters = initialParameters
        }
        return Head(task: task, classes: ClassTable(known), committee: Committee(network))
    }

    /// The one network that the settings describe, as it is before the first sample.
    func network(inputs: Int, outputs: Int, loss: Loss) throws(ArchitectureError) -> Network {
        let network = try Network(
            inputs: inputs, layers: hiddenLayers + [Layer.dense(outputs, outputActivation)], loss: loss,
            optimizer: optimizer, initialization: initialization, seed: seed)
        network.arithmetic = arithmetic
        return network
    }

    /// Classes that the first label and a fixed number of outputs imply, so that output k is class k.
    private func impliedClasses(_ label: Label, _ loss: Loss) -> [String] {
        let pairs = [["0", "1"], ["-1", "1"], ["false", "true"]]
        let name: String
        switch label {
        case .none: return []
        case .text(let text): name = text
        case .number(let value): name = ClassTable.name(of: value)
        }
        if loss != .crossEntropy { return pairs.first { $0.contains(name) } ?? [] }
        if let outputs, let index = Int(name), (0..<outputs).contains(index) { return (0..<outputs).map { String($0) } }
        return []
    }
}
