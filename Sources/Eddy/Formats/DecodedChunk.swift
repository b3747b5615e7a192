// What a decoder found: samples, and the events between them.

/// What a decoder found beside samples, in its place among them.
public struct DecodedEvent: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A line that is no sample. It changed nothing.
        case rejected(SampleError)
        /// The label of a sample that came before: `!label ID VALUE`, or a JSON object with an id and a label alone.
        case lateLabel(LateLabel)
        /// Another line that begins with `!`, without it.
        case directive(String)
        /// A directive to the decoder that it cannot obey.
        case refusedDirective(SampleError)
        /// The stream is none of ours (an HTTP request, say): its sender is told why, and nothing more is read.
        case foreign(String)
    }

    /// How many of the chunk's samples came before.
    public let index: Int
    public let line: Int
    public let kind: Kind

    /// What is wrong, where the line is a data line or a directive that was not taken.
    public var error: SampleError? {
        switch kind {
        case .rejected(let error), .refusedDirective(let error): error
        case .lateLabel, .directive, .foreign: nil
        }
    }
}

/// Some samples of a stream, and the events between them.
public struct DecodedChunk: Sendable {
    public internal(set) var samples: SampleChunk
    /// The line of each sample, counted from 1.
    public internal(set) var lines: [Int] = []
    public internal(set) var events: [DecodedEvent] = []
    /// The columns of the samples, where their decoder found them and the stream has not accepted them yet.
    public internal(set) var proposal: SchemaProposal?
    /// Decodes the same bytes by the schema that holds by then; nil where nothing is proposed.
    var decodedAgain: (@Sendable () -> DecodedChunk)?
    /// Whether a buffer of the source, which may be a message, ends with this chunk.
    public internal(set) var endsBuffer = false
    /// When its bytes arrived; nil where it was not made from bytes.
    public internal(set) var arrived: ContinuousClock.Instant?

    /// Samples that were made one at a time, without a decoder.
    ///
    /// - Parameter lines: where each stood in its source; empty counts them from 1.
    public init(samples: SampleChunk, lines: [Int] = []) {
        precondition(lines.isEmpty || lines.count == samples.count, "\(lines.count) lines of \(samples.count) samples")
        self.samples = samples
        self.lines = lines.isEmpty ? Array(1..<samples.count + 1) : lines
    }

    /// A late label alone.
    init(_ label: LateLabel) {
        self.init(samples: SampleChunk(inputs: 0))
        events = [DecodedEvent(index: 0, line: 1, kind: .lateLabel(label))]
    }

    init(samples: SampleChunk, lines: [Int], events: [DecodedEvent]) {
        (self.samples, self.lines, self.events) = (samples, lines, events)
    }

    public var isEmpty: Bool { samples.isEmpty && events.isEmpty }
}
