// How much goes into a chunk.
//
// Whoever learns chunks in turn with others wants each to take about as long. Samples alone do not tell: of a stream of
// words one may have a hundred thousand. So their numbers count too, and for a late label those of the sample that it will
// turn out to belong to. A single sample is never cut, however long.

/// Where a decoder ends a chunk.
///
///     decoder.decode(&bytes, within: ChunkLimit(samples: 256, numbers: 10_000))
public struct ChunkLimit: Sendable, Hashable {
    /// The most samples; and the most events between them.
    public var samples: Int
    /// Features and terms of all samples together, from which on no further one is begun.
    public var numbers: Int
    /// What a late label counts as, in numbers.
    public var lateLabel: Int

    public init(samples: Int, numbers: Int = .max, lateLabel: Int = 1) {
        precondition(samples >= 0 && numbers >= 0 && (0...1 << 31).contains(lateLabel), "a chunk has a size")
        self.samples = samples
        self.numbers = numbers
        self.lateLabel = lateLabel
    }

    /// As long as it is not known what learns, nor how wide samples are.
    public static let unknown = ChunkLimit(samples: 16, numbers: 4096)

    /// Whether one more sample or event may be begun.
    @inline(__always)
    func hasRoom(in chunk: DecodedChunk, lateLabels: Int) -> Bool {
        chunk.samples.count < samples && chunk.events.count < samples
            && chunk.samples.features.count + chunk.samples.terms.keys.count + lateLabels * lateLabel < numbers
    }

    /// The samples of so many numbers each that fill a chunk, at least one.
    public func rows(of numbers: Int) -> Int {
        let width = max(numbers, 1)
        return max(1, min(samples, (self.numbers - 1) / width + 1))
    }
}
