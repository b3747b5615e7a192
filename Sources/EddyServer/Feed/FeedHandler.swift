// A feed connection on its event loop: bytes come, are learned and are answered in one go.
//
//     read ─▶ unread ─▶ decode · learn · reply ─▶ one write a wake-up
//
// No task, no queue between threads and no timer is on a lone sample's way: the session's executor is this event loop,
// so that its isolation is had by asking (`assumeIsolated`). A session that runs elsewhere is waited for, a chunk
// at a time. (A pipeline of async sequences on
// this loop cost some 4 µs a round trip more.)
//
// Others have their turn: learning goes on for a millisecond, then the rest of what was read waits for the loop to look
// at its sockets. Nothing more is read before all of it is learned, nor while the peer does not take its replies; TCP then
// slows the sender. So memory is bounded by one read.
//
// The end: what was read is learned and answered, whatever the peer does; the output is closed; what still comes is
// discarded until the peer closes its side or a deadline passes, and only then is the socket closed, as closing
// one with unread bytes would destroy replies on their way.

import Eddy
import Logging
import NIOCore

/// Learns what a connection sends, and answers.
final class FeedHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// An event that ends the input: the server stops.
    struct Stop: Sendable {}

    /// Where connections say that they are here, and gone.
    protocol Register: AnyObject, Sendable {
        /// How many there are now, and whether the server stops.
        func opened(_ channel: any Channel) -> (count: Int, isStopping: Bool)
        /// All that it sent is learned.
        func closed(_ channel: any Channel)
    }

    private enum Input { case open, ended, cut }

    private let session: LearningSession
    private let options: FeedOptions
    private let register: any Register
    private let logger: Logger
    /// Whether the session's executor is the connection's loop.
    private let sharesLoop: Bool

    private let loop: any EventLoop
    private var context: ChannelHandlerContext?  // while the connection lives
    private var channel: (any Channel)!
    private var source = "?"
    private var conversation: FeedConversation
    /// Read, and not yet learned.
    private var unread = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    private var arrived = ContinuousClock.now  // the newest of them
    /// Of a chunk, for a session elsewhere.
    private var chunkLimit = ChunkLimit.unknown
    private var isReadWanted = false
    private var input = Input.open
    /// In the middle of a chunk, or waiting for a session elsewhere.
    private var isLearning = false
    /// The rest waits for its turn.
    private var isTurnDue = false
    private var isEndDecoded = false
    private var isTurnedAway = false
    /// Everything is learned and answered; what comes is discarded.
    private var isDraining = false
    private var isOutputClosed = false
    private var hasPeerClosed = false
    private var deadline: Scheduled<Void>?

    /// How long others wait at most.
    private static let turn = Duration.milliseconds(1)

    init(session: LearningSession, options: FeedOptions, loop: any EventLoop, register: any Register, logger: Logger) {
        self.session = session
        self.options = options
        self.loop = loop
        self.register = register
        self.logger = logger
        sharesLoop = session.runs(on: loop.executor)
        conversation = FeedConversation(session: session, options: options, source: source)
    }

    // MARK: From the pipeline

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        channel = context.channel
        if let peer = channel.remoteAddress { source = "\(peer.ipAddress ?? "?"):\(peer.port ?? 0)" }
        conversation = FeedConversation(session: session, options: options, source: source)
        let (count, isStopping) = register.opened(channel)
        if isStopping {
            stop()
        } else if count > options.connectionLimit {
            conversation.turnAway("too many connections: expected at most \(options.connectionLimit) at once")
            end(.cut)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if input == .open { unread.append(unwrapInboundIn(data)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if unread.isEmpty {
            readOn()
        } else {
            arrived = .now
            proceed(since: arrived)
        }
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        readOn()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { proceed() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is Stop { return stop() }
        if let event = event as? ChannelEvent, event == .inputClosed {
            hasPeerClosed = true
            if isOutputClosed { context.close(promise: nil) } else { end(.ended) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("\(source): \(error)")  // the peer is gone; what it sent whole is learned
        end(.cut)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        deadline?.cancel()
        // The end of input came before, as an event, unless the connection broke: then its last line may be half of one.
        if isDraining { register.closed(channel) } else { end(options.tls == nil ? .cut : .ended) }
        context.fireChannelInactive()
    }

    // MARK: Learning

    /// Asks for more, where it would be learned at once or discarded.
    private func readOn() {
        guard isReadWanted, let context else { return }
        guard isDraining || (input == .open && unread.isEmpty && !isLearning && context.channel.isWritable) else {
            return
        }
        isReadWanted = false
        context.read()
    }

    /// Learns what is unread, until a turn's length after `start`.
    private func proceed(since start: ContinuousClock.Instant = .now) {
        guard !isLearning, !isTurnDue, !isDraining else { return }
        isLearning = true
        var isLate = false
        var turn = Duration.zero
        // Once nothing more is read, what was is learned even if the peer does not take its replies.
        while !isLate, input != .open || context?.channel.isWritable == true, var chunk = nextChunk() {
            guard sharesLoop else { return learnElsewhere(chunk) }
            let (activity, source, arrived) = (options.activity, source, arrived)
            let steps = session.assumeIsolated { activity.learn(&chunk, from: source, with: $0, arrived: arrived) }
            conversation.reply(to: chunk, steps)
            turn = .now - start
            isLate = !unread.isEmpty && turn >= FeedHandler.turn
        }
        isLearning = false
        if isLate { takeTurnLater(after: turn) }
        flush()  // which may call back: a peer that takes its replies at once makes the channel writable again
        if isEndDecoded, !isLate, !isLearning, !isDraining {
            finish()
        } else {
            readOn()
        }
    }

    /// The next samples, and the events between them, of what is unread; nil where there are none.
    private func nextChunk() -> DecodedChunk? {
        if !unread.isEmpty {
            let limit = sharesLoop ? session.assumeIsolated { $0.chunkLimit } : chunkLimit
            while !unread.isEmpty, !conversation.isForeign {
                let chunk = conversation.decode(&unread[unread.startIndex], within: limit)
                if unread[unread.startIndex].readableBytes == 0 { unread.removeFirst() }
                if let chunk { return chunk }
            }
        }
        if conversation.isForeign, !isEndDecoded {
            unread.removeAll()
            input = .cut
            isEndDecoded = true
            isTurnedAway = true
        }
        guard input != .open, !isEndDecoded else { return nil }
        isEndDecoded = true
        return conversation.decodeEnd(isCut: input == .cut)
    }

    /// The loop looks at its sockets only when no task is due: so the rest is due a moment later, longer than the way back
    /// to the loop takes, which after a long sample has much to free. A fiftieth of the turn costs little.
    private func takeTurnLater(after turn: Duration) {
        guard !isTurnDue else { return }
        isTurnDue = true
        loop.assumeIsolated().scheduleTask(in: max(.microseconds(20), TimeAmount(turn / 50))) {
            self.isTurnDue = false
            self.proceed()
        }
    }

    private func learnElsewhere(_ chunk: DecodedChunk) {
        let (activity, session, source, arrived, loop) = (options.activity, session, source, arrived, loop)
        let handler = NIOLoopBound(self, eventLoop: loop)
        activity.enqueue()
        Task {
            var chunk = chunk
            let steps = await activity.learn(&chunk, from: source, with: session, arrived: arrived)
            let limit = await session.chunkLimit
            activity.dequeue()
            loop.execute { [chunk] in handler.value.learned(chunk, steps, limit) }
        }
    }

    private func learned(_ chunk: DecodedChunk, _ steps: StepChunk, _ limit: ChunkLimit) {
        conversation.reply(to: chunk, steps)
        chunkLimit = limit
        isLearning = false
        proceed()
    }

    private func flush() {
        let replies = conversation.takeReplies()
        guard replies.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(replies), promise: nil)
    }

    // MARK: The end

    private func stop() {
        closeLater()
        end(.cut)
    }

    /// No more input; the rest of what was read is learned.
    private func end(_ how: Input) {
        if input == .open { input = how }
        proceed()
    }

    /// Closes the replies, and the connection when the peer has closed its side.
    private func finish() {
        isDraining = true
        if !isTurnedAway { conversation.replyEnd() }
        guard let context else { return register.closed(channel) }
        if !hasPeerClosed { closeLater() }
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(conversation.takeReplies()), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in self.closeOutput() }
        readOn()
    }

    private func closeOutput() {
        isOutputClosed = true
        if hasPeerClosed {
            context?.close(promise: nil)
        } else {
            context?.close(mode: .output, promise: nil)
        }
    }

    private func closeLater() {
        guard deadline == nil else { return }
        deadline = loop.assumeIsolated().scheduleTask(in: TimeAmount(options.drainDeadline)) {
            self.context?.close(promise: nil)
        }
    }
}
