// One feed connection's conversation: bytes in, replies out. What the TCP feed and the websocket feed share.
//
// It knows nothing of sockets. Bytes go through the decoder in chunks of about a millisecond of
// learning, each chunk through the session, and the replies of a chunk into one buffer, in the order of the lines.

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

    public init() {}
}

struct FeedConversation: Sendable {
    private let session: LearningSession
    private let source: String
    private var decoder: SampleDecoder
    private var replies: ReplyWriter
    /// Set where the peer does not speak our language: nothing more is read, and the connection ends.
    private(set) var isForeign = false

    /// - Parameter source: who is at the other end, for error lists.
    init(session: LearningSession, options: FeedOptions, source: String) {
        self.session = session
        self.source = source
        decoder = SampleDecoder(
            format: options.format, label: options.label, schema: session.schema, lineLimit: options.lineLimit)
        replies = ReplyWriter(style: options.reply)
    }

    /// Learns what is in the bytes; returns the replies that are due.
    mutating func receive(_ bytes: ByteBuffer) async -> ByteBuffer {
        var bytes = bytes
        let limit = await session.chunkLimit
        while bytes.readableBytes > 0, !isForeign {
            let chunk = bytes.readWithUnsafeReadableBytes { raw in
                let (chunk, used) = decoder.decode(raw.assumingMemoryBound(to: UInt8.self), limit: limit)
                return (used, chunk)
            }
            await process(chunk)
        }
        return replies.take()
    }

    /// The end of input: learns the last line, where no newline ended it; returns the last replies.
    ///
    /// - Parameter isCut: the end is ours, not the sender's: a line without its newline is half a line.
    mutating func end(isCut: Bool = false) async -> ByteBuffer {
        if !isCut { await process(decoder.finish()) }
        replies.end()
        return replies.take()
    }

    private mutating func process(_ chunk: DecodedChunk) async {
        guard !chunk.isEmpty else { return }
        let steps = await session.learn(chunk.samples)
        let rejected = chunk.events.compactMap { event in
            if case .rejected(let error) = event.kind { error } else { nil }
        }
        if !rejected.isEmpty { await session.note(rejected: rejected, source: source) }

        var next = 0
        for event in chunk.events {
            replies.write(steps, next..<event.index, chunk)
            next = event.index
            switch event.kind {
            case .rejected(let error): replies.reject(error)
            case .directive(let directive): obey(directive, line: event.line)
            case .refusedDirective(let error): replies.sayError(error)
            case .foreign(let why):
                replies.say("!error \(why)")
                isForeign = true
            }
        }
        replies.write(steps, next..<steps.count, chunk)
        replies.endChunk()
    }

    private mutating func obey(_ directive: String, line: Int) {
        let words = directive.split(separator: " ", maxSplits: 1).map { String($0) }
        switch words.first {
        case "ping": replies.say("!pong")
        case "token": break  // no token is asked for
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
                SampleError(line: line, expected: "!format, !reply, !token or !ping", got: "!" + directive.prefix(40)))
        }
    }
}
