// The floor of a service that takes lines and answers them: it reads, and replies a short line for every newline.
// It parses nothing, learns nothing, and serves one connection at a time.

import Foundation

enum EchoServer {
    /// Prints its port, and serves until it is ended.
    static func run() throws {
        let (listener, port) = try Loopback.listen()
        Terminal.say("\(port)")
        let reply = Array("0.123456\n".utf8)
        let size = 1 << 18
        let input = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        let output = UnsafeMutablePointer<UInt8>.allocate(capacity: size * reply.count)  // were every byte a newline
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            Loopback.prepare(connection)
            serving: while case let count = read(connection, input, size), count > 0 {
                var length = 0
                var cursor = UnsafeMutableRawPointer(input)
                let end = cursor + count
                while let newline = memchr(cursor, 0x0A, end - cursor) {
                    memcpy(output + length, reply, reply.count)
                    length += reply.count
                    cursor = newline + 1
                }
                var sent = 0
                while sent < length {
                    let written = Loopback.write(connection, output + sent, length - sent)
                    guard written > 0 else { break serving }
                    sent += written
                }
            }
            close(connection)
        }
    }
}

/// The echo as a child.
final class EchoProcess {
    let process: ChildProcess
    let port: Int

    init() throws {
        process = try ChildProcess(["bench", "--echo"])
        guard let port = Int(try process.line()) else { throw CommandError("the echo did not say where it listens") }
        self.port = port
    }
}
