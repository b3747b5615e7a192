// What a stream's samples look like, and who decides it.
//
// The session owns the schema. Its first valid sample, whatever connection it comes by, claims it;
// a line that is not a valid sample fixes nothing. From then on every connection's columns are mapped
// to it: by name where both have names, else by position.

import Synchronization

/// The inputs of a stream of samples.
public struct Schema: Sendable, Hashable, Codable {
    /// The names of the inputs, in the order of the network's inputs.
    public var inputs: [String]
    /// The name of the label column, where one is known.
    public var label: String?
    /// Whether the names came from the stream (a header, JSON keys) rather than being x0, x1, ….
    public var isNamed: Bool

    public init(names: [String], label: String? = nil) {
        self.inputs = names
        self.label = label
        self.isNamed = true
    }

    /// Inputs that have no names: x0, x1, ….
    public init(inputs: Int) {
        self.inputs = (0..<inputs).map { "x\($0)" }
        self.label = nil
        self.isNamed = false
    }
}

/// The one place where a session's schema is decided, once, by whoever comes first.
///
/// Decoders hold it, on whatever thread they run; they ask once a connection.
public final class SchemaClaim: Sendable {
    private let schema: Mutex<Schema?>

    /// - Parameter schema: nil leaves it to the first valid sample.
    public init(_ schema: Schema? = nil) { self.schema = Mutex(schema) }

    public var current: Schema? { schema.withLock { $0 } }

    /// Proposes a schema and returns the one that holds: the proposal where none was claimed before.
    public func claim(_ proposal: Schema) -> Schema {
        schema.withLock { current in
            if let current { return current }
            current = proposal
            return proposal
        }
    }
}
