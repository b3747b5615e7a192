// A feed connection: one pipeline of async sequences from its socket to its socket.
//
//     socket ─▶ .admitted(by: token) ─▶ .samples(for: session) ─▶ .learned(by: session) ─▶ .replies(as: style) ─▶ socket
//
// Its task runs on the connection's event loop, where the session runs too: a lone sample is answered without a hop
// between threads. The pipeline is pulled: nothing more is read before all of a buffer is learned, nor while the peer does
// not take its replies, so that TCP slows the sender and memory is bounded by a buffer or two.
//
// Whatever becomes of the peer, what was read is learned: where replies cannot be sent any more, the pipeline goes on
// without them.

import Eddy
import Logging
import NIOCore

/// Learns what a connection sends, and answers.
struct FeedConnection: Sendable {
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    let session: LearningSession
    let options: FeedOptions
    let cut: FeedInput.CutMark
    /// Succeeds when the peer has closed its side.
    let peerClosed: EventLoopFuture<Void>
    let logger: Logger

    private var source: String {
        let peer = channel.channel.remoteAddress
        return peer.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
    }

    /// Runs until the connection is closed.
    func run() async {
        await use { inbound, replies in
            let bytes = inbound.admitted(by: options.token)
                .learned(by: session, options, from: source, isCut: { cut.isSet })
                .replies(as: options.reply)
            do {
                for try await text in bytes { await replies.send(text) }
            } catch let error as AdmissionError {
                await replies.send(Array("!error \(error)\n".utf8))
            } catch {
                logger.debug("\(source): \(error)")  // the peer is gone; what it sent whole is learned
            }
        }
    }

    /// Tells the peer why it is not served.
    func refuse(_ why: String) async {
        await use { _, replies in await replies.send(Array("!error \(why)\n".utf8)) }
    }

    private func use(_ body: (NIOAsyncChannelInboundStream<ByteBuffer>, inout FeedReplies) async -> Void) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                var replies = FeedReplies(outbound)
                await body(inbound, &replies)
                await end(outbound)
            }
        } catch {
            logger.debug("\(source): \(error)")
        }
    }

    /// Closes the replies, and waits until the peer has closed its side or the deadline has passed.
    private func end(_ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) async {
        channel.channel.pipeline.fireUserInboundEventTriggered(FeedInput.End())
        // An empty write is done when those before it are.
        try? await channel.channel.writeAndFlush(ByteBuffer()).get()
        outbound.finish()
        try? await peerClosed.get()
    }
}

/// Where a connection's replies go, as long as the peer takes them.
struct FeedReplies {
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var isGone = false

    init(_ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) { self.outbound = outbound }

    /// Waits while the peer does not take them.
    mutating func send(_ bytes: [UInt8]) async {
        guard !isGone, !bytes.isEmpty else { return }
        do { try await outbound.write(ByteBuffer(bytes: bytes)) } catch { isGone = true }
    }
}
