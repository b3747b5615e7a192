// A raw client for the web tests: it sends the bytes it is told to, also wrong ones, reads only what it is told to,
// and vanishes as it is told to.
//
// It parses responses and frames by hand and shares nothing with the server but SwiftNIO's sockets. Every wait has a
// deadline, so that a hang is a failed test and not a stuck run; no assertion rests on how long something took.

import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import EddyServer

struct TimedOut: Error {}
struct ConnectionEnded: Error {}

/// Runs the body, or throws ``TimedOut`` after a time that only a hang can need, and does not wait for what hangs.
func deadline<Value: Sendable>(
    _ limit: Duration = .seconds(30), _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (results, outcome) = AsyncStream.makeStream(of: Result<Value, any Error>.self)
    let work = Task {
        do { outcome.yield(.success(try await body())) } catch { outcome.yield(.failure(error)) }
    }
    let timer = Task {
        try await Task.sleep(for: limit)
        outcome.yield(.failure(TimedOut()))
    }
    defer {
        work.cancel()
        timer.cancel()
    }
    for await result in results { return try result.get() }
    throw CancellationError()
}

/// Waits until a fact holds; for facts that nothing announces.
func eventually(_ fact: @escaping @Sendable () -> Bool) async throws {
    try await deadline { while !fact() { try await Task.sleep(for: .milliseconds(2)) } }
}

let silentLogger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()

/// Starts a server on a free port, runs the body, and stops the server if the body has not.
///
/// However the clients have behaved, no connection may be left when it has stopped.
func withServer(
    _ routes: [WebRoute], limits: WebLimits = WebLimits(), token: BearerToken? = nil,
    _ body: @escaping @Sendable (WebServer, Int) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let server = WebServer(limits: limits, token: token, loop: group.next(), logger: silentLogger, routes: routes)
    let result: Result<Void, any Error>
    do {
        let port = try await server.listen(port: 0).port!
        result = .success(try await deadline(.seconds(120)) { try await body(server, port) })
    } catch { result = .failure(error) }
    try await deadline { await server.stop(within: .seconds(2)) }
    #expect(server.connections.count == 0)
    try await group.shutdownGracefully()
    try result.get()
}

/// Short times that must fire in a test; all else as it is.
func limits(_ change: (inout WebLimits) -> Void) -> WebLimits {
    var limits = WebLimits()
    change(&limits)
    return limits
}

final class WebClient: Sendable {
    struct Frame: Equatable {
        var opcode: UInt8
        var payload: [UInt8]

        static func text(_ text: String) -> Frame { Frame(opcode: 1, payload: Array(text.utf8)) }
        /// A close frame's code; nil for other frames, 1005 where it has none.
        var closeCode: Int? {
            guard opcode == 8 else { return nil }
            return payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 1005
        }
        var reason: String { String(decoding: payload.dropFirst(2), as: UTF8.self) }
    }

    let channel: any Channel
    private let mailbox: NIOLoopBound<Mailbox>

    /// - Parameter receiveBuffer: bytes that the kernel may take for it, where it is not to read.
    init(port: Int, receiveBuffer: Int? = nil) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var bootstrap = ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        mailbox = try await loop.submit { NIOLoopBound(Mailbox(), eventLoop: loop) }.get()
        channel = try await bootstrap.channelInitializer { [mailbox] channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(mailbox.value) }
        }.connect(host: "127.0.0.1", port: port).get()
    }

    /// A websocket, after its handshake.
    static func webSocket(
        _ path: String, port: Int, headers: [String] = [], receiveBuffer: Int? = nil
    ) async throws -> WebClient {
        let client = try await WebClient(port: port, receiveBuffer: receiveBuffer)
        try await client.upgrade(path, headers: headers)
        let head = try await client.readHead()
        try #require(head.hasPrefix("HTTP/1.1 101"), "\(head)")
        return client
    }

    /// An event stream, after its greeting.
    static func events(_ path: String, port: Int, receiveBuffer: Int? = nil) async throws -> WebClient {
        let client = try await WebClient(port: port, receiveBuffer: receiveBuffer)
        try await client.send(path, headers: ["Accept: text/event-stream"])
        let head = try await client.readHead()
        try #require(head.hasPrefix("HTTP/1.1 200"), "\(head)")
        try #require(try await client.readChunk() == ": subscribed\n\n")
        return client
    }

    // MARK: Out

    func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// A GET, or what `method` says, with a Host header.
    static func request(
        _ path: String, method: String = "GET", headers: [String] = [], body: String = ""
    ) -> String {
        (["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1"] + headers + ["", body]).joined(separator: "\r\n")
    }

    static func upgradeRequest(_ path: String, headers: [String] = []) -> String {
        request(
            path,
            headers: [
                "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ] + headers)
    }

    /// A masked frame, as clients send them, or one without a mask.
    static func frame(
        _ opcode: UInt8, _ payload: some Collection<UInt8>, isFinal: Bool = true, isMasked: Bool = true
    ) -> [UInt8] {
        var frame = [opcode | (isFinal ? 0x80 : 0)]
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        if payload.count < 126 {
            frame.append(maskBit | UInt8(payload.count))
        } else {
            frame.append(maskBit | 0x7F)
            for shift in stride(from: 56, through: 0, by: -8) {
                frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        guard isMasked else { return frame + payload }
        let mask: [UInt8] = [1, 2, 3, 4]
        return frame + mask + payload.enumerated().map { $0.element ^ mask[$0.offset % 4] }
    }

    func send(_ path: String, method: String = "GET", headers: [String] = [], body: String = "") async throws {
        try await write(WebClient.request(path, method: method, headers: headers, body: body))
    }

    func upgrade(_ path: String, headers: [String] = []) async throws {
        try await write(WebClient.upgradeRequest(path, headers: headers))
    }

    func write(_ opcode: UInt8, _ payload: some Collection<UInt8>, isFinal: Bool = true) async throws {
        try await write(WebClient.frame(opcode, payload, isFinal: isFinal))
    }

    func write(text: String) async throws { try await write(1, Array(text.utf8)) }

    func write(closeCode code: UInt16) async throws { try await write(8, [UInt8(code >> 8), UInt8(code & 0xFF)]) }

    // MARK: In

    /// - Throws: ``ConnectionEnded`` where fewer come.
    func read(_ count: Int) async throws -> [UInt8] {
        guard count > 0 else { return [] }
        let bytes = try await deadline { [mailbox, channel] in
            try await channel.eventLoop.flatSubmit { mailbox.value.take(count) }.get()
        }
        guard bytes.count == count else { throw ConnectionEnded() }
        return bytes
    }

    func readLine() async throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(2).elementsEqual("\r\n".utf8) { bytes += try await read(1) }
        return String(decoding: bytes.dropLast(2), as: UTF8.self)
    }

    /// Up to and including the empty line.
    func readHead() async throws -> String {
        var head = ""
        repeat { head += try await readLine() + "\r\n" } while !head.hasSuffix("\r\n\r\n") && head != "\r\n"
        return head
    }

    /// A response with a Content-Length.
    ///
    /// - Parameter toHead: it has no body, however long that would be.
    func readResponse(toHead: Bool = false) async throws -> (head: String, body: String) {
        let head = try await readHead()
        let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }?
            .dropFirst(16)
        let body = try await read(toHead ? 0 : length.flatMap { Int($0) } ?? 0)
        return (head, String(decoding: body, as: UTF8.self))
    }

    /// A chunk's content; "" for the last one.
    func readChunk() async throws -> String {
        let size = try #require(Int(try await readLine(), radix: 16))
        let content = try await read(size)
        #expect(try await read(2) == Array("\r\n".utf8))
        return String(decoding: content, as: UTF8.self)
    }

    /// The next frame; nil at the end of the connection.
    func readFrame() async throws -> Frame? {
        let head: [UInt8]
        do { head = try await read(2) } catch is ConnectionEnded { return nil }
        var length = Int(head[1])
        if length == 126 { length = try await read(2).reduce(0) { $0 << 8 | Int($1) } }
        if length == 127 { length = try await read(8).reduce(0) { $0 << 8 | Int($1) } }
        return Frame(opcode: head[0] & 0x0F, payload: try await read(length))
    }

    /// All frames to the end of the connection, answering the server's close.
    func readToEnd() async throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try await readFrame() {
            frames.append(frame)
            if frame.closeCode != nil { try? await write(8, frame.payload) }
        }
        return frames
    }

    /// All bytes to the end of the connection.
    func readAll() async throws -> String {
        let bytes = try await deadline { [mailbox, channel] in
            try await channel.eventLoop.flatSubmit { mailbox.value.take(.max) }.get()
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: The end

    /// Says that nothing more will come, and still reads.
    func finish() async throws { try await channel.close(mode: .output) }

    func close() { channel.close(promise: nil) }

    /// Closes with RST, as a machine that crashes or a killed browser does.
    func reset() async throws {
        try await (channel as! any SocketOptionProvider).setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try? await channel.close()
    }
}

/// What has come and was not asked for yet. It reads from the socket only while somebody waits.
private final class Mailbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var bytes = ByteBuffer()
    private var isEnded = false
    private var context: ChannelHandlerContext?
    private var waiter: (count: Int, promise: EventLoopPromise<[UInt8]>)?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { end() }
    func channelInactive(context: ChannelHandlerContext) { end() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { end() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { end() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        bytes.writeBuffer(&buffer)
    }

    func channelReadComplete(context: ChannelHandlerContext) { settle() }

    /// As many bytes as were asked for, or fewer at the end. One taker at a time.
    func take(_ count: Int) -> EventLoopFuture<[UInt8]> {
        let promise = (context?.eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()).makePromise(of: [UInt8].self)
        waiter = (count, promise)
        settle()
        return promise.futureResult
    }

    private func end() {
        isEnded = true
        settle()
        context = nil
    }

    private func settle() {
        guard let waiter else { return }
        guard isEnded || bytes.readableBytes >= waiter.count else { return context?.read() ?? () }
        self.waiter = nil
        waiter.promise.succeed(bytes.readBytes(length: min(waiter.count, bytes.readableBytes))!)
        bytes.discardReadBytes()
    }
}
