// What a learner does once the stream has changed. Each reaction is small and does one thing; which are taken is the
// configuration's.
//
// All come when a step that 64 divides has been learned. What lasts for a while (raised steps, replays
// of nothing old) is a function of the samples learned since, so that it needs no state but the step at which it began.

import Backprop

extension LearnerOutput {
    /// The samples for which a raised step lasts.
    private static let recovery: UInt64 = 512

    /// As many of the samples as may be learned before a reaction can come; the networks' pace is set for them.
    func upToReaction(_ count: Int) -> Int {
        guard drift.isOn else { return count }
        let reactions = configuration.driftReactions
        let since = drift.samplesSinceReaction(at: step) ?? .max
        if reactions.contains(.raiseStep) {
            // 2, 1 7/8, 1 3/4, … 1: exact in a Float.
            let recovery = LearnerOutput.recovery
            head!.committee.setRateFactor(2 - Float(min(since, recovery)) / Float(recovery))
        }
        if reactions.contains(.forgetMemory) {
            head!.committee.others?.replayLimit = Int(min(since, 1 << 32)) + Committee.keptSamples
        }
        return upToMultiple(of: DriftWatch.period, count)
    }

    /// As many of the samples as bring the step to the next multiple of a period, and no more.
    private func upToMultiple(of period: UInt64, _ count: Int) -> Int {
        var room = period - step % period
        for i in 0..<count where !buffers!.targets[i].isNaN {
            room -= 1
            if room == 0 { return i + 1 }
        }
        return count
    }
}

extension Learner {
    /// Looks for drift in the samples of a run, and reacts to what was found where it is time.
    ///
    /// Several outputs watch the same columns, each at the samples that it learned; the first tells of what it finds there.
    func watch(_ chunk: SampleChunk, _ first: Int, _ done: Int, ofOutput place: Int, _ steps: inout StepChunk) {
        let output = outputs[place]
        guard output.drift.isOn, let task = output.task else { return }
        let known = steps.drifts.count
        let columns =
            output.drift.watchesFeatures && encoder!.columns <= DriftDetection.columnLimit ? encoder!.columns : 0
        let names = columns > 0 ? expectedSchema?.inputs ?? [] : []
        var step = steps.stepsBefore + UInt64(steps.learned - steps.countLearned(in: first..<first + done))
        let before = step
        chunk.features.withUnsafeBufferPointer { features in
            for i in first..<first + done where !steps.targets[i].isNaN {
                step += 1
                let error =
                    task == .classification
                    ? (steps.predictions[i] == steps.targets[i] ? 0 : 1)
                    : abs(Double(steps.predictions[i]) - Double(steps.targets[i]))
                output.drift.update(
                    error: error, loss: Double(steps.losses[i]), of: task, step: step, into: &steps.drifts)
                if columns > 0 {
                    output.drift.update(
                        features: features.baseAddress! + i * chunk.inputs, count: columns, names: names, step: step,
                        into: &steps.drifts)
                }
            }
        }
        for alarm in steps.drifts[known...] where place == 0 || alarm.watched != .feature {
            onDiscovery?(told(alarm.description, of: output))
        }
        if step > before, output.drift.takeReaction(after: step) { react(output) }
    }

    private func react(_ output: LearnerOutput) {
        let reactions = configuration.driftReactions
        if reactions.contains(.forgetMemory) { output.head!.committee.forgetMemory() }
        if reactions.contains(.restartWeakest) { output.head!.committee.restartWeakest() }
        if reactions.contains(.forgetScaler) {
            scaler?.forget(keeping: 100)
            output.head!.targets.forget(keeping: 100)
        }
    }
}

extension Committee {
    /// Samples from before an alarm that may be of the new kind: about as many as an alarm takes.
    fileprivate static let keptSamples = 50

    /// Old samples are learned again no more.
    fileprivate func forgetMemory() {
        others?.reservoir.forget(keeping: others!.recent, newest: Committee.keptSamples)
    }

    /// The network whose word weighs least begins anew.
    fileprivate func restartWeakest() {
        let weights = weights[..<racers.count]
        guard let weakest = weights.indices.min(by: { weights[$0] < weights[$1] }) else { return }
        racers[weakest].network.reinitialize()
    }

    fileprivate func setRateFactor(_ factor: Float) {
        for racer in racers { racer.network.rateFactor = factor }
    }
}

extension FeatureScaler {
    /// Lets the moments count as those of fewer samples; their values stay.
    fileprivate mutating func forget(keeping kept: Double) {
        guard count > kept else { return }
        weigh(by: kept / count)
    }
}

extension RunningMoments {
    fileprivate mutating func forget(keeping kept: Double) {
        if count > kept { weigh(by: kept / count) }
    }
}
