// `/feed`: the same conversation as over TCP, in websocket messages.
//
// A message holds whole lines, and its end ends the last one; or it is binary, and holds packed samples. Replies to a
// message come back in one.

import Eddy
import NIOCore

struct FeedSocket: WebConversation {
    private var conversation: FeedConversation
    private let presence: Presence

    init(session: LearningSession, options: FeedOptions, source: String) {
        conversation = FeedConversation(session: session, options: options, source: source, isAdmitted: true)
        presence = Presence(options.activity)
    }

    mutating func receive(_ message: WebMessage) async throws -> [WebMessage] {
        var bytes = message.bytes
        if message.kind == .binary, bytes.readableBytesView.starts(with: "EDDY".utf8) {
            return FeedSocket.messages(await conversation.receive(packed: bytes))
        }
        if bytes.readableBytesView.last != UInt8(ascii: "\n") { bytes.writeInteger(UInt8(ascii: "\n")) }
        return FeedSocket.messages(await conversation.receive(bytes))
    }

    mutating func end() async -> [WebMessage] { FeedSocket.messages(await conversation.end()) }

    private static func messages(_ replies: ByteBuffer) -> [WebMessage] {
        guard replies.readableBytes > 0 else { return [] }
        let isEnded = replies.readableBytesView.last == UInt8(ascii: "\n")
        return [
            .text(isEnded ? replies.getSlice(at: replies.readerIndex, length: replies.readableBytes - 1)! : replies)
        ]
    }
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
