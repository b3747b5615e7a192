// What the weights look like: maps of at most 64 × 64 cells, and histograms of weights and of one sample's gradient.
//
// A map is eight bits a cell, for pictures. Where a layer has more weights than cells, a cell is the weight of largest
// magnitude of its block, sign and all: a mean would hide the few that matter.

import Backprop
import Foundation

/// One layer's weights as a picture.
public struct WeightMap: Sendable, Encodable {
    /// (inputs, outputs).
    public var shape: [Int]
    public var activation: Activation
    /// A row a unit, at most 64.
    public var rows: Int
    /// A column an input, at most 64.
    public var columns: Int
    /// Whether a cell stands for several weights.
    public var pooled: Bool
    /// The largest magnitude of a weight: a cell of 127.
    public var scale: Float
    /// Signed bytes, (rows, columns) row-major; the weight is value × scale / 127. Base64 in JSON.
    public var map: Data

    /// The most rows and columns.
    public static let sideLimit = 64
}

/// Every layer's weights as pictures, at one step.
public struct LayerMaps: Sendable, Encodable {
    public var step: UInt64
    public var layers: [WeightMap]
}

/// How one layer's weights, and its gradient for one sample, are spread.
public struct LayerHistograms: Sendable, Encodable {
    /// Of the weights, without biases.
    public var weights: Histogram
    /// Of ∂loss/∂W; nil where it was not asked for, or there are too many weights.
    public var gradients: Histogram?

    /// Bins of each.
    public static let bins = 24
    /// The most parameters of a network whose gradients are counted.
    public static let gradientParameterLimit = 50_000
}

extension FrozenLearner {
    /// The weights of every layer, as pictures.
    ///
    ///     frozen.weightMaps().layers[0].map.count  // rows · columns
    public func weightMaps() -> LayerMaps {
        LayerMaps(
            step: step,
            layers: layers.indices.map { l in
                weights[l].withUnsafeBufferPointer { FrozenLearner.map($0, widths[l], layers[l]) }
            })
    }

    private static func map(
        _ weights: UnsafeBufferPointer<Float>, _ inputs: Int, _ layer: Layer
    ) -> WeightMap {
        let rows = min(layer.outputs, WeightMap.sideLimit)
        let columns = min(inputs, WeightMap.sideLimit)
        // Cell c of n over w weights has the weights w·c/n ..< w·(c+1)/n.
        let row = (0..<layer.outputs).map { i in (rows * (i + 1) - 1) / layer.outputs }
        var cells = [Float](repeating: 0, count: rows * columns)
        var scale: Float = 0
        for j in 0..<inputs {
            let column = (columns * (j + 1) - 1) / inputs
            for i in 0..<layer.outputs {
                let weight = weights[j * layer.outputs + i]
                let cell = row[i] * columns + column
                if abs(weight) > abs(cells[cell]) { cells[cell] = weight }
            }
        }
        for cell in cells { scale = max(scale, abs(cell)) }
        let bytes = cells.map { cell in
            UInt8(bitPattern: scale > 0 ? Int8((Double(cell) / Double(scale) * 127).rounded()) : 0)
        }
        return WeightMap(
            shape: [inputs, layer.outputs], activation: layer.activation, rows: rows, columns: columns,
            pooled: rows < layer.outputs || columns < inputs, scale: scale, map: Data(bytes))
    }

    /// How every layer's weights are spread, and their gradient for one sample. Shape: (layers).
    ///
    /// - Parameters:
    ///   - features: a labelled sample's, for the gradient; nil for none. Shape: (inputs).
    ///   - label: the same sample's.
    /// - Throws: ``QuestionError`` where the sample does not fit.
    public func histograms(
        features: [Float]? = nil, label: Label = .none
    ) throws(QuestionError) -> [LayerHistograms] {
        var pass: BackwardPass?
        if let features, parameterCount <= LayerHistograms.gradientParameterLimit {
            let question = try question(features, label: label)
            if let target = question.target {
                pass = BackwardPass(self, features: question.scaled, target: target)
            }
        }
        return layers.indices.map { l in
            let gradients = pass.map { pass in
                let x = pass.input(of: l)
                return Histogram(
                    pass.gradients[l].flatMap { d in x.map { FrozenLearner.finite($0 * d) } },
                    bins: LayerHistograms.bins)
            }
            return LayerHistograms(
                weights: Histogram(weights[l], bins: LayerHistograms.bins), gradients: gradients)
        }
    }

    /// The nearest Float that is finite; 0 for what is no number.
    private static func finite(_ value: Double) -> Float {
        guard !value.isNaN else { return 0 }
        let bound = Double(Float.greatestFiniteMagnitude)
        return Float(min(max(value, -bound), bound))
    }
}
