// What travels over the web streams: whole messages, out to subscribers and in from feeds.
//
//     out  messages (any AsyncSequence) ──▶ pulled one by one ──▶ websocket frame, or server-sent event ──▶ socket
//     in   socket ──▶ frames ──▶ WebSocketAssembler ──▶ WebMessage ──▶ WebConversation ──▶ replies ──▶ socket
//
// Both ways are pulled: a message is asked for when the socket can take it, and a frame is read when the conversation
// has answered the one before, so that TCP slows a sender who is too fast and a slow reader costs no memory. The
// bytes are a ByteBuffer, which a thousand subscribers share without a copy.

import NIOCore

/// One websocket message, or the data of one server-sent event.
struct WebMessage: Sendable, Equatable {
    enum Kind: Sendable { case text, binary }

    let kind: Kind
    let bytes: ByteBuffer

    static func text(_ text: String) -> WebMessage { WebMessage(kind: .text, bytes: ByteBuffer(string: text)) }
    /// Text that is UTF-8 already.
    static func text(_ bytes: ByteBuffer) -> WebMessage { WebMessage(kind: .text, bytes: bytes) }
    static func binary(_ bytes: ByteBuffer) -> WebMessage { WebMessage(kind: .binary, bytes: bytes) }
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

/// What a client may cost, and how long it may be silent. Every limit of the web side is here.
struct WebLimits: Sendable {
    /// Connections at once; one more is told 503.
    var connections = 4096
    /// Bytes of a request line and headers; more is answered with 431.
    var headBytes = 16 << 10
    /// Header fields of a request.
    var headFields = 100
    /// From the connection to the end of the first request's head (408), which also covers a TLS handshake.
    var firstHead: Duration = .seconds(10)
    /// From a response to the end of the next request's head.
    var idle: Duration = .seconds(60)
    /// Between two pieces of a request body that we wait for.
    var bodyPause: Duration = .seconds(30)
    /// Bytes of an unread request body that are read and dropped to keep its connection.
    var drainBytes = 1 << 20
    /// What a peer that takes nothing gets before its connection is closed.
    var writeStall: Duration = .seconds(60)
    /// The kernel's send buffer: what a subscriber that does not read can fall behind before messages merge.
    var sendBuffer = 128 << 10
    /// Bytes that wait for the kernel before a connection is given no more.
    var unsent = 16 << 10
    /// Bytes of one websocket message from a client, over all fragments.
    var messageBytes = 1 << 20
    /// Between two pings (websocket) or comments (server-sent events), by which a dead peer is found out.
    var heartbeat: Duration = .seconds(20)
    /// Heartbeats that a websocket client may leave unanswered.
    var silentHeartbeats = 3
    /// What a client gets to answer the server's close frame.
    var linger: Duration = .seconds(1)
}
