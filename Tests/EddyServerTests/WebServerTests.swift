// The server as a whole: listening, refusing, its secret, its limit, and how it stops.

import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebServerTests {
    private func quietServer(host: String = "127.0.0.1") -> WebServer {
        WebServer(
            host: host, loop: MultiThreadedEventLoopGroup.singleton.next(), logger: silentLogger, routes: [])
    }

    @Test func takenPort_failsAtOnceAndSaysWhatToDo() async throws {
        try await withServer([]) { _, port in
            let second = quietServer()
            await #expect {
                _ = try await second.listen(port: port)
            } throws: { error in
                "\(error)".contains("127.0.0.1:\(port)") && "\(error)".contains("--http-port")
            }
            await second.stop()
        }
    }

    @Test func unknownHost_isToldByName() async throws {
        let server = quietServer(host: "no-such-host.invalid")
        await #expect { try await server.listen(port: 0) } throws: { "\($0)".contains("no-such-host.invalid") }
        await server.stop()
    }

    @Test func stopBeforeOrAfterListening_returns() async throws {
        let server = quietServer()
        try await deadline { await server.stop() }
        try await withServer([]) { server, _ in await server.stop() }
    }

    @Test func refusals_areJSONWithAReason() async throws {
        let routes = [
            .health, .stream("/losses") { _ in Counting() }, .conversation("/feed") { _ in Twice(log: .init()) },
            WebRoute.get("/broken") { _ in throw TimedOut() },
        ]
        try await withServer(routes) { _, port in
            let client = try await WebClient(port: port)
            let cases: [(path: String, method: String, status: String, reason: String)] = [
                ("/healthz", "GET", "200 OK", healthy),
                ("/nothing", "GET", "404 Not Found", "{\"error\":\"there is nothing at /nothing\"}\n"),
                (
                    "/healthz", "POST", "405 Method Not Allowed",
                    "{\"error\":\"/healthz takes GET, HEAD, not POST\"}\n"
                ),
                (
                    "/losses", "GET", "406 Not Acceptable",
                    "{\"error\":\"/losses is a stream: open it as a websocket, or ask for server-sent events with "
                        + "`Accept: text/event-stream`\"}\n"
                ),
                (
                    "/feed", "GET", "426 Upgrade Required",
                    "{\"error\":\"/feed is a websocket: open it with `Upgrade: websocket`\"}\n"
                ),
                (
                    "/broken", "GET", "500 Internal Server Error",
                    "{\"error\":\"the server failed to answer; its log says why\"}\n"
                ),
                (
                    "/healthz?a=%", "GET", "400 Bad Request",
                    "{\"error\":\"the query's a=% is not percent-encoded UTF-8\"}\n"
                ),
            ]
            for (path, method, status, reason) in cases {
                try await client.send(path, method: method, headers: ["Accept: application/json"])
                let (head, body) = try await client.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(method) \(path)")
                #expect(head.contains("Content-Type: application/json\r\n"))
                #expect(head.contains("X-Content-Type-Options: nosniff\r\n"))
                #expect(body == reason)
            }
            client.close()
        }
    }

    @Test func foreignPage_isRefusedBeforeTheUpgrade() async throws {
        let log = Twice.Log()
        let routes = [WebRoute.conversation("/feed") { _ in Twice(log: log) }, .health]
        try await withServer(routes) { _, port in
            for headers in [["Origin: http://evil.example"], ["Origin: null"]] {
                let client = try await WebClient(port: port)
                try await client.upgrade("/feed", headers: headers)
                #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 403"))
                client.close()
            }
            let own = try await WebClient.webSocket("/feed", port: port, headers: ["Origin: http://127.0.0.1"])
            own.close()
            try await eventually { log.ended.load(ordering: .relaxed) == 1 }
        }
    }

    @Test func token_isNeededForAllButPublicRoutes() async throws {
        let token = try BearerToken("correct-horse")
        let routes = [
            WebRoute.get("/open", isPublic: true) { _ in .json(["open": true]) }, .health, .echo, .deaf,
            .stream("/losses") { _ in Counting(count: 1) },
        ]
        try await withServer(routes, token: token) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/open")
            #expect(try await client.readResponse().body == "{\"open\":true}\n")
            for headers in [[], ["Authorization: Bearer wrong-horse"], ["Authorization: Basic correct-horse"]] {
                for (method, path) in [("GET", "/healthz"), ("POST", "/deaf"), ("GET", "/losses")] {
                    try await client.send(path, method: method, headers: headers)
                    let (head, _) = try await client.readResponse()
                    #expect(head.hasPrefix("HTTP/1.1 401 "))
                    #expect(head.contains("WWW-Authenticate: Bearer\r\n"))
                }
                let other = try await WebClient(port: port)
                try await other.upgrade("/echo", headers: headers)
                #expect(try await other.readResponse().head.hasPrefix("HTTP/1.1 401 "))
                other.close()
            }
            try await client.send("/healthz", headers: ["Authorization: Bearer correct-horse"])
            #expect(try await client.readResponse().body == healthy)
            client.close()
            let word = Data("correct-horse".utf8).base64EncodedString().replacing("=", with: "")
            for path in ["/echo", "/losses"] {
                let page = try await WebClient(port: port)
                try await page.upgrade(path, headers: ["Sec-WebSocket-Protocol: eddy, token.\(word)"])
                let head = try await page.readHead()
                #expect(head.hasPrefix("HTTP/1.1 101") && head.contains("Sec-WebSocket-Protocol: eddy\r\n"))
                #expect(!head.contains(word))
                page.close()
            }
        }
    }

    @Test func connectionsBeyondTheLimit_areToldSo_andAPlaceIsGivenAnew() async throws {
        try await withServer([.health, .echo], limits: limits { $0.connections = 3 }) { server, port in
            var clients: [WebClient] = []
            for _ in 0..<3 { clients.append(try await .webSocket("/echo", port: port)) }
            for _ in 0..<5 {
                let other = try await WebClient(port: port)
                let (head, body) = try await other.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 503 ") && head.contains("Connection: close\r\n"))
                #expect(body == "{\"error\":\"too many connections: expected at most 3 at once\"}\n")
                #expect(try await other.readAll() == "")
                other.close()
                try await eventually { server.connections.count == 3 }
            }
            clients.removeLast().close()
            try await eventually { server.connections.count == 2 }
            let next = try await WebClient.webSocket("/echo", port: port)
            for client in clients + [next] {
                try await client.write(text: "hello")
                #expect(try await client.readFrame() == .text("hello"))
                client.close()
            }
        }
    }

    @Test func connectionBeyondTheLimitThatSendsMuch_stillReadsWhy() async throws {
        let few = limits {
            $0.connections = 1
            $0.linger = .seconds(5)
        }
        try await withServer([.echo], limits: few) { _, port in
            let first = try await WebClient.webSocket("/echo", port: port)
            for _ in 0..<10 {
                let other = try await WebClient(port: port)
                for _ in 0..<8 { try? await other.send("/echo", headers: (1...90).map { "X-\($0): 1" }) }
                #expect(try await other.readHead().hasPrefix("HTTP/1.1 503 "))
                other.close()
            }
            first.close()
        }
    }
}

@Suite struct WebStopTests {
    @Test func stop_saysGoodbyeToEveryStream() async throws {
        let alive = Silence.Alive()
        let routes = [
            WebRoute.stream("/losses") { _ in Counting(interval: .milliseconds(1)) }, .silence(alive),
            .conversation("/feed") { _ in Twice(log: .init()) },
        ]
        try await withServer(routes) { server, port in
            let paths = ["/losses", "/silence", "/losses", "/silence", "/feed"]
            var clients: [WebClient] = []
            for path in paths { clients.append(try await .webSocket(path, port: port)) }
            let events = try await WebClient.events("/silence", port: port)
            async let stopping: Void = server.stop(within: .seconds(20))
            for (path, client) in zip(paths, clients) {
                let frames = try await client.readToEnd()
                #expect(frames.compactMap(\.closeCode) == [1001], "\(path)")
                #expect(frames.last?.closeCode == 1001)
                if path == "/feed" { #expect(frames.first == .text("0 received")) }
                client.close()
            }
            #expect(try await events.readChunk() == "")
            #expect(try await events.readAll() == "")
            events.close()
            await stopping
            #expect(alive.isNone)
        }
    }

    @Test func stop_answersWhatIsUnderWayAndClosesWhatIsIdle() async throws {
        let gate = Gate()
        let slow = WebRoute.get("/slow") { _ in
            await gate.opened()
            return .json(["slow": "yes"])
        }
        try await withServer([slow, .health]) { server, port in
            let idle = try await WebClient(port: port)
            try await idle.send("/healthz")
            _ = try await idle.readResponse()
            let busy = try await WebClient(port: port)
            try await busy.write(WebClient.request("/slow") + WebClient.request("/healthz"))
            let fresh = try await WebClient(port: port)
            try await eventually { server.connections.count == 3 }
            async let stopping: Void = server.stop(within: .seconds(20))
            #expect(try await idle.readAll() == "")
            #expect(try await fresh.readAll() == "")
            gate.open()
            let (head, body) = try await busy.readResponse()
            #expect(head.contains("Connection: close\r\n"))
            #expect(body == "{\"slow\":\"yes\"}\n")
            #expect(try await busy.readAll() == "")
            for client in [idle, busy, fresh] { client.close() }
            await stopping
        }
    }

    @Test func stoppedServer_listensNoMore() async throws {
        try await withServer([.health]) { server, port in
            await server.stop()
            await #expect(throws: (any Error).self) {
                let late = try await WebClient(port: port)
                try await late.send("/healthz")
                _ = try await late.readResponse()
            }
        }
    }

    @Test(arguments: [true, false]) func stop_cutsAStalledSubscriberAtItsDeadline(isEvents: Bool) async throws {
        let made = Torrent.Made()
        try await withServer([.stream("/big") { _ in Torrent(made) }]) { server, port in
            let stalled =
                isEvents
                ? try await WebClient.events("/big", port: port) : try await WebClient.webSocket("/big", port: port)
            try await eventually { made.count.load(ordering: .relaxed) > 0 }
            try await deadline { await server.stop(within: .milliseconds(200)) }
            #expect(server.connections.count == 0)
            stalled.close()
        }
    }

    @Test func stop_cutsARequestThatNeverEnds() async throws {
        try await withServer([.count]) { server, port in
            let client = try await WebClient(port: port)
            try await client.send("/count", method: "POST", headers: ["Content-Length: 10"], body: "abc")
            try await eventually { server.connections.count == 1 }
            try await deadline { await server.stop(within: .milliseconds(200)) }
            client.close()
        }
    }

    @Test func stoppingTwice_returnsTwice() async throws {
        let made = Torrent.Made()
        try await withServer([.stream("/big") { _ in Torrent(made) }]) { server, port in
            let stalled = try await WebClient.webSocket("/big", port: port)
            try await eventually { made.count.load(ordering: .relaxed) > 0 }
            try await deadline {
                async let one: Void = server.stop(within: .milliseconds(300))
                async let other: Void = server.stop(within: .milliseconds(300))
                _ = await (one, other)
            }
            stalled.close()
        }
    }
}
