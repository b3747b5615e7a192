// Server-sent events: a message sequence as the endless body of one HTTP response.
//
//     sequence ─▶ pump ─▶ meeting point ─▶ FlyingFox's body writer ─▶ socket        (pulled, nothing buffered)
//                 heartbeat comments ──┘
//
// Nobody reads from the socket while a response is being written, so a client that has gone shows only in a failing
// write. The comment line each `heartbeat` sees to it that one comes even when no message does (a closed client is
// found at the second one). The body ends when the sequence ends, or fails, or the server stops; when FlyingFox drops
// it after a failed write, the subscription is cancelled.
//
// Format: WHATWG HTML, 9.2. Binary messages come as `event: binary` in base64, since events are text.

import FlyingFox
import FlyingSocks
import Foundation

enum ServerSentEvents {
    /// A response that sends each message as one event.
    static func response<Messages: AsyncSequence & Sendable>(
        _ messages: Messages, limits: WebLimits = WebLimits(), streams: LiveStreams
    ) -> HTTPResponse where Messages.Element == WebMessage {
        HTTPResponse(
            statusCode: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: HTTPBodySequence(from: EventBody(messages: messages, limits: limits, streams: streams)))
    }

    /// The bytes of one event. A line of text that breaks in any of the three ways becomes several `data:` lines,
    /// which the client joins again with "\n".
    static func event(_ message: WebMessage) -> [UInt8] {
        var event: [UInt8] = []
        let text: String
        switch message {
        case .text(let content):
            text = content
        case .binary(let data):
            event += "event: binary\n".utf8
            text = data.base64EncodedString()
        }
        event += "data: ".utf8
        var previous: UInt8 = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n") where previous == UInt8(ascii: "\r"): break
            case UInt8(ascii: "\r"), UInt8(ascii: "\n"): event += "\ndata: ".utf8
            default: event.append(byte)
            }
            previous = byte
        }
        return event + "\n\n".utf8
    }
}

private struct EventBody<Messages: AsyncSequence & Sendable>: AsyncBufferedSequence
where Messages.Element == WebMessage {
    typealias Element = UInt8

    let messages: Messages
    let limits: WebLimits
    let streams: LiveStreams

    func makeAsyncIterator() -> Iterator {
        Iterator(line: EventLine(messages, limits: limits, streams: streams))
    }

    struct Iterator: AsyncBufferedIteratorProtocol {
        fileprivate let line: EventLine

        /// Required by the protocol; FlyingFox writes whole buffers.
        mutating func next() async throws -> UInt8? {
            preconditionFailure("an event stream is read in whole events")
        }

        mutating func nextBuffer(suggested count: Int) async throws -> [UInt8]? { await line.next() }
    }
}

/// One client's event stream; its release ends the subscription.
private final class EventLine: Sendable {
    private let outbox: Rendezvous<[UInt8]>
    private let pump: Task<Void, Never>
    private let heart: Task<Void, Never>

    init<Messages: AsyncSequence & Sendable>(_ messages: Messages, limits: WebLimits, streams: LiveStreams)
    where Messages.Element == WebMessage {
        let outbox = Rendezvous<[UInt8]>()
        let ticket = streams.enter { outbox.close() }
        self.outbox = outbox
        // Sent at once, so that the client sees its subscription stand before the first message.
        outbox.interject(Array(": subscribed\n\n".utf8))
        pump = Task {
            var iterator = messages.makeAsyncIterator()
            while await outbox.demand(), let message = try? await iterator.next() {
                outbox.give(ServerSentEvents.event(message))
            }
            outbox.close()
            withExtendedLifetime(ticket) {}
        }
        heart = Task {
            while (try? await Task.sleep(for: limits.heartbeat)) != nil {
                guard outbox.interject(Array(": still here\n\n".utf8)) else { return }
            }
        }
    }

    deinit {
        outbox.end()
        pump.cancel()
        heart.cancel()
    }

    func next() async -> [UInt8]? {
        let event = await outbox.take()
        if event == nil {
            // The sequence may be waiting for news that is long in coming.
            pump.cancel()
            heart.cancel()
        }
        return event
    }
}
