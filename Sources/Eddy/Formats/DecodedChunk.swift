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

    public var isEmpty: Bool { samples.isEmpty && events.isEmpty }
}
