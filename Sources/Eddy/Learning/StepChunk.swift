// What came of a chunk of samples.

/// The steps of a chunk: a prediction and a loss for each sample, from before it was learned.
///
/// A prediction is made before the label is looked at, so a class that has not been seen cannot be predicted. Of the very
/// first sample nothing can be said: it has a target and a loss, and no prediction.
///
/// All arrays run along the chunk's samples.
public struct StepChunk: Sendable {
    /// Learned samples before this chunk; the first one learned here is step `stepsBefore + 1`.
    public let stepsBefore: UInt64
    /// The value, or the index of the class; NaN where nothing was predicted: the sample was rejected, or nothing was
    /// known yet. The sample that turns classification into regression has no prediction either.
    public internal(set) var predictions: [Float] = []
    /// The predicted class's probability among the classes known before the sample; NaN for regression and where nothing
    /// was predicted.
    public internal(set) var probabilities: [Float] = []
    /// Nats, or squared units of the target; NaN where the sample was not learned. The loss of a class that was never seen
    /// is that of an evaluation with this class added, after the prediction was made.
    public internal(set) var losses: [Float] = []
    /// What was right: the value, or the index of the class; NaN where the sample was not learned.
    public internal(set) var targets: [Float] = []
    /// Samples that the learner did not take, by index, and why. They changed nothing.
    public internal(set) var rejections: [(index: Int, error: SampleError)] = []
    /// The names of the classes.
    public internal(set) var classes: [String] = []
    /// Changes that were found in the stream.
    public internal(set) var drifts: [DriftAlarm] = []
    /// Samples learned.
    public internal(set) var learned = 0
    /// The first sample of the present task: above 0 where classification turned into regression in this chunk.
    public internal(set) var taskBegin = 0
    /// What the samples from ``taskBegin`` on are predicted as; nil where nothing is known yet.
    public internal(set) var task: LearningTask?

    /// For several outputs, each one's own steps, by name; else empty. Beside them the losses here are means over the
    /// outputs that had a label, and predictions, probabilities and targets are the first output's.
    public internal(set) var outputs: [(name: String, steps: StepChunk)] = []

    /// Steps of `count` samples, none of them taken yet.
    init(stepsBefore: UInt64, count: Int) {
        self.stepsBefore = stepsBefore
        predictions = Array(repeating: .nan, count: count)
        probabilities = predictions
        losses = predictions
        targets = predictions
    }

    public var count: Int { losses.count }
    /// Samples that had no label: predicted, or waiting for it where nothing had been learned yet.
    public var predicted: Int { count - learned - rejections.count }

    /// The mean loss of the samples learned, or nil where there were none.
    public var meanLoss: Double? {
        guard learned > 0 else { return nil }
        return losses.reduce(0) { $1.isNaN ? $0 : $0 + Double($1) } / Double(learned)
    }

    /// What a sample is predicted as, and its target is of; for several outputs, that of the first. Nil where nothing was
    /// known yet.
    public func task(at index: Int) -> LearningTask? {
        if let first = outputs.first { return first.steps.task(at: index) }
        return index < taskBegin ? .classification : task
    }

    /// How wrong each prediction was: 0 for the right class and 1 for another or none, or the absolute error in the
    /// target's units; NaN where the sample was not learned, or no value was predicted.
    ///
    /// For several outputs, the mean over those that have one.
    public var errors: [Float] {
        guard outputs.isEmpty else {
            let errors = outputs.map(\.steps.errors)
            return (0..<count).map { i in
                let known = errors.map { $0[i] }.filter { !$0.isNaN }
                return known.isEmpty ? .nan : known.reduce(0, +) / Float(known.count)
            }
        }
        return (0..<count).map { i in
            if targets[i].isNaN { return .nan }
            if task(at: i) == .classification { return predictions[i] == targets[i] ? 0 : 1 }
            return Float(abs(Double(predictions[i]) - Double(targets[i])))
        }
    }

    /// Samples learned from sample `first` on.
    func countLearned(from first: Int) -> Int { countLearned(in: first..<count) }

    func countLearned(in range: Range<Int>) -> Int { losses[range].reduce(0) { $1.isNaN ? $0 : $0 + 1 } }

    /// What was predicted for one sample; nil where nothing was.
    public func prediction(at index: Int) -> Prediction? {
        guard !predictions[index].isNaN else { return nil }
        guard task(at: index) == .classification else { return .value(predictions[index]) }
        return .class(classes[Int(predictions[index])], probability: probabilities[index])
    }
}

/// What a learner says of a sample.
public enum Prediction: Sendable, Hashable {
    /// A regression's value, in the target's units.
    case value(Float)
    /// The likeliest class and its probability.
    case `class`(String, probability: Float)
}

extension Prediction {
    /// 1 for a wrong class and 0 for a right one, or the absolute error; nil where the target is none or of another kind.
    func error(target: Float, classes: [String]) -> Double? {
        guard !target.isNaN else { return nil }
        switch self {
        case .value(let value): return classes.isEmpty ? abs(Double(value) - Double(target)) : nil
        case .class(let name, _):
            guard target >= 0, Int(target) < classes.count else { return nil }
            return classes[Int(target)] == name ? 0 : 1
        }
    }
}
