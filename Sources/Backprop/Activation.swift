// Activations: the function, and right below it its derivative.
//
// These Double forms are the readable truth that `Graph` computes with and that
// gradient checks compare against; `Network` has the same functions for sixteen
// Floats at a time (Arithmetic/Elementary.swift). Derivatives are written in terms of the
// value y = f(x) where that is shorter, as Rumelhart, Hinton and Williams (Nature
// 323, 1986) do for the sigmoid.

import Foundation

/// What a unit does with its weighted sum.
public enum Activation: String, Sendable, Hashable, Codable, CaseIterable {
    case identity
    /// Unit step: 1 for x > 0, else 0. It has no useful derivative (0 almost everywhere);
    /// see ``derivative(at:value:)`` for how it learns.
    case step
    case sigmoid
    case tanh
    case relu
    /// max(x, 0.01 x).
    case leakyReLU

    /// The slope of ``leakyReLU`` for negative inputs.
    public static let leak = 0.01

    /// f(x).
    ///
    ///     Activation.sigmoid(0)  // 0.5
    @inlinable
    public func callAsFunction(_ x: Double) -> Double {
        switch self {
        case .identity: x
        case .step: x > 0 ? 1 : 0
        case .sigmoid: x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x))  // neither form overflows
        case .tanh: Foundation.tanh(x)
        case .relu: x > 0 ? x : 0
        case .leakyReLU: x > 0 ? x : Activation.leak * x
        }
    }

    /// f′(x), given x and the value y = f(x).
    ///
    /// For ``step`` this is 1, which is *not* its derivative. Passing the error through
    /// unchanged makes a unit with squared error learn by the perceptron rule
    /// (Rosenblatt 1958), Δw ∝ (target − output) · input, and makes a hidden step unit
    /// learn by the straight-through estimate (Bengio, Léonard and Courville 2013).
    ///
    ///     Activation.sigmoid.derivative(at: 0, value: 0.5)  // 0.25, its maximum
    @inlinable
    public func derivative(at x: Double, value y: Double) -> Double {
        switch self {
        case .identity: 1
        case .step: 1
        case .sigmoid: y * (1 - y)
        case .tanh: 1 - y * y
        case .relu: x > 0 ? 1 : 0
        case .leakyReLU: x > 0 ? 1 : Activation.leak
        }
    }

    /// Whether ``derivative(at:value:)`` is the true derivative (everywhere but at a kink).
    public var isDifferentiable: Bool { self != .step }
}
