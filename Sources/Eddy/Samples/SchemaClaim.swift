// Who decides what a stream's samples look like.
//
//     decoder: SchemaDraft ──proposal, in the chunk──▶ StreamLearner: SchemaClaim
//        ▲                                                   │
//        └───────────────────── current ─────────────────────┘
//
// Decoders propose and the learner decides, so that the order of learning alone determines the schema, whatever the
// threads on which connections are decoded. A proposal travels in the chunk of the samples that it describes. The learner
// accepts it with the first sample that it takes; a sample that is rejected fixes nothing. From then on every
// connection's columns are mapped to the accepted schema: by name where both have names, else by position. A chunk that was
// decoded before another connection's proposal was accepted is decoded again.

import Synchronization

/// The columns that a decoder found, on their way to the learner.
public struct SchemaProposal: Sendable, Hashable {
    public var schema: Schema
    /// Whether no label has come yet, so that it is open how many outputs there are.
    public var isLabelOpen = false

    public init(_ schema: Schema, isLabelOpen: Bool = false) {
        self.schema = schema
        self.isLabelOpen = isLabelOpen
    }

    /// Columns as an error tells them.
    static func columns(_ schema: Schema?) -> String {
        let names = schema?.columns.map(\.name) ?? []
        return "columns " + names.prefix(12).joined(separator: ", ") + (names.count > 12 ? ", …" : "")
    }
}

/// A stream's schema: decided once, by its learner, and read by decoders on any thread.
///
///     let learner = try StreamLearner()
///     var decoder = SampleDecoder(schema: learner.schema)
public final class SchemaClaim: Sendable {
    private let state: Mutex<SchemaProposal?>

    /// - Parameter schema: nil leaves it to the first valid sample.
    public init(_ schema: Schema? = nil) { state = Mutex(schema.map { SchemaProposal($0) }) }

    /// The schema that was accepted; nil before the first sample.
    public var current: Schema? { state.withLock { $0?.schema } }

    /// The same, and whether its labels are still open.
    var accepted: SchemaProposal? { state.withLock { $0 } }

    /// Accepts a proposal where nothing was accepted before, and its labels where these were open.
    ///
    /// - Returns: the schema that holds.
    @discardableResult
    public func accept(_ proposal: SchemaProposal) -> Schema {
        state.withLock { state in
            guard var present = state else {
                state = proposal
                return proposal.schema
            }
            if present.isLabelOpen, !proposal.isLabelOpen, present.schema.columns == proposal.schema.columns {
                if proposal.schema.labels.count > 1 {
                    present.schema.label = proposal.schema.label
                    present.schema.furtherLabels = proposal.schema.furtherLabels
                }
                present.isLabelOpen = false
                state = present
            }
            return present.schema
        }
    }
}

/// A decoder's view of the schema: what the stream has accepted, or what this decoder proposes.
struct SchemaDraft: Sendable {
    private let accepted: SchemaClaim
    /// What the learner has not accepted yet; nil where the accepted schema holds.
    private(set) var proposal: SchemaProposal?

    init(_ accepted: SchemaClaim) { self.accepted = accepted }

    /// The schema by which samples are laid out; nil before the first.
    var current: Schema? { proposal?.schema ?? accepted.current }

    /// Whether the stream has accepted nothing yet.
    var isFirst: Bool { accepted.current == nil }

    /// Takes note of what was accepted meanwhile.
    ///
    /// - Returns: whether that differs from the proposal, so that the columns have to be mapped anew.
    mutating func settle() -> Bool {
        guard let proposal, let present = accepted.accepted else { return false }
        if proposal.schema.columns == present.schema.columns {
            if present.isLabelOpen { return false }
            self.proposal = nil
            return proposal.schema != present.schema
        }
        self.proposal = nil
        return true
    }

    /// Proposes a schema and returns the one that holds: the proposal where there was none before.
    ///
    /// - Parameter isLabelOpen: whether the proposal does not say yet what the labels are.
    mutating func claim(_ schema: Schema, isLabelOpen: Bool = false) -> Schema {
        if let current { return current }
        proposal = SchemaProposal(schema, isLabelOpen: isLabelOpen)
        return schema
    }

    /// How many labels a sample has; 1 while that is open.
    var outputs: Int {
        guard let present = proposal ?? accepted.accepted, !present.isLabelOpen else { return 1 }
        return present.schema.labels.count
    }

    /// Proposes the names of the outputs and returns those that hold. One alone keeps the name that the schema has for
    /// it.
    mutating func claimLabels(_ names: [String]) -> [String] {
        guard var present = proposal ?? accepted.accepted else { return names }
        if present.isLabelOpen {
            present.isLabelOpen = false
            if names.count > 1 {
                (present.schema.label, present.schema.furtherLabels) = (names[0], Array(names[1...]))
            }
            proposal = present
        }
        return present.schema.labels
    }
}
