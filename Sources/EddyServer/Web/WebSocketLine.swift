// A connection after its upgrade: between SwiftNIO's frame codec and the connection's task.
//
// The protocol is kept here, so that the task sees whole messages only: validation and assembly, pings answered and
// sent, and the end. A close frame goes out once, after what was written before it: the client's own code when it
// closes, the task's when the task ends, 1002, 1007 or 1009 for a violation. After a close frame of ours the client has
// `linger` to answer it and what it still sends is dropped: closing a socket with unread bytes would send a reset and
// could destroy the close frame on its way.

import NIOCore
import NIOWebSocket

final class WebSocketLine: ChannelDuplexHandler, MessageSink {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebInput
    typealias OutboundIn = WebOutput
    typealias OutboundOut = WebSocketFrame

    private enum State {
        case open
        /// The client has closed, or broken the protocol: what the task has in hand may go out, then this.
        case concluding(code: UInt16?, reason: String)
        /// Our close frame is out.
        case closed
    }

    private let limits: WebLimits
    private let isHeard: Bool
    private var stream: WebOutput.Stream?
    private var assembler: WebSocketAssembler
    private var state = State.open
    private var unheard = 0
    private var heartbeat: RepeatedTask?
    private var stall: Deadline?
    private var following: Following?
    /// Where bytes go that are framed already: past the encoder.
    private var wire: ChannelHandlerContext?
    /// The answer to a ping that came while the socket took nothing; a newer one replaces it (§5.5.3).
    private var pong: ByteBuffer?

    /// - Parameter stream: what is sent to the client, which is not heard then; nil for a conversation.
    init(limits: WebLimits, stream: WebOutput.Stream?) {
        (self.limits, self.stream, isHeard) = (limits, stream, stream == nil)
        assembler = WebSocketAssembler(limit: limits.messageBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let line = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let interval = TimeAmount(limits.heartbeat)
        heartbeat = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (line, context) = line.value
            line.beat(context)
        }
        stall = Deadline(on: context.eventLoop) { line.value.1.close(promise: nil) }
        if !context.channel.isWritable { stall?.set(limits.writeStall) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        heartbeat?.cancel()
        stall?.cancel()
        following?.stop()
        (heartbeat, stall, following, wire) = (nil, nil, nil, nil)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unheard = 0
        let frame = unwrapInboundIn(data)
        switch state {
        case .closed:
            if frame.opcode == .connectionClose { context.close(promise: nil) }
            return
        case .concluding: return
        case .open: break
        }
        do throws(WebSocketViolation) {
            switch try assembler.accept(frame) {
            case .message(let message)?: if isHeard { context.fireChannelRead(wrapInboundOut(.message(message))) }
            case .ping(let payload)?: answer(payload, context)
            case .close(let code)?: conclude(code, "", context)
            case .pong?, nil: break
            }
        } catch {
            conclude(error.code, error.reason, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is ByteToMessageDecoderError { return }  // more of what has been refused already
        switch error as? NIOWebSocketError {
        case .invalidFrameLength?:
            let violation = WebSocketViolation.tooBig(limit: limits.messageBytes)
            conclude(violation.code, violation.reason, context)
        case .fragmentedControlFrame?: conclude(1002, "a fragmented control frame", context)
        case .multiByteControlFrameLength?: conclude(1002, "a control frame longer than 125 bytes", context)
        case nil: context.close(promise: nil)  // the peer is gone
        }
    }

    /// Ends the task's input. A task that is heard then says what it has to say and closes; a subscription has nothing to say.
    private func conclude(_ code: UInt16?, _ reason: String, _ context: ChannelHandlerContext) {
        guard case .open = state else { return }
        state = .concluding(code: code, reason: reason)
        following?.stop()
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        if !isHeard { close(context, code: code, reason: reason, promise: nil) }
        context.read()  // what follows is dropped, by us and not by the task
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .open = state {} else { context.read() }
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is WebConnection.Stop:
            following?.stop()
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case ChannelEvent.inputClosed:
            // The client said no goodbye. What it sent is heard, and then the task has the last word.
            if isHeard, case .open = state {
                context.fireUserInboundEventTriggered(event)
            } else {
                context.close(promise: nil)
            }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func answer(_ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return pong = payload }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: payload)), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        stall?.set(isWritable ? nil : limits.writeStall)
        if isWritable, let payload = pong.take() { answer(payload, context) }
        if isWritable { following?.ready() }
        context.fireChannelWritabilityChanged()
    }

    private func beat(_ context: ChannelHandlerContext) {
        unheard += 1
        guard unheard <= limits.silentHeartbeats else { return context.close(promise: nil) }
        guard case .open = state, context.channel.isWritable else { return }
        context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer())), promise: nil)
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .closed = state { return promise?.fail(ChannelError.ioOnClosedChannel) ?? () }
        switch unwrapOutboundIn(data) {
        case .message(let message):
            let opcode: WebSocketOpcode = message.kind == .text ? .text : .binary
            let frame = WebSocketFrame(fin: true, opcode: opcode, data: message.bytes)
            context.write(wrapOutboundOut(frame), promise: promise)
        case .close(let code, let reason):
            var ending: (code: UInt16?, reason: String) = (code, reason)
            if case .concluding(let code, let reason) = state { ending = (code, reason) }
            close(context, code: ending.code, reason: ending.reason, promise: promise)
        default: preconditionFailure("HTTP after the upgrade")
        }
    }

    // MARK: A stream

    /// Begins to send the stream's messages, where there is one. Called once the codec is in place.
    func follow(in pipeline: ChannelPipeline.SynchronousOperations) {
        guard let stream = stream.take() else { return }
        wire = try? pipeline.context(handlerType: WebSocketFrameEncoder.self)
        following = Following(stream.messages, sink: self, ended: stream.ended)
    }

    var isReady: Bool {
        guard case .open = state, let wire else { return false }
        return wire.channel.isWritable
    }

    func send(_ message: FramedMessage) {
        wire?.writeAndFlush(NIOAny(IOData.byteBuffer(message.frame)), promise: nil)
    }

    private func close(
        _ context: ChannelHandlerContext, code: UInt16?, reason: String, promise: EventLoopPromise<Void>?
    ) {
        let isAnswer = if case .concluding(_, "") = state { true } else { false }
        let isRefusal = if case .concluding = state { !isAnswer } else { false }
        state = .closed
        var data = ByteBuffer()
        if let code {
            data.writeInteger(code)
            var reason = reason  // a control frame holds 125 bytes; cut at a character's end
            while reason.utf8.count > 123 { reason.removeLast() }
            data.writeString(reason)
        }
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        let channel = context.channel
        let linger = limits.linger
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(frame), promise: written)
        written.futureResult.cascade(to: promise)
        written.futureResult.whenComplete { _ in
            // The server closes first (§7.1.1); the client has said its last, or gets a moment to say it.
            if isAnswer { return channel.close(promise: nil) }
            // Whoever broke the protocol may know no close frames, or have sent its own already.
            if isRefusal { channel.close(mode: .output, promise: nil) }
            channel.eventLoop.scheduleTask(in: TimeAmount(linger)) { channel.close(promise: nil) }
        }
        context.read()
    }
}
