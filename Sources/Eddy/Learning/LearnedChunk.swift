// What came of a decoded chunk: its samples, their steps, and everything that was rejected, each with its line.

/// Samples that a learner took, or refused, and a step for each.
///
///     for try await learned in bytes.samples(for: session).learned(by: session) {
///         print(learned.meanLoss ?? 0, learned.rejections)
///     }
public struct LearnedChunk: Sendable {
    /// The samples in the order of learning: a late label has become the sample that waited for it.
    public internal(set) var samples: SampleChunk
    /// The line of each sample, counted from 1. Shape: (count).
    public internal(set) var lines: [Int]
    /// What came between the samples, in their places: directives, and lines that are no samples.
    public internal(set) var events: [DecodedEvent]
    /// A prediction and a loss for each sample. Shape: (count).
    public internal(set) var steps: StepChunk
    /// The names of the label columns; empty before the first sample was taken.
    public internal(set) var labels: [String] = []
    /// Whether a buffer of the source, which may be a message, ends with this chunk.
    public internal(set) var endsBuffer = false
    /// When the chunk's bytes arrived; nil where it was not made from bytes.
    public internal(set) var arrived: ContinuousClock.Instant?

    init(_ chunk: DecodedChunk, _ steps: StepChunk) {
        (samples, lines, events, self.steps) = (chunk.samples, chunk.lines, chunk.events, steps)
        (endsBuffer, arrived) = (chunk.endsBuffer, chunk.arrived)
    }

    /// Samples, rejected ones included.
    public var count: Int { steps.count }
    /// Samples learned.
    public var learned: Int { steps.learned }
    /// Samples that had no label: predicted, or waiting for one.
    public var predicted: Int { steps.predicted }
    /// The mean loss of the samples learned, or nil where there were none.
    public var meanLoss: Double? { steps.meanLoss }
    /// What was predicted for a sample before it was learned; nil where nothing was.
    public func prediction(at index: Int) -> Prediction? { steps.prediction(at: index) }

    /// Everything that was not taken, by line: what the decoder could not read, and what the learner refused.
    public var rejections: [SampleError] {
        var rejections: [SampleError] = []
        var refused = steps.rejections[...]
        func takeRefused(before index: Int) {
            while let next = refused.first, next.index < index {
                rejections.append(located(next))
                refused.removeFirst()
            }
        }
        for event in events {
            guard case .rejected(let error) = event.kind else { continue }
            takeRefused(before: event.index)
            rejections.append(error)
        }
        takeRefused(before: .max)
        return rejections
    }

    /// A learner's rejection with its line rather than its place in the chunk.
    func located(_ rejection: (index: Int, error: SampleError)) -> SampleError {
        var error = rejection.error
        error.line = lines[rejection.index]
        return error
    }
}

extension StepChunk {
    /// Whether no output's newest sample is a value: losses are then in nats.
    package var hasClassesAlone: Bool {
        outputs.isEmpty ? !isRegression : outputs.allSatisfy { !$0.steps.isRegression }
    }
}

extension LearnedChunk {
    /// Appends what was learned next, of the same decoded chunk.
    mutating func append(contentsOf other: LearnedChunk) {
        var chunk = DecodedChunk(samples: samples, lines: lines, events: events)
        chunk.append(contentsOf: DecodedChunk(samples: other.samples, lines: other.lines, events: other.events))
        (samples, lines, events) = (chunk.samples, chunk.lines, chunk.events)
        steps.append(contentsOf: other.steps)
    }
}
