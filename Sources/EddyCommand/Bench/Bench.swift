// eddy bench: how fast is it, here and now?
//
// Every figure is told with what it may be compared with in the same run, interleaved: a kernel with one pass over
// its weights, a round trip with a bare echo server, a watched feed with an unwatched one. Machines are noisy, so a
// figure is the median of short bursts, and a ratio says more than a figure. It judges nothing: scripts/bench knows
// what is wanted, and what other programs reach.

import ArgumentParser
import Eddy
import Foundation

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures kernels, feed, latency, subscribers and start-up.",
        discussion: """
            kernels      ns a sample of workloads W1 to W5 (fixed networks, plain SGD), beside the time of one pass \
            that reads and writes as many bytes as the network has weights; then the learner in its profiles fast and best, and the decoder
            feed         samples a second over loopback into `eddy serve`, its CPU time and memory
            latency      one sample and its reply, beside a bare echo server
            subscribers  the feed with and without someone who watches
            startup      from starting the program to its first reply

            Servers are children of this process, on free ports, and end with it. Figures are medians of bursts that \
            take turns with what they are compared with; lowest and highest are told. Pin it to a core (taskset -c 0) \
            for figures that can be repeated. scripts/bench compares with other programs.
            """)

    enum Part: String, ExpressibleByArgument, CaseIterable {
        case kernels, feed, latency, subscribers, startup, all
    }

    @Argument(help: "What is measured: \(Part.allCases.map(\.rawValue).joined(separator: ", ")).")
    var part: Part = .all

    @Option(help: "Seconds for each figure, over all of its bursts.")
    var seconds = 1.0

    @Flag(help: "Print one JSON object.")
    var json = false

    @Option(help: "kernels: workloads, separated by commas: w1 to w5, learner, decoder. (default: all)")
    var workloads: WorkloadNames?

    @Option(
        help: """
            kernels: a folder with wK.x.f32, wK.y.i32, wK.init.f32 and wK.json, as other programs use them. (default: \
            samples made from a seed)
            """,
        completion: .directory)
    var data: String?

    @Option(help: "kernels: one burst of exactly so many samples, rather than bursts by time.")
    var steps: Int?

    @Option(help: "kernels: the network's arithmetic: sequential or chunked.")
    var arithmetic: Arithmetic = .sequential

    @Option(help: "feed: how samples are sent: csv or packed.")
    var format: FeedFormat = .csv

    @Option(help: "latency: samples sent.")
    var roundTrips = 20_000

    @Flag(help: .hidden)  // what latency starts as its own child: the floor
    var echo = false

    func validate() throws {
        if let error = Kernels.environmentError { throw ValidationError(error.description) }
        if !(seconds > 0 && seconds <= 3600) {
            throw ValidationError("seconds \(seconds): expected above 0, at most 3600")
        }
        if let steps, steps < 1 { throw ValidationError("steps \(steps): expected at least 1") }
        if roundTrips < 1 { throw ValidationError("round trips \(roundTrips): expected at least 1") }
    }

    func run() throws {
        if echo { return try EchoServer.run() }
        func asked(_ one: Part) -> Bool { part == one || part == .all }
        var report = BenchReport(arithmetic: arithmetic)
        if !json { Terminal.say(report.heading) }
        /// Tells a table as soon as it is measured.
        func tell(_ text: String?) {
            if let text, !json { Terminal.say("\n" + text) }
        }
        if asked(.kernels) {
            report.kernels = try KernelBench(
                names: workloads?.names, data: data, seconds: seconds, steps: steps, arithmetic: arithmetic
            ).run()
            tell(report.kernels?.text)
        }
        if asked(.feed) {
            report.feed = try FeedBench(format: format, seconds: seconds).run()
            tell(report.feed?.text)
        }
        if asked(.latency) {
            report.latency = try LatencyBench(roundTrips: roundTrips).run()
            tell(report.latency?.text)
        }
        if asked(.subscribers) {
            report.subscribers = try SubscriberBench(seconds: seconds).run()
            tell(report.subscribers?.text)
        }
        if asked(.startup) {
            report.startup = try StartupBench.run()
            tell(report.startup?.text)
        }
        if json { Terminal.say(try report.json()) }
    }
}

struct WorkloadNames: ExpressibleByArgument {
    let names: [String]

    init?(argument: String) {
        names = argument.lowercased().split(separator: ",").map { String($0) }
        guard !names.isEmpty, names.allSatisfy({ KernelBench.names.contains($0) }) else { return nil }
    }
}

/// The kernels that learn in this process.
func kernelsInUse() -> String { Kernels.chosen.rawValue }
