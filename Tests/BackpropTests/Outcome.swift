// What a network is after a stream, bit for bit: what every form of the step must agree on.

@testable import Backprop

struct Outcome: Equatable {
    let parameters: UInt64
    let state: [[UInt32]]
    let predictions: [UInt32]
    let losses: [UInt32]
    let norms: [UInt32]
    let step: UInt64

    init(_ network: Network, predictions: [UInt32], losses: [UInt32]) {
        parameters = network.parameterHash
        state = network.flatState.map { $0.map(\.bitPattern) }
        norms = network.smoothedGradientNorms.map(\.bitPattern)
        step = network.step
        (self.predictions, self.losses) = (predictions, losses)
    }
}
