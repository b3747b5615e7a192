// Request bodies: read piece by piece where a route asks for them, dropped where none does, and never mistaken for
// the next request.

import NIOCore
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebBodyTests {
    private let smuggled = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    /// Knows whether a request that hid in a body got through.
    private func withTrap(
        limits: WebLimits = WebLimits(), _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let caught = Mutex(0)
        let trap = WebRoute.get("/smuggled") { _ in
            caught.withLock { $0 += 1 }
            return .json(["smuggled": true])
        }
        try await withServer([.health, .deaf, .count, trap], limits: limits) { _, port in try await body(port) }
        #expect(caught.withLock { $0 } == 0)
    }

    @Test func body_isReadWholeUpToItsLimit() async throws {
        try await withServer([.count]) { _, port in
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

    @Test func chunkedBody_isReadHoweverItIsCut() async throws {
        try await withServer([.count]) { _, port in
            let client = try await WebClient(port: port)
            let text = WebClient.request(
                "/count", method: "POST", headers: ["Transfer-Encoding: chunked"],
                body: "5\r\nhello\r\n1;note=1\r\n \r\n0\r\nTrailer: 1\r\n\r\n")
            for byte in text.utf8 { try await client.write([byte]) }
            #expect(try await client.readResponse().body == "{\"bytes\":6}\n")
            try await client.write(text)
            #expect(try await client.readResponse().body == "{\"bytes\":6}\n")
            client.close()
        }
    }

    @Test(arguments: ["Content-Length", "chunked"]) func unreadBody_isNotTakenForARequest(framing: String) async throws
    {
        let smuggled = smuggled
        try await withTrap { port in
            let client = try await WebClient(port: port)
            for method in ["POST", "GET"] {  // read by no route; GET /deaf is even refused with 405
                if framing == "chunked" {
                    let size = String(smuggled.utf8.count, radix: 16)
                    try await client.send(
                        "/deaf", method: method, headers: ["Transfer-Encoding: chunked"],
                        body: "\(size)\r\n\(smuggled)\r\n0\r\n\r\n")
                    // Its length is not known beforehand: if it has not come yet, the connection ends.
                    guard try await !client.readResponse().head.contains("Connection: close") else { break }
                } else {
                    try await client.send(
                        "/deaf", method: method, headers: ["Content-Length: \(smuggled.utf8.count)"], body: smuggled)
                    _ = try await client.readResponse()
                }
                try await client.send("/healthz")
                #expect(try await client.readResponse().body == healthy)
            }
            client.close()
        }
    }

    @Test func shortUnreadBody_keepsItsConnectionThoughItComesByteByByte() async throws {
        let smuggled = smuggled
        try await withTrap { port in
            let client = try await WebClient(port: port)
            let text =
                WebClient.request(
                    "/deaf", method: "POST", headers: ["Content-Length: \(smuggled.utf8.count)"], body: smuggled)
                + WebClient.request("/healthz")
            for byte in text.utf8 { try await client.write([byte]) }
            #expect(try await client.readResponse().body == "{\"error\":\"not now\"}\n")
            #expect(try await client.readResponse().body == healthy)
            client.close()
        }
    }

    @Test func longUnreadBody_isAnsweredAndEndsItsConnection() async throws {
        let smuggled = smuggled
        try await withTrap(limits: limits { $0.drainBytes = 1000 }) { port in
            let client = try await WebClient(port: port)
            let body = String(repeating: smuggled, count: 1000)
            try await client.send("/deaf", method: "POST", headers: ["Content-Length: \(body.utf8.count)"], body: body)
            let (head, text) = try await client.readResponse()
            #expect(head.contains("Connection: close\r\n"))
            #expect(text == "{\"error\":\"not now\"}\n")
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func endlessUnreadBody_endsItsConnection() async throws {
        try await withTrap(limits: limits { $0.linger = .milliseconds(50) }) { port in
            let client = try await WebClient(port: port)
            try await client.send("/deaf", method: "POST", headers: ["Content-Length: 1000000000000"])
            let chunk = [UInt8](repeating: 0, count: 1 << 20)
            await #expect(throws: (any Error).self) {
                for _ in 0..<1_000_000 { try await client.write(chunk) }
            }
            client.close()
        }
    }

    @Test func bodyBeyondARoutesLimit_isNotTakenForARequest() async throws {
        let smuggled = smuggled
        try await withTrap { port in
            let client = try await WebClient(port: port)
            let body = String(repeating: " ", count: 150_000) + smuggled
            try await client.send("/count", method: "POST", headers: ["Content-Length: \(body.utf8.count)"], body: body)
            try await client.send("/healthz")
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 413 "))
            #expect(try await client.readResponse().body == healthy)
            client.close()
        }
    }

    @Test(arguments: [true, false]) func cutBody_isNotAnswered(byReset: Bool) async throws {
        let outcomes = Mutex<[Bool]>([])
        let route = WebRoute.post("/count") { request in
            do {
                return .json(["bytes": try await request.body.collect(limit: 100).readableBytes])
            } catch {
                outcomes.withLock { $0.append(error is RequestBody.Cut) }
                throw error
            }
        }
        try await withServer([route]) { server, port in
            for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
                let client = try await WebClient(port: port)
                try await client.send("/count", method: "POST", headers: [framing], body: "5\r\nhell")
                try await eventually { server.connections.count == 1 }
                if byReset {
                    try await client.reset()
                } else {
                    try await client.finish()
                    let answer = try await client.readAll()
                    #expect(!answer.contains("200 OK"))
                    client.close()
                }
                try await eventually { server.connections.count == 0 }
            }
            // The connection may have gone before the route was asked.
            #expect(outcomes.withLock { $0.allSatisfy { $0 } })
        }
    }

    @Test func pauseInABody_endsTheConnectionAtItsDeadline() async throws {
        try await withServer([.count, .deaf], limits: limits { $0.bodyPause = .milliseconds(50) }) { server, port in
            for path in ["/count", "/deaf"] {
                let client = try await WebClient(port: port)
                try await client.send(path, method: "POST", headers: ["Content-Length: 10"], body: "abc")
                #expect(try await !client.readAll().contains("200 OK"))
                client.close()
            }
            try await eventually { server.connections.count == 0 }
        }
    }

    @Test func bodyThatOutlastsThePauses_isReadWhole() async throws {
        try await withServer([.count], limits: limits { $0.bodyPause = .seconds(2) }) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/count", method: "POST", headers: ["Content-Length: 60"])
            for _ in 0..<60 {
                try await client.write("x")
                try await Task.sleep(for: .milliseconds(50))  // together longer than a pause may be
            }
            #expect(try await client.readResponse().body == "{\"bytes\":60}\n")
            client.close()
        }
    }

    // MARK: Expect: 100-continue

    private let expecting = ["Expect: 100-continue", "Content-Length: 5"]

    @Test func expectedContinue_comesWhenTheBodyIsRead() async throws {
        let (gate, expecting) = (Gate(), expecting)
        let route = WebRoute.post("/gated") { request in
            await gate.opened()
            return .json(["bytes": try await request.body.collect(limit: 100).readableBytes])
        }
        try await withServer([route]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/gated", method: "POST", headers: expecting)
            gate.open()
            #expect(try await client.readHead() == "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.write("hello")
            #expect(try await client.readResponse().body == "{\"bytes\":5}\n")
            client.close()
        }
    }

    @Test func expectedContinue_doesNotComeWhereTheBodyIsNotWanted() async throws {
        let expecting = expecting
        try await withTrap { port in
            let client = try await WebClient(port: port)
            try await client.send("/deaf", method: "POST", headers: expecting)
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 409 "))
            #expect(head.contains("Connection: close\r\n"))  // or the client could not know what comes next
            #expect(body == "{\"error\":\"not now\"}\n")
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func bodySentWithoutWaiting_isReadAllTheSame() async throws {
        let expecting = expecting
        try await withServer([.count, .health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/count", method: "POST", headers: expecting, body: "hello")
            var head = try await client.readHead()
            if head == "HTTP/1.1 100 Continue\r\n\r\n" { head = try await client.readHead() }
            #expect(head.hasPrefix("HTTP/1.1 200 OK"))
            client.close()
        }
    }
}
