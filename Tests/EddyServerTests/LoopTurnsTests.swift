// One learning turn for all: in the order of asking, and with a look at the sockets in between.

import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import EddyServer

/// Something that runs on an event loop and wants turns.
private actor Host {
    private let loop: any EventLoop
    let turns: LoopTurns
    let activity = FeedActivity()
    private(set) var order: [Int] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    init(_ loop: any EventLoop) {
        self.loop = loop
        turns = LoopTurns(on: loop, activity: activity)
    }

    func takeTurn(_ number: Int) async {
        if !turns.beginAtOnce() { await turns.begin() }
        order.append(number)
        turns.end()
    }

    func begin() async {
        if !turns.beginAtOnce() { await turns.begin() }
    }

    func end() { turns.end() }

    /// Keeps the loop from its sockets for some time, as learning does.
    func learn(for duration: Duration) {
        let end = ContinuousClock.now + duration
        while .now < end {}
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func add() { count.add(1, ordering: .relaxed) }
}

@Suite struct LoopTurnsTests {
    @Test func turns_comeInTheOrderOfAsking() async throws {
        let host = Host(MultiThreadedEventLoopGroup.singleton.next())
        await host.begin()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask { await host.takeTurn(number) }
                while host.activity.queue < number + 1 { await Task.yield() }
            }
            await host.end()
        }
        #expect(await host.order == Array(0..<50))
        #expect(host.activity.queue == 0)
        await host.takeTurn(50)  // the turn is free again
        #expect(await host.order.last == 50)
    }

    /// Two that always want a turn leave the loop its sockets: a connection's bytes come through between their turns.
    @Test func socketsAreLookedAt_betweenTurns() async throws {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let host = Host(loop)
        let accepted = Counter()
        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                accepted.add()
                return channel.close()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let ended = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask(executorPreference: EventLoopTaskExecutor(loop)) {
                    while ended.value == 0 {
                        await host.begin()
                        await host.learn(for: .milliseconds(1))
                        await host.end()
                    }
                }
            }
            for number in 1...5 {
                _ = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(to: listener.localAddress!).get()
                try? await eventually { accepted.value >= number }
            }
            ended.add()
        }
        #expect(accepted.value == 5)
        try await listener.close()
    }
}
