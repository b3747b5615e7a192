// The newest samples, whole: to be looked at one by one, and to say where in the input space the stream is.
//
// Flat and bounded: 512 samples, or fewer where their features would take more than a megabyte.

/// A sample that was learned, and what was said of it before.
public struct ObservedSample: Sendable, Hashable {
    public var step: UInt64
    /// Shape: (inputs); empty where there are too many to be kept (see ``LargestLosses``).
    public var features: [Float]
    /// A class's name or a number.
    public var label: Label
    /// Nil where nothing was predicted, as nothing was known.
    public var prediction: Prediction?
    /// Nats, or squared units of the target.
    public var loss: Float
}

/// Figures of one sample in numbers only; names are given to classes when someone asks.
struct SampleFigures: Sendable {
    var step: UInt64
    var target: Float  // class index or value
    var prediction: Float  // class index or value; NaN for none
    var probability: Float  // NaN for regression
    var loss: Float

    /// - Parameter classes: empty for regression.
    func observed(_ features: [Float], classes: [String]) -> ObservedSample {
        var said: Prediction?
        if !prediction.isNaN {
            said = classes.isEmpty ? .value(prediction) : .class(classes[Int(prediction)], probability: probability)
        }
        return ObservedSample(
            step: step, features: features, label: classes.isEmpty ? .number(target) : .text(classes[Int(target)]),
            prediction: said, loss: loss)
    }
}

/// A ring of the newest learned samples.
public struct RecentSamples: Sendable {
    /// The most samples held.
    public static let limit = 512
    /// The most features held in all, 1 MiB.
    public static let floatLimit = 262_144

    /// Features a sample.
    public private(set) var inputs = 0
    private var features: [Float] = []  // (rows, inputs)
    private var figures: [SampleFigures] = []  // (rows)
    private var next = 0  // the oldest, once the ring is full
    /// The names of the classes; empty for regression.
    public internal(set) var classes: [String] = []

    init() {}

    public var count: Int { figures.count }

    private var rows: Int { Swift.min(RecentSamples.limit, RecentSamples.floatLimit / Swift.max(inputs, 1)) }

    /// A sample by its age: 0 is the newest. Precondition: less than ``count``.
    public func sample(age: Int) -> ObservedSample {
        let row = row(age: age)
        return figures[row].observed(Array(features(ofRow: row)), classes: classes)
    }

    /// The sample of a step; nil where it is no longer in hand.
    public func sample(step: UInt64) -> ObservedSample? {
        guard let newest = figures.isEmpty ? nil : figures[row(age: 0)].step, step <= newest else { return nil }
        let sample = sample(age: Int(min(newest - step, UInt64(count - 1))))
        if sample.step == step { return sample }
        // Steps are not consecutive where samples had labels for other outputs alone.
        return figures.firstIndex { $0.step == step }.map {
            figures[$0].observed(Array(features(ofRow: $0)), classes: classes)
        }
    }

    /// Calls `body` with each sample's features and figures, newest first.
    func forEach(newest limit: Int = .max, _ body: (ArraySlice<Float>, SampleFigures) -> Void) {
        for age in 0..<Swift.min(limit, count) {
            let row = row(age: age)
            body(features(ofRow: row), figures[row])
        }
    }

    private func row(age: Int) -> Int {
        precondition((0..<count).contains(age), "\(count) samples in hand, asked for number \(age)")
        return (next + count - 1 - age) % count
    }

    private func features(ofRow row: Int) -> ArraySlice<Float> { features[row * inputs..<(row + 1) * inputs] }

    /// Takes in the learned samples of a chunk from sample `first` on.
    ///
    /// - Parameter numbers: the samples' steps, where they are not consecutive. Shape: (count).
    mutating func append(
        _ chunk: SampleChunk, _ steps: StepChunk, from first: Int, firstStep: UInt64, numbers: [UInt64]? = nil
    ) {
        if chunk.inputs != inputs {
            (features, figures, next) = ([], [], 0)
            inputs = chunk.inputs
        }
        guard rows > 0 else { return }
        // No more than will stay.
        var start = steps.count
        var staying = 0
        while start > first, staying < rows {
            start -= 1
            if !steps.losses[start].isNaN { staying += 1 }
        }
        let learned = steps.learned == steps.count ? steps.count - first : steps.countLearned(from: first)
        var step = firstStep + UInt64(learned - staying)
        chunk.features.withUnsafeBufferPointer { source in
            for i in start..<steps.count where !steps.losses[i].isNaN {
                let row = UnsafeBufferPointer(rebasing: source[i * inputs..<(i + 1) * inputs])
                let figure = SampleFigures(
                    step: numbers?[i] ?? step, target: steps.targets[i], prediction: steps.predictions[i],
                    probability: steps.probabilities[i], loss: steps.losses[i])
                step += 1
                if figures.count < rows {
                    features.append(contentsOf: row)
                    figures.append(figure)
                } else {
                    features.withUnsafeMutableBufferPointer { held in
                        (held.baseAddress! + next * inputs).update(from: row.baseAddress!, count: inputs)
                    }
                    figures[next] = figure
                    next = next + 1 == rows ? 0 : next + 1
                }
            }
        }
    }
}
