// How feed connections are set up, over TCP and over websockets.

import Eddy

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

extension AsyncSequence where Element: Collection<UInt8> {
    /// What every door of a server does with its bytes: decode them, learn them, and reply.
    ///
    /// - Parameters:
    ///   - source: who sends them, for the list of rejections.
    ///   - isCut: see ``AsyncSequence/samples(of:label:lineLimit:for:framing:isCut:)``.
    func learned(
        by session: LearningSession, _ options: FeedOptions, from source: String, framing: ByteFraming = .stream,
        isCut: @escaping @Sendable () -> Bool = { false }
    ) -> LearnedSequence<DecodedSequence<Self>> {
        samples(
            of: options.format, label: options.label, lineLimit: options.lineLimit, for: session, framing: framing,
            isCut: isCut
        ).learned(by: session, from: source)
    }
}
