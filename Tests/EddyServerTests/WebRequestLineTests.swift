// A connection while it speaks HTTP/1: what it takes, what it refuses, and how long it waits. Through real sockets.

import NIOCore
import Synchronization
import Testing

@testable import EddyServer

@Suite struct WebHeadTests {
    @Test func longField_is431() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/healthz", headers: ["X-Long: " + String(repeating: "a", count: 17 << 10)])
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 431 "))
            #expect(head.contains("Connection: close\r\n"))
            #expect(body.contains("the head has more than 16384 bytes or 100 fields"))
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    /// What follows the byte too many must neither be answered nor turn the answer into a reset.
    @Test func longFieldThatGoesOn_isAnsweredAllTheSame() async throws {
        try await withServer([.health], limits: limits { $0.linger = .seconds(5) }) { _, port in
            for _ in 0..<10 {
                let client = try await WebClient(port: port)
                try await client.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
                for _ in 0..<64 { try? await client.write(String(repeating: "a", count: 16 << 10)) }
                #expect(try await client.readHead().hasPrefix("HTTP/1.1 431 "))
                client.close()
            }
        }
    }

    @Test func manyFields_are431() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/healthz", headers: (1...99).map { "X-\($0): 1" })  // with Host: 100
            #expect(try await client.readResponse().body == healthy)
            try await client.send("/healthz", headers: (1...100).map { "X-\($0): 1" })
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 431 "))
            client.close()
        }
    }

    @Test func fieldsThatAreLongTogether_are431() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            let field = String(repeating: "a", count: 1 << 10)
            try await client.send("/healthz", headers: (1...20).map { "X-\($0): \(field)" })
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 431 "))
            client.close()
        }
    }

    /// The codec counts the target among the fields, and stops before it knows where it ends.
    @Test(arguments: [17, 40]) func longTarget_isRefusedLikeALongField(kilobytes: Int) async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/healthz?" + String(repeating: "a", count: kilobytes << 10))
            #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 431 "))
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func endlessTarget_isRefused() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write("GET /")
            for _ in 0..<64 { try? await client.write(String(repeating: "a", count: 16 << 10)) }
            #expect(try await client.readHead().hasPrefix("HTTP/1.1 4"))
            client.close()
        }
    }

    @Test(
        arguments: [
            "this is no request\r\n\r\n", "GET /healthz\r\n\r\n", "GET /healthz HTTP/3.0\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\n continued\r\n\r\n",
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ]) func garbage_is400AndTheEnd(text: String) async throws
    {
        try await withServer([.health, .count]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write(text)
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.1 400 "))
            #expect(body.hasPrefix("{\"error\":"))
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func requestWithoutOneHost_isRefused() async throws {
        try await withServer([.health]) { _, port in
            for hosts in ["", "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n", "Host:\r\n", "Host: evil.example\r\n"] {
                let client = try await WebClient(port: port)
                try await client.write("GET /healthz HTTP/1.1\r\n\(hosts)\r\n")
                #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 403 "), "\(hosts)")
                client.close()
            }
        }
    }

    @Test func unfinishedHead_is408AtItsDeadline() async throws {
        try await withServer([.health], limits: limits { $0.firstHead = .milliseconds(50) }) { _, port in
            for beginning in ["", "G", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "] {
                let client = try await WebClient(port: port)
                try await client.write(beginning)
                let (head, body) = try await client.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 408 "))
                #expect(body == "{\"error\":\"the head of the request took too long\"}\n")
                #expect(try await client.readAll() == "")
                client.close()
            }
        }
    }

    /// The deadline is the head's, not the pause's: a byte now and then does not move it.
    @Test func headByteByByte_is408AtItsDeadline() async throws {
        try await withServer([.health], limits: limits { $0.firstHead = .milliseconds(200) }) { _, port in
            let client = try await WebClient(port: port)
            let dripping = Task {
                try await client.write("GET /healthz HTTP/1.1\r\nX-Slow: ")
                while !Task.isCancelled {
                    try await client.write("a")
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
            #expect(try await client.readHead().hasPrefix("HTTP/1.1 408 "))
            dripping.cancel()
            _ = await dripping.result
            client.close()
        }
    }

    @Test func idleConnection_isClosedWithoutAWord() async throws {
        try await withServer([.health], limits: limits { $0.idle = .milliseconds(50) }) { _, port in
            for rest in ["", "GET /he"] {
                let client = try await WebClient(port: port)
                try await client.send("/healthz")
                #expect(try await client.readResponse().body == healthy)
                try await client.write(rest)
                #expect(try await client.readAll() == "")
                client.close()
            }
        }
    }

    @Test func deadlines_areNotForAnAnswerThatTakesItsTime() async throws {
        let gate = Gate()
        let slow = WebRoute.get("/slow") { _ in
            await gate.opened()
            return .json(["slow": "yes"])
        }
        let short = limits {
            $0.firstHead = .seconds(2)
            $0.idle = .milliseconds(30)
            $0.bodyPause = .milliseconds(30)
        }
        try await withServer([slow], limits: short) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/slow")
            try await Task.sleep(for: .milliseconds(2500))  // longer than all of them
            gate.open()
            #expect(try await client.readResponse().body == "{\"slow\":\"yes\"}\n")
            client.close()
        }
    }

    @Test func headByteByByte_isReadWhereItComesInTime() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            for byte in WebClient.request("/healthz").utf8 { try await client.write([byte]) }
            #expect(try await client.readResponse().body == healthy)
            client.close()
        }
    }
}

@Suite struct WebKeepAliveTests {
    @Test func requests_followOneAnother() async throws {
        try await withServer([.health, .count]) { _, port in
            let client = try await WebClient(port: port)
            for _ in 0..<50 {
                try await client.send("/healthz")
                let (head, body) = try await client.readResponse()
                #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && !head.contains("Connection:"))
                #expect(body == healthy)
                try await client.send("/count", method: "POST", headers: ["Content-Length: 3"], body: "abc")
                #expect(try await client.readResponse().body == "{\"bytes\":3}\n")
            }
            client.close()
        }
    }

    @Test func pipelinedRequests_areAnsweredInTheirOrder() async throws {
        let echo = WebRoute.get("/echo") { .json(["n": $0.query["n"] ?? ""]) }
        try await withServer([echo, .count]) { _, port in
            let client = try await WebClient(port: port)
            var text = ""
            for number in 0..<200 {
                text += WebClient.request("/echo?n=\(number)")
                text += WebClient.request("/count", method: "POST", headers: ["Content-Length: 2"], body: "ab")
                text += WebClient.request("/nothing")
            }
            try await client.write(text)
            for number in 0..<200 {
                #expect(try await client.readResponse().body == "{\"n\":\"\(number)\"}\n")
                #expect(try await client.readResponse().body == "{\"bytes\":2}\n")
                #expect(try await client.readResponse().head.hasPrefix("HTTP/1.1 404 "))
            }
            client.close()
        }
    }

    @Test func requestsThenHalfClose_areAllAnswered() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write(String(repeating: WebClient.request("/healthz"), count: 20))
            try await client.finish()
            for _ in 0..<20 { #expect(try await client.readResponse().body == healthy) }
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func lastRequest_isTheOneThatSaysSo() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write(
                WebClient.request("/healthz", headers: ["Connection: close"]) + WebClient.request("/healthz"))
            #expect(try await client.readResponse().head.contains("Connection: close\r\n"))
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func HEAD_isGETWithoutItsBody() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            for (method, path) in [("HEAD", "/healthz"), ("GET", "/healthz"), ("HEAD", "/nothing")] {
                try await client.send(path, method: method)
                let (head, body) = try await client.readResponse(toHead: method == "HEAD")
                #expect(head.contains("Content-Length: \(path == "/healthz" ? 16 : 41)\r\n"), "\(head)")
                #expect(body == (method == "HEAD" ? "" : healthy))
            }
            client.close()
        }
    }

    @Test func HEADOfAStream_endsAtItsHead() async throws {
        let alive = Silence.Alive()
        try await withServer([.health, .silence(alive)]) { _, port in
            let client = try await WebClient(port: port)
            try await client.send("/silence", method: "HEAD", headers: ["Accept: text/event-stream"])
            #expect(try await client.readHead().contains("Content-Type: text/event-stream\r\n"))
            try await client.send("/healthz")
            #expect(try await client.readResponse().body == healthy)
            client.close()
            try await eventually { alive.isNone }
        }
    }

    @Test func HTTP10_isAnsweredAndClosed() async throws {
        try await withServer([.health]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write("GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n")
            let (head, body) = try await client.readResponse()
            #expect(head.hasPrefix("HTTP/1.0 200 OK\r\n") && head.lowercased().contains("connection: keep-alive\r\n"))
            #expect(body == healthy)
            try await client.write("GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            #expect(try await client.readResponse().body == healthy)
            #expect(try await client.readAll() == "")
            client.close()
        }
    }

    @Test func eventsOverHTTP10_areNotInChunks() async throws {
        try await withServer([.stream("/losses") { _ in Counting(count: 2) }]) { _, port in
            let client = try await WebClient(port: port)
            try await client.write("GET /losses HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            #expect(try await !client.readHead().lowercased().contains("transfer-encoding"))
            #expect(try await client.readAll() == ": subscribed\n\ndata: 1\n\ndata: 2\n\n")
            client.close()
        }
    }
}

/// Closed until it is opened, once.
final class Gate: Sendable {
    private let signal = AsyncStream.makeStream(of: Void.self)

    func open() { signal.continuation.finish() }
    func opened() async { for await _ in signal.stream {} }
}
