// Messages out: websocket subscriptions and server-sent events, and subscribers that are late, slow or gone.

import FlyingFox
import Foundation
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
        try await withServer([.stream("/silence") { _ in Silence(alive: alive) }]) { _, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            try await client.write(9, Array("are you there".utf8))
            #expect(try await client.readFrame() == .init(opcode: 10, payload: Data("are you there".utf8)))
            client.close()
        }
    }

    @Test func clientsClose_isAnsweredOnceWithItsCode() async throws {
        let alive = Silence.Alive()
        try await withServer([.stream("/silence") { _ in Silence(alive: alive) }]) { server, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            try await client.write(text: "subscribers may say what they like")
            try await client.write(closeCode: 4001)
            var frames: [WebClient.Frame] = []
            while let frame = try await client.readFrame() { frames.append(frame) }
            #expect(frames.map(\.closeCode) == [4001])
            client.close()
            try await eventually { server.liveStreamCount == 0 && alive.isNone }
        }
    }

    @Test(arguments: [true, false]) func vanishedSubscriber_isReleasedThoughNothingIsDue(byReset: Bool) async throws {
        let alive = Silence.Alive()
        try await withServer([.stream("/silence") { _ in Silence(alive: alive) }]) { server, port in
            var clients: [WebClient] = []
            for _ in 0..<10 { clients.append(try await .webSocket("/silence", port: port)) }
            try await eventually { alive.count.withLock { $0 } == 10 }
            for client in clients { byReset ? client.reset() : client.close() }
            try await eventually { server.liveStreamCount == 0 && alive.isNone }
        }
    }

    /// Connected all at once, each with its first two messages read.
    private func subscribers(_ count: Int, port: UInt16) async throws -> [WebClient] {
        try await withThrowingTaskGroup(of: WebClient.self) { group in
            for _ in 0..<count {
                group.addTask {
                    let client = try await WebClient.webSocket("/losses", port: port)
                    #expect(try await client.readFrame() == .text("1"))
                    #expect(try await client.readFrame() == .text("2"))
                    return client
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// FlyingFox's own pool kept the closed descriptors, and new connections with their numbers hung.
    @Test func resetsDuringPublishing_leaveNoNewSubscriberHanging() async throws {
        let routes = [WebRoute.stream("/losses") { _ in Counting(interval: .milliseconds(1)) }]
        try await withServer(routes) { server, port in
            for _ in 0..<10 {
                let clients = try await subscribers(60, port: port)
                // Spread over the publishing, so that some vanish while they are written to and some while they wait.
                for client in clients {
                    client.reset()
                    await Task.yield()
                }
                for client in try await subscribers(8, port: port) { client.close() }
            }
            try await eventually { server.liveStreamCount == 0 }
        }
    }

    @Test func stalledSubscriber_stopsItsSequenceAndNoOther() async throws {
        let made = Mutex(0)
        let routes = [
            WebRoute.stream("/big") { _ in
                AsyncStream<WebMessage> {
                    made.withLock { $0 += 1 }
                    return .binary(Data(count: 1 << 20))
                }
            },
            .stream("/losses") { _ in Counting(count: 1000) },
        ]
        try await withServer(routes) { _, port in
            let stalled = try await WebClient.webSocket("/big", port: port)
            let other = try await WebClient.webSocket("/losses", port: port)
            #expect(try await other.readToEnd().count == 1001)
            // What the kernel's buffers hold (some megabytes) may have been made, and no more.
            #expect(made.withLock { $0 } < 100)
            stalled.close()
            other.close()
        }
    }

    @Test func clientThatAnswersNoPing_isCut() async throws {
        let alive = Silence.Alive()
        let limits = WebLimits(heartbeat: .milliseconds(5), silentHeartbeats: 2)
        try await withServer([.stream("/silence") { _ in Silence(alive: alive) }], limits: limits) { _, port in
            let client = try await WebClient.webSocket("/silence", port: port)
            let frames = try await client.readToEnd()
            #expect(!frames.isEmpty && frames.allSatisfy { $0.opcode == 9 })
            client.close()
            try await eventually { alive.isNone }
        }
    }

    @Test func eventStream_carriesTheSameMessages() async throws {
        try await withServer([.stream("/losses") { _ in Counting(count: 2) }]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/losses", headers: ["Accept: text/event-stream", "Connection: close"])
            let head = try await client.readHead()
            #expect(head.contains("Content-Type: text/event-stream\r\n"))
            #expect(head.contains("Cache-Control: no-cache\r\n"))
            let body = try await client.readAll()
            #expect(
                body == "0E\r\n: subscribed\n\n\r\n" + "09\r\ndata: 1\n\n\r\n" + "09\r\ndata: 2\n\n\r\n" + "0\r\n\r\n")
            client.close()
        }
    }

    @Test(arguments: [true, false]) func vanishedEventReader_isReleasedByAHeartbeat(byReset: Bool) async throws {
        let alive = Silence.Alive()
        let limits = WebLimits(heartbeat: .milliseconds(5))
        try await withServer([.stream("/silence") { _ in Silence(alive: alive) }], limits: limits) { server, port in
            let client = try await WebClient(port: port)
            try await client.send("/silence", headers: ["Accept: text/event-stream"])
            _ = try await client.readHead()
            try await eventually { !alive.isNone }
            byReset ? client.reset() : client.close()
            try await eventually { server.liveStreamCount == 0 && alive.isNone }
        }
    }

    @Test(arguments: [
        ("", "data: \n\n"), ("one", "data: one\n\n"), ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n\n", "data: a\ndata: \ndata: \n\n"), ("\r\r\n", "data: \ndata: \ndata: \n\n"),
    ]) func event_keepsItsLines(text: String, event: String) {
        #expect(String(decoding: ServerSentEvents.event(.text(text)), as: UTF8.self) == event)
    }

    @Test func binaryEvent_isNamedAndInBase64() {
        let event = ServerSentEvents.event(.binary(Data([1, 2, 3])))
        #expect(String(decoding: event, as: UTF8.self) == "event: binary\ndata: AQID\n\n")
    }
}
