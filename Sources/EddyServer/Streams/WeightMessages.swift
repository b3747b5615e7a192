// The weight feed's messages: JSON, or packed where that would be large.
//
// Packed: u32 length of the JSON header, little-endian; the JSON, which is the message without
// its numbers; then for each layer float32 weights (inputs, outputs) row-major and biases.

import Eddy
import Foundation

struct WeightMessage: Encodable {
    struct Layer: Encodable {
        /// (inputs, outputs).
        var shape: [Int]
        var activation: String
        var gradientNorm: Float
        var weightNorm: Float
        var updateRatio: Float
        /// Row-major; absent in packed messages, and where all of them would make more than 64 KB of JSON.
        var weights: [Float]?
        var bias: [Float]?
    }

    let type = "weights"
    var step: UInt64
    var missed: Int
    var gradientHealth: String
    var layers: [Layer]

    /// The most parameters whose numbers fit into 64 KB of JSON, at some ten characters each.
    static let parametersInJSON = 6_500

    init(_ snapshot: Snapshot, missed: Int, withNumbers: Bool) {
        step = snapshot.step
        self.missed = missed
        gradientHealth = snapshot.gradientHealth.rawValue
        layers = snapshot.layers.map { layer in
            Layer(
                shape: [layer.inputs, layer.outputs], activation: layer.activation.rawValue,
                gradientNorm: layer.norms.gradient, weightNorm: layer.norms.weights,
                updateRatio: layer.norms.updateRatio, weights: withNumbers ? layer.weights : nil,
                bias: withNumbers ? layer.bias : nil)
        }
    }
}

struct WeightMessages: AsyncSequence, Sendable {
    typealias Failure = Never

    /// At most 2 messages a second.
    static let interval = Duration.milliseconds(500)

    let session: LearningSession
    let isPacked: Bool

    func makeAsyncIterator() -> Iterator {
        Iterator(snapshots: session.snapshots.paced(WeightMessages.interval).makeAsyncIterator(), isPacked: isPacked)
    }

    struct Iterator: AsyncIteratorProtocol {
        var snapshots: Paced<SnapshotSequence>.Iterator
        let isPacked: Bool

        mutating func next() async -> WebMessage? { await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async -> WebMessage? {
            while let snapshot = await snapshots.next(isolation: actor) {
                if snapshot.layers.isEmpty { continue }  // nothing learned yet
                return isPacked ? packed(snapshot) : text(snapshot)
            }
            return nil
        }

        private func text(_ snapshot: Snapshot) -> WebMessage {
            let fits = snapshot.parameterCount <= WeightMessage.parametersInJSON
            return JSONMessage.text(WeightMessage(snapshot, missed: snapshot.missed, withNumbers: fits))
        }

        private func packed(_ snapshot: Snapshot) -> WebMessage {
            let header = JSONMessage.encode(WeightMessage(snapshot, missed: snapshot.missed, withNumbers: false))
            var data = Data()
            withUnsafeBytes(of: UInt32(header.count).littleEndian) { data.append(contentsOf: $0) }
            data.append(header)
            for layer in snapshot.layers {
                for value in layer.weights + layer.bias {
                    withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
                }
            }
            return .binary(data)
        }
    }
}
