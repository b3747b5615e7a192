// The last operator of a door: what was learned becomes the bytes that are sent back.
//
//     for try await bytes in socket.samples(for: session).learned(by: session).replies(as: .json) { … }
//
// The directives among the samples (`!reply`, `!ping`) are obeyed here, in their places.

/// Replies to a sequence of what was learned. See ``AsyncSequence/replies(as:)``.
public struct RepliesSequence<Base: AsyncSequence>: AsyncSequence where Base.Element == LearnedChunk {
    public typealias Element = [UInt8]
    public typealias Failure = Base.Failure

    let base: Base
    let style: ReplyStyle
    let framing: ByteFraming

    public func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), writer: ReplyWriter(style: style), framing: framing)
    }

    public struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        private var writer: ReplyWriter
        let framing: ByteFraming
        private var isAtEnd = false

        /// The sender's totals so far.
        public var tally: SampleTally { writer.tally }

        init(base: Base.AsyncIterator, writer: ReplyWriter, framing: ByteFraming) {
            (self.base, self.writer, self.framing) = (base, writer, framing)
        }

        public mutating func next() async throws(Failure) -> [UInt8]? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> [UInt8]? {
            while !isAtEnd {
                guard let learned = try await base.next(isolation: actor) else {
                    isAtEnd = true
                    writer.end()
                    let last = writer.take()
                    return last.isEmpty ? nil : last
                }
                writer.reply(to: learned)
                if case .foreign = learned.events.last?.kind {  // nothing more is said to who speaks another language
                    isAtEnd = true
                    return writer.take()
                }
                if framing == .messages {
                    if learned.endsBuffer { return writer.take() }
                } else {
                    let replies = writer.take()
                    if !replies.isEmpty { return replies }
                }
            }
            return nil
        }
    }
}

extension RepliesSequence: Sendable where Base: Sendable {}
extension RepliesSequence.Iterator: Sendable where Base.AsyncIterator: Sendable {}

extension AsyncSequence where Element == LearnedChunk {
    /// Replies to each chunk, and at the end those that close the replies. Never an empty one.
    public func replies(as style: ReplyStyle) -> RepliesSequence<Self> { replies(as: style, framing: .stream) }

    /// The same; of messages, the replies to a whole message at a time, which may be empty.
    public func replies(as style: ReplyStyle, framing: ByteFraming) -> RepliesSequence<Self> {
        RepliesSequence(base: self, style: style, framing: framing)
    }
}
