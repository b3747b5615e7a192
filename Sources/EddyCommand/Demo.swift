// eddy demo: a server that feeds itself a stream that drifts.

import ArgumentParser
import Eddy
import EddyCombine
import Foundation
@preconcurrency import OpenCombine
@preconcurrency import OpenCombineFoundation

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
        if !(1...1_000_000).contains(rate) { throw ValidationError("rate \(rate): expected 1 to 1000000") }
    }

    func run() async throws {
        let running = try await RunningServer(server, learning, log, schema: Schema(names: ["x", "y"], label: "label"))
        let feeding = DemoFeed(rate: rate, session: running.session)
        try await running.run()
        feeding.stop()
    }
}

/// Feeds a session a drifting stream, as an OpenCombine chain:
///
///     timer ─▶ the samples that are due ─▶ .learned(by: session) ─▶ sink
private struct DemoFeed {
    private let thread = RunLoopThread()
    private let feeding: AnyCancellable

    init(rate: Int, session: LearningSession) {
        let start = ContinuousClock.now
        feeding = Timer.publish(every: 0.02, on: thread.runLoop, in: .default).autoconnect()
            .scan(DriftingStream(rate: rate, seed: 1)) { stream, _ in
                stream.continued(to: (ContinuousClock.now - start) / .seconds(1))
            }
            .map(\.newest).filter { !$0.isEmpty }
            .buffer(size: 8, prefetch: .byRequest, whenFull: .dropOldest)
            .learned(by: session, from: "demo", scheduling: .immediate)
            .sink { _ in }
    }

    func stop() {
        feeding.cancel()
        thread.stop()
    }
}

/// A run loop on a thread of its own: where `main` is asynchronous, Linux runs none.
private final class RunLoopThread: Sendable {
    nonisolated(unsafe) let runLoop: RunLoop
    private nonisolated(unsafe) let thread: Thread

    init() {
        let ready = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var own: RunLoop?
        thread = Thread {
            own = RunLoop.current
            // A run loop without a timer ends at once.
            RunLoop.current.add(Timer(timeInterval: 3600, repeats: true) { _ in }, forMode: .default)
            ready.signal()
            while !Thread.current.isCancelled { _ = RunLoop.current.run(mode: .default, before: .now + 0.1) }
        }
        thread.start()
        ready.wait()
        runLoop = own!
    }

    func stop() { thread.cancel() }
}

/// Points in a square, of class `inside` or `outside` a turning double lobe, with a twentieth of the labels wrong.
struct DriftingStream {
    private let rate: Int
    private var random: SeededRandom
    private var angle: Float = 0
    private var count = 0
    /// The samples that came last.
    private(set) var newest: [Sample] = []

    /// - Parameter rate: samples a second.
    init(rate: Int, seed: UInt64) {
        self.rate = rate
        random = SeededRandom(seed: seed)
    }

    /// The stream with the samples that have come up to a time; at most a second's.
    func continued(to seconds: Double) -> DriftingStream {
        var stream = self
        let due = Int(seconds * Double(rate))
        stream.newest = (0..<min(due - count, rate)).map { _ in stream.next() }
        stream.count = due
        return stream
    }

    /// The next sample; the lobe turns slowly, and jumps a quarter turn every 30 seconds.
    private mutating func next() -> Sample {
        count += 1
        angle += 0.02 / Float(rate)
        if count % (30 * rate) == 0 { angle += .pi / 2 }
        let x = random.uniform(in: -1...1)
        let y = random.uniform(in: -1...1)
        let u = x * cos(angle) + y * sin(angle)
        let v = y * cos(angle) - x * sin(angle)
        var isInside = u * v > 0
        if random.uniform(in: 0...1) < 0.05 { isInside.toggle() }
        return Sample([x, y], label: isInside ? "inside" : "outside")
    }
}
