// A run of samples: what does not depend on the weights prepared for many at once, then one call.
//
// Samples become the network's inputs (FeatureEncoder), are scaled, learned and scored. A run ends where a sample needs
// more inputs than the network has; the next one begins with a wider network. Any split of a stream into runs gives the
// same bits.

import Backprop

extension Learner {
    /// Learns samples from `first` until one needs the head changed or is rejected, and returns the first not done:
    /// `first` itself where the network rejected it.
    ///
    /// - Parameter isPlain: whether the chunk has columns alone, none of them missing.
    func run(_ chunk: SampleChunk, isPlain: Bool, from first: Int, _ steps: inout StepChunk) -> Int {
        let isPlain = isPlain && encoder!.isPlain
        let smaller = isPlain ? nil : makeRoom(for: chunk, first)
        let network = head!.network
        if buffers?.serves(network, isSparse: encoder!.isSparse) != true {
            buffers = RunBuffers(network, isSparse: encoder!.isSparse)
        }
        let buffers = buffers!
        let last = min(first + buffers.count, chunk.count)
        let known = head!.targets(of: chunk.labels, first..<last, into: buffers.targets)
        var count = upToReaction(head!.committee.isAlone ? known : min(known, head!.committee.prepareRun()), buffers)
        let before = encoder!.mark()
        if !isPlain { count = encode(chunk, first, count, buffers) }
        let isBalanced = configuration.balance && task == .classification
        buffers.areWeighted = isBalanced || !chunk.weights.isEmpty
        if buffers.areWeighted {
            for i in 0..<count { buffers.weights[i] = chunk.weights.isEmpty ? 1 : chunk.weights[first + i] }
        }
        if isBalanced { balance(count, buffers) }
        return chunk.features.withUnsafeBufferPointer { features in
            let inputs = head!.network.inputs
            let rows: SampleRows =
                encoder!.isSparse
                ? .lists(buffers.lists, from: 0)
                : .whole(
                    isPlain ? features.baseAddress! + first * chunk.inputs : UnsafePointer(buffers.encoded),
                    inputs: inputs)
            let done =
                head!.committee.isAlone
                ? runNetwork(chunk, rows, isPlain, first, count, buffers, &steps)
                : runCommittee(chunk, rows, first, count, buffers, &steps)
            if done == first, let smaller {  // rejected, and so is what it needed
                (head, encoder, scaler) = (smaller.head, smaller.encoder, smaller.scaler)
                discoveries = []
            } else if !isPlain, done < first + count {  // as if the rest had never been seen
                encoder!.rollBack(to: before)
                _ = encode(chunk, first, done - first, buffers)
            }
            return done
        }
    }

    // MARK: One network

    private func runNetwork(
        _ chunk: SampleChunk, _ rows: SampleRows, _ isPlain: Bool, _ first: Int, _ count: Int,
        _ buffers: RunBuffers, _ steps: inout StepChunk
    ) -> Int {
        let head = head!
        let network = head.network
        let scalesTargets = configuration.scaling && head.task == .regression
        scaler?.mark()
        switch rows {
        case .whole(let values, _):
            scaleRows(values, count, buffers, stride: network.inputStride, mayMiss: !isPlain && buffers.hasGaps)
        case .lists: scaleLists(rows, count, buffers)
        }
        var targets = head.targets
        if scalesTargets { buffers.scaleTargets(count, by: &targets) }

        let done = network.run(buffers.chunk(count))
        if done < count {
            // As if the rest had never been seen: the statistics again, of the samples done.
            scaler?.rollBack()
            targets = head.targets
            for i in 0..<done where !buffers.targets[i].isNaN {
                scaler?.update(rows[i])
                if scalesTargets { targets.update(Double(buffers.values[i])) }
            }
        }
        if scalesTargets { self.head!.targets = targets }
        record(first, done, head, scalesTargets, buffers, &steps)
        watch(chunk, first, done, &steps)
        return first + done
    }

    // MARK: A committee

    /// The same for a committee, which rejects nothing.
    private func runCommittee(
        _ chunk: SampleChunk, _ rows: SampleRows, _ first: Int, _ count: Int, _ buffers: RunBuffers,
        _ steps: inout StepChunk
    ) -> Int {
        let isRegression = task == .regression
        let done = head!.committee.run(
            CommitteeChunk(
                count: count, rows: rows, targets: UnsafePointer(buffers.targets),
                weights: buffers.areWeighted ? UnsafePointer(buffers.weights) : nil,
                balances: configuration.balance && !isRegression ? UnsafePointer(buffers.balances) : nil,
                classes: isRegression ? 0 : max(2, classes.count), predictions: buffers.predictions,
                losses: buffers.losses), scaler: &scaler!)
        record(first, done, head!, false, buffers, &steps)
        watch(chunk, first, done, &steps)
        return first + done
    }

    /// Writes whole rows as the network sees them, and learns the scale of labelled ones. Shape: (count, inputs).
    private func scaleRows(
        _ features: UnsafePointer<Float>, _ count: Int, _ buffers: RunBuffers, stride: Int, mayMiss: Bool
    ) {
        guard scaler == nil else {
            scaler!.standardise(
                features, count, labels: buffers.targets, into: buffers.inputs, stride: stride, mayMiss: mayMiss)
            return
        }
        let inputs = head!.network.inputs
        for i in 0..<count {
            for j in 0..<inputs {
                let x = features[i * inputs + j]
                buffers.inputs[i * stride + j] = x.isNaN ? 0 : x
            }
        }
    }

    /// The same of lists.
    private func scaleLists(_ rows: SampleRows, _ count: Int, _ buffers: RunBuffers) {
        buffers.scaledLists.removeAll()
        for i in 0..<count {
            let row = rows[i]
            let scaled = buffers.scaledLists.append(like: row)
            guard scaler == nil else {
                if !buffers.targets[i].isNaN { scaler!.update(row) }
                scaler!.scale(list: row, into: scaled)
                continue
            }
            for k in 0..<row.count { scaled[k] = row.values[k].isNaN ? 0 : row.values[k] }
        }
    }

    /// Writes a run into the steps, and scores it.
    private func record(
        _ first: Int, _ done: Int, _ head: Head, _ scalesTargets: Bool, _ buffers: RunBuffers, _ steps: inout StepChunk
    ) {
        guard done > 0 else { return }
        let before = metrics.learned
        let losses = buffers.losses
        steps.withPlaces(first..<first + done) { predictions, probabilities, stepLosses, targets in
            switch head.task {
            case .classification:
                let outputs = head.network.outputs
                let known = head.classes.names.count
                for i in 0..<done {
                    let (index, probability) = Learner.likeliest(
                        buffers.predictions + i * outputs, outputs: outputs, known: known)
                    predictions[i] = Float(index)
                    probabilities[i] = probability
                }
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
                targets.update(from: scalesTargets ? buffers.values : buffers.targets, count: done)
                metrics.scoreValues(done, targets: targets, predictions: predictions, losses: losses)
            }
            stepLosses.update(from: losses, count: done)
        }
        steps.learned += Int(metrics.learned - before)
    }
}

/// Flat buffers for a run of samples, kept from run to run.
final class RunBuffers {
    private let inputStride: Int  // of whole rows; 0 where samples are lists
    private let outputs: Int
    private let block: AlignedBuffer
    let inputs: UnsafeMutablePointer<Float>  // (count, inputStride)
    let targets: UnsafeMutablePointer<Float>  // (count), as the network sees them
    let values: UnsafeMutablePointer<Float>  // (count), as they came, for regression
    let weights: UnsafeMutablePointer<Float>  // (count)
    let balances: UnsafeMutablePointer<Float>  // (count), what of the weights is for the balance of classes
    let losses: UnsafeMutablePointer<Float>  // (count)
    let predictions: UnsafeMutablePointer<Float>  // (count, outputs)
    /// Samples that fit: no more than stay in the cache, whatever the width.
    let count: Int
    /// Whether a column is missing in one of the samples encoded.
    var hasGaps = false
    /// Whether not all weights are 1.
    var areWeighted = false
    private lazy var encodedBlock = AlignedBuffer(count: count * inputStride)
    /// Samples as lists, as they came, and as the network sees them.
    let lists = SparseBuffer()
    let scaledLists = SparseBuffer()
    /// The mean and deviation by which each target was scaled.
    let offsets: UnsafeMutablePointer<Double>
    let scales: UnsafeMutablePointer<Double>

    /// Samples as the network's inputs, not scaled yet, where they have more than columns. Shape: (count, inputs).
    var encoded: UnsafeMutablePointer<Float> { encodedBlock.floats }

    init(_ network: Network, isSparse: Bool) {
        inputStride = isSparse ? 0 : network.inputStride
        outputs = network.outputs
        count = min(256, max(1, 65_536 / (inputStride + outputs)))
        block = AlignedBuffer(count: count * (inputStride + 5 + outputs))
        inputs = block.floats
        targets = inputs + count * inputStride
        values = targets + count
        weights = values + count
        balances = weights + count
        losses = balances + count
        predictions = losses + count
        offsets = .allocate(capacity: count)
        scales = .allocate(capacity: count)
    }

    deinit {
        offsets.deallocate()
        scales.deallocate()
    }

    func serves(_ network: Network, isSparse: Bool) -> Bool {
        (isSparse ? 0 : network.inputStride) == inputStride && network.outputs == outputs
    }

    /// The first samples, as the network sees them.
    func chunk(_ count: Int) -> NetworkChunk {
        let weights = areWeighted ? UnsafePointer(weights) : nil
        return inputStride == 0
            ? NetworkChunk(
                count: count, sparse: scaledLists.rows(from: 0), targets: targets, weights: weights,
                predictions: predictions, losses: losses)
            : NetworkChunk(
                count: count, inputs: inputs, targets: targets, weights: weights, predictions: predictions,
                losses: losses)
    }
}

extension RunBuffers {
    /// Keeps the targets as values and scales them, each by the statistics of those before it.
    func scaleTargets(_ count: Int, by moments: inout RunningMoments) {
        for i in 0..<count {
            let value = targets[i]
            values[i] = value
            offsets[i] = moments.mean
            scales[i] = moments.scale
            targets[i] = Float((Double(value) - moments.mean) / moments.scale)
            if !value.isNaN { moments.update(Double(value)) }
        }
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
