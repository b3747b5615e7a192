// eddy demo: a server that feeds itself a stream that drifts.

import ArgumentParser
import Eddy
import EddyServer
import Foundation
import NIOCore
import NIOPosix
import ServiceLifecycle

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves, and feeds itself a stream that drifts: open the page and see it learn.",
        discussion: """
            Two features and two classes, divided by a curve that turns slowly. Every 30 seconds it jumps: the loss
            leaps up and comes down again.
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup(title: "Learning") var learning: LearningOptions
    @OptionGroup var log: LogOptions

    @Option(help: "Samples a second.")
    var rate = 2000

    func validate() throws {
        if server.tokenFile != nil || server.tlsCertificate != nil {
            throw ValidationError("the demo feeds itself in the clear: use eddy serve with a token or TLS")
        }
        if !(1...1_000_000).contains(rate) { throw ValidationError("rate \(rate): expected 1 to 1000000") }
    }

    func run() async throws {
        let feeder = Feeder(rate: rate)
        let running = try await RunningServer(server, learning, log, extra: [feeder])
        feeder.address.yield(running.feedAddress)
        try await running.run()
    }
}

/// Sends a drifting stream to the feed, as any client would.
private struct Feeder: Service {
    let rate: Int
    let address: AsyncStream<SocketAddress>.Continuation
    private let addresses: AsyncStream<SocketAddress>

    init(rate: Int) {
        self.rate = rate
        (addresses, address) = AsyncStream.makeStream()
    }

    func run() async throws {
        guard let address = await addresses.first(where: { _ in true }) else { return }
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await cancelWhenGracefulShutdown {
            try await channel.executeThenClose { _, outbound in
                var stream = DriftingStream(seed: 1)
                try await outbound.write(ByteBuffer(string: "!reply none\nx,y,label\n"))
                let tick = Duration.milliseconds(20)
                var sent = 0.0
                while !Task.isCancelled {
                    let due = sent + Double(rate) * 0.02
                    let text = (Int(sent)..<Int(due)).map { _ in stream.nextLine(rate: rate) }.joined()
                    sent = due
                    if !text.isEmpty { try await outbound.write(ByteBuffer(string: text)) }
                    do { try await Task.sleep(for: tick) } catch { return }
                }
            }
        }
    }
}

/// Points in a square, of class `inside` or `outside` a turning double lobe, with a twentieth of the labels wrong.
struct DriftingStream {
    private var random: SeededRandom
    private var angle: Float = 0
    private var count = 0

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// The next sample as a CSV line; it turns slowly, and jumps a quarter turn every 30 seconds' worth of samples.
    mutating func nextLine(rate: Int) -> String {
        count += 1
        angle += 0.02 / Float(rate)
        if count % (30 * rate) == 0 { angle += .pi / 2 }
        let x = random.uniform(in: -1...1)
        let y = random.uniform(in: -1...1)
        let u = x * cos(angle) + y * sin(angle)
        let v = y * cos(angle) - x * sin(angle)
        var isInside = u * v > 0
        if random.uniform(in: 0...1) < 0.05 { isInside.toggle() }
        return "\(x),\(y),\(isInside ? "inside" : "outside")\n"
    }
}
