// A connection while it speaks HTTP/1: between SwiftNIO's codec and the connection's task.
//
// It keeps time, so that no client holds a connection by doing nothing: a head must come, a body must go on, and what
// is written must be taken, each within its limit. It answers what the codec cannot parse, sends the heartbeats of
// endless responses, and turns the connection into a websocket. It knows no route, and never waits.

import NIOCore
import NIOHTTP1
import NIOWebSocket

final class HTTPLine: ChannelDuplexHandler, RemovableChannelHandler, MessageSink {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = WebInput
    typealias OutboundIn = WebOutput
    typealias OutboundOut = HTTPServerResponsePart

    /// The codec's two handlers, which an upgrade takes out.
    struct Codec {
        let encoder: any RemovableChannelHandler
        let decoder: any RemovableChannelHandler
    }

    private let limits: WebLimits
    private let codec: Codec
    /// The methods of requests that are not answered yet; a client may send several at once.
    private var unanswered: [HTTPMethod] = []
    private var isFirst = true
    private var isInBody = false
    private var isEnding = false
    /// What comes in is dropped: the requests before it are still answered.
    private var isDeaf = false
    private var head: Deadline?
    private var body: Deadline?
    private var stall: Deadline?
    private var heartbeat: RepeatedTask?
    private var following: Following?
    /// Where bytes go that are framed already: past the encoder.
    private var wire: ChannelHandlerContext?
    private var isChunked = true

    init(limits: WebLimits, codec: Codec) { (self.limits, self.codec) = (limits, codec) }

    func handlerAdded(context: ChannelHandlerContext) {
        let line = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        head = Deadline(on: context.eventLoop) {
            let (line, context) = line.value
            line.refuse(line.isFirst ? .requestTimeout : nil, "the head of the request took too long", context)
        }
        head?.set(limits.firstHead)
        body = Deadline(on: context.eventLoop) { line.value.1.close(promise: nil) }
        stall = Deadline(on: context.eventLoop) { line.value.1.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        for deadline in [head, body, stall] { deadline?.cancel() }
        (head, body, stall) = (nil, nil, nil)
        heartbeat?.cancel()
        following?.stop()
        (heartbeat, following, wire) = (nil, nil, nil)
    }

    // MARK: In

    func read(context: ChannelHandlerContext) {
        if isInBody { body?.set(limits.bodyPause) }  // only while we ask for it: the pause may be ours
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding, !isDeaf else { return }
        body?.set(nil)
        switch unwrapInboundIn(data) {
        case .head(let request):
            head?.set(nil)
            unanswered.append(request.method)
            (isFirst, isInBody) = (false, true)
            context.fireChannelRead(wrapInboundOut(.head(request)))
        case .body(let bytes):
            context.fireChannelRead(wrapInboundOut(.body(bytes)))
        case .end:
            isInBody = false
            context.fireChannelRead(wrapInboundOut(.end))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is ByteToMessageDecoderError { return }  // more of what has been refused already
        switch error as? HTTPParserError {
        case .headerOverflow?:
            refuse(
                .requestHeaderFieldsTooLarge,
                "the head has more than \(limits.headBytes) bytes or \(limits.headFields) fields", context)
        case let error?: refuse(.badRequest, "this is no HTTP/1.1 request: \(error)", context)
        case nil: context.close(promise: nil)  // the peer is gone
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is WebConnection.Stop:
            following?.stop()
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        // A client that reads an endless response has said all; if it closes its side, it has gone.
        case ChannelEvent.inputClosed where heartbeat != nil: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.set(context.channel.isWritable ? nil : limits.writeStall)
        if context.channel.isWritable { following?.ready() }
        context.fireChannelWritabilityChanged()
    }

    /// Answers what never became a request, and closes. Where requests before it still wait for their answers, these are
    /// the last that is said.
    private func refuse(_ status: HTTPResponseStatus?, _ reason: String, _ context: ChannelHandlerContext) {
        guard !isEnding, !isDeaf else { return }
        guard unanswered.isEmpty else {
            isDeaf = true
            return context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        isEnding = true
        guard let status else { return context.close(promise: nil) }
        let response = WebResponse.failure(status, reason)
        let head = response.head(version: .http1_1, isLast: true)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        // Closed at once, unread bytes would become a reset that destroys the answer on its way.
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: TimeAmount(limits.linger)) { channel.close(promise: nil) }
    }

    // MARK: Out

    /// When the last word has been said, what still comes is dropped here and not parsed: the decoder would keep all
    /// that follows an upgrade that was refused.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output {
            isDeaf = true
            context.pipeline.syncOperations.removeHandler(codec.decoder, promise: nil)
        }
        context.close(mode: mode, promise: promise)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isEnding else { return promise?.fail(ChannelError.ioOnClosedChannel) ?? () }
        switch unwrapOutboundIn(data) {
        case .response(let head, let content):
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            if unanswered.first != .HEAD, content.readableBytes > 0 {
                context.write(wrapOutboundOut(.body(.byteBuffer(content))), promise: nil)
            }
            // A HEAD of what would be chunked has no last chunk either.
            let hasEnd = unanswered.first != .HEAD || head.headers.contains(name: "content-length")
            end(context, promise, isWritten: hasEnd)
        case .proceed:
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: promise)
        case .begin(let head, let stream, let ended):
            isChunked = head.version != .http1_0
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            wire = try? context.pipeline.syncOperations.context(handler: codec.encoder)
            following = Following(stream, sink: self, ended: ended)
            // Only now, when the subscription stands: a client may send samples as soon as it has read this.
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ServerSentEvents.greeting))), promise: promise)
            beat(ServerSentEvents.heartbeat, context)
        case .finish:
            heartbeat?.cancel()
            (heartbeat, following, wire) = (nil, nil, nil)
            end(context, promise)
        case .upgrade(let head, let stream):
            upgrade(context, head, stream, promise)
        case .message, .close:
            preconditionFailure("a websocket's message before the upgrade")
        }
    }

    private func end(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?, isWritten: Bool = true) {
        if isWritten {
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
        } else {
            promise?.succeed()
        }
        if !unanswered.isEmpty { unanswered.removeFirst() }
        if unanswered.isEmpty { head?.set(limits.idle) }
    }

    // MARK: A stream

    var isReady: Bool { wire?.channel.isWritable ?? false }

    func send(_ message: FramedMessage) {
        wire?.writeAndFlush(NIOAny(IOData.byteBuffer(isChunked ? message.chunk : message.event)), promise: nil)
    }

    private func beat(_ comment: ByteBuffer, _ context: ChannelHandlerContext) {
        let line = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let interval = TimeAmount(limits.heartbeat)
        heartbeat = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let (line, context) = line.value
            guard context.channel.isWritable else { return }
            context.writeAndFlush(line.wrapOutboundOut(.body(.byteBuffer(comment))), promise: nil)
        }
    }

    /// Takes the HTTP codec out and the websocket codec in. The decoder goes last, and hands on what it has not parsed.
    private func upgrade(
        _ context: ChannelHandlerContext, _ head: HTTPResponseHead, _ stream: WebOutput.Stream?,
        _ promise: EventLoopPromise<Void>?
    ) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
        let pipeline = context.pipeline.syncOperations
        let line = WebSocketLine(limits: limits, stream: stream)
        do {
            try pipeline.addHandlers(
                [
                    WebSocketFrameEncoder(),
                    ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: limits.messageBytes)),
                    line,
                ], position: .after(self))
        } catch {
            return context.close(promise: nil)  // the channel is closing already
        }
        line.follow(in: pipeline)
        context.flush()  // only now, when a subscription stands
        pipeline.removeHandler(codec.encoder, promise: nil)
        pipeline.removeHandler(context: context, promise: nil)
        let channel = context.channel
        pipeline.removeHandler(codec.decoder).whenComplete { _ in
            channel.pipeline.fireChannelReadComplete()  // or what it handed on would wait for the next read
        }
    }
}
