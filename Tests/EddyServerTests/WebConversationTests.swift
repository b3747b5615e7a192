// A websocket that is read and answered: order, limits, and every way it can end.

import FlyingFox
import Foundation
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebConversationTests {
    private func withFeed(
        limit: Int = 1 << 20, _ body: @escaping @Sendable (WebClient, Twice.Log) async throws -> Void
    ) async throws {
        let log = Twice.Log()
        let limits = WebLimits(messageBytes: limit, linger: .milliseconds(200))
        try await withServer([.conversation("/feed") { _ in Twice(log: log) }], limits: limits) { server, port in
            let client = try await WebClient.webSocket("/feed", port: port)
            try await body(client, log)
            client.close()
            try await eventually { server.liveStreamCount == 0 }
            // However it ended, the conversation was told, once.
            #expect(log.ended.withLock { $0 } == 1)
        }
    }

    @Test func replies_comeInOrderAndTheSummaryBeforeTheClose() async throws {
        try await withFeed { client, _ in
            for number in 0..<50 { try await client.write(text: "\(number)") }
            try await client.write(2, [7])
            try await client.write(closeCode: 1000)
            var expected = (0..<50).flatMap { [WebClient.Frame.text("\($0)"), .text("\($0)")] }
            expected += [
                .init(opcode: 2, payload: Data([7])), .init(opcode: 2, payload: Data([7])), .text("51 received"),
            ]
            let frames = try await client.readToEnd()
            #expect(Array(frames.dropLast()) == expected)
            #expect(frames.last?.closeCode == 1000)
        }
    }

    @Test func fragments_areOneMessageThoughAPingComesBetween() async throws {
        try await withFeed(limit: 10) { client, _ in
            try await client.write(1, Array("hel".utf8), isFinal: false)
            try await client.write(9, [])
            #expect(try await client.readFrame() == .init(opcode: 10, payload: Data()))
            try await client.write(0, Array("lo ".utf8), isFinal: false)
            try await client.write(0, Array("you".utf8))
            #expect(try await client.readFrame() == .text("hello you"))
        }
    }

    @Test func fragmentsBeyondTheLimit_closeWith1009() async throws {
        try await withFeed(limit: 10) { client, _ in
            try await client.write(1, Array("hello ".utf8), isFinal: false)
            try await client.write(0, Array("world".utf8))
            let frames = try await client.readToEnd()
            #expect(frames.map(\.closeCode) == [nil, 1009])
            #expect(frames.first == .text("0 received"))
        }
    }

    #if os(Linux)
        @Test func frameThatAnnouncesTooMuch_isNotCollected() async throws {
            try await withFeed(limit: 1000) { client, _ in
                // 1 TB announced; two pauses let the pool see what has come.
                var head = Data([0x82, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0])
                head += [0, 0, 0, 0]
                try await client.socket.write(head)
                var codes: [Int?] = []
                let closed = Mutex(false)
                async let flood: Void = {
                    while !closed.withLock({ $0 }) {
                        try await client.socket.write(Data(count: 500))
                        try await Task.sleep(for: .milliseconds(5))
                    }
                }()
                while let frame = try await client.readFrame() {
                    codes.append(frame.closeCode)
                    if frame.closeCode != nil { break }
                }
                closed.withLock { $0 = true }
                try? await flood
                #expect(codes == [nil, 1009])
            }
        }
    #endif

    @Test func textThatIsNotUTF8_closesWith1007() async throws {
        try await withFeed { client, _ in
            try await client.write(1, [0xC3, 0x28])
            #expect(try await client.readToEnd().last?.closeCode == 1007)
        }
    }

    @Test func refusedMessage_closesWith1011AndItsReason() async throws {
        try await withFeed { client, _ in
            try await client.write(text: "a")
            try await client.write(text: "refuse")
            let frames = try await client.readToEnd()
            #expect(frames.dropLast() == [.text("a"), .text("a"), .text("1 received")])
            #expect(frames.last?.closeCode == 1011)
            #expect(frames.last?.payload.dropFirst(2) == Data("no".utf8))
        }
    }

    @Test(arguments: [true, false]) func vanishedClient_endsTheConversation(byReset: Bool) async throws {
        try await withFeed { client, _ in
            try await client.write(text: "a")
            for _ in 0..<2 { _ = try await client.readFrame() }
            byReset ? client.reset() : client.close()
        }
    }

    @Test func clientThatReadsNoReplies_isNotReadEither() async throws {
        try await withFeed { client, _ in
            // Far more than the kernel's buffers hold in both directions: if the server read on, all would be taken.
            let message = [UInt8](repeating: 0x61, count: 1 << 20)
            let sent = Mutex(0)
            let sending = Task {
                for _ in 0..<200 {
                    try await client.write(2, message)
                    sent.withLock { $0 += 1 }
                }
            }
            // Nothing announces that the sender is stuck: wait until half a second has passed without progress.
            var last = -1
            while sent.withLock({ $0 }) != last {
                last = sent.withLock { $0 }
                try await Task.sleep(for: .milliseconds(500))
            }
            #expect(last < 200)
            sending.cancel()
            _ = await sending.result
        }
    }
}
