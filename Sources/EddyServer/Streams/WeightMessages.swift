// The weight feed's messages: JSON, or packed where that would be large.
//
// Packed: u32 length of the JSON header, little-endian; the JSON, which is the message without
// its numbers; then for each layer float32 weights (inputs, outputs) row-major and biases.

import Eddy
import Foundation
import NIOCore

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

/// A snapshot; a newer one replaces it.
struct WeightReport: Mergeable {
    var snapshot: Snapshot
    /// Snapshots that came while this one's place was taken.
    var missed = 0

    mutating func merge(_ newer: WeightReport) {
        missed += newer.missed + 1
        snapshot = newer.snapshot
    }
}

extension SharedMessages<WeightReport> {
    /// Weights and norms, at most 2 a second.
    ///
    /// - Parameter isPacked: all numbers in binary, rather than JSON.
    static func weights(_ session: LearningSession, isPacked: Bool, tally: StreamTally, on loop: any EventLoop)
        -> SharedMessages
    {
        SharedMessages(
            on: loop, tally: tally, misses: { $0.missed },
            present: {
                let snapshot = await session.snapshot()
                return snapshot.layers.isEmpty ? nil : WeightReport(snapshot: snapshot)
            },
            encode: { [isPacked ? packed($0) : text($0)] },
            source: {
                let changes = session.losses.paced(.milliseconds(500)).makeAsyncIterator()
                return { publish in
                    var changes = changes
                    while await changes.next() != nil { publish(WeightReport(snapshot: await session.snapshot())) }
                }
            })
    }

    private static func text(_ report: WeightReport) -> WebMessage {
        let fits = report.snapshot.parameterCount <= WeightMessage.parametersInJSON
        return .text(WebJSON.encode(WeightMessage(report.snapshot, missed: report.missed, withNumbers: fits)))
    }

    private static func packed(_ report: WeightReport) -> WebMessage {
        let header = WebJSON.encode(WeightMessage(report.snapshot, missed: report.missed, withNumbers: false))
        var data = ByteBuffer()
        data.reserveCapacity(4 + header.readableBytes + 4 * report.snapshot.parameterCount)
        data.writeInteger(UInt32(header.readableBytes), endianness: .little)
        data.writeImmutableBuffer(header)
        for layer in report.snapshot.layers {
            for value in layer.weights { data.writeInteger(value.bitPattern, endianness: .little) }
            for value in layer.bias { data.writeInteger(value.bitPattern, endianness: .little) }
        }
        return .binary(data)
    }
}
