// What would be predicted over two of the inputs, the others held still.
//
// A slice through the input space at the mean of the recent samples, as wide as these are. With more than two inputs
// the samples drawn over it lie beside the slice, so that colours and points need not agree: it says how the prediction
// turns with two inputs, not what it is for each sample.

import Backprop
import Foundation

/// Predictions on a grid over two inputs.
public struct DecisionSurface: Sendable {
    public struct Axis: Sendable, Encodable {
        /// The index of the input.
        public var input: Int
        public var name: String
        /// Where the first and the last column (or row) of the grid stands.
        public var min: Float
        public var max: Float
    }

    /// A recent sample, to be drawn over the grid.
    public struct Point: Sendable {
        public var x: Float
        public var y: Float
        /// The index of its class, or its target.
        public var target: Float
        /// Whether its class was predicted; for regression, whether the prediction was closer to the target than one
        /// standard deviation of the recent targets.
        public var isRight: Bool
        public var step: UInt64
    }

    /// Samples learned before.
    public var step: UInt64
    public var task: LearningTask
    public var classes: [String]
    public var x: Axis
    public var y: Axis
    /// Cells in each direction.
    public var size: Int
    /// The index of the class (255 for all from there on), or 0 for `low` to 255 for `high`. Shape: (size, size), the
    /// first row being the top, y.max. Base64 in JSON.
    public var values: Data
    /// The predicted class's probability in 255ths; nil for regression. Shape: (size, size).
    public var certainty: Data?
    /// The range of a regression's predictions, in the target's units; nil for classes.
    public var low: Float?
    public var high: Float?
    public let others = "held at the mean of the recent samples"
    /// The newest, at most 300.
    public var samples: [Point]

    /// The most cells in each direction.
    public static let sizeLimit = 128
    /// The most samples told.
    public static let sampleLimit = 300
    /// The most multiplications made: parameters × cells.
    public static let workLimit = 1_000_000_000
}

extension FrozenLearner {
    /// Predictions over two columns, as far as the recent samples reach and 5 % beyond; without any terms.
    ///
    ///     let recent = await session.withObservations { $0.recent }
    ///     try frozen.surface(x: 0, y: 1, around: recent).values.count  // 48 · 48
    ///
    /// - Parameters:
    ///   - x: the index of the column from left to right.
    ///   - y: of that from bottom to top.
    ///   - size: cells in each direction, 2 to 128.
    /// - Throws: ``QuestionError`` where there are no such inputs, no samples, or the grid would take more than some
    ///   200 ms.
    public func surface(
        x: Int, y: Int, size: Int = 48, around recent: RecentSamples
    ) throws(QuestionError) -> DecisionSurface {
        guard columns > 1 else {
            let beside = columns < inputs ? ": what samples have else are terms" : ""
            throw QuestionError(expected: "a stream of two columns or more", got: "\(columns)\(beside)")
        }
        for (axis, input) in [("x", x), ("y", y)] where !(0..<columns).contains(input) {
            throw QuestionError(expected: "an input from 0 to \(columns - 1) as \(axis)", got: "\(input)")
        }
        guard x != y else { throw QuestionError(expected: "two different inputs", got: "\(x) twice") }
        guard (2...DecisionSurface.sizeLimit).contains(size) else {
            throw QuestionError(expected: "a size from 2 to \(DecisionSurface.sizeLimit)", got: "\(size)")
        }
        // What lists of terms do not have costs nothing.
        let parameters = parameterCount - (encoder.isSparse ? (inputs - columns) * layers[0].outputs : 0)
        guard parameters <= DecisionSurface.workLimit / (size * size) else {
            let limit = DecisionSurface.workLimit / (size * size)
            throw QuestionError(
                expected: "a network of at most \(limit) parameters for a grid of \(size)", got: "\(parameters)")
        }
        guard recent.count > 0, recent.inputs == columns else {
            throw QuestionError(expected: "recent samples of \(columns) features", got: "none")
        }
        let (means, lows, highs) = recent.extent
        let horizontal = FrozenLearner.bounds(lows[x], highs[x])
        let vertical = FrozenLearner.bounds(lows[y], highs[y])
        var surface = DecisionSurface(
            step: step, task: task, classes: classes,
            x: .init(input: x, name: inputNames[x], min: Float(horizontal.low), max: Float(horizontal.high)),
            y: .init(input: y, name: inputNames[y], min: Float(vertical.low), max: Float(vertical.high)),
            size: size, values: Data(), samples: recent.points(x: x, y: y, task))

        // A row at a time: with many inputs the whole grid would be large.
        let learner = try thawed()
        let steps = Double(size - 1)
        var row = SampleChunk(inputs: columns)
        for column in 0..<size {
            row.features.append(contentsOf: means)
            row.features[column * columns + x] = Float(
                horizontal.low + (horizontal.high - horizontal.low) * (Double(column) / steps))
            row.finish(label: .none)
        }
        var (predictions, probabilities): ([Float], [Float]) = ([], [])
        for down in 0..<size {
            let value = Float(vertical.high + (vertical.low - vertical.high) * (Double(down) / steps))
            for column in 0..<size { row.features[column * columns + y] = value }
            let predicted = learner.learn(row)  // nothing has a label, so nothing is learned
            predictions += predicted.predictions
            probabilities += predicted.probabilities
        }
        surface.fill(predictions, probabilities)
        return surface
    }

    /// 5 % more on both sides, or something where all values are one; within what a Float can be.
    private static func bounds(_ low: Float, _ high: Float) -> (low: Double, high: Double) {
        let (low, high) = (Double(low), Double(high))
        let margin = low < high ? (high - low) * 0.05 : max(abs(low) * 0.05, 0.5)
        let bound = Double(Float.greatestFiniteMagnitude)
        return (max(low - margin, -bound), min(high + margin, bound))
    }
}

extension DecisionSurface {
    /// Takes in what was predicted for the cells; one that the network rejected is 0.
    fileprivate mutating func fill(_ predictions: [Float], _ probabilities: [Float]) {
        switch task {
        case .classification:
            values = Data(predictions.map { $0.isNaN ? 0 : UInt8(min($0, 255)) })
            certainty = Data(probabilities.map { $0.isNaN ? 0 : UInt8(($0 * 255).rounded()) })
        case .regression:
            let finite = predictions.lazy.filter { !$0.isNaN }
            let (low, high) = (finite.min() ?? 0, finite.max() ?? 0)
            let span = Double(high) - Double(low)
            values = Data(
                predictions.map { value in
                    value.isNaN || span == 0 ? 0 : UInt8(((Double(value) - Double(low)) / span * 255).rounded())
                })
            (self.low, self.high) = (low, high)
        }
    }
}

extension RecentSamples {
    /// Each column's mean, minimum and maximum, of what is not missing; NaN and 0 … 0 where all is. Precondition: there
    /// are samples. Shape of each: (inputs).
    fileprivate var extent: (means: [Float], lows: [Float], highs: [Float]) {
        var sums = [Double](repeating: 0, count: inputs)
        var counts = sums
        var lows = [Float](repeating: .infinity, count: inputs)
        var highs = [Float](repeating: -.infinity, count: inputs)
        forEach { features, _ in
            for (j, value) in features.enumerated() where !value.isNaN {
                sums[j] += Double(value)
                counts[j] += 1
                lows[j] = min(lows[j], value)
                highs[j] = max(highs[j], value)
            }
        }
        for j in 0..<inputs where counts[j] == 0 { (lows[j], highs[j]) = (0, 0) }
        return (zip(sums, counts).map { Float($0 / $1) }, lows, highs)
    }

    /// The newest samples over two inputs.
    fileprivate func points(x: Int, y: Int, _ task: LearningTask) -> [DecisionSurface.Point] {
        var moments = RunningMoments()
        forEach { moments.update(Double($1.target)) }
        let deviation = moments.variance.squareRoot()
        var points: [DecisionSurface.Point] = []
        forEach(newest: DecisionSurface.sampleLimit) { features, figures in
            let (x, y) = (features[features.startIndex + x], features[features.startIndex + y])
            guard !x.isNaN, !y.isNaN else { return }
            let error = abs(Double(figures.prediction) - Double(figures.target))
            points.append(
                DecisionSurface.Point(
                    x: x, y: y, target: figures.target,
                    isRight: task == .classification ? error == 0 : error < deviation,
                    step: figures.step))
        }
        return points
    }
}

extension DecisionSurface: Encodable {
    private enum CodingKeys: CodingKey {
        case step, task, classes, x, y, size, values, certainty, low, high, others, samples
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(step, forKey: .step)
        try container.encode(task, forKey: .task)
        try container.encode(classes, forKey: .classes)
        try container.encode(x, forKey: .x)
        try container.encode(y, forKey: .y)
        try container.encode(size, forKey: .size)
        try container.encode(values, forKey: .values)
        try container.encode(certainty, forKey: .certainty)
        try container.encode(low, forKey: .low)
        try container.encode(high, forKey: .high)
        try container.encode(others, forKey: .others)
        try container.encode(samples, forKey: .samples)
    }
}

extension DecisionSurface.Point: Encodable {
    /// [x, y, target, 1 if right else 0, step].
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(x)
        try container.encode(y)
        try container.encode(target)
        try container.encode(isRight ? 1 : 0)
        try container.encode(step)
    }
}
