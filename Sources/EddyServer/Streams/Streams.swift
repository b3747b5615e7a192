// The streams out, each shared by all who watch it.

import Eddy
import NIOCore

/// What may be subscribed to.
final class Streams: Sendable {
    private let losses: SharedMessages<LossReport>
    private let lossesInBits: SharedMessages<LossReport>
    private let everyLoss: SharedMessages<LossSeries>
    private let everyLossInBits: SharedMessages<LossSeries>
    private let weights: SharedMessages<WeightReport>
    private let packedWeights: SharedMessages<WeightReport>
    /// `/events`.
    let events: SharedMessages<Events>
    /// Who listens, and what they had no time for.
    let tallies: [StreamTally]

    init(_ side: LearnerSide, on loop: any EventLoop) {
        let session = side.session
        let (losses, everyLoss) = (StreamTally("/losses"), StreamTally("/losses?every=sample"))
        let (weights, events) = (StreamTally("/weights"), StreamTally("/events"))
        tallies = [losses, everyLoss, weights, events]
        self.losses = .losses(session, unit: .nats, rate: 30, tally: losses, on: loop)
        lossesInBits = .losses(session, unit: .bits, rate: 30, tally: losses, on: loop)
        self.everyLoss = .everyLoss(session, unit: .nats, tally: everyLoss, on: loop)
        everyLossInBits = .everyLoss(session, unit: .bits, tally: everyLoss, on: loop)
        self.weights = .weights(session, isPacked: false, tally: weights, on: loop)
        packedWeights = .weights(session, isPacked: true, tally: weights, on: loop)
        self.events = .events(side, tallies: tallies, on: loop)
    }

    /// Ends all of them, and waits until nothing of them runs any more.
    func finish() async {
        await losses.finish()
        await lossesInBits.finish()
        await everyLoss.finish()
        await everyLossInBits.finish()
        await weights.finish()
        await packedWeights.finish()
        await events.finish()
    }

    /// `/losses`, with `every=sample` and `unit=bits`.
    func losses(_ request: WebRequest) throws(WebError) -> any MessageStream {
        guard let unit = LossUnit(rawValue: request.query["unit"] ?? "nats") else {
            throw WebError(.badRequest, "unit=\(request.query["unit"] ?? ""): expected nats or bits")
        }
        switch request.query["every"] {
        case nil: return unit == .nats ? losses : lossesInBits
        case "sample": return unit == .nats ? everyLoss : everyLossInBits
        case .some(let other):
            throw WebError(.badRequest, "every=\(other): expected sample, or nothing for windows")
        }
    }

    /// `/weights`, with `format=binary`.
    func weights(_ request: WebRequest) throws(WebError) -> any MessageStream {
        switch request.query["format"] {
        case nil, "json": return weights
        case "binary": return packedWeights
        case .some(let other): throw WebError(.badRequest, "format=\(other): expected json or binary")
        }
    }
}
