// What a web connection's task sees of its channel: one language for HTTP and, after an upgrade, websockets.
//
//     socket ─▶ [TLS] ─▶ HTTP codec ─▶ HTTPLine ─▶ WebInput ─▶ WebConnection
//               [TLS] ◀─ HTTP codec ◀─ HTTPLine ◀─ WebOutput ◀─┘
//
// An upgrade puts the websocket codec and a WebSocketLine in the place of the HTTP codec and the HTTPLine; the task
// goes on with the same two ends.

import NIOCore
import NIOHTTP1

/// What a client says.
enum WebInput: Sendable {
    case head(HTTPRequestHead)
    case body(ByteBuffer)
    /// The end of a request.
    case end
    /// A whole message, after an upgrade.
    case message(WebMessage)
}

/// What is said to it.
enum WebOutput: Sendable {
    /// A stream's messages, until either side ends it.
    struct Stream: Sendable {
        let messages: any MessageStream
        let ended: EventLoopPromise<Void>
    }

    /// A whole response. The content is left out where the request was HEAD.
    case response(HTTPResponseHead, ByteBuffer)
    /// `100 Continue`: send the body that you announced.
    case proceed
    /// The beginning of an endless response, whose body is the stream's events until either side ends it.
    case begin(HTTPResponseHead, any MessageStream, ended: EventLoopPromise<Void>)
    /// The end of an endless response.
    case finish
    /// The switch to a websocket: a conversation, or a stream, whose client is read and not heard.
    case upgrade(HTTPResponseHead, Stream?)
    case message(WebMessage)
    /// The last frame of a websocket. The connection closes once the client has answered.
    case close(code: UInt16, reason: String)
}
