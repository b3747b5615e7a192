// The steps of a chunk while it is learned: each output's own, and those of the stream.
//
// Where one figure is asked for, a sample's loss is the mean over the outputs that had a label. Losses of classes are in
// nats and those of values in squared units, so that a mean of both orders runs of one stream and says little else; each
// output's own steps stand beside it.

/// Steps by output; of one output these are the stream's.
struct ChunkSteps {
    /// Shape: (outputs).
    var own: [StepChunk]
    /// The stream's, where there are several outputs.
    private var whole: StepChunk?

    /// - Parameters:
    ///   - stepsBefore: of the stream.
    ///   - count: samples in the chunk.
    init(_ outputs: [LearnerOutput], stepsBefore: UInt64, count: Int) {
        own = outputs.map { StepChunk(stepsBefore: $0.step, count: count) }
        if outputs.count > 1 { whole = StepChunk(stepsBefore: stepsBefore, count: count) }
    }

    mutating func reject(_ index: Int, _ error: SampleError) {
        for output in own.indices { own[output].reject(index, error) }
        whole?.reject(index, error)
    }

    /// Notes that the task of an output has changed with a sample.
    mutating func begin(task index: Int, ofOutput output: Int) {
        own[output].taskBegin = index
        whole?.taskBegin = index
    }

    /// Computes and returns the mean losses of samples that all outputs have learned; NaN where there was no label. With
    /// one output it does nothing.
    mutating func join(_ range: Range<Int>) -> ArraySlice<Float> {
        guard whole != nil else { return [] }
        for i in range {
            var (sum, count) = (0.0, 0)
            for steps in own where !steps.losses[i].isNaN {
                sum += Double(steps.losses[i])
                count += 1
            }
            guard count > 0 else { continue }
            whole!.losses[i] = Float.clamped(sum / Double(count))
            whole!.learned += 1
        }
        return whole!.losses[range]
    }

    /// The steps of the whole chunk.
    func finished(_ outputs: [LearnerOutput]) -> StepChunk {
        var own = own
        for (k, output) in outputs.enumerated() {
            own[k].task = output.task
            if !output.classes.isEmpty { own[k].classes = output.classes }
        }
        guard var steps = whole else { return own[0] }
        let first = own[0]
        (steps.predictions, steps.probabilities) = (first.predictions, first.probabilities)
        (steps.targets, steps.classes, steps.task) = (first.targets, first.classes, first.task)
        steps.drifts = zip(outputs, own).enumerated().flatMap { k, part in
            // Columns are the same for all: the first tells of theirs.
            part.1.drifts.filter { k == 0 || $0.watched != .feature }.map { alarm in
                var alarm = alarm
                alarm.step = steps.step(ofLearned: alarm.step - part.1.stepsBefore, in: part.1)
                if alarm.watched != .feature { alarm.output = part.0.name }
                return alarm
            }
        }.sorted { $0.step < $1.step }
        steps.outputs = zip(outputs, own).map { ($0.name, $1) }
        return steps
    }
}

extension StepChunk {
    /// The step of the sample that was the `number`th, from 1, that an output learned.
    fileprivate func step(ofLearned number: UInt64, in own: StepChunk) -> UInt64 {
        var (step, left) = (stepsBefore, number)
        for i in 0..<count {
            if !losses[i].isNaN { step += 1 }
            if !own.losses[i].isNaN { left -= 1 }
            if left == 0 { break }
        }
        return step
    }

    /// Each sample's step: how many were learned up to it. Shape: (count).
    var numbers: [UInt64] {
        var step = stepsBefore
        return losses.map { loss in
            if !loss.isNaN { step += 1 }
            return step
        }
    }

    /// What was predicted of a sample for each output, nil where nothing was; of one output, one.
    public func predictions(at index: Int) -> [Prediction?] {
        outputs.isEmpty ? [prediction(at: index)] : outputs.map { $0.steps.prediction(at: index) }
    }
}

extension Metrics {
    /// Takes in losses alone; NaN where there is none.
    mutating func score(_ losses: ArraySlice<Float>) {
        let count = losses.count
        let zeros = losses.map { $0.isNaN ? Float.nan : 0 }
        losses.withUnsafeBufferPointer { losses in
            zeros.withUnsafeBufferPointer { zeros in
                guard let losses = losses.baseAddress, let zeros = zeros.baseAddress else { return }
                scoreValues(count, targets: zeros, predictions: zeros, losses: losses)
            }
        }
    }
}
