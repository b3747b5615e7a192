// The samples of the last minute that surprised most.
//
// A ten-second bucket keeps its ten largest; an answer is the ten largest of the buckets of the last minute. So the
// oldest seconds of the minute are told only as far as they stand out in their own ten.

/// The ten largest losses of the last minute, each with its sample.
public struct LargestLosses: Sendable {
    /// How many are told, and how many a bucket keeps.
    public static let limit = 10
    /// The seconds told of.
    public static let span = 60.0
    /// Samples with more features than this are kept without them, so that all of them stay below a megabyte.
    public static let inputLimit = RecentSamples.floatLimit / (7 * limit)

    private static let bucketSpan = 10.0

    private struct Entry {
        var time: Double
        var figures: SampleFigures
        var features: [Float]
    }

    private struct Bucket {
        var number: Double  // of the ten seconds, since 1970
        var entries: [Entry] = []  // descending by loss
    }

    private var buckets: [Bucket] = []  // ascending, at most 7
    var classes: [String] = []

    init() {}

    /// Those of the last minute before `time` (seconds since 1970), largest first, at most ten.
    public func samples(at time: Double) -> [ObservedSample] {
        let entries = buckets.flatMap(\.entries).filter { $0.time >= time - LargestLosses.span }
        return entries.sorted { $0.figures.loss > $1.figures.loss }.prefix(LargestLosses.limit).map {
            $0.figures.observed($0.features, classes: classes)
        }
    }

    /// The sample of a step; nil where it is not among those in hand, or its features are not.
    public func sample(step: UInt64) -> ObservedSample? {
        for bucket in buckets {
            for entry in bucket.entries where entry.figures.step == step && !entry.features.isEmpty {
                return entry.figures.observed(entry.features, classes: classes)
            }
        }
        return nil
    }

    /// Takes in the learned samples of a chunk from sample `first` on.
    ///
    /// - Parameter numbers: the samples' steps, where they are not consecutive. Shape: (count).
    mutating func append(
        _ chunk: SampleChunk, _ steps: StepChunk, from first: Int, firstStep: UInt64, numbers: [UInt64]? = nil,
        time: Double
    ) {
        beginBucket(at: time)
        let bucket = buckets.count - 1
        // Most chunks end here: no loss among the ten largest. NaN compares false.
        var threshold = -Float.infinity
        if buckets[bucket].entries.count == LargestLosses.limit {
            threshold = buckets[bucket].entries[LargestLosses.limit - 1].figures.loss
        }
        let candidates = LargestLosses.candidates(steps.losses[first...], above: threshold)
        for index in candidates {
            let learnedBefore =
                steps.learned == steps.count
                ? index - first : steps.countLearned(from: first) - steps.countLearned(from: index)
            let figures = SampleFigures(
                step: numbers?[index] ?? firstStep + UInt64(learnedBefore), target: steps.targets[index],
                prediction: steps.predictions[index], probability: steps.probabilities[index],
                loss: steps.losses[index])
            let features =
                chunk.inputs <= LargestLosses.inputLimit
                ? Array(chunk.features[index * chunk.inputs..<(index + 1) * chunk.inputs]) : []
            insert(Entry(time: time, figures: figures, features: features), in: bucket)
        }
    }

    private mutating func beginBucket(at time: Double) {
        let number = (time / LargestLosses.bucketSpan).rounded(.down)
        if let last = buckets.last {
            if number == last.number { return }
            if number < last.number { buckets = [] }  // the clock was set back
        }
        buckets.append(Bucket(number: number))
        let oldest = ((time - LargestLosses.span) / LargestLosses.bucketSpan).rounded(.down)
        buckets.removeAll { $0.number < oldest }
    }

    private mutating func insert(_ entry: Entry, in bucket: Int) {
        let loss = entry.figures.loss
        let place = buckets[bucket].entries.firstIndex { $0.figures.loss < loss } ?? buckets[bucket].entries.count
        guard place < LargestLosses.limit else { return }
        buckets[bucket].entries.insert(entry, at: place)
        if buckets[bucket].entries.count > LargestLosses.limit { buckets[bucket].entries.removeLast() }
    }

    /// Indices of the ten largest values above a threshold, in order of arrival.
    private static func candidates(_ losses: ArraySlice<Float>, above threshold: Float) -> [Int] {
        losses.withUnsafeBufferPointer { buffer in
            var largest = -Float.infinity
            for loss in buffer { largest = loss > largest ? loss : largest }
            guard largest > threshold else { return [] }
            var best: [(loss: Float, index: Int)] = []  // descending
            var threshold = threshold
            for (i, loss) in buffer.enumerated() where loss > threshold {
                let place = best.firstIndex { $0.loss < loss } ?? best.count
                best.insert((loss, losses.startIndex + i), at: place)
                if best.count > limit { best.removeLast() }
                if best.count == limit { threshold = max(threshold, best[limit - 1].loss) }
            }
            return best.map(\.index).sorted()
        }
    }
}
