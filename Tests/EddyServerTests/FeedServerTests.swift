// The TCP feed on real sockets: what its handler does with the loop, the session and a slow or leaving peer.
//
// What clients see of it is tested from outside (Tests/EndToEnd); here are the hosts of other kinds, and the turns.

import Eddy
import NIOCore
import NIOPosix
import Testing

@testable import EddyServer

@Suite struct FeedServerTests {
    /// A feed that listens, and the loop that it shares with its session or does not.
    private struct Host {
        let session: LearningSession
        let server: FeedServer
        let address: SocketAddress

        init(sharesLoop: Bool, _ options: FeedOptions, _ configuration: Configuration = Configuration()) async throws {
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let turns = sharesLoop ? LoopTurns(on: loop, activity: options.activity) : nil
            session = try LearningSession(configuration, executor: sharesLoop ? loop.executor : nil, turns: turns)
            server = FeedServer(session: session, options: options, loop: loop, turns: turns, logger: silentLogger)
            address = try await server.listen(host: "127.0.0.1", port: 0)
        }

        /// What is replied to a stream that is sent in pieces and then half-closed.
        func replies(to pieces: [[UInt8]]) async throws -> String {
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .connect(to: address) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(isOutboundHalfClosureEnabled: true))
                    }
                }
            return try await client.executeThenClose { inbound, outbound in
                for piece in pieces { try await outbound.write(ByteBuffer(bytes: piece)) }
                outbound.finish()
                var text = ""
                for try await bytes in inbound { text += String(buffer: bytes) }
                return text
            }
        }
    }

    private var lines: [UInt8] {
        Array((0..<20_000).map { "\($0 % 7),\($0 % 5),\($0 % 3 == 0 ? "a" : "b")\n" }.joined().utf8)
    }

    private func pieces(_ bytes: [UInt8], _ length: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: length).map { Array(bytes[$0...].prefix(length)) }
    }

    @Test(arguments: [true, false])
    func sessionHereOrElsewhere_theRepliesAndWeightsAreTheSame(_ sharesLoop: Bool) async throws {
        var options = FeedOptions()
        options.reply = .predictions
        let host = try await Host(sharesLoop: sharesLoop, options)
        async let running: Void = host.server.run()
        let text = try await host.replies(to: pieces(lines, 1000))

        let expected = await EddyServerTests.replies(to: [lines], style: .predictions, by: try LearningSession())
        #expect(text == expected && text.split(separator: "\n").count == 20_000)
        host.server.stop()
        try await running
        #expect(host.server.connectionCount == 0)
    }

    @Test(arguments: [true, false])
    func stop_endsAnIdleConnection_withItsSummary(_ sharesLoop: Bool) async throws {
        let host = try await Host(sharesLoop: sharesLoop, FeedOptions())
        async let running: Void = host.server.run()
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(to: host.address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let text = try await client.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "1,2,a\n!ping\n3,4,b\n5,6,"))
            var text = ""
            for try await bytes in inbound {
                text += String(buffer: bytes)
                if text == "!pong\n" { host.server.stop() }
            }
            return text
        }
        #expect(text.hasPrefix("!pong\n!summary accepted=2 learned=2 "), "the last line has no end: \(text)")
        try await running
    }

    @Test func stopWithoutAnyConnection_ends() async throws {
        let host = try await Host(sharesLoop: true, FeedOptions())
        async let running: Void = host.server.run()
        host.server.stop()
        try await running
    }

    /// Several thousand samples that are in hand at once take a wide network far longer than a round trip.
    @Test(arguments: [true, false])
    func othersAreAnswered_whileALongReadIsLearned(_ sharesLoop: Bool) async throws {
        var configuration = Configuration()
        configuration.hiddenLayers = [.dense(1024, .tanh), .dense(1024, .tanh)]
        let host = try await Host(sharesLoop: sharesLoop, FeedOptions(), configuration)
        async let running: Void = host.server.run()
        let long = Array(String(repeating: "1,2,a\n2,1,b\n", count: 3000).utf8)
        async let summary = host.replies(to: [long])
        try await eventually { host.session.schema.current != nil }
        var pongs = 0
        while try await host.replies(to: [Array("!ping\n".utf8)]).hasPrefix("!pong\n"),
            await host.session.step < 6000
        {
            pongs += 1
        }
        #expect(pongs > 0)
        #expect(try await summary.hasPrefix("!summary accepted=6000 learned=6000 "))
        host.server.stop()
        try await running
    }
}
