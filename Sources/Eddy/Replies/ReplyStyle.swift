// What a sender of samples may be told.

/// What a feed says back.
public enum ReplyStyle: String, Sendable, Hashable, CaseIterable {
    /// Errors as they happen, at most some ten a second, and a summary at the end.
    case summary
    /// One line for every data line: a prediction, or an error.
    case predictions
    /// The same as JSON objects.
    case json
    /// The number of data lines processed, after every chunk.
    case acks
    /// Nothing.
    case none
}
