// Who decides what a stream's samples look like.
//
//     decoder: SchemaDraft ──proposal, in the chunk──▶ StreamLearner: SchemaClaim
//        ▲                                                   │
//        └───────────────────── current ─────────────────────┘
//
// Decoders propose and the learner decides, so that the order of learning alone determines the schema, whatever the
// threads on which connections are decoded. A proposal travels in the chunk of the samples that it describes. The learner
// accepts it with the first sample that it takes; a sample that is rejected fixes nothing. From then on every
// connection's columns are mapped to the accepted schema: by name where both have names, else by position.

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

// MARK: - Samples that were laid out by another schema

extension SampleChunk {
    /// The samples with their columns in the order of another schema; nil where the columns are not the same.
    ///
    /// Two connections may send their first samples at once, each decoded before either was accepted.
    func fitted(from own: Schema, to schema: Schema) -> SampleChunk? {
        guard own.inputs.count == schema.inputs.count, inputs == own.inputs.count else { return nil }
        guard own.isNamed, schema.isNamed, own.inputs != schema.inputs else { return self }
        let places = Dictionary(own.inputs.enumerated().map { ($1, $0) }) { first, _ in first }
        let order = schema.inputs.compactMap { places[$0] }
        guard order.count == inputs, Set(order).count == inputs else { return nil }
        var chunk = self
        for row in 0..<count {
            for (column, place) in order.enumerated() {
                chunk.features[row * inputs + column] = features[row * inputs + place]
            }
        }
        return chunk
    }
}
