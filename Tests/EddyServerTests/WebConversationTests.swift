// A websocket that is read and answered: handshake, order, limits, and every way it can end. Through real sockets.

import NIOCore
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebHandshakeTests {
    @Test func accept_isTheKeysHash() async throws {
        try await withServer([.echo]) { _, port in
            let client = try await WebClient(port: port)
            try await client.upgrade("/echo")
            let head = try await client.readHead().lowercased()
            #expect(head.hasPrefix("http/1.1 101 switching protocols\r\n"))
            #expect(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"))  // RFC 6455's example
            #expect(!head.contains("sec-websocket-protocol"))
            client.close()
        }
    }

    @Test func subprotocol_isOursWhereItIsOffered() async throws {
        try await withServer([.echo]) { _, port in
            for offer in ["eddy", "chat, eddy, token.YWJj"] {
                let client = try await WebClient(port: port)
                try await client.upgrade("/echo", headers: ["Sec-WebSocket-Protocol: \(offer)"])
                #expect(try await client.readHead().contains("Sec-WebSocket-Protocol: eddy\r\n"))
                client.close()
            }
            let other = try await WebClient(port: port)
            try await other.upgrade("/echo", headers: ["Sec-WebSocket-Protocol: chat"])
            #expect(try await !other.readHead().contains("Sec-WebSocket-Protocol"))
            other.close()
        }
    }

    @Test(arguments: ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
    func handshakeThatLacksAField_isRefused(field: String) async throws {
        let alive = Silence.Alive()
        try await withServer([.echo, .silence(alive)]) { _, port in
            for path in ["/echo", "/silence"] {
                let client = try await WebClient(port: port)
                try await client.write(WebClient.upgradeRequest(path).replacing(field + "\r\n", with: ""))
                let (head, _) = try await client.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 \(field.contains("Version") ? 426 : 400) "))
                if field.contains("Version") { #expect(head.contains("Sec-WebSocket-Version: 13\r\n")) }
                client.close()
            }
            try await eventually { alive.isNone }
        }
    }

    @Test func upgrade_isPossibleAfterOtherRequests() async throws {
        try await withServer([.health, .echo, .count]) { _, port in
            let client = try await WebClient(port: port)
            for _ in 0..<3 {
                try await client.send("/healthz")
                #expect(try await client.readResponse().body == healthy)
                try await client.send("/count", method: "POST", headers: ["Content-Length: 2"], body: "ab")
                _ = try await client.readResponse()
            }
            try await client.upgrade("/echo")
            #expect(try await client.readHead().hasPrefix("HTTP/1.1 101"))
            try await client.write(text: "hello")
            #expect(try await client.readFrame() == .text("hello"))
            client.close()
        }
    }

    @Test func upgradePipelinedAfterAnotherRequest_isDoneInItsTurn() async throws {
        try await withServer([.health, .echo]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write(
                Array((WebClient.request("/healthz") + WebClient.upgradeRequest("/echo")).utf8)
                    + WebClient.frame(1, Array("hello".utf8)))
            #expect(try await client.readResponse().body == healthy)
            #expect(try await client.readHead().hasPrefix("HTTP/1.1 101"))
            #expect(try await client.readFrame() == .text("hello"))
            client.close()
        }
    }

    /// However the bytes of the request and of the first frames are cut.
    @Test func framesSentWithTheUpgrade_areHeard() async throws {
        try await withServer([.echo]) { _, port in
            let request = Array(WebClient.upgradeRequest("/echo").utf8)
            let frames = WebClient.frame(1, Array("one".utf8)) + WebClient.frame(1, Array("two".utf8))
            let bytes = request + frames
            for cut in (request.count - 3)...bytes.count {
                let client = try await WebClient(port: port)
                try await client.write(Array(bytes[..<cut]))
                if cut < bytes.count { try await client.write(Array(bytes[cut...])) }
                #expect(try await client.readHead().hasPrefix("HTTP/1.1 101"))
                #expect(try await client.readFrame() == .text("one"))
                #expect(try await client.readFrame() == .text("two"))
                client.close()
            }
        }
    }

    @Test func failedOpen_isAnsweredBeforeTheUpgrade() async throws {
        let full = WebRoute.conversation("/full") { _ in throw WebError(.serviceUnavailable, "full") }
        try await withServer([full]) { _, port in
            let client = try await WebClient(port: port)
            try await client.upgrade("/full")
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 503 "))
            #expect(body == "{\"error\":\"full\"}\n")
            client.close()
        }
    }
}

@Suite struct WebConversationTests {
    private func withFeed(
        limit: Int = 1 << 20, linger: Duration = .seconds(5),
        _ body: @escaping @Sendable (WebClient, Twice.Log) async throws -> Void
    ) async throws {
        let log = Twice.Log()
        let short = limits {
            $0.messageBytes = limit
            $0.linger = linger
        }
        try await withServer([.conversation("/feed") { _ in Twice(log: log) }], limits: short) { server, port in
            let client = try await WebClient.webSocket("/feed", port: port)
            try await body(client, log)
            client.close()
            try await eventually { server.connections.count == 0 }
            // However it ended, the conversation was told, once.
            #expect(log.ended.load(ordering: .relaxed) == 1)
        }
    }

    @Test func replies_comeInOrderAndTheSummaryBeforeTheClose() async throws {
        try await withFeed { client, _ in
            for number in 0..<50 { try await client.write(text: "\(number)") }
            try await client.write(2, [7])
            try await client.write(closeCode: 3456)
            var expected = (0..<50).flatMap { [WebClient.Frame.text("\($0)"), .text("\($0)")] }
            expected += [.init(opcode: 2, payload: [7]), .init(opcode: 2, payload: [7]), .text("51 received")]
            let frames = try await client.readToEnd()
            #expect(Array(frames.dropLast()) == expected)
            #expect(frames.last?.closeCode == 3456)
        }
    }

    @Test func closeWithoutACode_isAnsweredWithoutOne() async throws {
        try await withFeed { client, _ in
            try await client.write(8, [])
            #expect(try await client.readFrame() == .text("0 received"))
            #expect(try await client.readFrame() == .init(opcode: 8, payload: []))
            #expect(try await client.readFrame() == nil)
        }
    }

    @Test func whatFollowsAClose_isNotHeard() async throws {
        try await withFeed { client, log in
            try await client.write(
                WebClient.frame(8, [3, 232]) + WebClient.frame(1, Array("late".utf8)) + WebClient.frame(9, [1])
                    + WebClient.frame(8, [3, 233]) + [0xFF, 0xFF])
            let frames = try await client.readToEnd()
            #expect(frames == [.text("0 received"), .init(opcode: 8, payload: [3, 232])])
            #expect(log.received.load(ordering: .relaxed) == 0)
        }
    }

    @Test func fragments_areOneMessageThoughAPingComesBetween() async throws {
        try await withFeed(limit: 10) { client, _ in
            try await client.write(1, Array("hel".utf8), isFinal: false)
            try await client.write(9, [42])
            #expect(try await client.readFrame() == .init(opcode: 10, payload: [42]))
            try await client.write(0, Array("lo ".utf8), isFinal: false)
            try await client.write(0, Array("you".utf8))
            #expect(try await client.readFrame() == .text("hello you"))
        }
    }

    @Test func brokenRules_endWithWhatWasHeardAndTheirCode() async throws {
        let cases: [(bytes: [UInt8], code: Int)] = [
            (WebClient.frame(1, Array("bare".utf8), isMasked: false), 1002), (WebClient.frame(3, []), 1002),
            (WebClient.frame(0, []), 1002), (WebClient.frame(9, [UInt8](repeating: 0, count: 126)), 1002),
            (WebClient.frame(9, [], isFinal: false), 1002), (WebClient.frame(1, [0xC3, 0x28]), 1007),
            (WebClient.frame(8, [3, 237]), 1002),
            (
                WebClient.frame(1, [UInt8](repeating: 97, count: 100), isFinal: false)
                    + WebClient.frame(0, [UInt8](repeating: 97, count: 101)), 1009
            ),
        ]
        for (bytes, code) in cases {
            try await withFeed(limit: 200) { client, _ in
                try await client.write(WebClient.frame(1, [0x61]) + bytes)
                let frames = try await client.readToEnd()
                #expect(frames.dropLast() == [.text("a"), .text("a"), .text("1 received")], "\(code)")
                #expect(frames.last?.closeCode == code)
                #expect(frames.last?.reason.isEmpty == false)
            }
        }
    }

    /// 1 TB announced, of which nothing needs to come.
    @Test func frameThatAnnouncesTooMuch_isRefusedByItsHead() async throws {
        try await withFeed(limit: 1000) { client, _ in
            try await client.write([0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4])
            #expect(try await client.readToEnd().map(\.closeCode) == [nil, 1009])
        }
    }

    /// What a client that has not read its refusal yet goes on to send must not become a reset.
    @Test func floodAfterAnOversizedHead_doesNotDestroyTheRefusal() async throws {
        for _ in 0..<10 {
            try await withFeed(limit: 1000) { client, _ in
                try await client.write([0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4])
                for _ in 0..<32 { try? await client.write([UInt8](repeating: 0, count: 16 << 10)) }
                #expect(try await client.readFrame() == .text("0 received"))
                #expect(try await client.readFrame()?.closeCode == 1009)
            }
        }
    }

    @Test func failingConversation_closesWith1011AndItsReason() async throws {
        try await withFeed { client, _ in
            try await client.write(text: "a")
            try await client.write(text: "refuse")
            let frames = try await client.readToEnd()
            #expect(frames.dropLast() == [.text("a"), .text("a"), .text("1 received")])
            #expect(frames.last?.closeCode == 1011)
            #expect(frames.last?.reason == "no")
        }
    }

    @Test func conversation_mayCloseWithACodeOfItsOwn() async throws {
        try await withFeed { client, _ in
            try await client.write(text: "violate")
            let frames = try await client.readToEnd()
            #expect(frames.last?.closeCode == 4000)
            #expect(frames.last?.reason == "as you like it")
        }
    }

    @Test(arguments: [true, false]) func vanishedClient_endsTheConversation(byReset: Bool) async throws {
        try await withFeed { client, _ in
            try await client.write(text: "a")
            for _ in 0..<2 { _ = try await client.readFrame() }
            if byReset { try await client.reset() } else { client.close() }
        }
    }

    @Test func halfClosedClient_isHeardAndAnswered() async throws {
        try await withFeed { client, _ in
            for number in 0..<20 { try await client.write(text: "\(number)") }
            try await client.finish()
            let frames = try await client.readToEnd()
            #expect(frames.dropLast().last == .text("20 received"))
            #expect(frames.last?.closeCode != nil)
        }
    }

    /// The close frame's answer may never come: the server waits for it no longer than it lingers.
    @Test func clientThatDoesNotAnswerTheClose_isLeft() async throws {
        try await withFeed(linger: .milliseconds(100)) { client, _ in
            try await client.write(text: "violate")
            var frames: [WebClient.Frame] = []
            while let frame = try await client.readFrame() { frames.append(frame) }
            #expect(frames.last?.closeCode == 4000)
        }
    }

    @Test func clientThatReadsNoReplies_isNotReadEither() async throws {
        try await withFeed(limit: 2 << 20) { client, log in
            // Far more than the kernel's buffers hold in both directions: if the server read on, all would be taken.
            let message = WebClient.frame(2, [UInt8](repeating: 0x61, count: 1 << 20))
            let sending = Task { for _ in 0..<200 { try await client.write(message) } }
            // Nothing announces that the server has stopped reading: wait until it takes nothing for half a second.
            var last = -1
            while log.received.load(ordering: .relaxed) != last || last < 1 {
                last = log.received.load(ordering: .relaxed)
                try await Task.sleep(for: .milliseconds(500))
            }
            #expect(last < 100)
            client.close()
            _ = await sending.result
        }
    }

    /// Pongs are owed, and the client takes none: the newest is kept, the others are not (§5.5.3).
    @Test func pingsWithoutReading_costNoMemory() async throws {
        try await withServer([.echo], limits: limits { $0.sendBuffer = 16 << 10 }) { server, port in
            let client = try await WebClient.webSocket("/echo", port: port, receiveBuffer: 4096)
            let pings = [[UInt8]](repeating: WebClient.frame(9, [UInt8](repeating: 7, count: 125)), count: 1000)
                .flatMap { $0 }
            for _ in 0..<100 { try await client.write(pings) }  // 13 MB; the server reads them all
            try await client.write(9, Array("last".utf8))
            var pongs = 0
            while let frame = try await client.readFrame() {
                #expect(frame.opcode == 10)
                pongs += 1
                if frame.payload == Array("last".utf8) { break }
            }
            // What the kernel's buffers and the channel's watermark hold, rather than 100,000.
            #expect(pongs < 20_000)
            client.close()
        }
    }

    @Test func stop_hearsWhatWasSentAndSaysGoodbye() async throws {
        let log = Twice.Log()
        try await withServer([.conversation("/feed") { _ in Twice(log: log) }]) { server, port in
            let client = try await WebClient.webSocket("/feed", port: port)
            try await client.write(text: "a")
            try await eventually { log.received.load(ordering: .relaxed) == 1 }
            async let stopping: Void = server.stop(within: .seconds(20))
            let frames = try await client.readToEnd()
            #expect(frames.dropLast() == [.text("a"), .text("a"), .text("1 received")])
            #expect(frames.last?.closeCode == 1001)
            #expect(frames.last?.reason == "the server stops")
            await stopping
            client.close()
        }
    }
}
