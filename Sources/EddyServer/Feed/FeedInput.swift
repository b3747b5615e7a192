// The input side of a feed connection, in front of its NIOAsyncChannel.
//
//     socket ─▶ FeedInput ─▶ NIOAsyncChannel ─▶ pipeline
//
// It lets the server end a connection's input (when it stops, or the sender may not go on) without losing what was read:
// the pipeline sees an end of input behind that. What still comes is then read and dropped until the peer closes its
// side or a deadline passes. Only then is the socket closed: closing one with unread bytes would destroy replies on their
// way.

import Eddy
import NIOCore
import Synchronization

/// Ends a connection's input, and waits for its peer.
final class FeedInput: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// An event that ends the input.
    struct End: Sendable {
        /// Whether the server stops: a peer that does not take its replies is then cut at the deadline.
        var serverStops = false
    }

    private enum State {
        /// Bytes go to the pipeline.
        case open
        /// The server has ended the input; what comes is dropped.
        case draining
        /// Nothing more comes.
        case closed
    }

    private let deadline: TimeAmount
    /// Whether the end of a broken connection may be taken for the sender's.
    private let endsWhole: Bool
    private let turns: LoopTurns?
    private let cut: CutMark
    private let peerClosed: EventLoopPromise<Void>
    private var state = State.open
    private var timer: Scheduled<Void>?

    /// What the pipeline asks at the end of its input.
    final class CutMark: Sendable {
        private let mark = Atomic(false)

        /// Whether the end was not the sender's, so that a last line without its newline is half a line.
        var isSet: Bool { mark.load(ordering: .relaxed) }

        fileprivate func set() { mark.store(true, ordering: .relaxed) }
    }

    /// - Parameters:
    ///   - options: the drain deadline, and whether TLS tells by itself that an end is whole.
    ///   - turns: told when the loop looks at its sockets.
    init(loop: any EventLoop, options: FeedOptions, turns: LoopTurns?, cut: CutMark) {
        deadline = TimeAmount(options.drainDeadline)
        endsWhole = options.tls != nil
        self.turns = turns
        self.cut = cut
        peerClosed = loop.makePromise()
    }

    /// Succeeds when the peer has closed its side, or the connection is gone.
    var closed: EventLoopFuture<Void> { peerClosed.futureResult }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .open = state { context.fireChannelRead(data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        turns?.looked()
        if case .open = state { context.fireChannelReadComplete() } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? End { return end(context, event) }
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        if case .open = state { context.fireUserInboundEventTriggered(event) }
        finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .open = state { cut.set() }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // The end of input came before, as an event, unless the connection broke: then its last line may be half of one.
        if case .open = state, !endsWhole { cut.set() }
        finish()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        finish()
    }

    private func finish() {
        state = .closed
        peerClosed.succeed()
    }

    /// Ends the input, behind what was read. A peer that has ended it may take its time with its replies, unless the
    /// server stops.
    private func end(_ context: ChannelHandlerContext, _ event: End) {
        guard case .open = state else {
            if event.serverStops { closeLater(context) }
            return
        }
        state = .draining
        cut.set()
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        closeLater(context)
        context.read()
    }

    private func closeLater(_ context: ChannelHandlerContext) {
        guard timer == nil else { return }
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: deadline) { channel.close(promise: nil) }
    }
}
