// One sample, number by number: what `GET /explain` answers and `eddy explain` prints.
//
// Forward and backward come from a plain pass in Double; only the paths of one element need the graph, and that is
// why a network may have more parameters for the one than for the other. Weights are told in the shape in which
// people read them, (inputs, outputs), while elements keep the names of the graph, W1[unit,input]. Gradients are those
// of the loss itself, on the scaled target, before clipping and the sample's weight.

import Backprop

/// One sample's way forward through the network, and its error's way back.
///
///     let explanation = try frozen.explain([5.1, 3.5, 1.4, 0.2], label: "setosa", of: "W1[0,2]")
///     explanation.layers[0].gradient    // ∂loss/∂z of each unit of the first layer
///     explanation.paths?.paths.largest  // how the weight moves the loss
public struct Explanation: Sendable {
    public struct Sample: Sendable {
        /// nil for one that was not learned.
        public var step: UInt64?
        /// Shape: (columns).
        public var features: [Float]
        /// What it has beside its columns, by ascending input.
        public var terms: [(input: Int, value: Float)]
        /// As the network sees them. Shape: (inputs).
        public var scaled: [Float]
        public var label: Label
    }

    public struct Layer: Sendable {
        public var activation: Activation
        /// (inputs, outputs).
        public var shape: [Int]
        /// z = Wx + b. Shape: (outputs), as all here but the weights and their gradient.
        public var z: [Double]
        /// h = f(z).
        public var h: [Double]
        /// f′(z).
        public var derivative: [Double]
        /// ∂loss/∂h; nil without a label, as all gradients and shares.
        public var upstream: [Double]?
        /// ∂loss/∂z.
        public var gradient: [Double]?
        /// Each unit's share of the error, target − output, handed back in proportion to contributions. Not a gradient.
        public var errorShare: [Double]?
        /// How many units' errors were shared by magnitude, as their contributions had both signs.
        public var mixedSigns: Int?
        /// ‖(∂loss/∂W, ∂loss/∂b)‖.
        public var gradientNorm: Double?
        /// Shape: (inputs, outputs), row-major; nil where the explanation is truncated.
        public var weights: [Double]?
        public var bias: [Double]
        /// ∂loss/∂W. Shape: (inputs, outputs), row-major; nil where the explanation is truncated.
        public var weightGradient: [Double]?
        /// ∂loss/∂b.
        public var biasGradient: [Double]?
    }

    public struct Input: Sendable {
        /// ∂loss/∂x of the scaled features. Shape: (inputs).
        public var gradient: [Double]?
        /// Shape: (inputs).
        public var errorShare: [Double]?
    }

    /// The ways by which one element moves the loss.
    public struct ElementPaths: Sendable {
        /// The element's own value.
        public var value: Double
        public var paths: Paths
    }

    /// Samples learned so far: whose weights these are.
    public var step: UInt64
    public var sample: Sample
    /// The names of the inputs.
    public var inputs: [String]
    /// What each output stands for; `(reserve)` is for a class to come.
    public var outputs: [String]
    /// With the bits of ``LearningSession/predict(_:)``.
    public var prediction: Prediction
    /// Nats, or squared units of the scaled target; nil without a label.
    public var loss: Double?
    public var lossName: String
    /// The surprise of the label in bits; nil where the loss is no cross-entropy.
    public var bits: Double?
    /// Whether there are too many parameters to tell every weight.
    public var truncated: Bool
    public var layers: [Layer]
    public var input: Input
    /// nil where none were asked for, and without a label.
    public var paths: ElementPaths?

    /// The most parameters whose weights and gradients are told.
    public static let weightLimit = 4_000
    /// The most parameters of a network that is explained.
    public static let parameterLimit = 3_000_000
    /// The most parameters of a network in which paths are searched.
    public static let pathParameterLimit = 300_000
    /// The most paths listed.
    public static let pathLimit = 1_000
}

extension FrozenLearner {
    /// Explains one sample under the present weights.
    ///
    /// - Parameters:
    ///   - features: shape (columns).
    ///   - terms: what the sample has beside its columns, as ``SampleChunk/terms`` of a chunk of this sample alone; those
    ///     that the learner has no input for count for nothing.
    ///   - label: without one there is no loss, and nothing goes back.
    ///   - sampleStep: the sample's own step, where it was learned.
    ///   - element: whose paths to the loss are listed: `W1[0,2]` (layer, unit, input), `b1[0]`, `z1[3]`, `h1[3]`,
    ///     `x[2]`, `o[1]`, `loss`; a network of one layer has `W[0,2]`, `b[0]`, `z[0]`.
    ///   - pathLimit: how many are listed at most, 1 to 1,000.
    ///   - isBounded: whether to refuse what would take more than some 200 ms; if not, no limit holds.
    /// - Throws: ``QuestionError`` where the sample does not fit, there is no such element, or the network is too large.
    public func explain(
        _ features: [Float], terms: Terms = Terms(), label: Label = .none, sampleStep: UInt64? = nil,
        of element: String? = nil, pathLimit: Int = 50, isBounded: Bool = true
    ) throws(QuestionError) -> Explanation {
        guard !isBounded || parameterCount <= Explanation.parameterLimit else {
            throw QuestionError(
                expected: "a network of at most \(Explanation.parameterLimit) parameters", got: "\(parameterCount)")
        }
        let question = try question(features, terms: terms, label: label)
        let present = (columns..<inputs).filter { question.features[$0] != 0 }
        let pass = BackwardPass(self, features: question.scaled, target: question.target)
        let shares = question.target.map { errorShares(pass, $0) }
        let isTruncated = parameterCount > Explanation.weightLimit
        let layers = layers.indices.map { layer($0, pass, shares?[$0], isTruncated: isTruncated) }
        return Explanation(
            step: step,
            sample: .init(
                step: sampleStep, features: features, terms: present.map { ($0, question.features[$0]) },
                scaled: question.scaled, label: label),
            inputs: inputNames, outputs: outputNames, prediction: try prediction(features, terms), loss: pass.loss,
            lossName: loss.name,
            bits: loss.isCrossEntropy ? pass.loss.map { LossUnit.bits.from(nats: $0) } : nil,
            truncated: isTruncated, layers: layers,
            input: .init(
                gradient: question.target == nil ? nil : pass.inputGradient, errorShare: shares?.first?.sentBack),
            paths: try element.flatMap { element throws(QuestionError) in
                try paths(of: element, question, limit: pathLimit, isBounded: isBounded)
            })
    }

    private func prediction(_ features: [Float], _ terms: Terms) throws(QuestionError) -> Prediction {
        let steps = try thawed().learn(FrozenLearner.row(features, terms))  // without a label nothing is learned
        if let error = steps.rejections.first?.error { throw QuestionError(expected: error.expected, got: error.got) }
        return steps.prediction(at: 0)!
    }

    private func layer(
        _ l: Int, _ pass: BackwardPass, _ share: LayerShare?, isTruncated: Bool
    ) -> Explanation.Layer {
        var explained = Explanation.Layer(
            activation: layers[l].activation, shape: [widths[l], layers[l].outputs], z: pass.sums[l],
            h: pass.activations[l], derivative: pass.derivatives[l], bias: biases[l].map { Double($0) })
        if !isTruncated { explained.weights = weights[l].map { Double($0) } }
        guard let share else { return explained }
        let dz = pass.gradients[l]
        explained.upstream = pass.upstream[l]
        explained.gradient = dz
        explained.biasGradient = dz
        explained.gradientNorm = pass.gradientNorm(of: l)
        explained.errorShare = share.errors
        explained.mixedSigns = share.mixedSigns
        if !isTruncated {  // dW = x dzᵀ
            explained.weightGradient = pass.input(of: l).flatMap { x in dz.map { x * $0 + 0 } }
        }
        return explained
    }

    // MARK: Shares of the error

    /// The errors of a layer's units, and of the layer before.
    private struct LayerShare {
        var errors: [Double]
        var sentBack: [Double]
        var mixedSigns: Int
    }

    /// The proportional form in which backpropagation is first taught: each unit gets back the share of the error that
    /// it contributed. See `ErrorShare`.
    private func errorShares(_ pass: BackwardPass, _ target: Target) -> [LayerShare] {
        var errors: [Double]
        switch (loss, target) {
        case (.crossEntropy, .label(let label)):
            errors = Loss.softmax(pass.outputs).enumerated().map { ($0.offset == label ? 1 : 0) - $0.element }
        case (.binaryCrossEntropy, .values(let t)):
            errors = zip(t, pass.outputs).map { $0 - Activation.sigmoid($1) }
        case (_, .values(let t)): errors = zip(t, pass.outputs).map { $0 - $1 }
        case (_, .label): preconditionFailure("a class as the target of \(loss.name)")
        }
        var shares: [LayerShare] = []
        for l in layers.indices.reversed() {
            // The weights as (outputs, inputs).
            let (weights, outputs) = (weights[l], layers[l].outputs)
            let turned = (0..<outputs).flatMap { unit in
                stride(from: unit, to: weights.count, by: outputs).lazy.map { Double(weights[$0]) }
            }
            let share = ErrorShare(weights: turned, inputs: pass.input(of: l), errors: errors)
            let mixed = share.rules.filter { $0 == .mixedSigns }.count
            shares.insert(LayerShare(errors: errors, sentBack: share.sentBack, mixedSigns: mixed), at: 0)
            errors = share.sentBack
        }
        return shares
    }

    // MARK: Paths

    /// The paths from an element to the loss; nil without a label.
    private func paths(
        of name: String, _ question: Question, limit: Int, isBounded: Bool
    ) throws(QuestionError) -> Explanation.ElementPaths? {
        guard limit >= 1, !isBounded || limit <= Explanation.pathLimit else {
            throw QuestionError(expected: "1 to \(Explanation.pathLimit) paths", got: "\(limit)")
        }
        guard !isBounded || parameterCount <= Explanation.pathParameterLimit else {
            throw QuestionError(
                expected: "a network of at most \(Explanation.pathParameterLimit) parameters to search for paths",
                got: "\(parameterCount)")
        }
        let seen = NetworkGraph(
            features: question.scaled.map { Double($0) }, layers: layers, parameters: flatParameters.map { Double($0) },
            loss: loss, target: question.target)
        guard let (node, element) = self.element(name, in: seen) else {
            if name == "loss", question.target == nil { return nil }
            let last = (seen.weights + seen.biases + seen.sums + seen.activations + [seen.inputs]).map {
                seen.graph.name(of: $0, element: seen.graph.count(of: $0) - 1)
            }
            throw QuestionError(expected: "an element up to \(last.joined(separator: ", ")), or loss", got: name)
        }
        guard let loss = seen.loss else { return nil }
        return Explanation.ElementPaths(
            value: seen.graph[node, element],
            paths: seen.graph.paths(from: node, element: element, to: loss, limit: limit))
    }

    /// The element of a name: `W1[0,2]`, `b1[0]`, or the bare name of what has one element.
    private func element(_ name: String, in seen: NetworkGraph) -> (node: Graph.Node, element: Int)? {
        let parts = name.split(separator: "[", maxSplits: 1, omittingEmptySubsequences: false)
        guard let node = seen.graph.nodes.first(where: { seen.graph.name(of: $0) == parts[0] }) else { return nil }
        let count = seen.graph.count(of: node)
        guard parts.count == 2 else { return count == 1 ? (node, 0) : nil }
        guard parts[1].last == "]" else { return nil }
        let indices = parts[1].dropLast().split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        if let layer = seen.weights.firstIndex(of: node) {
            let inputs = widths[layer]
            guard indices.count == 2, let unit = indices[0], let input = indices[1],
                (0..<inputs).contains(input), (0..<count / inputs).contains(unit)
            else { return nil }
            return (node, unit * inputs + input)
        }
        guard indices.count == 1, let index = indices[0], (0..<count).contains(index) else { return nil }
        return (node, index)
    }
}
