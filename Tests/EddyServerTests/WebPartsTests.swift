// The parts without a server: who may ask, what a request says, how an event looks, when a deadline fires.

import Foundation
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import EddyServer

@Suite struct RequestOriginTests {
    @Test(
        arguments: [
            (host: "127.0.0.1:7070", origin: nil, bound: "127.0.0.1"),
            ("localhost:7070", "http://localhost:7070", "127.0.0.1"),
            ("LocalHost:7070", "http://localhost:7070", "127.0.0.1"),
            ("[::1]:7070", "http://[::1]:7070", "::1"),
            ("192.168.1.5:7070", nil, "127.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1:80", "127.0.0.1"),
            ("eddy.example", "https://eddy.example", "0.0.0.0"),
            ("eddy.example", "https://eddy.example:443", "0.0.0.0"),
            ("eddy.example:7070", nil, "0.0.0.0"),
        ] as [(String, String?, String)]) func ownPagesAndPrograms_areServed(
            host: String, origin: String?, bound: String
        )
    {
        #expect(RequestOrigin.refusal(host: host, origins: origin.map { [$0] } ?? [], boundHost: bound) == nil)
    }

    @Test(
        arguments: [
            (host: nil, origin: nil, bound: "127.0.0.1"),
            ("", nil, "127.0.0.1"),
            ("[::1", nil, "::1"),
            ("evil.example:7070", nil, "127.0.0.1"),
            ("evil.example:7070", "http://evil.example:7070", "localhost"),
            ("127.evil.example:7070", nil, "127.0.0.1"),
            ("127.0.0.1:7070", "http://evil.example", "127.0.0.1"),
            ("127.0.0.1:7070", "http://127.0.0.1:8080", "127.0.0.1"),
            ("127.0.0.1:7070", "http://localhost:7070", "127.0.0.1"),
            ("127.0.0.1:7070", "null", "127.0.0.1"),
            ("127.0.0.1:7070", "", "127.0.0.1"),
            ("127.0.0.1:7070", "http://127.0.0.1:7070@evil.example", "127.0.0.1"),
            ("127.0.0.1:7070", "http://evil.example/127.0.0.1:7070", "127.0.0.1"),
            ("eddy.example", "http://evil.example", "0.0.0.0"),
            ("eddy.example:port", nil, "0.0.0.0"),
        ] as [(String?, String?, String)]) func foreignPagesAndNames_areRefused(
            host: String?, origin: String?, bound: String
        )
    {
        #expect(RequestOrigin.refusal(host: host, origins: origin.map { [$0] } ?? [], boundHost: bound) != nil)
    }

    @Test func secondOrigin_isRefusedThoughOneIsOurs() {
        let own = "http://127.0.0.1:7070"
        #expect(RequestOrigin.refusal(host: "127.0.0.1:7070", origins: [own, own], boundHost: "127.0.0.1") != nil)
    }
}

@Suite struct BearerTokenTests {
    private let token = try! BearerToken("correct-horse")

    private func carries(_ headers: HTTPHeaders) -> Bool { token.isCarried(by: headers) }

    private func base64url(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    @Test func header_carriesIt() {
        #expect(carries(["Authorization": "Bearer correct-horse"]))
        #expect(carries(["authorization": "bEARER correct-horse"]))
        for wrong in ["", "Bearer", "Bearer ", "correct-horse", "Basic correct-horse", "Bearer correct-horse "] {
            #expect(!carries(["Authorization": wrong]), "\(wrong)")
        }
        #expect(!carries([:]))
    }

    @Test func subprotocol_carriesItInBase64url() throws {
        #expect(carries(["Sec-WebSocket-Protocol": "eddy, token." + base64url("correct-horse")]))
        #expect(!carries(["Sec-WebSocket-Protocol": "eddy, token." + base64url("correct-horsf")]))
        #expect(!carries(["Sec-WebSocket-Protocol": "eddy, token.correct-horse"]))
        #expect(!carries(["Sec-WebSocket-Protocol": "eddy, token."]))
        // Every length of padding, and both letters that base64url has of its own.
        for secret in ["~~~~~~~~", "????????!", ">>>>>>>>>>", "~?>~?>~?>~?>"] {
            let token = try BearerToken(secret)
            #expect(token.isCarried(by: ["Sec-WebSocket-Protocol": "eddy, token." + base64url(secret)]), "\(secret)")
        }
    }

    @Test func everyOtherWord_isWrong() {
        let secret = Array("correct-horse")
        #expect(token.matches("correct-horse"))
        for index in secret.indices {
            var word = secret
            word[index] = "~"
            #expect(!token.matches(String(word)))
            #expect(!token.matches(String(secret[..<index])))
        }
        #expect(!token.matches("correct-horse\0"))
        #expect(!token.matches("correct-horsecorrect-horse"))
    }

    @Test(arguments: ["", "seven77", "with a blank", "tab\tinside", "naïve-secret"]) func weakSecret_isRefused(
        secret: String
    ) {
        #expect(throws: ListenError.self) { try BearerToken(secret) }
    }

    @Test func file_holdsItInItsFirstLine() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "eddy-\(UUID().uuidString).token")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("  correct-horse \r\nsecond line\n".utf8).write(to: file)
        #expect(try BearerToken(file: file.path()).matches("correct-horse"))
        #expect(throws: ListenError.self) { try BearerToken(file: file.path() + ".none") }
    }
}

@Suite struct WebRequestTests {
    private func request(_ uri: String, _ headers: HTTPHeaders = [:]) throws -> WebRequest {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
        return try WebRequest(head, address: "test", body: RequestBody(proceed: nil) { nil })
    }

    @Test func query_isDecoded() throws {
        let request = try request("/path?a=1&b=two+words&c=%C3%A9%3D%26&flag&empty=&a=2?")
        #expect(request.path == "/path")
        #expect(request.query == ["a": "2?", "b": "two words", "c": "é=&", "flag": "", "empty": ""])
        #expect(try self.request("/path").query.isEmpty)
        #expect(try self.request("/path?").query.isEmpty)
    }

    @Test(arguments: ["/x?a=%", "/x?a=%G0", "/x?%FF=1"]) func brokenQuery_isABadRequest(uri: String) {
        #expect { try request(uri) } throws: { ($0 as? WebError)?.status == .badRequest }
    }

    @Test func acceptance_ofEventsIsByNameByStarOrBySilence() throws {
        for accepted in ["text/event-stream", "TEXT/event-stream;q=1", "text/html, */*", "text/*"] {
            #expect(try request("/", ["Accept": accepted]).takesEvents, "\(accepted)")
        }
        #expect(try request("/").takesEvents)
        #expect(try !request("/", ["Accept": "application/json"]).takesEvents)
    }
}

@Suite struct ServerSentEventsTests {
    @Test(arguments: [
        ("", "data: \n\n"), ("one", "data: one\n\n"), ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\n\n", "data: a\ndata: \ndata: \n\n"), ("\r\r\n", "data: \ndata: \ndata: \n\n"),
    ]) func event_keepsItsLines(text: String, event: String) {
        #expect(String(buffer: ServerSentEvents.event(.text(text))) == event)
    }

    @Test func binaryEvent_isNamedAndInBase64() {
        let event = ServerSentEvents.event(.binary(ByteBuffer(bytes: [1, 2, 3])))
        #expect(String(buffer: event) == "event: binary\ndata: AQID\n\n")
    }
}

@Suite struct WebJSONTests {
    @Test func numbersThatAreNotFinite_areNull() {
        #expect(String(buffer: WebJSON.encode(["a": Double.nan])) == "{\"a\":null}")
        #expect(String(buffer: WebJSON.encode([Float.infinity, 1, -.infinity])) == "[null,1,null]")
    }
}

/// With a clock of their own, which only the test moves.
@Suite struct DeadlineTests {
    private func withClock(_ body: (EmbeddedEventLoop, Deadline, _ fired: () -> Int) -> Void) {
        let loop = EmbeddedEventLoop()
        var fired = 0
        let deadline = Deadline(on: loop) { fired += 1 }
        body(loop, deadline) { fired }
        deadline.cancel()
    }

    @Test func deadline_firesOnceWhenItHasPassed() {
        withClock { loop, deadline, fired in
            deadline.set(.seconds(10))
            loop.advanceTime(by: .milliseconds(9_999))
            #expect(fired() == 0)
            loop.advanceTime(by: .milliseconds(1))
            #expect(fired() == 1)
            loop.advanceTime(by: .seconds(100))
            #expect(fired() == 1)
        }
    }

    @Test func deadlineThatIsMovedOn_firesAtItsNewTime() {
        withClock { loop, deadline, fired in
            for _ in 0..<100 {
                deadline.set(.seconds(10))
                loop.advanceTime(by: .seconds(9))
            }
            #expect(fired() == 0)
            loop.advanceTime(by: .seconds(1))
            #expect(fired() == 1)
        }
    }

    @Test func deadlineThatIsMovedForward_firesSooner() {
        withClock { loop, deadline, fired in
            deadline.set(.seconds(60))
            deadline.set(.seconds(10))
            loop.advanceTime(by: .seconds(10))
            #expect(fired() == 1)
            loop.advanceTime(by: .seconds(100))
            #expect(fired() == 1)
        }
    }

    @Test func deadlineTakenAway_neverFires() {
        withClock { loop, deadline, fired in
            deadline.set(.seconds(10))
            deadline.set(nil)
            loop.advanceTime(by: .seconds(100))
            deadline.set(.seconds(10))
            deadline.cancel()
            loop.advanceTime(by: .seconds(100))
            #expect(fired() == 0)
            deadline.set(.seconds(10))
            loop.advanceTime(by: .seconds(10))
            #expect(fired() == 1)
        }
    }
}
