// The first operator of every door: an asynchronous sequence of bytes becomes one of decoded chunks.
//
//     for try await chunk in bytes.samples(for: session) { … }
//
// A buffer is decoded piece by piece, each piece about a millisecond of learning, and the next buffer is asked for when
// all of this one has been taken. Bytes are read where they lie; only a line that a buffer's end cuts in two is copied.

/// How a source's buffers relate to lines.
public enum ByteFraming: Sendable, Hashable {
    /// A stream that may be cut anywhere.
    case stream
    /// Messages: the end of a buffer ends its last line, and a buffer that begins with the header of packed samples holds
    /// whole records. Each buffer ends a chunk, which may be empty (see ``DecodedChunk/endsBuffer``).
    case messages
}

/// Chunks of the samples in a sequence of buffers of bytes. See ``AsyncSequence/samples(of:label:for:)``.
public struct DecodedSequence<Base: AsyncSequence>: AsyncSequence where Base.Element: Collection<UInt8> {
    public typealias Element = DecodedChunk
    public typealias Failure = Base.Failure

    let base: Base
    let decoder: SampleDecoder
    let session: LearningSession
    let framing: ByteFraming
    let isCut: @Sendable () -> Bool

    public func makeAsyncIterator() -> Iterator {
        Iterator(
            base: base.makeAsyncIterator(), decoder: decoder, session: session, framing: framing, isCut: isCut)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private var base: Base.AsyncIterator
        private var decoder: SampleDecoder
        private let session: LearningSession
        private let framing: ByteFraming
        private let isCut: @Sendable () -> Bool
        /// What is left of the newest buffer.
        private var rest: Base.Element.SubSequence?
        private var arrived = ContinuousClock.now
        private var isAtEnd = false

        init(
            base: Base.AsyncIterator, decoder: SampleDecoder, session: LearningSession, framing: ByteFraming,
            isCut: @escaping @Sendable () -> Bool
        ) {
            (self.base, self.decoder, self.session) = (base, decoder, session)
            (self.framing, self.isCut) = (framing, isCut)
        }

        public mutating func next() async throws(Failure) -> DecodedChunk? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> DecodedChunk? {
            while !isAtEnd {
                if rest == nil {
                    guard let buffer = try await base.next(isolation: actor) else {
                        isAtEnd = true
                        return isCut() ? nil : last()
                    }
                    rest = buffer[...]
                    arrived = .now
                    if framing == .messages { decoder.beginMessage(buffer.prefix(5)) }
                }
                if let chunk = takeChunk() { return chunk }
            }
            return nil
        }

        /// The next chunk of the buffer; nil where there is nothing in what is left of it.
        private mutating func takeChunk() -> DecodedChunk? {
            var chunk = decode()
            chunk.arrived = arrived
            if case .foreign = chunk.events.last?.kind { isAtEnd = true }
            if rest!.isEmpty || isAtEnd {
                rest = nil
                chunk.endsBuffer = true
                if framing == .messages {
                    chunk.append(contentsOf: decoder.endMessage())
                    return chunk
                }
            }
            return chunk.isEmpty ? nil : chunk
        }

        private mutating func decode() -> DecodedChunk {
            let limit = session.chunkLimit
            let decoded = rest!.withContiguousStorageIfAvailable { decoder.decode($0, within: limit) }
            if let (chunk, used) = decoded {
                rest!.removeFirst(used)
                return chunk
            }
            let bytes = Array(rest!)
            let (chunk, used) = bytes.withUnsafeBufferPointer { decoder.decode($0, within: limit) }
            rest!.removeFirst(used)
            return chunk
        }

        private mutating func last() -> DecodedChunk? {
            var chunk = decoder.finish()
            (chunk.arrived, chunk.endsBuffer) = (.now, true)
            return chunk.isEmpty ? nil : chunk
        }
    }
}

extension DecodedSequence: Sendable where Base: Sendable {}
extension DecodedSequence.Iterator: Sendable
where Base.AsyncIterator: Sendable, Base.Element.SubSequence: Sendable {}

extension AsyncSequence where Element: Collection<UInt8> {
    /// The samples in a stream of bytes, and the events between them, as chunks.
    ///
    ///     for try await learned in bytes.samples(for: session).learned(by: session) { … }
    ///
    /// - Parameters:
    ///   - format: nil recognises it from the first lines.
    ///   - label: which column is the label.
    ///   - session: says what the columns are, and how much makes a chunk.
    public func samples(
        of format: SampleFormat? = nil, label: LabelColumn = .automatic, for session: LearningSession
    ) -> DecodedSequence<Self> {
        samples(of: format, label: label, for: session, framing: .stream)
    }

    /// The same for a server's doors.
    ///
    /// - Parameters:
    ///   - lineLimit: the longest line in bytes.
    ///   - framing: whether buffers are messages.
    ///   - isCut: asked at the end: whether it is not the sender's, so that a last line without its newline is discarded.
    public func samples(
        of format: SampleFormat? = nil, label: LabelColumn = .automatic,
        lineLimit: Int = SampleDecoder.defaultLineLimit, for session: LearningSession, framing: ByteFraming,
        isCut: @escaping @Sendable () -> Bool = { false }
    ) -> DecodedSequence<Self> {
        DecodedSequence(
            base: self,
            decoder: SampleDecoder(format: format, label: label, schema: session.schema, lineLimit: lineLimit),
            session: session, framing: framing, isCut: isCut)
    }
}
