// TCP on this machine with blocking calls and one poll loop: a client, and an echo, that cost as little as can be.
//
// What is measured is the server, so the client must not be what limits it: whole blocks are written, replies are
// counted by their newlines alone.

import Foundation

#if canImport(Glibc)
    private let streamSocket = Int32(SOCK_STREAM.rawValue)
#else
    private let streamSocket = SOCK_STREAM
#endif

/// A write to a socket whose other end is gone is an error, not a signal that ends the program.
#if canImport(Darwin)
    private let noSignal: Int32 = 0  // a socket option there
#else
    private let noSignal = Int32(MSG_NOSIGNAL)
#endif

final class Loopback {
    let descriptor: Int32
    private var replies = [UInt8](repeating: 0, count: 1 << 18)

    /// Connects to a port of this machine.
    init(port: Int) throws {
        descriptor = socket(AF_INET, streamSocket, 0)
        var address = Loopback.address(port: port)
        guard descriptor >= 0, Loopback.with(&address, { connect(descriptor, $0, $1) }) == 0 else {
            throw Loopback.failure("connect to port \(port)")
        }
        Loopback.prepare(descriptor)
    }

    deinit { close(descriptor) }

    /// A socket that listens on a free port.
    static func listen() throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, streamSocket, 0)
        var address = Loopback.address(port: 0)
        guard descriptor >= 0, with(&address, { bind(descriptor, $0, $1) }) == 0, Foundation.listen(descriptor, 4) == 0
        else { throw failure("listen") }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Sets up a connection without Nagle's wait: a lone line leaves at once.
    static func prepare(_ descriptor: Int32) {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        #if canImport(Darwin)
            setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    /// What `write` does, without a signal.
    static func write(_ descriptor: Int32, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        Foundation.send(descriptor, bytes, count, noSignal)
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }

    private static func with(
        _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func failure(_ what: String) -> CommandError {
        CommandError("cannot \(what): \(String(cString: strerror(errno)))")
    }

    /// Writes all of it.
    func send(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var sent = 0
        while sent < bytes.count {
            let count = Loopback.write(descriptor, bytes.baseAddress! + sent, bytes.count - sent)
            guard count > 0 else { throw Loopback.failure("write") }
            sent += count
        }
    }

    /// Waits for a reply that ends with a newline.
    func awaitLine() throws {
        while true {
            let count = read(descriptor, &replies, replies.count)
            guard count > 0 else { throw Loopback.failure("read: the server ended the connection") }
            if replies[count - 1] == UInt8(ascii: "\n") { return }
        }
    }

    /// What came of a stream.
    struct Streamed {
        var blocks = 0
        var replyLines = 0
        var seconds = 0.0
        /// The last replies.
        var tail = ""
        /// Messages that the watcher was sent.
        var watched = 0
    }

    /// Writes `opening` once and then `block` again and again for so many seconds, reading what comes back, then
    /// half-closes and reads to the end: the time goes from the first byte out to the end of the replies.
    ///
    /// - Parameter watcher: read meanwhile too, so that it is never a slow subscriber.
    func stream(
        opening: [UInt8] = [], _ block: [UInt8], seconds: Double, watcher: Watcher? = nil
    ) throws -> Streamed {
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { throw Loopback.failure("set up the connection") }
        var result = Streamed()
        var tail: [UInt8] = []
        let start = ContinuousClock.now
        let length = Duration.seconds(seconds)
        var isSending = true
        var isOpening = !opening.isEmpty
        var offset = 0
        while true {
            let wanted = Int16(isSending ? POLLIN | POLLOUT : POLLIN)
            var ready = [
                pollfd(fd: descriptor, events: wanted, revents: 0),
                pollfd(fd: watcher?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ready, 2, Int32(ChildProcess.patience * 1000)) > 0 else {
                throw CommandError("the server has stalled")
            }
            if ready[1].revents != 0 { result.watched += try watcher!.take() }
            if ready[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                let count = read(descriptor, &replies, replies.count)
                if count == 0 { break }
                if count > 0 {
                    result.replyLines += replies[..<count].withUnsafeBufferPointer(newlines)
                    tail = Array((tail + replies[max(0, count - 1024)..<count]).suffix(1024))
                } else if errno != EAGAIN, errno != EINTR {
                    throw CommandError("the server ended the connection: \(String(decoding: tail, as: UTF8.self))")
                }
            }
            if isSending, ready[0].revents & Int16(POLLOUT) != 0 {
                let count = (isOpening ? opening : block).withUnsafeBufferPointer {
                    Loopback.write(descriptor, $0.baseAddress! + offset, min($0.count - offset, 1 << 18))
                }
                if count > 0 { offset += count }
                if offset == (isOpening ? opening : block).count {
                    offset = 0
                    if isOpening { isOpening = false } else { result.blocks += 1 }
                    if ContinuousClock.now - start > length, result.blocks > 0 {
                        isSending = false
                        shutdown(descriptor, Int32(SHUT_WR))
                    }
                }
            }
        }
        result.seconds = (ContinuousClock.now - start) / .seconds(1)
        result.tail = String(decoding: tail, as: UTF8.self)
        guard !isSending else { throw CommandError("the server ended the connection: \(result.tail)") }
        return result
    }

    private func newlines(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var count = 0
        for byte in bytes where byte == UInt8(ascii: "\n") { count += 1 }
        return count
    }
}
