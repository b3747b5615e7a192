// The steps of several outputs as those of one stream.
//
// Where one figure is asked for, a sample's loss is the mean over the outputs that had a label. Losses of classes are in
// nats and those of values in squared units, so that a mean of both orders runs of one stream and says little else; each
// output's own steps stand beside it.

/// Steps of several outputs, gathered block by block.
struct JointRun {
    private var whole: StepChunk
    private var own: [StepChunk]
    /// The first sample of the present tasks.
    var taskBegin = 0

    init(stepsBefore: UInt64, stepsBeforeOf own: [UInt64], count: Int) {
        whole = StepChunk(stepsBefore: stepsBefore, count: count)
        self.own = own.map { StepChunk(stepsBefore: $0, count: count) }
    }

    /// The mean losses. Shape: (count).
    var losses: [Float] { whole.losses }

    mutating func reject(_ index: Int, _ error: SampleError) {
        whole.reject(index, error)
        for output in own.indices { own[output].reject(index, error) }
    }

    /// Notes that an output's task has changed with a sample.
    mutating func begin(task index: Int, ofOutput output: Int) {
        own[output].taskBegin = index
        taskBegin = index
    }

    /// Takes in the steps of a block in which nothing was rejected; nil of an output that knew nothing.
    mutating func append(_ steps: [StepChunk?], _ range: Range<Int>) {
        for (output, part) in steps.enumerated() {
            guard let part else { continue }
            own[output].predictions.replaceSubrange(range, with: part.predictions)
            own[output].probabilities.replaceSubrange(range, with: part.probabilities)
            own[output].losses.replaceSubrange(range, with: part.losses)
            own[output].targets.replaceSubrange(range, with: part.targets)
            own[output].drifts += part.drifts
            own[output].learned += part.learned
            if !part.classes.isEmpty { own[output].classes = part.classes }
        }
        for i in range {
            var (sum, count) = (0.0, 0)
            for part in own where !part.losses[i].isNaN {
                sum += Double(part.losses[i])
                count += 1
            }
            guard count > 0 else { continue }
            whole.losses[i] = Float.clamped(sum / Double(count))
            whole.learned += 1
        }
    }

    func finished(names: [String]) -> StepChunk {
        var steps = whole
        let first = own[0]
        (steps.predictions, steps.probabilities) = (first.predictions, first.probabilities)
        (steps.targets, steps.classes) = (first.targets, first.classes)
        steps.taskBegin = taskBegin
        steps.drifts = zip(names, own).enumerated().flatMap { output, part in
            // Columns are the same for all: the first tells of theirs.
            part.1.drifts.filter { output == 0 || $0.watched != .feature }.map { alarm in
                var alarm = alarm
                alarm.step = whole.step(ofLearned: alarm.step - part.1.stepsBefore, in: part.1)
                if alarm.watched != .feature { alarm.output = part.0 }
                return alarm
            }
        }.sorted { $0.step < $1.step }
        steps.outputs = zip(names, own).map { ($0, $1) }
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
