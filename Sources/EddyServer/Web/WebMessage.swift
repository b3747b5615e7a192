// What travels over the web streams: whole messages, out to subscribers and in from feeds.
//
//     out  messages (any AsyncSequence) ──▶ pulled one by one ──▶ websocket frame, or server-sent event ──▶ socket
//     in   socket ──▶ frames ──▶ WebSocketAssembler ──▶ WebMessage ──▶ WebConversation ──▶ replies ──▶ socket
//
// Both ways are pulled: a message is asked for when the socket can take it, and a frame is read when the conversation
// has answered the one before, so that TCP slows a sender who is too fast and a slow reader costs no memory.

import Foundation

/// One websocket message, or the data of one server-sent event.
enum WebMessage: Sendable, Equatable {
    case text(String)
    case binary(Data)
}

/// One client's side of a websocket that is read and answered, such as `/feed`.
///
/// The calls come one after another; while `receive` works, nothing more is read from the client.
protocol WebConversation: Sendable {
    /// Takes a message and returns the replies to it, which are sent in order.
    /// - Throws: a ``WebSocketViolation`` to close with its code and reason; any other error closes with 1011.
    mutating func receive(_ message: WebMessage) async throws -> [WebMessage]

    /// Called once, however the conversation ended; replies are still sent where the client is there to read them
    /// (before the close frame: when the client closed, broke the protocol, or the server stops).
    mutating func end() async -> [WebMessage]
}

/// What a client may cost, and how long it may be silent.
struct WebLimits: Sendable {
    /// Bytes of one message from a client, over all fragments.
    var messageBytes = 1 << 20
    /// Between two pings (websocket) or comments (server-sent events), by which a dead peer is found out.
    var heartbeat: Duration = .seconds(20)
    /// Heartbeats that a websocket client may leave unanswered.
    var silentHeartbeats = 3
    /// What a client gets to answer the server's close frame.
    var linger: Duration = .seconds(1)
    /// What a request with a long body gets before its response is begun; see LateReply.
    var patience: Duration = .seconds(5)
    /// What a stalled peer gets before a write to it ends its connection.
    var writeDeadline: Duration = .seconds(30)
}
