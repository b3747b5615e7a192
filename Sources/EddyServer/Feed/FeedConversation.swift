// One feed connection's conversation: bytes in, replies out. What the TCP feed and the websocket feed share.
//
// It knows nothing of sockets. Bytes go through the decoder in chunks of about a millisecond of learning, each chunk
// through the session, and the replies of a chunk into one buffer, in the order of the lines. Decoding and replying are
// synchronous and whose executor learns is the caller's business: the TCP feed shares the session's and learns in
// between at once (FeedHandler); `receive` and `end` wait for the session, wherever it is.

import Eddy
import NIOCore

/// How feed connections are set up.
public struct FeedOptions: Sendable {
    /// nil recognises it from the connection's first lines.
    public var format: SampleFormat?
    public var label: LabelColumn = .automatic
    public var reply: ReplyStyle = .summary
    /// The longest text line, in bytes.
    public var lineLimit = SampleDecoder.defaultLineLimit
    /// The most connections at once.
    public var connectionLimit = 1024
    /// How long a connection may take to be drained when the server stops or after a fatal error.
    public var drainDeadline: Duration = .seconds(3)
    /// What a sender has to know; nil lets all in.
    public var token: BearerToken?
    /// How connections are encrypted; nil where they are not.
    public var tls: TLSIdentity?
    /// Where all feeds of a server say how busy they are.
    public var activity = FeedActivity()

    public init() {}
}

struct FeedConversation: Sendable {
    private let session: LearningSession
    private let activity: FeedActivity
    private let source: String
    private var decoder: SampleDecoder
    private var replies: ReplyWriter
    /// Set where the peer does not speak our language, or not the password: nothing more is read, and the connection ends.
    private(set) var isForeign = false
    /// Records of packed messages so far.
    private var packedRecords = 0
    /// Where a token is asked for and has not come yet.
    private var door: FeedDoor?

    /// - Parameters:
    ///   - source: who is at the other end, for error lists.
    ///   - isAdmitted: the sender has shown the token already.
    init(session: LearningSession, options: FeedOptions, source: String, isAdmitted: Bool = false) {
        self.session = session
        self.source = source
        activity = options.activity
        door = isAdmitted ? nil : options.token.map { FeedDoor(token: $0) }
        decoder = SampleDecoder(
            format: options.format, label: options.label, schema: session.schema, lineLimit: options.lineLimit)
        replies = ReplyWriter(style: options.reply)
    }

    // MARK: Piece by piece

    /// Takes bytes, up to a chunk's limit; nil where they have to wait for more.
    mutating func decode(_ bytes: inout ByteBuffer, within limit: ChunkLimit) -> DecodedChunk? {
        if door != nil, !admit(&bytes) { return nil }
        guard !isForeign else {
            bytes.moveReaderIndex(to: bytes.writerIndex)
            return nil
        }
        let chunk = bytes.readWithUnsafeReadableBytes { raw in
            let (chunk, used) = decoder.decode(raw.assumingMemoryBound(to: UInt8.self), within: limit)
            return (used, chunk)
        }
        return chunk.isEmpty ? nil : chunk
    }

    /// The end of input: the last line, where no newline ended it.
    ///
    /// - Parameter isCut: the end is not the sender's: a line without its newline is half a line.
    mutating func decodeEnd(isCut: Bool) -> DecodedChunk? {
        if door != nil, !isForeign { refuse("none") }
        guard !isCut else { return nil }
        let chunk = decoder.finish()
        return chunk.isEmpty ? nil : chunk
    }

    /// Replies to a chunk that was learned.
    mutating func reply(to chunk: DecodedChunk, _ steps: StepChunk) {
        var next = 0
        for event in chunk.events {
            replies.write(steps, next..<event.index, chunk)
            next = event.index
            switch event.kind {
            case .rejected(let error): replies.reject(error)
            case .directive(let directive): obey(directive, line: event.line)
            case .refusedDirective(let error): replies.sayError(error)
            case .foreign(let why): turnAway(why)
            case .lateLabel: break  // the session has put a sample or an error in its place
            }
        }
        replies.write(steps, next..<steps.count, chunk)
        replies.endChunk()
    }

    /// What closes the replies.
    mutating func replyEnd() { replies.end() }

    /// The replies that are due.
    mutating func takeReplies() -> ByteBuffer { replies.take() }

    /// What became of the lines so far.
    var tally: FeedTally { replies.tally }

    // MARK: Waiting for the session

    /// Learns what is in the bytes; returns the replies that are due.
    mutating func receive(_ bytes: ByteBuffer) async -> ByteBuffer {
        var bytes = bytes
        let arrived = ContinuousClock.now
        while bytes.readableBytes > 0, !isForeign {
            let limit = await session.chunkLimit
            if let chunk = decode(&bytes, within: limit) { await process(chunk, arrived: arrived) }
        }
        return takeReplies()
    }

    /// Learns a message of packed samples; returns the replies that are due.
    mutating func receive(packed message: ByteBuffer) async -> ByteBuffer {
        let arrived = ContinuousClock.now
        let header = message.withUnsafeReadableBytes { bytes in
            Result { () throws(SampleError) in try PackedSamples(header: bytes) }
        }
        switch header {
        case .failure(var error):
            error.line = packedRecords + 1
            replies.reject(error)
            await session.note(rejected: [error], source: source)
        case .success(let layout):
            var records = message
            records.moveReaderIndex(forwardBy: PackedSamples.headerLength)
            let limit = await session.chunkLimit.rows(of: layout.inputs)
            while let piece = records.readSlice(length: min(limit * layout.recordLength, records.readableBytes)),
                piece.readableBytes > 0
            {
                let chunk = piece.withUnsafeReadableBytes { layout.decode($0, firstLine: packedRecords + 1) }
                packedRecords += piece.readableBytes / layout.recordLength
                await process(chunk, arrived: arrived)
            }
        }
        return replies.take()
    }

    /// The end of input: learns the last line, where no newline ended it; returns the last replies.
    ///
    /// - Parameter isCut: the end is ours, not the sender's: a line without its newline is half a line.
    mutating func end(isCut: Bool = false) async -> ByteBuffer {
        if let chunk = decodeEnd(isCut: isCut) { await process(chunk, arrived: .now) }
        replyEnd()
        return takeReplies()
    }

    private mutating func process(_ chunk: DecodedChunk, arrived: ContinuousClock.Instant) async {
        guard !chunk.isEmpty else { return }
        activity.enqueue()
        var chunk = chunk
        let steps = await activity.learn(&chunk, from: source, with: session, arrived: arrived)
        activity.dequeue()
        reply(to: chunk, steps)
    }

    // MARK: Directives

    /// Looks for the token in front of everything else. False while it has not come, or where it is wrong.
    private mutating func admit(_ bytes: inout ByteBuffer) -> Bool {
        switch door!.knock(&bytes) {
        case .admitted:
            door = nil
            return true
        case .refused(let got): refuse(got)
        case .undecided: break
        }
        return false
    }

    private mutating func refuse(_ got: String) {
        let expected = "`!token TOKEN` as the first line, with the server's token"
        turnAway("\(SampleError(line: 1, field: "token", expected: expected, got: got))")
    }

    /// Says why nothing more is read.
    mutating func turnAway(_ why: String) {
        replies.say("!error \(why)")
        isForeign = true
    }

    private mutating func obey(_ directive: String, line: Int) {
        let words = directive.split(separator: " ", maxSplits: 1).map { String($0) }
        switch words.first {
        case "ping": replies.say("!pong")
        case "token": break  // it has been checked, or is not asked for
        case "reply":
            if words.count == 2, let style = ReplyStyle(rawValue: words[1]) {
                replies.style = style
            } else {
                let styles = ReplyStyle.allCases.map(\.rawValue).joined(separator: ", ")
                let given = words.count == 2 ? words[1] : ""
                replies.sayError(SampleError(line: line, field: "reply", expected: "one of \(styles)", got: given))
            }
        default:
            replies.sayError(
                SampleError(
                    line: line, expected: "!format, !reply, !label, !token or !ping", got: "!" + directive.prefix(40)))
        }
    }
}
