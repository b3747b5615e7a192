// Ending a connection without losing what is on its way.
//
// Stands between the socket and the asynchronous channel. When the server stops, it tells the channel that
// the input has ended, which reaches the connection's task after everything that was read before; what the peer
// sends from then on is discarded. And it says when the peer has closed its side, so that
// the socket is closed only then, or at a deadline.

import NIOCore
import Synchronization

final class DrainHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// An event that ends the input.
    struct Stop: Sendable {}

    /// What the connection's task holds of the handler.
    struct Handle: Sendable {
        fileprivate let peerClosed: EventLoopPromise<Void>
        fileprivate let handler: NIOLoopBound<DrainHandler>
        fileprivate let loop: any EventLoop
        fileprivate let deadline: Duration
        fileprivate let stopped: Flag

        /// Whether the input ended because the server stops, rather than where the peer ended it.
        var wasStopped: Bool { stopped.isSet.load(ordering: .acquiring) }

        /// Returns when the peer has closed its side, or at the deadline. What it still sends is discarded.
        func drained() async {
            loop.execute { handler.value.beginDiscarding() }
            let timer = loop.scheduleTask(in: TimeAmount(deadline)) { peerClosed.succeed() }
            try? await peerClosed.futureResult.get()
            timer.cancel()
        }
    }

    /// Set once, on the event loop.
    fileprivate final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private let peerClosed: EventLoopPromise<Void>
    private let loop: any EventLoop
    private let deadline: Duration
    private let stopped = Flag()
    private var isDiscarding = false
    private var context: ChannelHandlerContext?

    init(deadline: Duration, loop: any EventLoop) {
        self.deadline = deadline
        self.loop = loop
        peerClosed = loop.makePromise()
    }

    var handle: Handle {
        Handle(
            peerClosed: peerClosed, handler: NIOLoopBound(self, eventLoop: loop), loop: loop, deadline: deadline,
            stopped: stopped)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        peerClosed.succeed()
    }

    private func beginDiscarding() {
        guard !isDiscarding else { return }
        isDiscarding = true
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isDiscarding { context.fireChannelRead(data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isDiscarding { context.read() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        peerClosed.succeed()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Stop {
            guard !isDiscarding else { return }
            stopped.isSet.store(true, ordering: .releasing)
            beginDiscarding()
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            return
        }
        if let event = event as? ChannelEvent, event == .inputClosed {
            peerClosed.succeed()
            if isDiscarding { return }  // the channel was told before
        }
        context.fireUserInboundEventTriggered(event)
    }
}
