// `POST /samples` and `POST /predict`: any format that the feed takes, in a request's body.

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

        init(_ tally: FeedTally, error: String? = nil) {
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
        var options = try options(for: request)
        options.reply = .none
        var conversation = FeedConversation(
            session: session, options: options, source: "POST from \(request.address)", isAdmitted: true)
        do {
            while let bytes = try await request.body.next() {
                _ = await conversation.receive(bytes)
                if conversation.isForeign { break }
            }
        } catch is RequestBody.Cut {
            _ = await conversation.end(isCut: true)
            let error = "the body was cut off, by the client or because the server stops; what came whole is learned"
            return .json(Summary(conversation.tally, error: error), status: .serviceUnavailable)
        }
        _ = await conversation.end()
        let tally = conversation.tally
        if conversation.isForeign {
            return .json(Summary(tally, error: "the body is no stream of samples"), status: .badRequest)
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
        var decoder = SampleDecoder(
            format: options.format, label: options.label, schema: session.schema, lineLimit: options.lineLimit)
        var rest = Array(body.readableBytesView)[...]
        var answers: [Answer] = []
        let limit = await session.chunkLimit
        while !rest.isEmpty {
            let before = rest.count
            await answer(decoder.decode(&rest, within: limit), &answers)
            if rest.count == before { break }  // foreign bytes are not taken
            if answers.count > SampleRoutes.questionLimit {
                throw WebError(.payloadTooLarge, "more than \(SampleRoutes.questionLimit) lines")
            }
        }
        await answer(decoder.finish(), &answers)
        if answers.isEmpty { throw WebError(.badRequest, "expected samples, one a line, got an empty body") }
        if answers.allSatisfy({ $0.error != nil }) {
            throw WebError(.badRequest, "no line is a sample: \(answers[0].error ?? "")")
        }
        let reply = Answers(step: step, predictions: answers)
        // The longest takes some time to write down, which others need not wait for.
        return await Task(executorPreference: globalConcurrentExecutor) { .json(reply) }.value
    }

    private func answer(_ chunk: DecodedChunk, _ answers: inout [Answer]) async {
        guard !chunk.isEmpty else { return }
        let steps = await session.learn(chunk.samples.withoutLabels())
        var rejections: [Int: SampleError] = [:]
        for (index, error) in steps.rejections { rejections[index] = error }
        var found: [Answer] = chunk.lines.indices.map { i in
            let predictions = steps.predictions(at: i)
            guard rejections[i] == nil, predictions.contains(where: { $0 != nil }) else {
                return Answer(line: chunk.lines[i], error: rejections[i].map { "\($0)" } ?? "not taken")
            }
            return Answer(line: chunk.lines[i], predictions, names: steps.outputs.map(\.name))
        }
        for event in chunk.events {
            switch event.kind {
            case .rejected(let error), .refusedDirective(let error):
                found.append(Answer(line: event.line, error: "\(error)"))
            case .foreign(let why): found.append(Answer(line: event.line, error: why))
            case .lateLabel(let label):
                let error = SampleError(line: event.line, expected: "samples", got: "a label for \(label.id)")
                found.append(Answer(line: event.line, error: "\(error)"))
            case .directive: break
            }
        }
        answers += found.sorted { $0.line < $1.line }
    }
}
