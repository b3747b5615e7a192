// eddy serve: the feed, the streams and the dashboard, until a signal.

import ArgumentParser
import Eddy
import EddyServer
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

extension ReplyStyle: ExpressibleByArgument {}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Learns from samples sent over TCP or a websocket, and shows it on a page.",
        discussion: """
            Pipe samples in with `nc -N 127.0.0.1 7071 < samples.csv`, open http://127.0.0.1:7070/, or watch
            with `eddy watch`. Nothing needs to be configured. Stops on SIGINT or SIGTERM: what was read is learned,
            replies are sent, and the model is saved where --save says so.
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup(title: "Learning") var learning: LearningOptions
    @OptionGroup var log: LogOptions

    func run() async throws {
        try await RunningServer(server, learning, log).run()
    }
}

struct ServerOptions: ParsableArguments {
    @Option(help: "The address that feed and web side listen on. Others than loopback are open to the network.")
    var host = "127.0.0.1"

    @Option(help: "The port of the TCP feed; 0 takes a free one.")
    var port = 7071

    @Option(help: "The port of the dashboard and the streams; 0 takes a free one.")
    var httpPort = 7070

    @Option(help: "What the feed says back unless a client asks otherwise: summary, predictions, json, acks or none.")
    var reply: ReplyStyle = .summary

    @Option(help: "The longest text line, in bytes.")
    var lineLimit = SampleDecoder.defaultLineLimit

    @Option(help: "The most feed connections at once.")
    var connections = 1024

    @Option(
        help:
            "A file with a secret that clients must know: `!token SECRET` on the feed, `Authorization: Bearer SECRET` on the web side.",
        completion: .file())
    var tokenFile: String?

    @Option(
        help: "A PEM file with the server's certificate chain; feed and web side are then encrypted.",
        completion: .file())
    var tlsCertificate: String?

    @Option(help: "A PEM file with the certificate's private key.", completion: .file())
    var tlsKey: String?

    @Option(help: "Go on with the model in this file.", completion: .file(extensions: ["eddy"]))
    var load: String?

    @Option(help: "Save the model to this file when the server stops.", completion: .file(extensions: ["eddy"]))
    var save: String?

    @OptionGroup var format: FormatOptions

    func validate() throws {
        for port in [port, httpPort] where !(0...65_535).contains(port) {
            throw ValidationError("port \(port): expected 0 to 65535")
        }
        if lineLimit < 16 { throw ValidationError("line limit \(lineLimit): expected at least 16 bytes") }
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("TLS needs both --tls-certificate and --tls-key")
        }
        if connections < 1 { throw ValidationError("connections \(connections): expected at least 1") }
    }
}

/// A session with its feed and web side, listening.
struct RunningServer {
    let session: LearningSession
    let feedAddress: SocketAddress
    private let feed: FeedServer
    private let web: WebSide
    let webAddress: SocketAddress
    private let services: ServiceGroup
    private let group: MultiThreadedEventLoopGroup
    private let save: String?
    private let logger: Logger

    init(_ options: ServerOptions, _ learning: LearningOptions, _ log: LogOptions, schema: Schema? = nil)
        async throws
    {
        logger = log.logger("eddy")
        if let path = options.save { try OutputFile.check(path) }
        raiseDescriptorLimit()
        // One loop for the feed and the learner, one for those who watch.
        group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let (loop, webLoop) = (group.next(), group.next())
        save = options.save
        var feedOptions = FeedOptions()
        let turns = LoopTurns(on: loop, activity: feedOptions.activity)
        let (session, configuration) = try await RunningServer.session(
            options.load, learning, schema, loop.executor, turns, log.logger("eddy.session"))
        self.session = session

        feedOptions.format = options.format.format
        feedOptions.label = options.format.labelColumn
        feedOptions.reply = options.reply
        feedOptions.lineLimit = options.lineLimit
        feedOptions.connectionLimit = options.connections
        feedOptions.token = try options.tokenFile.map { try BearerToken(file: $0) }
        if let certificate = options.tlsCertificate, let key = options.tlsKey {
            feedOptions.tls = try TLSIdentity(certificate: certificate, key: key)
        }
        feed = FeedServer(
            session: session, options: feedOptions, loop: loop, turns: turns, logger: log.logger("eddy.feed"))
        feedAddress = try await feed.listen(host: options.host, port: options.port)
        web = WebSide(
            session: session, configuration: configuration, options: feedOptions, feed: feed, feedAddress: feedAddress,
            host: options.host, loop: webLoop, logger: log.logger("eddy.web"))
        webAddress = try await web.listen(port: options.httpPort)
        // Stopped last first: the feed, so that what was read is learned; then the streams that tell of it.
        services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: ([
                    web, feed, Greeting(feed: feedAddress, web: webAddress, isEncrypted: feedOptions.tls != nil),
                ] as [any Service]).map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: [.sigint, .sigterm], logger: RunningServer.quiet))
    }

    /// The service group tells each step of its own; only ours are of use to people.
    private static let quiet = Logger(label: "eddy.services") { _ in SwiftLogNoOpLogHandler() }

    private static func session(
        _ load: String?, _ learning: LearningOptions, _ schema: Schema?, _ executor: any SerialExecutor,
        _ turns: LoopTurns, _ logger: Logger
    ) async throws -> (LearningSession, Configuration) {
        if let load {
            guard learning.isEmpty else {
                throw ValidationError("--load brings the model's own settings: leave the other learning options out")
            }
            let session = try LearningSession.load(load, executor: executor, turns: turns, logger: logger)
            return (session, await session.withLearner { $0.configuration })
        }
        let configuration = try learning.configuration()
        return (
            try LearningSession(configuration, schema: schema, executor: executor, turns: turns, logger: logger),
            configuration
        )
    }

    /// Serves until a signal; then saves, also where the services ended by an error.
    func run() async throws {
        var failure: (any Error)?
        do {
            try await services.run()
        } catch {
            failure = error
        }
        await session.finish()
        if let save, await session.sampleCounts.learned > 0 || failure == nil {
            try await session.save(to: save)
            logger.info("model saved to \(save)")
        }
        try await group.shutdownGracefully()
        if let failure { throw failure }
    }
}

/// Says where it listens, once signals are heard: who reads it may stop the server at once.
private struct Greeting: Service {
    let feed: SocketAddress
    let web: SocketAddress
    let isEncrypted: Bool

    func run() async throws {
        let feed = "\(feed.ipAddress ?? "?") \(feed.port ?? 0)"
        let host = web.ipAddress ?? "?"
        Terminal.say(
            """
            eddy \(EddyVersion.current)
            feed       \(feed)    \(isEncrypted ? "(TLS)" : "nc -N \(feed) < samples.csv")
            dashboard  \(isEncrypted ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(web.port ?? 0)/
            """)
        try await gracefulShutdown()
    }
}

/// Lets the process have as many open files as it is allowed to: connections need one each.
func raiseDescriptorLimit() {
    #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        let resource = RLIMIT_NOFILE
    #endif
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(resource, &limit)
}
