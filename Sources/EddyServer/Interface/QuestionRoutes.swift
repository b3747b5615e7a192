// What may be asked about the learner: what it is, how it got there, and why it says what it says.
//
//     GET /model      what was found out, and how it is going
//     GET /history    losses since the beginning, at any zoom
//     GET /explain    one sample forward and backward, number by number
//     GET /layers     the weights as pictures
//     GET /surface    predictions over two inputs

import Eddy
import Foundation
import NIOCore

struct QuestionRoutes: Sendable {
    let side: LearnerSide

    var all: [WebRoute] {
        [
            .get("/model") { _ in .json(await side.wholeDescription()) },
            .get("/history") { request in try await history(request) },
            .get("/explain") { request in try await explain(request) },
            .get("/layers") { request in
                let learner = try await side.learner(output: request.query["output"])
                return .json(try await side.ask { learner.weightMaps() })
            },
            .get("/surface") { request in try await surface(request) },
        ]
    }

    // MARK: History

    private struct History: Encodable, Sendable {
        struct Begin: Encodable, Sendable {
            var step: UInt64
            var time: Double
        }

        var by: String
        var unit: String
        var step: UInt64
        var time: Double
        /// Absent before the first sample.
        var begin: Begin?
        let columns = ["step", "time", "count", "mean", "min", "max", "error", "baseline"]
        var rows: [[Double]]

        init(_ rows: [LossHistory.Row], by axis: LossHistory.Axis, unit: String, _ history: LossHistory, now: Double) {
            by = axis.rawValue
            self.unit = unit
            step = history.end?.step ?? 0
            time = now
            begin = history.begin.map { Begin(step: $0.step, time: $0.time) }
            self.rows = rows.map { row in
                [Double(row.step), row.time, Double(row.count), row.mean, row.min, row.max, row.error, row.baseline]
            }
        }
    }

    private func history(_ request: WebRequest) async throws -> WebResponse {
        let name = request.query["by"] ?? "steps"
        guard let axis = LossHistory.Axis(rawValue: name) else {
            throw WebError(.badRequest, "by=\(name): expected steps or time")
        }
        let (from, to) = (try number(request, "from"), try number(request, "to"))
        let points = try whole(request, "points", 1...10_000) ?? 1000
        if let from, let to, from > to { throw WebError(.badRequest, "from=\(from) is after to=\(to)") }
        let window = await side.session.presentWindow()
        let tasks = window?.outputs?.compactMap(\.task) ?? window.map { [$0.task] } ?? []
        let now = Date().timeIntervalSince1970
        let history = await side.session.withObservations { observations in
            History(
                observations.history.rows(by: axis, from: from, to: to, points: points), by: axis,
                unit: LossUnit.nats.name(for: tasks), observations.history, now: now)
        }
        return try await side.ask { .json(history) }  // ten thousand rows take some time to write down
    }

    // MARK: Explanations

    private func explain(_ request: WebRequest) async throws -> WebResponse {
        let question = try question(request)
        let element = request.query["of"]
        let paths = try whole(request, "paths", 1...Explanation.pathLimit) ?? 50
        let output = request.query["output"]
        let learner = try await side.learner(output: output)
        let (features, asked, step) = try await sample(question)
        // Samples in hand have the first output's label.
        let isOwn = if case .whole = question { true } else { output == nil }
        let isFirst = await side.session.outputNames.first == output
        let label = isOwn || isFirst ? asked : .none
        return try await side.ask {
            .json(try learner.explain(features, label: label, sampleStep: step, of: element, pathLimit: paths))
        }
    }

    /// Which sample is asked about.
    private enum Question {
        case whole([Float], Label)
        case step(UInt64)
        case newest
    }

    private func question(_ request: WebRequest) throws(WebError) -> Question {
        let step = try whole(request, "step", 1...Int.max)
        if let name = request.query["sample"], name != "last" {
            throw WebError(.badRequest, "sample=\(name.prefix(40)): expected last, or step=N, or features=…")
        }
        let label: Label
        do { label = try Label(parsing: request.query["label"] ?? "") } catch {
            throw WebError(.badRequest, "\(error)")
        }
        guard let text = request.query["features"] else { return step.map { .step(UInt64($0)) } ?? .newest }
        let features = try text.split(separator: ",", omittingEmptySubsequences: false).map { cell throws(WebError) in
            let cell = cell.trimmingCharacters(in: .whitespaces)
            guard let value = Sample.feature(parsing: cell) else {
                throw WebError(.badRequest, "features: expected numbers with commas between, got \(cell.prefix(40))")
            }
            return value
        }
        return .whole(features, label)
    }

    private func sample(_ question: Question) async throws -> ([Float], Label, UInt64?) {
        let found: ObservedSample?
        let absence: String
        switch question {
        case .whole(let features, let label): return (features, label, nil)
        case .step(let step):
            found = await side.session.withObservations { $0.sample(step: step) } ?? nil
            absence = "sample \(step) is not in hand any more: the newest and those of the largest losses are"
        case .newest:
            found = await side.session.withObservations { $0.recent.count > 0 ? $0.recent.sample(age: 0) : nil } ?? nil
            absence = "no sample is in hand: none was learned since the server started"
        }
        guard let found else { throw WebError(.notFound, absence) }
        guard !found.features.isEmpty else {
            throw WebError(
                .notFound,
                "sample \(found.step) is not in hand: of samples of words or named features alone, and of very long ones, "
                    + "only figures are kept")
        }
        return (found.features, found.label, found.step)
    }

    // MARK: Surfaces

    private func surface(_ request: WebRequest) async throws -> WebResponse {
        let learner = try await side.learner()
        let (x, y) = (try whole(request, "x", 0...Int.max) ?? 0, try whole(request, "y", 0...Int.max) ?? 1)
        let size = try whole(request, "size", 2...DecisionSurface.sizeLimit) ?? 48
        guard let recent = await side.session.withObservations({ $0.recent }), recent.count > 0 else {
            throw WebError(.conflict, "no sample is in hand: none was learned since the server started")
        }
        return .json(try await side.ask { try learner.surface(x: x, y: y, size: size, around: recent) })
    }

    // MARK: Parameters

    private func number(_ request: WebRequest, _ name: String) throws(WebError) -> Double? {
        guard let text = request.query[name] else { return nil }
        guard let value = Double(text), value.isFinite else {
            throw WebError(.badRequest, "\(name)=\(text.prefix(40)): expected a number")
        }
        return value
    }

    private func whole(_ request: WebRequest, _ name: String, _ range: ClosedRange<Int>) throws(WebError) -> Int? {
        guard let text = request.query[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            let bound =
                range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw WebError(.badRequest, "\(name)=\(text.prefix(40)): expected a whole number, \(bound)")
        }
        return value
    }
}
