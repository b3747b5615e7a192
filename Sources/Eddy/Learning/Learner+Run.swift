// A run of samples: what does not depend on the weights prepared for many at once, then one call for each output.
//
// Samples become the networks' inputs (FeatureEncoder) and are scaled, once for all outputs; then each output learns and
// scores them. A run ends where a sample needs more inputs than the networks have; the next one begins with wider networks.
// Any split of a stream into runs gives the same bits.

import Backprop

extension Learner {
    /// Learns samples from `first` until one needs a head changed or is rejected, and returns the first not done.
    ///
    /// - Throws: ``SampleError`` where a network rejects sample `first`; nothing is changed then.
    func run(_ chunk: LabelledChunk, from first: Int, _ steps: inout ChunkSteps) throws(SampleError) -> Int {
        let isPlain = chunk.isPlain && encoder!.isPlain
        let smaller = isPlain ? nil : makeRoom(for: chunk.samples, first)
        let buffers = prepareBuffers()
        var count = takeTargets(chunk, first..<min(first + buffers.count, chunk.count), buffers)
        for output in outputs where output.head != nil {
            if let samples = output.head!.committee.prepareRun() { count = min(count, samples) }
            count = output.upToReaction(count)
        }
        let before = encoder!.mark()
        let labelled = isAlone ? UnsafePointer(outputs[0].buffers!.targets) : UnsafePointer(buffers.labelled)
        if !isPlain { count = encode(chunk.samples, first, count, labelled: labelled, buffers) }
        for output in outputs where output.head != nil { output.weigh(chunk.samples, first, count) }
        let done = chunk.samples.features.withUnsafeBufferPointer { features in
            let rows: SampleRows =
                encoder!.isSparse
                ? .lists(buffers.lists, from: 0)
                : .whole(
                    isPlain ? features.baseAddress! + first * chunk.samples.inputs : UnsafePointer(buffers.encoded),
                    inputs: inputs!)
            guard configuration.profile == .fast else {
                runCommittees(rows, count, labelled: labelled, buffers)
                return count
            }
            return runNetworks(rows, count, labelled: labelled, mayMiss: !isPlain && buffers.hasGaps, buffers)
        }
        if done == 0, let smaller {  // rejected, and so is what it needed
            shrink(to: smaller)
        } else if !isPlain, done < count {  // as if the rest had never been seen
            encoder!.rollBack(to: before)
            _ = encode(chunk.samples, first, done, labelled: labelled, buffers)
        }
        guard done > 0 else {
            throw SampleError(
                .notFinite, line: first + 1, expected: "a sample whose prediction, loss and gradient are finite",
                got: "one beyond; scale the features or lower the learning rate")
        }
        for (k, output) in outputs.enumerated() where output.head != nil {
            output.record(first, done, &steps.own[k])
            watch(chunk.samples, first, done, ofOutput: k, &steps.own[k])
        }
        return first + done
    }

    /// Memory for a run, for the inputs and for each output.
    private func prepareBuffers() -> RunSamples {
        let stride = encoder!.isSparse ? 0 : outputs.lazy.compactMap(\.network).first!.inputStride
        let widest = outputs.reduce(0) { max($0, $1.head?.network.outputs ?? 0) }
        // No more samples than stay in the cache, whatever the width.
        let count = min(256, max(1, 65_536 / (stride + widest)))
        if buffers?.serves(stride: stride, columns: encoder!.columns, count: count) != true {
            buffers = RunSamples(stride: stride, columns: encoder!.columns, count: count)
        }
        for output in outputs { output.prepareBuffers(count) }
        return buffers!
    }

    /// Takes the labels up to the first that some head has to be changed for; returns of how many samples.
    private func takeTargets(_ chunk: LabelledChunk, _ range: Range<Int>, _ buffers: RunSamples) -> Int {
        var end = range.upperBound
        if !chunk.fits { end = range.first { chunk.samples.isLabelled($0) } ?? end }
        for (k, output) in outputs.enumerated() {
            end = range.lowerBound + output.takeTargets(chunk.labels[k], range.lowerBound..<end)
        }
        let count = end - range.lowerBound
        guard !isAlone else { return count }
        for i in 0..<count {
            let isLabelled = outputs.contains { !($0.buffers!.targets[i].isNaN) }
            buffers.labelled[i] = isLabelled ? 0 : .nan
        }
        return count
    }

    // MARK: Committees

    /// Learns samples by committees, which reject nothing.
    private func runCommittees(
        _ rows: SampleRows, _ count: Int, labelled: UnsafePointer<Float>, _ buffers: RunSamples
    ) {
        let active = outputs.filter { $0.head != nil }
        let chunks = active.map { $0.committeeChunk(count, rows) }
        // Taken out, so that they are changed in place, without a look at each access.
        var heads = active.map { $0.head! }
        var scaler = scaler!
        for output in active { output.head = nil }
        self.scaler = nil
        buffers.begin()
        for head in heads { head.committee.beginRun(buffers) }
        for i in 0..<count {
            let sample = buffers.append(rows[i], isLabelled: !labelled[i].isNaN, &scaler)
            for k in heads.indices { heads[k].committee.prepare(i, sample, chunks[k], scaler) }
        }
        for k in heads.indices { heads[k].committee.finishRun(chunks[k]) }
        self.scaler = scaler
        for (output, head) in zip(active, heads) { output.head = head }
    }

    // MARK: Networks alone

    /// Learns samples by one network for each output, up to one that a network rejects; returns how many.
    private func runNetworks(
        _ rows: SampleRows, _ count: Int, labelled: UnsafePointer<Float>, mayMiss: Bool, _ buffers: RunSamples
    ) -> Int {
        scaler?.mark()
        switch rows {
        case .whole(let values, _): scaleRows(values, count, labelled: labelled, mayMiss: mayMiss, buffers)
        case .lists: scaleLists(rows, count, labelled: labelled, buffers)
        }
        let done = isAlone ? outputs[0].learnByNetwork(count, buffers) : learnByNetworks(count, buffers)
        if done < count {
            // As if the rest had never been seen: the statistics again, of the samples done.
            scaler?.rollBack()
            for i in 0..<done where !labelled[i].isNaN { scaler?.update(rows[i]) }
        }
        for output in outputs where output.head != nil { output.learnTargets(done) }
        return done
    }

    /// Lets the networks of several outputs learn samples, up to one that a network rejects; returns how many.
    private func learnByNetworks(_ count: Int, _ buffers: RunSamples) -> Int {
        let active = outputs.filter { $0.head != nil }
        // Where one network rejects a sample, the others must not have learned it: they learn as copies.
        let originals = active.map { $0.replaceNetworkByCopy() }
        let learned = active.map { $0.learnByNetwork(count, buffers) }
        let done = learned.min()!
        for (k, output) in active.enumerated() where learned[k] > done {
            output.head!.committee.racers[0].network = originals[k]
            guard done > 0 else { continue }
            let again = originals[k].run(output.buffers!.chunk(done, buffers))
            precondition(again == done, "a network takes what it took before")
        }
        return done
    }

    /// Writes whole rows as the networks see them, and learns the scale of labelled ones. Shape: (count, inputs).
    private func scaleRows(
        _ features: UnsafePointer<Float>, _ count: Int, labelled: UnsafePointer<Float>, mayMiss: Bool,
        _ buffers: RunSamples
    ) {
        guard scaler == nil else {
            scaler!.standardise(
                features, count, labels: labelled, into: buffers.inputs, stride: buffers.stride, mayMiss: mayMiss)
            return
        }
        let inputs = inputs!
        for i in 0..<count {
            for j in 0..<inputs {
                let x = features[i * inputs + j]
                buffers.inputs[i * buffers.stride + j] = x.isNaN ? 0 : x
            }
        }
    }

    /// The same of lists.
    private func scaleLists(
        _ rows: SampleRows, _ count: Int, labelled: UnsafePointer<Float>, _ buffers: RunSamples
    ) {
        buffers.scaledLists.removeAll()
        for i in 0..<count {
            let row = rows[i]
            let scaled = buffers.scaledLists.append(like: row)
            guard scaler == nil else {
                if !labelled[i].isNaN { scaler!.update(row) }
                scaler!.scale(list: row, into: scaled)
                continue
            }
            for k in 0..<row.count { scaled[k] = row.values[k].isNaN ? 0 : row.values[k] }
        }
    }
}

// MARK: - One output

extension LearnerOutput {
    fileprivate func prepareBuffers(_ count: Int) {
        let outputs = head?.network.outputs ?? 0
        if buffers?.count != count || buffers?.outputs != outputs {
            buffers = OutputBuffers(count: count, outputs: outputs)
        }
    }

    /// Takes the labels up to the first that asks for a change of the head; returns how many.
    fileprivate func takeTargets(_ labels: Labels, _ range: Range<Int>) -> Int {
        let targets = buffers!.targets
        guard let head else {
            for (i, place) in range.enumerated() {
                guard case .none = labels[place] else { return i }
                targets[i] = .nan
            }
            return range.count
        }
        return head.targets(of: labels, range, into: targets)
    }

    /// Takes the samples' importance, times what the balance of classes asks for.
    fileprivate func weigh(_ chunk: SampleChunk, _ first: Int, _ count: Int) {
        let buffers = buffers!
        let isBalanced = configuration.balance && task == .classification
        buffers.areWeighted = isBalanced || !chunk.weights.isEmpty
        guard buffers.areWeighted else { return }
        for i in 0..<count { buffers.weights[i] = chunk.weights.isEmpty ? 1 : chunk.weights[first + i] }
        if isBalanced { balance(count, buffers) }
    }

    fileprivate func committeeChunk(_ count: Int, _ rows: SampleRows) -> CommitteeChunk {
        let buffers = buffers!
        let isRegression = task == .regression
        return CommitteeChunk(
            count: count, rows: rows, targets: UnsafePointer(buffers.targets),
            weights: buffers.areWeighted ? UnsafePointer(buffers.weights) : nil,
            balances: configuration.balance && !isRegression ? UnsafePointer(buffers.balances) : nil,
            classes: isRegression ? 0 : max(2, classes.count), predictions: buffers.predictions,
            losses: buffers.losses)
    }

    /// Puts a copy in the place of the network alone; returns the original.
    fileprivate func replaceNetworkByCopy() -> Network {
        let original = head!.network
        do throws(ArchitectureError) {
            let copy = try original.widened(to: original.inputs)
            copy.rateFactor = original.rateFactor
            head!.committee.racers[0].network = copy
        } catch { preconditionFailure("a network that is there cannot be copied: \(error)") }
        return original
    }

    /// Whether targets are standardised for the network.
    private var scalesTargets: Bool { head!.committee.isAlone && configuration.scaling && task == .regression }

    /// Lets the network learn samples, up to one that it rejects; returns how many.
    fileprivate func learnByNetwork(_ count: Int, _ samples: RunSamples) -> Int {
        scaleTargets(count)
        return head!.network.run(buffers!.chunk(count, samples))
    }

    /// Keeps the targets as values and scales them, each by the statistics of those before it.
    private func scaleTargets(_ count: Int) {
        guard scalesTargets else { return }
        let buffers = buffers!
        var moments = head!.targets
        for i in 0..<count {
            let value = buffers.targets[i]
            buffers.values[i] = value
            buffers.offsets[i] = moments.mean
            buffers.scales[i] = moments.scale
            buffers.targets[i] = Float((Double(value) - moments.mean) / moments.scale)
            if !value.isNaN { moments.update(Double(value)) }
        }
    }

    /// Takes the values of samples that are done into the statistics.
    fileprivate func learnTargets(_ done: Int) {
        guard scalesTargets else { return }
        for i in 0..<done where !buffers!.values[i].isNaN { head!.targets.update(Double(buffers!.values[i])) }
    }

    /// Writes a run into the steps, and scores it.
    fileprivate func record(_ first: Int, _ done: Int, _ steps: inout StepChunk) {
        let (buffers, head, scalesTargets) = (buffers!, head!, scalesTargets)
        let before = metrics.learned
        let losses = buffers.losses
        steps.withPlaces(first..<first + done) { predictions, probabilities, stepLosses, targets in
            switch head.task {
            case .classification:
                let outputs = head.network.outputs
                let known = head.classes.names.count
                for i in 0..<done {
                    let row = buffers.predictions + i * outputs
                    LearnerOutput.leaveOutReserve(row, outputs: outputs, known: known)
                    let (index, probability) = LearnerOutput.likeliest(row, outputs: outputs, known: known)
                    predictions[i] = Float(index)
                    probabilities[i] = probability
                }
                unseen?.write(predictions, probabilities, buffers.predictions, outputs: outputs)
                targets.update(from: buffers.targets, count: done)
                metrics.scoreClasses(
                    done, targets: targets, predictions: predictions, losses: losses,
                    probabilities: buffers.predictions, outputs: outputs)
            case .regression:
                for i in 0..<done {
                    predictions[i] = buffers.predictions[i]
                    if scalesTargets {
                        let scale = buffers.scales[i]
                        predictions[i] = Float.clamped(Double(predictions[i]) * scale + buffers.offsets[i])
                        losses[i] = Float.clamped(Double(losses[i]) * scale * scale)
                    }
                }
                unseen?.write(predictions)
                targets.update(from: scalesTargets ? buffers.values : buffers.targets, count: done)
                metrics.scoreValues(done, targets: targets, predictions: predictions, losses: losses)
            }
            stepLosses.update(from: losses, count: done)
        }
        steps.learned += Int(metrics.learned - before)
        unseen = nil
    }

    /// The likeliest of the classes that are known, and its probability.
    @inline(__always)
    private static func likeliest(
        _ p: UnsafePointer<Float>, outputs: Int, known: Int
    ) -> (index: Int, probability: Float) {
        if outputs == 1 {
            let q = min(max(p[0], 0), 1)  // squared error's outputs may leave [0, 1]
            return q > 0.5 && known > 1 ? (1, q) : (0, 1 - q)
        }
        var best = 0
        for k in 1..<max(known, 1) where p[k] > p[best] { best = k }
        return (best, p[best])
    }
}

extension StepChunk {
    /// Calls `body` with the places of samples: predictions, probabilities, losses, targets. Shapes: (range).
    fileprivate mutating func withPlaces(
        _ range: Range<Int>,
        _ body: (
            UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>,
            UnsafeMutablePointer<Float>
        ) -> Void
    ) {
        precondition(range.upperBound <= count, "samples \(range) of \(count)")
        predictions.withUnsafeMutableBufferPointer { predictions in
            probabilities.withUnsafeMutableBufferPointer { probabilities in
                losses.withUnsafeMutableBufferPointer { losses in
                    targets.withUnsafeMutableBufferPointer { targets in
                        body(
                            predictions.baseAddress! + range.lowerBound, probabilities.baseAddress! + range.lowerBound,
                            losses.baseAddress! + range.lowerBound, targets.baseAddress! + range.lowerBound)
                    }
                }
            }
        }
    }

    mutating func reject(_ index: Int, _ error: SampleError) { rejections.append((index, error)) }
}
