// What it costs learning to be watched: the same feed into the same server, with nobody there, with a page's
// subscription (`/events`), and with the loss feed (`/losses`, 30 messages a second), in turns.

import Eddy
import Foundation

struct SubscriberReport: Encodable {
    struct Row: Encodable {
        /// The stream that is watched; nil: none.
        let path: String?
        let samplesPerSecond: Spread
        /// The median over that without subscribers.
        let ratio: Double
        /// Messages that the subscriber was sent.
        let messagesPerSecond: Double
    }

    let rows: [Row]

    var text: String {
        var table = TextTable(["subscribers", "samples/s", "lowest", "highest", "messages/s", "ratio"])
        for row in rows {
            table.add([
                row.path.map { "1 of \($0)" } ?? "none", decimal(row.samplesPerSecond.median, 0),
                decimal(row.samplesPerSecond.lowest, 0), decimal(row.samplesPerSecond.highest, 0),
                decimal(row.messagesPerSecond, 1), decimal(row.ratio, 3),
            ])
        }
        return table.text
    }
}

struct SubscriberBench {
    let seconds: Double

    private static let rounds = 9

    func run() throws -> SubscriberReport {
        let stream = FeedStream(.csv)
        let server = try ServerProcess(["--reply", "summary", "--profile", "fast"])
        defer { server.process.end() }
        let paths: [String?] = [nil, "/events", "/losses"]
        var rates = paths.map { _ in [Double]() }
        var messages = paths.map { _ in [Double]() }
        // Three times as long as other figures: messages come by the second, and the difference is small.
        let length = 3 * seconds / Double(SubscriberBench.rounds)
        _ = try stream.rate(into: server, reply: "summary", seconds: length)  // unmeasured
        for round in 0..<SubscriberBench.rounds {
            // Each goes first as often as the others, as nearly as may be: what drifts, drifts for all.
            for turn in paths.indices {
                let index = (turn + round) % paths.count
                let watcher = try paths[index].map { try Watcher(port: server.webPort, path: $0) }
                if let watcher {  // unmeasured: what a subscriber is told first
                    _ = try stream.rate(into: server, reply: "summary", seconds: 0.02, watcher: watcher)
                }
                let one = try stream.rate(into: server, reply: "summary", seconds: length, watcher: watcher)
                rates[index].append(one.rate)
                messages[index].append(one.watchedPerSecond)
            }
        }
        let spreads = rates.map { Spread($0) }
        return SubscriberReport(
            rows: paths.indices.map { index in
                SubscriberReport.Row(
                    path: paths[index], samplesPerSecond: spreads[index],
                    ratio: spreads[index].median / spreads[0].median, messagesPerSecond: Spread(messages[index]).median)
            })
    }
}

/// A subscription to a stream of server-sent events; read by who streams into the feed at the same time.
final class Watcher {
    private let connection: Loopback
    private var bytes = [UInt8](repeating: 0, count: 1 << 16)
    private var last: UInt8 = 0

    var descriptor: Int32 { connection.descriptor }

    init(port: Int, path: String) throws {
        connection = try Loopback(port: port)
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nAccept: text/event-stream\r\n\r\n"
        try Array(request.utf8).withUnsafeBufferPointer { try connection.send($0) }
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0, String(decoding: bytes[..<count], as: UTF8.self).hasPrefix("HTTP/1.1 200") else {
            throw CommandError("\(path) cannot be watched")
        }
    }

    /// Reads what has come; returns how many messages ended in it, each by an empty line.
    func take() throws -> Int {
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { throw CommandError("the server ended a subscription") }
        var messages = 0
        for byte in bytes[..<count] {
            if byte == UInt8(ascii: "\n"), last == byte { messages += 1 }
            last = byte
        }
        return messages
    }
}
