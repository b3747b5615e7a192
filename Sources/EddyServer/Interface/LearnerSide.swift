// What the web side asks of a session, in one place: descriptions, reports, and questions that take some work.
//
// The session's executor pays for copies. Work that may take long (an explanation of a large network) goes to the
// global pool, so that neither learning nor other clients wait for it.

import Eddy
import Foundation
import NIOCore

struct LearnerSide: Sendable {
    let session: LearningSession
    let configuration: Configuration
    let feed: FeedServer
    let feedAddress: ModelDescription.Address
    let activity: FeedActivity
    let started = Date().timeIntervalSince1970
    /// The most numbers that are copied for a question: 40 MB.
    private static let sizeLimit = 10_000_000

    /// What was found out, with the hash of the weights and every figure, which take some work.
    func wholeDescription() async -> ModelDescription {
        let outputs = await session.outputMetrics
        var description = await description(withHash: true)
        if outputs.count > 1 {
            let figures = await aside { outputs.map { ($0.metrics.classification, $0.metrics.regression) } }
            for (index, figures) in figures.enumerated() where index < description.outputs?.count ?? 0 {
                (description.outputs![index].classification, description.outputs![index].regression) = figures
            }
            return description
        }
        let metrics = outputs[0].metrics
        (description.classification, description.regression) = await aside {
            (metrics.classification, metrics.regression)
        }
        return description
    }

    /// - Parameter withHash: whether to tell the hash of the weights, which takes a copy of them.
    func description(withHash: Bool = false) async -> ModelDescription {
        let snapshot = await session.snapshot(withWeights: withHash)
        let hash: UInt64?
        if withHash, snapshot.parameterCount > 100_000 {
            hash = await aside { snapshot.parameterHash }
        } else {
            hash = snapshot.parameterHash
        }
        return ModelDescription(
            snapshot, configuration, hash: hash, started: started, feed: feedAddress,
            connections: feed.connectionCount)
    }

    func layers() async -> LayersReport? {
        // Of a large one weights and norms alone are told, and copied.
        let isSmall = await session.withLearner { $0.size } <= LearnerSide.sizeLimit / 10
        guard let learner = await session.frozen(answers: isSmall) else { return nil }
        guard isSmall else { return await aside { LayersReport(learner, sample: nil) } }
        let newest = await session.withObservations { $0.recent.count > 0 ? $0.recent.sample(age: 0) : nil } ?? nil
        return await aside { LayersReport(learner, sample: newest) }
    }

    func report(_ tallies: [StreamTally]) async -> StreamReport {
        let time = Date().timeIntervalSince1970
        let seen = await session.withObservations { StreamReport.Seen($0, time: time) } ?? StreamReport.Seen()
        return StreamReport(
            step: await session.step, await session.sampleCounts, seen, activity, tcp: feed.connectionCount,
            tallies: tallies, time: time)
    }

    /// A copy of the learner.
    ///
    /// - Parameter output: which, of several outputs; nil for the first.
    /// - Throws: ``WebError`` 400 where there is no such output, 409 before the first sample.
    func learner(output: String? = nil) async throws -> FrozenLearner {
        if let output {
            let names = await session.outputNames
            guard names.contains(output) else {
                let expected = names.isEmpty ? "none, as there is one output" : names.joined(separator: ", ")
                throw WebError(.badRequest, "output=\(output.prefix(40)): expected \(expected)")
            }
        }
        // Refused before it is copied: many such questions at once would take the memory, and the learner's time.
        let size = await session.withLearner { $0.size }
        guard size <= LearnerSide.sizeLimit else {
            throw WebError(
                .badRequest, "the model keeps \(size) numbers: expected at most \(LearnerSide.sizeLimit) for a question"
            )
        }
        guard let learner = await session.frozen(output: output), learner.step > 0 else {
            throw WebError(.conflict, "nothing has been learned yet: send labelled samples first")
        }
        return learner
    }

    /// Runs work on the global pool.
    /// - Throws: ``WebError`` 400 for a ``QuestionError``.
    func ask<Answer: Sendable>(_ work: @escaping @Sendable () throws -> Answer) async throws -> Answer {
        do {
            return try await Task(executorPreference: globalConcurrentExecutor, operation: work).value
        } catch let error as QuestionError {
            throw WebError(.badRequest, "\(error)")
        }
    }

    func aside<Answer: Sendable>(_ work: @escaping @Sendable () -> Answer) async -> Answer {
        await Task(executorPreference: globalConcurrentExecutor, operation: work).value
    }
}
