// A sample, its label, and the flat chunk in which samples travel.

/// What a sample should have been.
public enum Label: Sendable, Hashable {
    /// The sample is predicted and not learned.
    case none
    /// A number: a regression target, or a class that is written as a whole number.
    case number(Float)
    /// The name of a class.
    case text(String)
}

extension Label: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral
{
    public init(floatLiteral value: Float) { self = .number(value) }
    public init(integerLiteral value: Int) { self = .number(Float(value)) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(booleanLiteral value: Bool) { self = .text(value ? "true" : "false") }
}

/// One sample, for those who make them one at a time.
///
///     let sample = Sample([5.1, 3.5, 1.4, 0.2], label: "setosa")
public struct Sample: Sendable, Hashable {
    /// Shape: (inputs). Finite, or NaN where one is missing.
    public var features: [Float]
    /// What there is beside the columns.
    public var terms: [Term]
    public var label: Label
    /// What else is to be predicted of the sample, where a stream has several outputs; each is learned for itself.
    public var furtherLabels: [Label]
    /// Importance: scales the sample's update. Finite, at least 0.
    public var weight: Float
    /// The sender's own name for the sample; it comes back in `json` replies.
    public var id: String?

    public init(
        _ features: [Float] = [], label: Label = .none, furtherLabels: [Label] = [], weight: Float = 1,
        id: String? = nil, terms: [Term] = []
    ) {
        self.features = features
        self.terms = terms
        self.label = label
        self.furtherLabels = furtherLabels
        self.weight = weight
        self.id = id
    }
}

/// Samples in flat arrays: what decoders make, what travels, and what learners loop over.
///
/// Moving a sample between tasks costs more than learning from it, so they move by the chunk. A chunk
/// is transport only: learning updates after every sample, and any split into chunks gives equal bits.
///
///     var chunk = SampleChunk(inputs: 2)
///     try chunk.append(Sample([0.5, -1], label: 1))
public struct SampleChunk: Sendable {
    /// Features a sample.
    public let inputs: Int
    /// Shape: (count, inputs), row-major; finite, or NaN where one is missing.
    public internal(set) var features: [Float] = []
    /// What samples have beside their columns.
    public internal(set) var terms = Terms()
    /// Shape: (count).
    public internal(set) var labels = Labels()
    /// The labels of outputs beyond the first, a column each; empty where samples have one label or none.
    /// Shape: (outputs − 1, count).
    public internal(set) var furtherLabels: [Labels] = []
    /// Shape: (count), or empty where every weight is 1.
    public internal(set) var weights: [Float] = []
    /// Index in the chunk → the sender's id, for samples that have one.
    public internal(set) var identifiers: [Int: String] = [:]

    public init(inputs: Int) { self.inputs = inputs }

    /// - Throws: ``SampleError`` at the first sample that does not fit.
    public init(_ samples: some Collection<Sample>) throws(SampleError) {
        self.init(inputs: samples.first?.features.count ?? 0)
        for sample in samples { try append(sample) }
    }

    public var count: Int { labels.count }
    public var isEmpty: Bool { labels.isEmpty }
    /// The labels that a sample may have, at least 1.
    public var outputs: Int { 1 + furtherLabels.count }
    /// The most labels that a sample may have.
    public static let outputLimit = 16

    /// - Throws: ``SampleError`` where the number of features or of labels differs or a number is infinite; the chunk is
    ///   unchanged.
    public mutating func append(_ sample: Sample) throws(SampleError) {
        guard sample.features.count == inputs else {
            throw SampleError(
                line: count + 1, expected: "\(inputs) features", got: "\(sample.features.count) features")
        }
        for (j, feature) in sample.features.enumerated() where feature.isInfinite {
            throw SampleError(line: count + 1, column: j + 1, expected: "finite number", got: "\(feature)")
        }
        for term in sample.terms where !term.value.isFinite {
            throw SampleError(line: count + 1, field: term.name, expected: "finite number", got: "\(term.value)")
        }
        for label in [sample.label] + sample.furtherLabels {
            if case .number(let value) = label, !value.isFinite {
                throw SampleError(line: count + 1, field: "label", expected: "finite number", got: "\(value)")
            }
        }
        guard sample.weight.isFinite, sample.weight >= 0 else {
            throw SampleError(
                line: count + 1, field: "weight", expected: "number, at least 0", got: "\(sample.weight)")
        }
        let given = 1 + sample.furtherLabels.count
        let isOpen = given <= SampleChunk.outputLimit && !(0..<count).contains(where: isLabelled)
        guard given == outputs || given > outputs && isOpen || given == 1 && sample.label == .none else {
            throw SampleError(
                line: count + 1, field: "label", expected: outputs == 1 ? "one label" : "\(outputs) labels",
                got: "\(given)")
        }
        widen(outputs: given)
        features.append(contentsOf: sample.features)
        for term in sample.terms where term.value != 0 {
            let key = Terms.key(of: term.name)
            terms.keys.append(key)
            terms.values.append(term.value)
            terms.names[key] = term.name
        }
        finish(label: sample.label, weight: sample.weight, id: sample.id)
        for (output, label) in sample.furtherLabels.enumerated() { setLabel(label, ofOutput: output + 1) }
    }

    /// Makes room for the labels of so many outputs; samples so far have none for those that are new.
    mutating func widen(outputs: Int) {
        while self.outputs < outputs {
            furtherLabels.append(Labels(numbers: Array(repeating: .nan, count: count)))
        }
    }

    /// Gives the newest sample, which had none, the label of an output.
    mutating func setLabel(_ label: Label, ofOutput output: Int) {
        if output == 0 { labels[count - 1] = label } else { furtherLabels[output - 1][count - 1] = label }
    }

    /// The label of a sample for an output; none where samples do not have so many.
    public func label(_ index: Int, ofOutput output: Int) -> Label {
        output == 0 ? labels[index] : output < outputs ? furtherLabels[output - 1][index] : .none
    }

    /// Whether a sample has a label for any output.
    public func isLabelled(_ index: Int) -> Bool {
        labels[index] != .none || furtherLabels.contains { $0[index] != .none }
    }

    /// Begins anew with another number of inputs; what its decoder has told of names stays.
    mutating func restart(inputs: Int) {
        let names = terms.names
        self = SampleChunk(inputs: inputs)
        terms.names = names
    }

    /// Completes a row whose features and terms are already in place.
    @inline(__always)
    mutating func finish(label: Label, weight: Float = 1, id: String? = nil) {
        if weight != 1 || !weights.isEmpty {
            if weights.isEmpty { weights = Array(repeating: 1, count: labels.count) }
            weights.append(weight)
        }
        if let id { identifiers[labels.count] = id }
        terms.finish(labels.count)
        labels.append(label)
        if !furtherLabels.isEmpty { finishFurther() }
    }

    @inline(never)
    private mutating func finishFurther() {
        for output in furtherLabels.indices { furtherLabels[output].append(.none) }
    }

    /// Whether samples have columns alone, and none of these is missing.
    var isPlain: Bool { terms.isEmpty && !SampleChunk.anyMissing(features) }

    /// Whether a number is NaN, sixteen looked at a time: x − x is 0 for all that are finite.
    private static func anyMissing(_ features: [Float]) -> Bool {
        features.withUnsafeBytes { bytes in
            var sum = SIMD16<Float>()
            var rest: Float = 0
            let whole = features.count / 16 * 64
            for offset in stride(from: 0, to: whole, by: 64) {
                let lanes = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
                sum += lanes - lanes
            }
            for feature in features[(features.count / 16 * 16)...] { rest += feature - feature }
            return !(sum.sum() + rest == 0)
        }
    }

    /// The same samples, to be predicted and not learned; without ids, so that they wait for no label either.
    public func withoutLabels() -> SampleChunk {
        var chunk = self
        chunk.identifiers = [:]
        chunk.labels = Labels(numbers: Array(repeating: .nan, count: count))
        chunk.furtherLabels = []
        return chunk
    }

    /// Samples `range` as a chunk of their own.
    public subscript(range: Range<Int>) -> SampleChunk {
        var part = SampleChunk(inputs: inputs)
        part.features = Array(features[range.lowerBound * inputs..<range.upperBound * inputs])
        part.terms = terms[range]
        part.labels = Labels(labels[range])
        part.furtherLabels = furtherLabels.map { Labels($0[range]) }
        if !weights.isEmpty { part.weights = Array(weights[range]) }
        for (index, id) in identifiers where range.contains(index) { part.identifiers[index - range.lowerBound] = id }
        return part
    }
}
