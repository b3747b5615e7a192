// What is said of a sample whose label asks for another head, before that label is looked at.
//
// Predict, score, learn: the head must not know of a class before its first sample was predicted. So such a sample is first
// asked about as if it had no label, with the head as it is, and that is its prediction. Then the head changes and the
// sample is evaluated once more, with one class added, which gives its loss, and is learned. Nothing is asked twice
// otherwise: labels that change the head are as rare as classes.
//
// Probabilities are those of the classes that are known. An output in reserve takes its share of a softmax, so it is left
// out of what is told and scored, and the others are divided by their sum. Losses are of the whole softmax.

/// A prediction made without the label, for a sample whose label then changed the head.
struct UnseenAnswer {
    /// The class's index, or NaN where there is no prediction.
    var prediction: Float = .nan
    var probability: Float = .nan
    /// Of the classes known; of one output that of class 1. Empty where there is no prediction.
    var probabilities: [Float] = []

    /// Nothing was known, or only what is of another kind.
    static let none = UnseenAnswer()

    /// Puts the answer in the place of a run's first sample. Shapes: (count), (count), (count, outputs).
    ///
    /// Classes that are new have probability 0.
    func write(
        _ predictions: UnsafeMutablePointer<Float>, _ told: UnsafeMutablePointer<Float>,
        _ rows: UnsafeMutablePointer<Float>, outputs: Int
    ) {
        predictions[0] = prediction
        told[0] = probability
        for k in 0..<outputs { rows[k] = k < probabilities.count ? probabilities[k] : 0 }
    }

    /// The same of values, of which nothing was known.
    func write(_ predictions: UnsafeMutablePointer<Float>) { predictions[0] = .nan }
}

extension Learner {
    /// Predicts a sample without its labels, for each output whose head a label is about to change, and keeps the answer.
    ///
    /// There is no prediction before an output's first label. There is none either where a label turns classes into
    /// values, since a class does not predict a value.
    func answer(withoutLabels chunk: LabelledChunk, _ index: Int) {
        let meanings = zip(outputs, chunk.labels).map { output, labels -> LabelMeaning? in
            guard let head = output.head else { return labels[index] == .none ? nil : .regression }
            return head.meaning(of: labels[index], configuration: output.configuration)
        }
        let isNewClass = meanings.map { if case .newClass = $0 { true } else { false } }
        // Without labels nothing is learned.
        let steps = isNewClass.contains(true) ? learn(chunk.samples[index..<index + 1].withoutLabels()) : nil
        for (k, output) in outputs.enumerated() {
            if case .regression = meanings[k] { output.unseen = UnseenAnswer.none }
            guard isNewClass[k], let steps else { continue }
            output.unseen = output.answer(steps.outputs.isEmpty ? steps : steps.outputs[k].steps)
        }
    }
}

extension LearnerOutput {
    /// What the newest run, of one sample, has said.
    fileprivate func answer(_ steps: StepChunk) -> UnseenAnswer {
        guard let buffers, !steps.predictions[0].isNaN else { return .none }
        return UnseenAnswer(
            prediction: steps.predictions[0], probability: steps.probabilities[0],
            probabilities: Array(UnsafeBufferPointer(start: buffers.predictions, count: buffers.outputs)))
    }

    /// Takes outputs in reserve out of a sample's probabilities. Shape: (outputs); one output alone is class 1's.
    @inline(__always)
    static func leaveOutReserve(_ p: UnsafeMutablePointer<Float>, outputs: Int, known: Int) {
        guard outputs > 1 else {
            if known < 2 { p[0] = 0 }
            return
        }
        var (sum, rest): (Float, Float) = (0, 0)
        for k in stride(from: known, to: outputs, by: 1) {
            rest += p[k]
            p[k] = 0
        }
        guard rest > 0 else { return }  // the bits stay where nothing was in reserve
        for k in 0..<known { sum += p[k] }
        for k in 0..<known { p[k] = sum > 0 ? p[k] / sum : 1 / Float(known) }
    }
}
