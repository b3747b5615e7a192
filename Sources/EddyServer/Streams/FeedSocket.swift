// `/feed`: the pipeline of the TCP feed, with websocket messages as its source.
//
//     messages ─▶ .samples(for: session) ─▶ .learned(by: session) ─▶ .replies(as: style) ─▶ messages
//
// A message holds whole lines, and its end ends the last one; or it is binary, and holds packed samples. Replies to a
// message come back in one.

import Eddy
import NIOCore
import Synchronization

struct FeedSocket: WebConversation {
    private let messages = MessageSource()
    private let presence: Presence
    /// Exactly one buffer for each message, which may be empty.
    private var replies: RepliesSequence<LearnedSequence<DecodedSequence<MessageSource>>>.Iterator

    init(session: LearningSession, options: FeedOptions, source: String) {
        presence = Presence(options.activity)
        replies = messages.learned(by: session, options, from: source, framing: .messages)
            .replies(as: options.reply, framing: .messages).makeAsyncIterator()
    }

    mutating func receive(_ message: WebMessage) async throws -> [WebMessage] {
        messages.put(message.bytes.readableBytesView)
        guard let text = await replies.next(isolation: nil) else {
            throw WebSocketViolation.protocolError("the messages before were none of a feed")
        }
        return FeedSocket.messages(text)
    }

    mutating func end() async -> [WebMessage] {
        messages.put(nil)
        return FeedSocket.messages(await replies.next(isolation: nil) ?? [])
    }

    private static func messages(_ replies: [UInt8]) -> [WebMessage] {
        let isEnded = replies.last == UInt8(ascii: "\n")
        return replies.isEmpty ? [] : [.text(ByteBuffer(bytes: isEnded ? replies.dropLast() : replies[...]))]
    }
}

/// The messages of one conversation, each put there before it is asked for.
final class MessageSource: AsyncSequence, AsyncIteratorProtocol, Sendable {
    typealias Element = ByteBufferView
    typealias Failure = Never

    private let message = Mutex<ByteBufferView?>(nil)

    /// - Parameter bytes: nil ends the conversation.
    func put(_ bytes: ByteBufferView?) { message.withLock { $0 = bytes } }

    func makeAsyncIterator() -> MessageSource { self }

    func next() async -> ByteBufferView? { message.withLock { $0.take() } }

    func next(isolation actor: isolated (any Actor)?) async -> ByteBufferView? { message.withLock { $0.take() } }
}

/// Counts as an open feed for as long as it lives.
private final class Presence: Sendable {
    private let activity: FeedActivity

    init(_ activity: FeedActivity) {
        self.activity = activity
        activity.openWebSocket()
    }

    deinit { activity.closeWebSocket() }
}
