// A run of samples through a committee.
//
// A run is prepared once, sample by sample: the sample comes scaled by what was known then (RunSamples), is answered by the
// experts that need no network, and followed by the samples that are learned again after it. Every network then takes the whole run in one
// call, and the votes are counted afterwards, sample by sample, with the weights of that moment. So nothing depends on how
// a stream was cut into chunks, and a sample costs no more calls alone than among many.

import Backprop

/// Samples for a committee, and where its answers go. The memory is the caller's.
struct CommitteeChunk {
    let count: Int
    /// As they came, NaN where one is missing.
    let rows: SampleRows
    /// Class indices, or values in the target's units; NaN for none. Shape: (count).
    let targets: UnsafePointer<Float>
    /// nil where all are 1. Shape: (count).
    let weights: UnsafePointer<Float>?
    /// What of them is for the balance of classes; nil where that is not asked for. Shape: (count).
    let balances: UnsafePointer<Float>?
    /// Classes that are known, at least 2; 0 for values.
    let classes: Int
    /// Probabilities, or values in the target's units. Shape: (count, outputs).
    let predictions: UnsafeMutablePointer<Float>
    /// Nats, or squared units; NaN where there was no label. Shape: (count).
    let losses: UnsafeMutablePointer<Float>
}

/// Samples in either form.
enum SampleRows {
    /// Shape: (count, inputs).
    case whole(UnsafePointer<Float>, inputs: Int)
    /// Those from one on.
    case lists(SparseBuffer, from: Int)

    @inline(__always)
    subscript(index: Int) -> SampleRow {
        switch self {
        case .whole(let values, let inputs): SampleRow(values: values + index * inputs, places: nil, count: inputs)
        case .lists(let lists, let first): lists[first + index]
        }
    }
}

/// Flat memory for a run, kept from run to run.
final class CommitteeRun {
    /// Samples in the order in which some of the networks learn them.
    struct Rows {
        let rehearsal: Rehearsal
        var count = 0
        var inputs: UnsafeMutablePointer<Float>  // (rows, stride), of whole rows
        var lists: SparseBuffer?
        let targets: UnsafeMutablePointer<Float>  // (rows), as the networks see them
        let weights: UnsafeMutablePointer<Float>  // (rows)
        let predictions: UnsafeMutablePointer<Float>  // (rows, outputs)
        let losses: UnsafeMutablePointer<Float>  // (rows)
        /// The row of each sample. Shape: (samples).
        let places: UnsafeMutablePointer<Int>
    }

    /// Of whole rows; 0 where samples are lists.
    private let stride: Int
    let outputs: Int
    private let experts: Int
    /// Samples that fit.
    let samples: Int
    /// The first has each sample once, where all outputs have them; the others replay.
    var orders: [Rows]
    /// What each expert says of each sample. Shape: (experts, samples, outputs).
    let opinions: UnsafeMutablePointer<Float>
    /// What was known of values when each sample came. Shape: (samples).
    let outlooks: UnsafeMutablePointer<Outlook>
    private let block: AlignedBuffer

    private static let rowLimit = 1024
    private static let floatLimit = 1 << 17

    init(_ committee: Committee) {
        let (racers, others) = (committee.racers, committee.others!)
        let (network, isSparse) = (racers[0].network, others.isSparse)
        let experts = racers.count + others.count
        let (stride, outputs) = (isSparse ? 0 : network.inputStride, network.outputs)
        var rehearsals: [Rehearsal] = [.none]
        for racer in racers where !rehearsals.contains(racer.rehearsal) { rehearsals.append(racer.rehearsal) }
        let rowsPerSample = rehearsals.reduce(0) { $0 + 1 + $1.replays }
        let floatsPerRow = stride + outputs + 3
        let samples = max(
            1,
            min(
                256, CommitteeRun.rowLimit / rowsPerSample, CommitteeRun.floatLimit / (rowsPerSample * floatsPerRow)))
        let floats = rehearsals.reduce(0) { $0 + samples * (1 + $1.replays) * floatsPerRow + 5 * 16 }
        let block = AlignedBuffer(count: floats + experts * samples * outputs + 48)
        var next = block.floats
        func take(_ count: Int) -> UnsafeMutablePointer<Float> {
            defer { next += (count + 15) & ~15 }
            return next
        }
        orders = rehearsals.map { rehearsal in
            let rows = samples * (1 + rehearsal.replays)
            return Rows(
                rehearsal: rehearsal, inputs: take(rehearsal == .none ? 0 : rows * stride),
                lists: isSparse && rehearsal != .none ? SparseBuffer() : nil,
                targets: take(rows), weights: take(rows),
                predictions: take(rows * outputs), losses: take(rows), places: .allocate(capacity: samples))
        }
        opinions = take(experts * samples * outputs)
        outlooks = .allocate(capacity: samples)
        (self.stride, self.outputs, self.experts) = (stride, outputs, experts)
        (self.samples, self.block) = (samples, block)
    }

    deinit {
        for rows in orders { rows.places.deallocate() }
        outlooks.deallocate()
    }

    func serves(_ committee: Committee) -> Bool {
        let network = committee.leader
        return (committee.isSparse ? 0 : network.inputStride) == stride && network.outputs == outputs
            && committee.racers.count + committee.others!.count == experts
    }

    /// What an expert says of a sample. Shape: (outputs).
    @inline(__always)
    func opinion(_ expert: Int, _ sample: Int) -> UnsafeMutablePointer<Float> {
        opinions + (expert * samples + sample) * outputs
    }

    /// Adds a row to an order, and returns where its scaled inputs go. Other rows of the order may have moved.
    @inline(__always)
    func append(
        _ order: Int, like row: SampleRow, _ target: Float, _ weight: Float
    ) -> UnsafeMutablePointer<Float> {
        let place = add(order, target, weight)
        return orders[order].lists?.append(like: row) ?? orders[order].inputs + place * stride
    }

    /// The same of a row that is there already; returns its place.
    @inline(__always) @discardableResult
    func add(_ order: Int, _ target: Float, _ weight: Float) -> Int {
        let place = orders[order].count
        orders[order].targets[place] = target
        orders[order].weights[place] = weight
        orders[order].count += 1
        return place
    }

    /// Clears the run and starts another one on these samples.
    func begin(_ samples: RunSamples) {
        for order in orders.indices {
            orders[order].count = 0
            if order > 0 { orders[order].lists?.removeAll() }
        }
        orders[0].inputs = samples.inputs
        orders[0].lists = stride == 0 ? samples.scaledLists : nil
    }
}

extension Committee {
    /// Makes memory for a run; returns the samples that fit, nil where one network takes as many as there are.
    mutating func prepareRun() -> Int? {
        guard others != nil else { return nil }
        if buffers == nil || !buffers!.serves(self) { buffers = CommitteeRun(self) }
        return buffers!.samples
    }

    /// Begins a run of samples, which are then prepared one by one.
    func beginRun(_ samples: RunSamples) { buffers!.begin(samples) }

    /// Asks the experts that are no networks, lets them learn, and lays out what the networks learn.
    ///
    /// - Parameter scaler: of the moment of the sample.
    @inline(__always)
    mutating func prepare(_ i: Int, _ sample: ScaledSample, _ chunk: CommitteeChunk, _ scaler: FeatureScaler) {
        others!.prepare(i, sample, chunk, buffers!, first: racers.count, seed: seed, scaler)
    }

    /// Lets the networks learn the samples prepared, and counts the votes.
    mutating func finishRun(_ chunk: CommitteeChunk) {
        let (count, run) = (chunk.count, buffers!)
        for (expert, racer) in racers.enumerated() {
            let rows = run.orders.first { $0.rehearsal == racer.rehearsal }!
            Committee.learn(rows, racer.network)
            for i in 0..<count {
                let said = rows.predictions + rows.places[i] * run.outputs
                let opinion = run.opinion(expert, i)
                if chunk.classes > 0 {
                    opinion.update(from: said, count: run.outputs)
                } else {
                    opinion[0] = run.outlooks[i].value(Double(said[0]))
                }
            }
        }
        for i in 0..<count { others!.decide(i, chunk, run, racers: racers.count) }
    }

    /// Learns all rows, in order. A network that rejects a row was thrown by what came before: it says nothing, and begins
    /// anew.
    private static func learn(_ rows: CommitteeRun.Rows, _ network: Network) {
        var done = 0
        while done < rows.count {
            let (count, targets, weights) = (rows.count - done, rows.targets + done, rows.weights + done)
            let (predictions, losses) = (rows.predictions + done * network.outputs, rows.losses + done)
            done += network.run(
                rows.lists.map {
                    NetworkChunk(
                        count: count, sparse: $0.rows(from: done), targets: targets, weights: weights,
                        predictions: predictions, losses: losses)
                }
                    ?? NetworkChunk(
                        count: count, inputs: rows.inputs + done * network.inputStride, targets: targets,
                        weights: weights, predictions: predictions, losses: losses))
            guard done < rows.count else { break }
            for k in 0..<network.outputs { rows.predictions[done * network.outputs + k] = 0 }
            network.reinitialize()
            done += 1
        }
    }
}

extension Committee {
    /// A value as the networks see it: how far it lies from what least squares say of the sample, in the unit of such
    /// distances. Shape of the scaled features: (inputs).
    func networkTarget(
        _ value: Float, for scaled: [Float], _ scaler: FeatureScaler
    ) -> Float {
        var factors = scaled
        scaler.factors(into: &factors)
        let base = factors.withUnsafeBufferPointer { factors in
            others!.leastSquares?.value(scaled, scaler.scale(factors: factors.baseAddress!))
        }
        let outlook = others!.values.outlook(base: base)
        return outlook.unit > 0 ? Float.clamped((Double(value) - outlook.base) / outlook.unit) : 0
    }
}
