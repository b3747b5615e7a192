// `Encodable` values as samples.
//
//     readings.learned(by: session, label: \.load) ≡ lines of JSON ─▶ .samples(of: .json, label: "load", for: session) ─▶
//                                                    .learned(by: session)
//
// Each value becomes its JSON line (FieldLine.swift), which the decoder of JSON lines reads. So a value means what its line
// means, and learns the same weights to the bit.

/// Chunks of the samples that `Encodable` values are. See ``AsyncSequence/learned(by:label:from:)``.
public struct EncodedSequence<Base: AsyncSequence, Value: Encodable & Sendable>: AsyncSequence {
    public typealias Element = DecodedChunk
    public typealias Failure = Base.Failure

    let base: Base
    let label: LabelField<Value>
    let session: LearningSession
    let values: @Sendable (Base.Element) -> [Value]

    public func makeAsyncIterator() -> Iterator {
        Iterator(
            base: base.makeAsyncIterator(), decoder: EncodedDecoder(label: label, schema: session.schema),
            values: values)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        var decoder: EncodedDecoder<Value>
        let values: @Sendable (Base.Element) -> [Value]

        public mutating func next() async throws(Failure) -> DecodedChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> DecodedChunk? {
            guard let element = try await base.next(isolation: actor) else { return nil }
            return decoder.decode(values(element))
        }
    }
}

extension EncodedSequence: Sendable where Base: Sendable {}
extension EncodedSequence.Iterator: Sendable where Base.AsyncIterator: Sendable {}

/// Turns the values of one stream into chunks of samples.
struct EncodedDecoder<Value: Encodable & Sendable>: Sendable {
    private let label: LabelField<Value>
    private var decoder: SampleDecoder
    /// Values so far.
    private var line = 0
    /// Whether it is certain which field the label is.
    private var isSettled: Bool

    init(label: LabelField<Value>, schema: SchemaClaim) {
        self.label = label
        decoder = SampleDecoder(format: .json, label: label.column, schema: schema)
        isSettled = label.wanted == nil
    }

    /// A sample or a rejection for each value; its line is its number in the stream.
    mutating func decode(_ values: [Value]) -> DecodedChunk {
        let lines = FieldLine(wanted: isSettled ? nil : label.wanted)
        var failures: [Int: SampleError] = [:]
        for value in values {
            line += 1
            do {
                try lines.append(value)
                if !isSettled { isSettled = label.isSettled(by: value, lines.found) }
            } catch {
                failures[line] = EncodedDecoder.error(error, line)
                lines.appendNothing()
            }
        }
        let whole = ChunkLimit(samples: .max)
        var chunk = lines.takeBytes().withUnsafeBufferPointer { decoder.decode($0, within: whole).chunk }
        if !failures.isEmpty {
            chunk.events = chunk.events.map { event in
                guard let error = failures[event.line] else { return event }
                return DecodedEvent(index: event.index, line: event.line, kind: .rejected(error))
            }
        }
        return chunk
    }

    private static func error(_ error: any Error, _ line: Int) -> SampleError {
        if var error = error as? SampleError {
            error.line = line
            return error
        }
        let expected = "a value that can be encoded, dates in the years 1 to 9999"
        guard case .invalidValue(_, let context) = error as? EncodingError else {
            return SampleError(.format, line: line, expected: expected, got: "\(error)")
        }
        return SampleError(
            .value, line: line, field: context.codingPath.map(\.stringValue).joined(separator: "."),
            expected: expected, got: context.debugDescription)
    }
}
