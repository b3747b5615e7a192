// eddy watch: the loss feed in a terminal.

import ArgumentParser
import Eddy
import EddyServer
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a server's loss, metric against baseline, speed and rejected lines in the terminal.")

    @Argument(help: "The server's web address.")
    var address = "http://127.0.0.1:7070"

    @Option(help: "Seconds between lines where the output is no terminal.")
    var interval = 1.0

    @Option(help: "Stop after so many messages. (default: never)")
    var count: Int?

    @Option(help: "A file with the server's token, where it asks for one.", completion: .file())
    var tokenFile: String?

    func validate() throws {
        if let count, count < 1 { throw ValidationError("count \(count): expected at least 1") }
        if !(interval >= 0) { throw ValidationError("interval \(interval): expected seconds, at least 0") }
        _ = try Watch.split(address)
    }

    func run() async throws {
        let (host, port) = try Watch.split(address)
        var view = WatchView(interval: interval, source: "\(host):\(port)")
        var seen = 0
        let events = try await ServerEvents.open(
            host: host, port: port, path: "/losses", token: try tokenFile.map { try BearerToken(file: $0) })
        if Terminal.isInteractive { Terminal.complain("watching \(host):\(port); waiting for samples") }
        for try await event in events {
            guard let message = try? JSONDecoder().decode(WatchMessage.self, from: Data(event.utf8)) else { continue }
            view.show(message)
            seen += 1
            if let count, seen >= count { break }
        }
        view.finish()
    }

    private static func split(_ address: String) throws -> (String, Int) {
        let text = address.contains("://") ? address : "http://" + address
        guard let parts = URLComponents(string: text), parts.scheme == "http", let host = parts.host, !host.isEmpty
        else {
            throw ValidationError("\(address): expected a web address such as http://127.0.0.1:7070")
        }
        return (host, parts.port ?? 7070)
    }
}

/// What of a loss message is shown.
struct WatchMessage: Decodable {
    struct Metrics: Decodable {
        var accuracy: Double?
        var majority: Double?
        var mae: Double?
        var rmse: Double?
        var baseline: Double
    }

    var step: UInt64
    var count: Int
    var windowMean: Double?
    var runningMean: Double
    var recentMean: Double
    var unit: String
    var rejected: UInt64
    var samplesPerSecond: Double?
    var metrics: Metrics
}

/// A few lines drawn over each other on a terminal; a line now and then elsewhere.
struct WatchView {
    private let interval: Double
    private let source: String
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var curve: [Double] = []
    private var drawn = 0
    private var last: ContinuousClock.Instant?
    private var pending: WatchMessage?

    init(interval: Double, source: String) {
        self.interval = interval
        self.source = source
    }

    mutating func show(_ message: WatchMessage) {
        if let mean = message.windowMean {
            curve.append(mean)
            if curve.count > 60 { curve.removeFirst() }
        }
        pending = message
        let now = ContinuousClock.now
        let wait = isTerminal ? 0.1 : interval
        if let last, now - last < .seconds(wait) { return }
        last = now
        draw()
    }

    mutating func finish() { draw() }

    private mutating func draw() {
        guard let message = pending else { return }
        pending = nil
        let lines = isTerminal ? block(message) : [line(message)]
        if drawn > 0 { print("\u{1B}[\(drawn)A", terminator: "") }
        for line in lines { print(isTerminal ? "\u{1B}[K" + line : line) }
        drawn = isTerminal ? lines.count : 0
        fflush(nil)
    }

    private func line(_ message: WatchMessage) -> String {
        "step \(message.step)  loss \(figure(message.runningMean)) recent \(figure(message.recentMean)) \(message.unit)  "
            + "baseline \(figure(message.metrics.baseline))  \(metric(message))  \(speed(message))  rejected \(message.rejected)"
    }

    private func block(_ message: WatchMessage) -> [String] {
        [
            "eddy at \(source), step \(message.step), \(speed(message)), rejected \(message.rejected)",
            "loss      \(figure(message.runningMean)) \(message.unit), recent \(figure(message.recentMean)), "
                + "baseline \(figure(message.metrics.baseline))",
            "\(metric(message))",
            sparkline,
        ]
    }

    private func metric(_ message: WatchMessage) -> String {
        let metrics = message.metrics
        if let accuracy = metrics.accuracy {
            return "accuracy \(figure(accuracy)) (most frequent class \(figure(metrics.majority ?? 0)))"
        }
        return "MAE \(metrics.mae.map { figure($0) } ?? "–"), RMSE \(metrics.rmse.map { figure($0) } ?? "–")"
    }

    private func speed(_ message: WatchMessage) -> String {
        message.samplesPerSecond.map { "\(Int($0.rounded())) samples/s" } ?? "– samples/s"
    }

    private var sparkline: String {
        let bars = Array("▁▂▃▄▅▆▇█")
        guard let low = curve.min(), let high = curve.max(), high > low else {
            return String(repeating: "▁", count: curve.count)
        }
        return String(curve.map { bars[Int((($0 - low) / (high - low) * 7).rounded())] })
    }
}

/// The data of server-sent events (HTML Standard, section 9.2), one string an event.
struct ServerEvents {
    typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// - Throws: ``CommandError`` where nobody answers, or not with events.
    static func open(
        host: String, port: Int, path: String, token: BearerToken? = nil
    ) async throws -> AsyncThrowingStream<String, any Error> {
        let connection: Connection
        do {
            connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try Connection(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw CommandError("nobody answers at http://\(host):\(port): start `eddy serve`, or give its address")
        }
        return AsyncThrowingStream { continuation in
            let task = Task {
                do {
                    try await read(connection, host, path, token) { continuation.yield($0) }
                    continuation.finish()
                } catch is HTTPParserError {
                    continuation.finish(
                        throwing: CommandError("http://\(host):\(port) is no web side; is it the feed's port?"))
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private static func read(
        _ connection: Connection, _ host: String, _ path: String, _ token: BearerToken?, _ event: (String) -> Void
    ) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var headers: HTTPHeaders = ["Host": host, "Accept": "text/event-stream"]
            if let token { headers.add(name: "Authorization", value: token.authorization) }
            try await outbound.write(
                .head(HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)))
            try await outbound.write(.end(nil))
            var rest = ""
            for try await part in inbound {
                switch part {
                case .head(let head):
                    if head.status == .unauthorized {
                        throw CommandError("\(path): the server asks for a token: give its file with --token-file")
                    }
                    guard head.status == .ok else { throw CommandError("\(path): the server answered \(head.status)") }
                case .body(let bytes):
                    rest += String(buffer: bytes)
                    while let end = rest.range(of: "\n\n") {
                        let data = rest[..<end.lowerBound].split(separator: "\n").filter { $0.hasPrefix("data:") }
                            .map { $0.dropFirst(5).drop { $0 == " " } }.joined(separator: "\n")
                        if !data.isEmpty { event(data) }
                        rest.removeSubrange(..<end.upperBound)
                    }
                case .end: return
                }
            }
        }
    }
}
