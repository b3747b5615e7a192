// `POST /samples` and `POST /predict`: any format that the feed takes, in a request's body.

import AsyncAlgorithms
import Eddy
import Foundation
import NIOCore

/// Samples that come in requests.
struct SampleRoutes: Sendable {
    let session: LearningSession
    let options: FeedOptions

    var all: [WebRoute] {
        [
            .post("/samples") { request in try await learn(request) },
            .post("/predict") { request in try await predict(request) },
        ]
    }

    // MARK: Learning

    /// What became of a body's samples.
    private struct Summary: Encodable {
        struct Output: Encodable {
            var name: String
            var learned: UInt64
            var meanLoss: Double?
            var unit: String
        }

        private static func name(_ unit: String) -> String {
            unit == "squared" || unit == "mixed" ? unit + " units" : unit
        }

        var accepted: UInt64
        var learned: UInt64
        var predicted: UInt64
        var rejected: UInt64
        var meanLoss: Double?
        var unit: String
        /// Each one's own, where there are several.
        var outputs: [Output]?
        /// The first ten.
        var errors: [String]
        /// Why not all of the body was read.
        var error: String?

        init(_ tally: SampleTally, error: String? = nil) {
            (accepted, learned) = (tally.accepted, tally.learned)
            (predicted, rejected) = (tally.predicted, tally.rejected)
            meanLoss = tally.meanLoss
            unit = Summary.name(tally.unit)
            if !tally.outputs.isEmpty {
                outputs = tally.outputs.map {
                    Output(name: $0.name, learned: $0.learned, meanLoss: $0.meanLoss, unit: Summary.name($0.unit))
                }
            }
            errors = tally.errors.map { "\($0)" }
            self.error = error
        }
    }

    /// Learns the samples of a body of any length as they arrive.
    private func learn(_ request: WebRequest) async throws -> WebResponse {
        let options = try options(for: request)
        let learned = request.body.map(\.readableBytesView)
            .learned(by: session, options, from: "POST from \(request.address)")
        var tally = SampleTally()
        do {
            for try await chunk in learned {
                tally.add(chunk)
                if case .foreign = chunk.events.last?.kind {
                    return .json(Summary(tally, error: "the body is no stream of samples"), status: .badRequest)
                }
            }
        } catch is RequestBody.Cut {
            let error = "the body was cut off, by the client or because the server stops; what came whole is learned"
            return .json(Summary(tally, error: error), status: .serviceUnavailable)
        }
        if tally.accepted == 0 {
            let error = tally.rejected > 0 ? "no line is a sample" : "expected samples, one a line, got an empty body"
            return .json(Summary(tally, error: error), status: .badRequest)
        }
        return .json(Summary(tally))
    }

    private func options(for request: WebRequest) throws(WebError) -> FeedOptions {
        if let coding = request.headers.first(name: "content-encoding"), coding.lowercased() != "identity" {
            throw WebError(.unsupportedMediaType, "content-encoding \(coding.prefix(40)): expected none")
        }
        var options = options
        options.token = nil  // the request has shown it
        if let name = request.query["format"] {
            guard let format = SampleFormat(rawValue: name) else {
                throw WebError(.badRequest, "format=\(name): expected \(SampleFormat.names)")
            }
            options.format = format
        }
        if let label = request.query["label"] {
            if label == "0" { throw WebError(.badRequest, "label=0: positions count from 1, or −1 from the end") }
            if !label.isEmpty {
                do { options.label = try LabelColumn(parsing: label) } catch { throw WebError(.badRequest, "\(error)") }
            }
        }
        return options
    }

    // MARK: Predicting

    /// The longest body of questions, and the most lines in it.
    private static let questionBytes = 1 << 20
    private static let questionLimit = 10_000

    private struct Answer: Encodable, Sendable {
        var line: Int
        var prediction: ByOutput<ClassOrValue>?
        var probability: ByOutput<Float>?
        var error: String?

        init(line: Int, error: String) {
            self.line = line
            self.error = error
        }

        /// - Parameter names: of several outputs; empty for one.
        init(line: Int, _ predictions: [Prediction?], names: [String]) {
            self.line = line
            let parts = predictions.map { $0.map(ClassOrValue.parts) }
            prediction = ByOutput(parts.map { $0?.0 }, names: names)
            let probabilities = parts.map { $0?.probability }
            if probabilities.contains(where: { $0 != nil }) { probability = ByOutput(probabilities, names: names) }
        }
    }

    private struct Answers: Encodable, Sendable {
        var step: UInt64
        var predictions: [Answer]
    }

    /// What the learner says of samples, changing nothing. A label is ignored.
    private func predict(_ request: WebRequest) async throws -> WebResponse {
        let options = try options(for: request)
        let step = await session.step
        guard step > 0 else { throw WebError(.conflict, "nothing has been learned yet: send labelled samples first") }
        let body = try await request.body.collect(limit: SampleRoutes.questionBytes)
        let predicted = [body.readableBytesView].async
            .samples(
                of: options.format, label: options.label, lineLimit: options.lineLimit, for: session, framing: .stream
            ).predicted(by: session)
        var answers: [Answer] = []
        for await chunk in predicted {
            answers += SampleRoutes.answers(chunk)
            if answers.count > SampleRoutes.questionLimit {
                throw WebError(.payloadTooLarge, "more than \(SampleRoutes.questionLimit) lines")
            }
        }
        if answers.isEmpty { throw WebError(.badRequest, "expected samples, one a line, got an empty body") }
        if answers.allSatisfy({ $0.error != nil }) {
            throw WebError(.badRequest, "no line is a sample: \(answers[0].error ?? "")")
        }
        let reply = Answers(step: step, predictions: answers)
        // The longest takes some time to write down, which others need not wait for.
        return await Task(executorPreference: globalConcurrentExecutor) { .json(reply) }.value
    }

    private static func answers(_ chunk: LearnedChunk) -> [Answer] {
        let refused = Set(chunk.steps.rejections.map(\.index))
        let names = chunk.steps.outputs.map(\.name)
        var answers = chunk.lines.indices.filter { !refused.contains($0) }.map { index in
            Answer(line: chunk.lines[index], chunk.steps.predictions(at: index), names: names)
        }
        answers += chunk.rejections.map { Answer(line: $0.line, error: "\($0)") }
        return answers.sorted { $0.line < $1.line }
    }
}
