// Messages out: websocket subscriptions and event streams, and subscribers that are late, slow or gone.

import NIOCore
import NIOEmbedded
import NIOWebSocket
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebSubscriptionTests {
    @Test func endedSequence_closesNormally() async throws {
        try await withServer([.stream("/losses") { _ in Counting(count: 3) }]) { _, port in
            let client = try await WebClient.webSocket("/losses", port: port)
            let frames = try await client.readToEnd()
            #expect(frames.prefix(3) == [.text("1"), .text("2"), .text("3")])
            #expect(frames.dropFirst(3).map(\.closeCode) == [1000])
            client.close()
        }
    }

    @Test func ping_isAnsweredWhileNothingIsDue() async throws {
        let alive = Silence.Alive()
        try await withServer([.silence(alive)]) { _, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            try await client.write(9, Array("are you there".utf8))
            #expect(try await client.readFrame() == .init(opcode: 10, payload: Array("are you there".utf8)))
            client.close()
        }
    }

    @Test func clientsClose_isAnsweredOnceWithItsCode() async throws {
        let alive = Silence.Alive()
        try await withServer([.silence(alive)]) { server, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            try await client.write(text: "subscribers may say what they like")
            try await client.write(closeCode: 4001)
            var frames: [WebClient.Frame] = []
            while let frame = try await client.readFrame() { frames.append(frame) }
            #expect(frames.map(\.closeCode) == [4001])
            client.close()
            try await eventually { server.connections.count == 0 && alive.isNone }
        }
    }

    @Test func brokenRule_endsASubscriptionToo() async throws {
        let alive = Silence.Alive()
        let short = limits {
            $0.messageBytes = 1000
            $0.linger = .milliseconds(200)
        }
        try await withServer([.silence(alive)], limits: short) { server, port in
            for (bytes, code) in [
                (WebClient.frame(1, [0x61], isMasked: false), 1002),
                ([0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4], 1009),
            ] as [([UInt8], Int)] {
                let client = try await WebClient.webSocket("/silence", port: port)
                try await client.write(bytes)
                #expect(try await client.readToEnd().map(\.closeCode) == [code])
                client.close()
            }
            try await eventually { server.connections.count == 0 && alive.isNone }
        }
    }

    @Test func subscriberThatSaysMuch_isReadAndNotHeard() async throws {
        let alive = Silence.Alive()
        try await withServer([.silence(alive)]) { _, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            let message = [UInt8](repeating: 0x61, count: 1 << 20)
            for _ in 0..<50 { try await client.write(2, message) }
            try await client.write(9, [1])
            #expect(try await client.readFrame() == .init(opcode: 10, payload: [1]))
            client.close()
        }
    }

    @Test(arguments: [true, false]) func vanishedSubscriber_isReleasedThoughNothingIsDue(byReset: Bool) async throws {
        let alive = Silence.Alive()
        try await withServer([.silence(alive)]) { server, port in
            var clients: [WebClient] = []
            for _ in 0..<10 {
                clients.append(try await .webSocket("/silence", port: port))
                clients.append(try await .events("/silence", port: port))
            }
            try await eventually { alive.count.withLock { $0 } == 20 }
            for client in clients { if byReset { try await client.reset() } else { client.close() } }
            try await eventually { server.connections.count == 0 && alive.isNone }
        }
    }

    /// Connected all at once, each with its first two messages read.
    private func subscribers(_ count: Int, port: Int) async throws -> [WebClient] {
        try await withThrowingTaskGroup(of: WebClient.self) { group in
            for number in 0..<count {
                group.addTask {
                    if number % 2 == 0 {
                        let client = try await WebClient.webSocket("/losses", port: port)
                        #expect(try await client.readFrame() == .text("1"))
                        #expect(try await client.readFrame() == .text("2"))
                        return client
                    }
                    let client = try await WebClient.events("/losses", port: port)
                    #expect(try await client.readChunk() == "data: 1\n\n")
                    #expect(try await client.readChunk() == "data: 2\n\n")
                    return client
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// A server of ours once kept the closed descriptors, and new connections with their numbers hung.
    @Test func resetsDuringPublishing_leaveNoNewSubscriberHanging() async throws {
        let routes = [WebRoute.stream("/losses") { _ in Counting(interval: .milliseconds(1)) }]
        try await withServer(routes) { server, port in
            for _ in 0..<10 {
                // Spread over the publishing, so that some vanish while they are written to and some while they wait.
                for client in try await subscribers(60, port: port) { try await client.reset() }
                for client in try await subscribers(8, port: port) { client.close() }
            }
            try await eventually { server.connections.count == 0 }
        }
    }

    @Test(arguments: [true, false]) func stalledSubscriber_stopsItsSequenceAndNoOther(isEvents: Bool) async throws {
        let made = Torrent.Made()
        let routes = [
            WebRoute.stream("/big") { _ in Torrent(made) }, .stream("/losses") { _ in Counting(count: 1000) },
        ]
        try await withServer(routes) { _, port in
            let stalled =
                isEvents
                ? try await WebClient.events("/big", port: port) : try await WebClient.webSocket("/big", port: port)
            let other = try await WebClient.webSocket("/losses", port: port)
            #expect(try await other.readToEnd().count == 1001)
            // What the kernel's buffers hold (some megabytes) may have been made, and no more.
            #expect(made.count.load(ordering: .relaxed) < 100)
            stalled.close()
            other.close()
        }
    }

    @Test(arguments: [true, false]) func subscriberThatTakesNothing_isCutAtItsDeadline(isEvents: Bool) async throws {
        let made = Torrent.Made()
        let short = limits { $0.writeStall = .milliseconds(100) }
        try await withServer([.stream("/big") { _ in Torrent(made) }], limits: short) { server, port in
            let stalled =
                isEvents
                ? try await WebClient.events("/big", port: port) : try await WebClient.webSocket("/big", port: port)
            try await eventually { server.connections.count == 0 }
            stalled.close()
        }
    }

    @Test func clientThatAnswersNoPing_isCut() async throws {
        let alive = Silence.Alive()
        let short = limits {
            $0.heartbeat = .milliseconds(5)
            $0.silentHeartbeats = 2
        }
        try await withServer([.silence(alive)], limits: short) { _, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            var frames: [WebClient.Frame] = []
            while let frame = try await client.readFrame() { frames.append(frame) }
            #expect(!frames.isEmpty && frames.allSatisfy { $0.opcode == 9 })
            client.close()
            try await eventually { alive.isNone }
        }
    }

    /// With a clock that only the test moves.
    @Test func clientThatAnswersPings_isKept_andCutWhenItNoLongerDoes() throws {
        let short = limits {
            $0.heartbeat = .seconds(20)
            $0.silentHeartbeats = 3
        }
        let channel = EmbeddedChannel(handler: WebSocketLine(limits: short, stream: nil))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 7070)).wait()
        let mask = WebSocketMaskingKey([1, 2, 3, 4])
        for _ in 0..<50 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .ping)
            try channel.writeInbound(WebSocketFrame(fin: true, opcode: .pong, maskKey: mask, data: ByteBuffer()))
        }
        for _ in 0..<3 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            #expect(try channel.readOutbound(as: WebSocketFrame.self)?.opcode == .ping)
        }
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(!channel.isActive)
        #expect(try channel.readOutbound(as: WebSocketFrame.self) == nil)
    }

    @Test func eventStream_carriesTheSameMessages() async throws {
        try await withServer([.stream("/losses") { _ in Counting(count: 2) }, .health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/losses", headers: ["Accept: text/event-stream"])
            let head = try await client.readHead()
            #expect(head.contains("Content-Type: text/event-stream\r\n"))
            #expect(head.contains("Cache-Control: no-cache\r\n"))
            for chunk in [": subscribed\n\n", "data: 1\n\n", "data: 2\n\n", ""] {
                #expect(try await client.readChunk() == chunk)
            }
            // It was a response like others: the connection goes on.
            try await client.send("/healthz")
            #expect(try await client.readResponse().body == healthy)
            client.close()
        }
    }

    @Test func comments_areTheHeartbeatOfAnEventStream() async throws {
        let alive = Silence.Alive()
        try await withServer([.silence(alive)], limits: limits { $0.heartbeat = .milliseconds(5) }) { server, port in
            let client = try await WebClient.events("/silence", port: port)
            for _ in 0..<5 { #expect(try await client.readChunk() == ": still here\n\n") }
            client.close()
            try await eventually { server.connections.count == 0 && alive.isNone }
        }
    }

    @Test func streamThatFailsToOpen_isARefusalLikeOthers() async throws {
        let route = WebRoute.stream("/losses") { request -> Counting in
            throw WebError(.badRequest, "unit=inches: expected nats or bits")
        }
        try await withServer([route]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/losses", headers: ["Accept: text/event-stream"])
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 400 "))
            try await client.upgrade("/losses")
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 400 "))
            client.close()
        }
    }

    @Test func longReason_isCutAtACharacter() async throws {
        struct Failure: Error, CustomStringConvertible { let description = String(repeating: "€", count: 100) }
        let route = WebRoute(
            method: .GET, path: "/fails",
            kind: .stream { _ in
                SequenceStream(
                    messages: AsyncThrowingStream<WebMessage, any Error> { continuation in
                        continuation.yield(.text("one"))
                        continuation.finish(throwing: Failure())
                    })
            })
        try await withServer([route]) { _, port in
            let client = try await WebClient.webSocket("/fails", port: port)
            let frames = try await client.readToEnd()
            #expect(frames.first == .text("one"))
            #expect(frames.last?.closeCode == 1011)
            #expect(frames.last?.reason == String(repeating: "€", count: 41))
            client.close()
        }
    }
}
