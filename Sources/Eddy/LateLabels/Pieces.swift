// Chunks and steps, one behind the other: what went through a learner in pieces is answered as a whole.
//
// Chunks are cut where a late label's fate decides what comes next (LateSamples.swift). Whoever sent the chunk need not
// know: the pieces and their steps are put together again.

extension SampleChunk {
    /// Appends samples with as many inputs, without their ids.
    mutating func append(contentsOf other: SampleChunk) {
        let before = count
        features += other.features
        if !weights.isEmpty || !other.weights.isEmpty {
            if weights.isEmpty { weights = Array(repeating: 1, count: before) }
            weights += other.weights.isEmpty ? Array(repeating: 1, count: other.count) : other.weights
        }
        let terms = self.terms.keys.count
        if self.terms.ends.isEmpty, !other.terms.isEmpty { self.terms.ends = Array(repeating: 0, count: before) }
        self.terms.keys += other.terms.keys
        self.terms.values += other.terms.values
        if !other.terms.isEmpty {
            self.terms.ends += other.terms.ends.map { terms + $0 }
        } else if terms > 0 {
            self.terms.ends += repeatElement(terms, count: other.count)
        }
        self.terms.names.merge(other.terms.names) { $1 }
        for label in other.labels { labels.append(label) }
        guard outputs > 1 || other.outputs > 1 else { return }
        for output in furtherLabels.indices {
            for index in 0..<other.count { furtherLabels[output].append(other.label(index, ofOutput: output + 1)) }
        }
        while outputs < other.outputs {
            furtherLabels.append(
                Labels(Array(repeating: .none, count: before) + Array(other.furtherLabels[outputs - 1])))
        }
    }
}

extension DecodedChunk {
    /// Appends what came behind it, with as many inputs.
    mutating func append(contentsOf other: DecodedChunk) {
        let before = samples.count
        if before == 0 {
            samples = other.samples
        } else if !other.samples.isEmpty {
            samples.append(contentsOf: other.samples)
            for (index, id) in other.samples.identifiers { samples.identifiers[before + index] = id }
        }
        lines += other.lines
        events += other.events.map { DecodedEvent(index: before + $0.index, line: $0.line, kind: $0.kind) }
    }
}

extension StepChunk {
    /// Appends the steps that a learner took next.
    mutating func append(contentsOf other: StepChunk) {
        let before = count
        if other.taskBegin > 0 || task == .classification && other.task == .regression {
            taskBegin = before + other.taskBegin
        }
        task = other.task ?? task
        predictions += other.predictions
        probabilities += other.probabilities
        losses += other.losses
        targets += other.targets
        for (index, error) in other.rejections {
            var error = error
            error.line += before
            rejections.append((before + index, error))
        }
        if !other.classes.isEmpty { classes = other.classes }
        drifts += other.drifts
        learned += other.learned
        if outputs.isEmpty {  // those before had none
            outputs = other.outputs.map { name, steps in
                var none = StepChunk(stepsBefore: steps.stepsBefore, count: before)
                none.rejections = rejections.filter { $0.index < before }
                return (name, none)
            }
        }
        for (output, part) in other.outputs.enumerated() { outputs[output].steps.append(contentsOf: part.steps) }
    }
}
