// The server as a whole: listening, refusing, reading bodies, stopping.

import FlyingFox
import FlyingSocks
import Foundation
import Logging
import Testing

@testable import EddyServer

@Suite struct WebServerTests {
    private let health = WebRoute.get("/healthz") { _ in try .json(["status": "ok"]) }

    private func quietServer(port: UInt16, host: String = "127.0.0.1") -> WebServer {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return WebServer(host: host, port: port, logger: logger, routes: [])
    }

    @Test func takenPort_failsAtOnceAndSaysWhatToDo() async throws {
        try await withServer([]) { _, port in
            let second = quietServer(port: port)
            let running = Task { try await second.run() }
            let expected = WebServerError.portInUse(host: "127.0.0.1", port: port)
            await #expect(throws: expected) { _ = try await second.waitUntilListening() }
            await #expect(throws: expected) { try await running.value }
            #expect(
                "\(expected)" == "cannot listen on 127.0.0.1:\(port): the port is in use; choose another with "
                    + "--http-port or stop the other program")
        }
    }

    @Test func unknownHost_isToldByName() async throws {
        let server = quietServer(port: 0, host: "no such host")
        await #expect(throws: WebServerError.unknownHost("no such host")) { try await server.run() }
    }

    @Test func stopBeforeRun_letsRunReturn() async throws {
        let server = quietServer(port: 0)
        await server.stop()
        try await deadline { try await server.run() }
    }

    @Test func cancelledRun_throwsCancellation() async throws {
        let server = quietServer(port: 0)
        let running = Task { try await server.run() }
        _ = try await server.waitUntilListening()
        running.cancel()
        await #expect(throws: CancellationError.self) { try await deadline { try await running.value } }
    }

    @Test func refusals_areJSONWithAReason() async throws {
        let routes = [
            health, .stream("/losses") { _ in Counting() }, .conversation("/feed") { _ in Twice(log: .init()) },
        ]
        try await withServer(routes) { _, port in
            let client = try await WebClient(port: port)
            let cases: [(path: String, method: String, status: String, reason: String)] = [
                ("/healthz", "GET", "200 OK", "{\"status\":\"ok\"}\n"),
                ("/nothing", "GET", "404 Not Found", "{\"error\":\"there is nothing at /nothing\"}\n"),
                ("/healthz", "POST", "405 Method Not Allowed", "{\"error\":\"/healthz takes GET, not POST\"}\n"),
                (
                    "/losses", "GET", "406 Not Acceptable",
                    "{\"error\":\"/losses is a stream: open it as a websocket, or ask for server-sent events with "
                        + "`Accept: text/event-stream`\"}\n"
                ),
                (
                    "/feed", "GET", "426 Upgrade Required",
                    "{\"error\":\"/feed is a websocket: open it with `Upgrade: websocket`\"}\n"
                ),
            ]
            for (path, method, status, reason) in cases {
                try await client.send(path, method: method, headers: ["Accept: application/json"])
                let (head, body) = try await client.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(method) \(path)")
                #expect(body == reason)
            }
            client.close()
        }
    }

    @Test func foreignPage_isRefusedBeforeTheUpgrade() async throws {
        let routes = [WebRoute.conversation("/feed") { _ in Twice(log: .init()) }]
        try await withServer(routes) { server, port in
            let client = try await WebClient(port: port)
            try await client.upgrade("/feed", headers: ["Origin: http://evil.example"])
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 403"))
            #expect(body.contains("http://evil.example"))
            client.close()
            let own = try await WebClient.webSocket("/feed", port: port, headers: ["Origin: http://127.0.0.1"])
            own.close()
        }
    }

    /// FlyingFox alone would take the rest of the body for the next request.
    @Test(arguments: [true, false]) func unreadBody_isNotTakenForARequest(isChunked: Bool) async throws {
        let routes = [health, .post("/deaf") { _ in throw WebError(.unauthorized, "no token") }]
        try await withServer(routes) { _, port in
            let client = try await WebClient(port: port)
            let smuggled = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            let filler = String(repeating: " ", count: 3 << 20)
            if isChunked {
                let size = String(smuggled.utf8.count, radix: 16)
                try await client.send(
                    "/deaf", method: "POST", headers: ["Transfer-Encoding: chunked"],
                    body: "\(size)\r\n\(smuggled)\r\n0\r\n\r\n")
            } else {
                // Longer than what FlyingFox flushes by itself.
                let body = smuggled + filler
                try await client.send(
                    "/deaf", method: "POST", headers: ["Content-Length: \(body.utf8.count)"], body: body)
            }
            try await client.send("/healthz")
            #expect(try await client.readResponse().body == "{\"error\":\"no token\"}\n")
            #expect(try await client.readResponse().body == "{\"status\":\"ok\"}\n")
            client.close()
        }
    }

    @Test func endlessUnreadBody_endsItsConnection() async throws {
        let routes = [WebRoute.post("/deaf") { _ in throw WebError(.unauthorized, "no token") }]
        try await withServer(routes) { server, port in
            let client = try await WebClient(port: port)
            try await client.send("/deaf", method: "POST", headers: ["Content-Length: 1000000000"])
            let chunk = Data(count: 1 << 20)
            await #expect(throws: SocketError.self) {
                for _ in 0..<200 { try await client.socket.write(chunk) }
            }
            client.close()
        }
    }

    @Test func body_isReadWholeUpToItsLimit() async throws {
        let routes = [
            WebRoute.post("/count") { request in try await .json(["bytes": request.body(limit: 100_000).count]) }
        ]
        try await withServer(routes) { _, port in
            let client = try await WebClient(port: port)
            for (count, reply) in [
                (0, "{\"bytes\":0}\n"), (10, "{\"bytes\":10}\n"), (100_000, "{\"bytes\":100000}\n"),
                (100_001, "{\"error\":\"the body is longer than 100000 bytes\"}\n"),
            ] {
                let body = String(repeating: "x", count: count)
                try await client.send("/count", method: "POST", headers: ["Content-Length: \(count)"], body: body)
                #expect(try await client.readResponse().body == reply)
            }
            client.close()
        }
    }

    /// FlyingFox would cut the route off and answer 500.
    @Test func bodyThatOutlastsThePatience_isAnsweredWhenItHasCome() async throws {
        let routes = [WebRoute.post("/count") { request in try await .json(["bytes": request.body(limit: 20).count]) }]
        try await withServer(routes, limits: WebLimits(patience: .milliseconds(1))) { _, port in
            for (chunk, ending) in [
                ("hello", "0D\r\n{\"bytes\":10}\n\r\n0\r\n\r\n"),
                // A failure after the 200: no last chunk.
                ("a text beyond the limit", "2D\r\n{\"error\":\"the body is longer than 20 bytes\"}\n\r\n"),
            ] {
                let client = try await WebClient(port: port)
                try await client.send(
                    "/count", method: "POST", headers: ["Transfer-Encoding: chunked", "Connection: close"],
                    body: "5\r\nhello\r\n")
                #expect(try await client.readHead().hasPrefix("HTTP/1.1 200 OK\r\n"))
                try await client.write(String(chunk.utf8.count, radix: 16) + "\r\n\(chunk)\r\n0\r\n\r\n")
                #expect(try await client.readAll() == ending)
                client.close()
            }
        }
    }

    #if os(Linux)
        @Test func acceptedSockets_sendWithoutDelay() async throws {
            try await withServer([health]) { _, port in
                let client = try await WebClient(port: port)
                try await client.send("/healthz")
                _ = try await client.readResponse()
                // The server's end of the connection is in this process too: the one whose peer is our own name.
                let name = try client.socket.socket.sockname()
                let accepted = (3..<Int32(1024)).map { Socket(file: .init(rawValue: $0)) }
                    .first { (try? $0.remotePeer()) == name }
                var value: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(try #require(accepted).file.rawValue, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &length)
                #expect(value != 0)
                client.close()
            }
        }
    #endif

    @Test func stop_saysGoodbyeToEveryStream() async throws {
        let alive = Silence.Alive()
        let routes = [
            WebRoute.stream("/losses") { _ in Counting(interval: .milliseconds(1)) },
            .stream("/silence") { _ in Silence(alive: alive) },
            .conversation("/feed") { _ in Twice(log: .init()) },
        ]
        try await withServer(routes) { server, port in
            let paths = ["/losses", "/silence", "/losses", "/silence", "/feed"]
            var clients: [WebClient] = []
            for path in paths { clients.append(try await .webSocket(path, port: port)) }
            let events = try await WebClient(port: port)
            try await events.send("/silence", headers: ["Accept: text/event-stream"])
            _ = try await events.readHead()
            async let stopping: Void = server.stop(within: .seconds(10))
            for (path, client) in zip(paths, clients) {
                let frames = try await client.readToEnd()
                #expect(frames.compactMap(\.closeCode) == [1001], "\(path)")
                #expect(frames.last?.closeCode == 1001)
                if path == "/feed" { #expect(frames.first == .text("0 received")) }
                client.close()
            }
            #expect(try await events.readAll().hasSuffix("0\r\n\r\n"))
            events.close()
            await stopping
            #expect(server.liveStreamCount == 0)
            #expect(alive.isNone)
        }
    }

    @Test func stop_cutsAStalledSubscriberAtItsDeadline() async throws {
        let routes = [WebRoute.stream("/losses") { _ in Counting() }]
        try await withServer(routes) { server, port in
            let stalled = try await WebClient.webSocket("/losses", port: port)
            try await deadline { await server.stop(within: .milliseconds(100)) }
            stalled.close()
        }
    }
}
