// The streams out, each shared by all who watch it.

import Eddy

/// What may be subscribed to.
final class Streams: Sendable {
    let losses: SharedMessages<LossReport>
    private let lossesInBits: SharedMessages<LossReport>
    private let everyLoss: SharedMessages<LossSeries>
    private let everyLossInBits: SharedMessages<LossSeries>
    private let weights: SharedMessages<WeightReport>
    private let packedWeights: SharedMessages<WeightReport>

    init(_ session: LearningSession, on executor: any TaskExecutor) {
        losses = .losses(session, unit: .nats, rate: 30, on: executor)
        lossesInBits = .losses(session, unit: .bits, rate: 30, on: executor)
        everyLoss = .everyLoss(session, unit: .nats, on: executor)
        everyLossInBits = .everyLoss(session, unit: .bits, on: executor)
        weights = .weights(session, isPacked: false, on: executor)
        packedWeights = .weights(session, isPacked: true, on: executor)
    }

    /// `/losses`, with `every=sample` and `unit=bits`.
    func losses(_ request: WebRequest) throws(WebError) -> any MessageSequence {
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
    func weights(_ request: WebRequest) throws(WebError) -> any MessageSequence {
        switch request.query["format"] {
        case nil, "json": return weights
        case "binary": return packedWeights
        case .some(let other): throw WebError(.badRequest, "format=\(other): expected json or binary")
        }
    }
}

/// Messages of some stream.
typealias MessageSequence = AsyncSequence<WebMessage, Never> & Sendable
