// A raw client for the web tests: it sends the bytes it is told to, also wrong ones, and vanishes as it is told to.
//
// It shares no code with the server's websocket side, and reads replies byte-exactly. Every wait has a deadline, so
// that a hang is a failed test and not a stuck run; no assertion rests on how long something took.

import FlyingFox
import FlyingSocks
import Foundation
import Logging
import Testing

@testable import EddyServer

struct TimedOut: Error {}

/// Runs the body, or throws ``TimedOut`` after a time that only a hang can need.
func deadline<Value: Sendable>(
    _ limit: Duration = .seconds(20), _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimedOut()
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}

/// Starts a server on a free port, runs the body, and stops the server if the body has not.
func withServer(
    _ routes: [WebRoute], limits: WebLimits = WebLimits(),
    _ body: @escaping @Sendable (WebServer, UInt16) async throws -> Void
) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let server = WebServer(port: 0, limits: limits, logger: logger, routes: routes)
    try await deadline(.seconds(60)) {
        async let running: Void = server.run()
        let port = try await server.waitUntilListening().port
        let result: Result<Void, any Error>
        do { result = .success(try await body(server, port)) } catch { result = .failure(error) }
        await server.stop(within: .seconds(2))
        try await running
        try result.get()
    }
}

struct WebClient: Sendable {
    struct Frame: Equatable {
        var opcode: UInt8
        var payload: Data

        static func text(_ text: String) -> Frame { Frame(opcode: 1, payload: Data(text.utf8)) }
        /// A close frame's code; nil for other frames.
        var closeCode: Int? {
            opcode == 8 && payload.count >= 2 ? Int(payload.prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }) : nil
        }
    }

    let socket: AsyncSocket

    private static let pool = Task { () -> any AsyncSocketPool in
        #if os(Linux)
            let pool = EpollSocketPool()
            try await pool.prepare()
            Task { try await pool.run() }
            return pool
        #else
            return try await SocketPool<Poll>.client
        #endif
    }

    init(port: UInt16) async throws {
        let pool = try await Self.pool.value
        socket = try await Self.connect(port, pool)
    }

    private static func connect(_ port: UInt16, _ pool: some AsyncSocketPool) async throws -> AsyncSocket {
        try await AsyncSocket.connected(to: .inet(ip4: "127.0.0.1", port: port), pool: pool)
    }

    /// A websocket, after its handshake.
    static func webSocket(_ path: String, port: UInt16, headers: [String] = []) async throws -> WebClient {
        let client = try await WebClient(port: port)
        try await client.upgrade(path, headers: headers)
        let head = try await client.readHead()
        guard head.hasPrefix("HTTP/1.1 101") else { throw WebError(.badRequest, head) }
        return client
    }

    func upgrade(_ path: String, headers: [String] = []) async throws {
        try await send(
            path,
            headers: [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
            ] + headers)
    }

    /// Sends a GET, or what `method` says, with a Host header.
    func send(_ path: String, method: String = "GET", headers: [String] = [], body: String = "") async throws {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1"] + headers + ["", body]
        try await write(lines.joined(separator: "\r\n"))
    }

    func write(_ text: String) async throws { try await socket.write(Data(text.utf8)) }

    /// A masked frame, as clients send them.
    func write(_ opcode: UInt8, _ payload: some Collection<UInt8>, isFinal: Bool = true) async throws {
        let mask: [UInt8] = [1, 2, 3, 4]
        var frame = Data([opcode | (isFinal ? 0x80 : 0)])
        if payload.count < 126 {
            frame.append(0x80 | UInt8(payload.count))
        } else {
            frame.append(0xFF)
            for shift in stride(from: 56, through: 0, by: -8) {
                frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        frame += mask
        frame += payload.enumerated().map { $0.element ^ mask[$0.offset % 4] }
        try await socket.write(frame)
    }

    func write(text: String) async throws { try await write(1, Array(text.utf8)) }

    func write(closeCode code: UInt16) async throws { try await write(8, [UInt8(code >> 8), UInt8(code & 0xFF)]) }

    func read(_ count: Int) async throws -> [UInt8] {
        let socket = socket
        return try await deadline { try await socket.read(bytes: count) }
    }

    /// Up to and including the empty line.
    func readHead() async throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) { bytes += try await read(1) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A response with a Content-Length.
    func readResponse() async throws -> (head: String, body: String) {
        let head = try await readHead()
        let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }?.dropFirst(16)
        let body = try await read(length.flatMap { Int($0) } ?? 0)
        return (head, String(decoding: body, as: UTF8.self))
    }

    /// The next frame; nil at the end of the connection.
    func readFrame() async throws -> Frame? {
        guard let head = try? await read(2) else { return nil }
        var length = Int(head[1])
        if length == 126 { length = try await read(2).reduce(0) { $0 << 8 | Int($1) } }
        if length == 127 { length = try await read(8).reduce(0) { $0 << 8 | Int($1) } }
        return Frame(opcode: head[0] & 0x0F, payload: Data(try await read(length)))
    }

    /// All frames to the end of the connection, answering the server's close.
    func readToEnd() async throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try await readFrame() {
            frames.append(frame)
            if let code = frame.closeCode { try? await write(closeCode: UInt16(code)) }
        }
        return frames
    }

    /// All bytes to the end of the connection.
    func readAll() async throws -> String {
        var bytes: [UInt8] = []
        let socket = socket
        while true {
            let more: [UInt8]? = try? await deadline { try await socket.read(atMost: 4096) }
            guard let more else { break }
            bytes += more
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Closes; unread bytes or none, the server sees an end of file (or a reset where it had sent more).
    func close() { try? socket.close() }

    /// Closes with RST, as a machine that crashes or a killed browser does.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket.socket.file.rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }
}

/// Waits until a fact holds; for facts that nothing announces.
func eventually(_ fact: @escaping @Sendable () -> Bool) async throws {
    try await deadline { while !fact() { try await Task.sleep(for: .milliseconds(2)) } }
}
