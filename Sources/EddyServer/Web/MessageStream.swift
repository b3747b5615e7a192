// How a stream's messages reach the lines of those who watch.
//
//     stream ──send──▶ line of a subscriber ─▶ socket          while the line is ready
//            ◀─ready── line                                    when it takes messages again
//
// Everything here is on the web side's event loop, and plain calls: thirty thousand deliveries a second leave no time
// for a task each. A message is framed once, whatever the number of its readers; what goes to a socket is those bytes
// and no copy. A stream sends nothing to a line that is not ready: so what a line holds is bounded, and what is done
// with the messages it misses is the stream's affair.

import NIOCore

/// Messages for whoever is attached.
protocol MessageStream: Sendable {
    /// Sends messages to a sink, from now on. To be called on the sink's event loop, where everything else then happens.
    ///
    /// - Parameter ended: called once, when the stream has no more messages; not after ``StreamSubscription/detach()``.
    func attach(_ sink: any MessageSink, ended: @escaping (_ error: (any Error)?) -> Void) -> any StreamSubscription
}

/// A subscriber as its stream sees it.
protocol MessageSink: AnyObject {
    /// Whether it takes a message now. If not, it says later when it does (``StreamSubscription/ready()``).
    var isReady: Bool { get }

    func send(_ message: FramedMessage)
}

/// A subscription as its subscriber sees it.
protocol StreamSubscription: AnyObject {
    /// The sink takes messages again.
    func ready()

    /// Nothing more is sent.
    func detach()
}

/// A message and its bytes on the wire, made when first needed, for all. For one event loop.
final class FramedMessage {
    let message: WebMessage

    /// One unmasked websocket frame (RFC 6455 §5.2).
    private(set) lazy var frame: ByteBuffer = {
        var frame = ByteBuffer()
        let length = message.bytes.readableBytes
        frame.reserveCapacity(length + 10)
        frame.writeInteger(UInt8(message.kind == .text ? 0x81 : 0x82))
        switch length {
        case ..<126: frame.writeInteger(UInt8(length))
        case ...0xFFFF: frame.writeMultipleIntegers(UInt8(126), UInt16(length))
        default: frame.writeMultipleIntegers(UInt8(127), UInt64(length))
        }
        frame.writeImmutableBuffer(message.bytes)
        return frame
    }()

    /// One server-sent event.
    private(set) lazy var event = ServerSentEvents.event(message)

    /// The same as a chunk of an HTTP body (RFC 9112 §7.1).
    private(set) lazy var chunk: ByteBuffer = {
        var chunk = ByteBuffer()
        chunk.reserveCapacity(event.readableBytes + 16)
        chunk.writeString(String(event.readableBytes, radix: 16))
        chunk.writeString("\r\n")
        chunk.writeImmutableBuffer(event)
        chunk.writeString("\r\n")
        return chunk
    }()

    init(_ message: WebMessage) { self.message = message }
}

/// What a line does while it follows a stream.
final class Following {
    private var subscription: (any StreamSubscription)?
    private var ended: EventLoopPromise<Void>?

    /// - Parameter ended: succeeds when it is over, whoever ends it; fails where the stream does.
    init(_ stream: any MessageStream, sink: any MessageSink, ended: EventLoopPromise<Void>) {
        self.ended = ended
        let subscription = stream.attach(sink) { [weak self] error in self?.finish(error) }
        if self.ended == nil { subscription.detach() } else { self.subscription = subscription }
    }

    func ready() { subscription?.ready() }

    /// Ends it.
    func stop() { finish(nil) }

    private func finish(_ error: (any Error)?) {
        subscription?.detach()
        subscription = nil
        guard let ended = ended.take() else { return }
        if let error { ended.fail(error) } else { ended.succeed() }
    }
}
