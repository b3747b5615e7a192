// Flat memory for a run of samples, kept from run to run: what all outputs share, and what each has of its own.

import Backprop

/// Samples as the encoder wrote them and as the networks see them, for all outputs.
final class RunSamples {
    /// Of whole rows; 0 where samples are lists.
    let stride: Int
    /// Samples that fit.
    let count: Int
    private let columns: Int
    private let block: AlignedBuffer
    /// Scaled. Shape: (count, stride), of whole rows.
    let inputs: UnsafeMutablePointer<Float>
    /// 0 for a sample with a label for any output, NaN for one without; used where there are several. Shape: (count).
    let labelled: UnsafeMutablePointer<Float>
    /// One over each column's deviation, at the present sample. Shape: (columns of lists, or inputs).
    let factors: UnsafeMutablePointer<Float>
    /// Samples as lists, as they came, and as the networks see them.
    let lists = SparseBuffer()
    let scaledLists = SparseBuffer()
    /// Whether a column is missing in one of the samples encoded.
    var hasGaps = false
    /// Samples scaled since the run began.
    private var scaled = 0
    private lazy var encodedBlock = AlignedBuffer(count: count * stride)

    /// Samples as inputs, not scaled yet, where they have more than columns. Shape: (count, inputs).
    var encoded: UnsafeMutablePointer<Float> { encodedBlock.floats }

    init(stride: Int, columns: Int, count: Int) {
        (self.stride, self.columns, self.count) = (stride, columns, count)
        let centred = stride == 0 ? columns : stride
        block = AlignedBuffer(count: count * stride + ((centred + 15) & ~15) + count)
        inputs = block.floats
        factors = inputs + count * stride
        labelled = factors + ((centred + 15) & ~15)
    }

    func serves(stride: Int, columns: Int, count: Int) -> Bool {
        self.stride == stride && self.columns == columns && self.count == count
    }
}

/// A sample as committees see it.
struct ScaledSample {
    /// As it came, NaN where a column is missing.
    let row: SampleRow
    /// In the order of the row. Shape: (row.count).
    let scaled: UnsafeMutablePointer<Float>
    /// What was known when it came.
    let scale: FeatureScale
}

extension RunSamples {
    func begin() {
        scaled = 0
        scaledLists.removeAll()
    }

    /// Lets the scaler learn a labelled sample, and scales it by what is then known.
    func append(_ row: SampleRow, isLabelled: Bool, _ scaler: inout FeatureScaler) -> ScaledSample {
        if isLabelled { scaler.update(row) }
        if isLabelled || scaled == 0 { scaler.factors(into: factors) }
        let place = row.places == nil ? inputs + scaled * stride : scaledLists.append(like: row)
        scaler.scale(row, factors: factors, into: place)
        scaled += 1
        return ScaledSample(row: row, scaled: place, scale: scaler.scale(factors: UnsafePointer(factors)))
    }
}

/// Targets of one output, and what comes of its samples.
final class OutputBuffers {
    /// Samples that fit.
    let count: Int
    let outputs: Int
    private let block: AlignedBuffer
    let targets: UnsafeMutablePointer<Float>  // (count), as the network sees them; NaN for no label
    let values: UnsafeMutablePointer<Float>  // (count), as they came, for regression
    let weights: UnsafeMutablePointer<Float>  // (count)
    let balances: UnsafeMutablePointer<Float>  // (count), what of the weights is for the balance of classes
    let losses: UnsafeMutablePointer<Float>  // (count)
    let predictions: UnsafeMutablePointer<Float>  // (count, outputs)
    /// Whether not all weights are 1.
    var areWeighted = false
    /// The mean and deviation by which each target was scaled. Shape: (count).
    let offsets: UnsafeMutablePointer<Double>
    let scales: UnsafeMutablePointer<Double>

    init(count: Int, outputs: Int) {
        (self.count, self.outputs) = (count, outputs)
        block = AlignedBuffer(count: count * (5 + outputs))
        targets = block.floats
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

    /// The first samples, as a network takes them.
    func chunk(_ count: Int, _ samples: RunSamples) -> NetworkChunk {
        let weights = areWeighted ? UnsafePointer(weights) : nil
        return samples.stride == 0
            ? NetworkChunk(
                count: count, sparse: samples.scaledLists.rows(from: 0), targets: targets, weights: weights,
                predictions: predictions, losses: losses)
            : NetworkChunk(
                count: count, inputs: samples.inputs, targets: targets, weights: weights, predictions: predictions,
                losses: losses)
    }
}
