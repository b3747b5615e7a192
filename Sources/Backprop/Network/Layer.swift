// Layers and how their weights begin.

/// One dense layer: how many units it has and what each does with its weighted sum.
///
///     let layers: [Layer] = [.dense(16, .relu), .dense(3)]
public struct Layer: Sendable, Hashable, Codable {
    public var outputs: Int
    public var activation: Activation

    public static func dense(_ outputs: Int, _ activation: Activation = .identity) -> Layer {
        Layer(outputs: outputs, activation: activation)
    }
}

/// How weights begin. Biases begin at zero.
///
/// All are uniform: a normal distribution would need a logarithm and a cosine that round the same
/// on every machine.
public enum Initialization: String, Sendable, Hashable, Codable, CaseIterable {
    /// He for ReLU and leaky ReLU, Xavier for the rest, and a tenth of Xavier for the last layer of several, so that
    /// the first predictions are close to indifferent.
    case automatic
    /// ±√(6 / (inputs + outputs)). Glorot and Bengio, AISTATS 2010.
    case xavier
    /// ±√(6 / inputs). He, Zhang, Ren and Sun, ICCV 2015.
    case he
    /// All zero: right for a network without hidden layers, and for no other.
    case zeros

    /// The bound b of the uniform distribution on [−b, b].
    func bound(inputs: Int, layer: Layer, isHead: Bool) -> Float {
        let xavier = (6 / Float(inputs + layer.outputs)).squareRoot()
        let he = (6 / Float(inputs)).squareRoot()
        switch self {
        case .automatic:
            if isHead { return 0.1 * xavier }
            switch layer.activation {
            case .relu, .leakyReLU: return he
            case .identity, .step, .sigmoid, .tanh: return xavier
            }
        case .xavier: return xavier
        case .he: return he
        case .zeros: return 0
        }
    }
}

/// An architecture that cannot be built, and why.
public struct ArchitectureError: Error, Hashable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
