// One encoding for all subscribers: counted, with values that the test publishes and a source that it can see.

import Eddy
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import EddyServer

private let testLoop = MultiThreadedEventLoopGroup.singleton.next()

@Suite struct SharedMessagesTests {
    /// A number; what came while its place was taken is counted.
    private struct Number: Mergeable {
        var value: Int
        var missed = 0

        mutating func merge(_ newer: Number) {
            missed += newer.missed + 1
            value = newer.value
        }
    }

    private final class Fixture: Sendable {
        let tally = StreamTally("/numbers")
        let encodings = Atomic(0)
        let sources = Atomic(0)
        let ended = Atomic(0)
        private let current = Mutex<AsyncStream<Number>.Continuation?>(nil)

        func messages(present: Int? = nil) -> SharedMessages<Number> {
            SharedMessages(
                on: testLoop, tally: tally,
                misses: { $0.missed },
                present: { present.map { Number(value: $0) } },
                encode: { [self] number in
                    encodings.add(1, ordering: .relaxed)
                    return [.text("\(number.value) \(number.missed)")]
                },
                source: { [self] in
                    { [self] publish in
                        let (stream, continuation) = AsyncStream.makeStream(of: Number.self)
                        continuation.onTermination = { [self] _ in ended.add(1, ordering: .relaxed) }
                        current.withLock { $0 = continuation }
                        sources.add(1, ordering: .relaxed)
                        for await number in stream { publish(number) }
                    }
                })
        }

        /// Gives the pump a value, once it listens.
        func publish(_ value: Int) async throws {
            try await eventually { self.current.withLock { $0 } != nil }
            current.withLock { _ = $0!.yield(Number(value: value)) }
        }

        func finish() { current.withLock { $0!.finish() } }
    }

    /// A subscriber that takes a message when it is asked to.
    private final class Reader: MessageSink, @unchecked Sendable {  // all of it on the loop
        private let loop = testLoop
        private var subscription: (any StreamSubscription)?
        private var messages: [WebMessage] = []
        private var waiting: CheckedContinuation<WebMessage?, Never>?
        private var isEnded = false

        init(_ stream: any MessageStream) async throws {
            try await loop.submit {
                self.subscription = stream.attach(self) { _ in
                    self.isEnded = true
                    self.waiting.take()?.resume(returning: nil)
                }
            }.get()
        }

        var isReady: Bool { waiting != nil }

        func send(_ message: FramedMessage) {
            if let reader = waiting.take() {
                reader.resume(returning: message.message)
            } else {
                messages.append(message.message)
            }
        }

        func next() async -> WebMessage? {
            await withCheckedContinuation { (continuation: CheckedContinuation<WebMessage?, Never>) in
                loop.execute {
                    if !self.messages.isEmpty { return continuation.resume(returning: self.messages.removeFirst()) }
                    if self.isEnded { return continuation.resume(returning: nil) }
                    self.waiting = continuation
                    self.subscription?.ready()
                }
            }
        }

        func leave() async throws { try await loop.submit { self.subscription?.detach() }.get() }
    }

    @Test func oneEncoding_isForAllWhoKeepUp() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        var readers: [Task<[WebMessage], Never>] = []
        for _ in 0..<100 {
            let reader = try await Reader(messages)
            readers.append(
                Task {
                    var texts: [WebMessage] = []
                    for _ in 0..<3 { if let message = await reader.next() { texts.append(message) } }
                    return texts
                })
        }
        for value in 1...3 {
            try await fixture.publish(value)
            // The next only when all have this one, so that nobody is slow.
            try await eventually { fixture.tally.delivered == 100 * value }
        }
        for reader in readers { #expect(await reader.value == [.text("1 0"), .text("2 0"), .text("3 0")]) }
        #expect(fixture.encodings.load(ordering: .relaxed) == 3)
        #expect(fixture.tally.missed == 0)
    }

    @Test func slowSubscriber_isToldWhatItMissed_andItIsCounted() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        let slow = try await Reader(messages)
        let quick = try await Reader(messages)
        for value in 1...5 {
            try await fixture.publish(value)
            #expect(await quick.next() == .text("\(value) 0"))
        }
        #expect(fixture.encodings.load(ordering: .relaxed) == 5)
        #expect(await slow.next() == .text("5 4"))
        #expect(fixture.encodings.load(ordering: .relaxed) == 6)  // for it alone
        #expect(fixture.tally.delivered == 6 && fixture.tally.missed == 4)
        try await fixture.publish(6)
        #expect(await slow.next() == .text("6 0"))
        #expect(await quick.next() == .text("6 0"))
        #expect(fixture.encodings.load(ordering: .relaxed) == 7)
    }

    @Test func nothingRuns_forNobody() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        #expect(fixture.sources.load(ordering: .relaxed) == 0)
        let reader = try await Reader(messages)
        try await fixture.publish(1)
        #expect(await reader.next() == .text("1 0"))
        #expect(fixture.tally.subscribers == 1)
        try await reader.leave()
        #expect(fixture.tally.subscribers == 0)
        try await eventually { fixture.ended.load(ordering: .relaxed) == 1 }
        try await fixture.publish(2)
        #expect(fixture.encodings.load(ordering: .relaxed) == 1)
    }

    @Test func source_isOneHoweverManyWatch_andBeginsAnewAfterTheLastHasLeft() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        for round in 1...5 {
            var readers: [Reader] = []
            for _ in 0..<10 { readers.append(try await Reader(messages)) }
            try await eventually { fixture.sources.load(ordering: .relaxed) == round }
            try await fixture.publish(round)
            for reader in readers { #expect(await reader.next() == .text("\(round) 0")) }
            for reader in readers.dropFirst() { try await reader.leave() }
            try await fixture.publish(100 * round)
            #expect(await readers[0].next() == .text("\(100 * round) 0"))
            #expect(fixture.sources.load(ordering: .relaxed) == round)
            try await readers[0].leave()
            try await eventually { fixture.ended.load(ordering: .relaxed) == round }
        }
    }

    @Test func latecomer_seesWhereThingsStandFirst() async throws {
        let fixture = Fixture()
        let messages = fixture.messages(present: 41)
        let reader = try await Reader(messages)
        #expect(await reader.next() == .text("41 0"))
        try await fixture.publish(42)
        #expect(await reader.next() == .text("42 0"))
    }

    @Test func endOfTheSource_endsEverySubscription() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        var readers: [Reader] = []
        for _ in 0..<3 { readers.append(try await Reader(messages)) }
        try await fixture.publish(1)
        try await eventually { fixture.sources.load(ordering: .relaxed) == 1 }
        fixture.finish()
        for reader in readers {
            #expect(await reader.next() == .text("1 0"))
            #expect(await reader.next() == nil)
        }
    }

    @Test func subscriberThatLeaves_isSentNothingMore_andTheSourceEndsWithTheLast() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        let reader = try await Reader(messages)
        #expect(fixture.tally.subscribers == 1)
        try await reader.leave()
        try await eventually { fixture.tally.subscribers == 0 && fixture.ended.load(ordering: .relaxed) == 1 }
        try await fixture.publish(1)
        #expect(fixture.tally.delivered == 0)
    }

    @Test func severalMessagesOfOneValue_comeInOrder() async throws {
        let tally = StreamTally("/numbers")
        let messages = SharedMessages<Number>(
            on: testLoop, tally: tally,
            present: { Number(value: 7) }, encode: { [.text("\($0.value)"), .text("and \($0.value)")] },
            source: { { _ in } })
        let reader = try await Reader(messages)
        #expect(await reader.next() == .text("7"))
        #expect(await reader.next() == .text("and 7"))
        #expect(await reader.next() == nil)
        #expect(tally.delivered == 2)
    }

    @Test func finish_endsEverySubscriptionAndTheSource() async throws {
        let fixture = Fixture()
        let messages = fixture.messages()
        let reader = try await Reader(messages)
        try await eventually { fixture.sources.load(ordering: .relaxed) == 1 }
        try await deadline { await messages.finish() }
        #expect(fixture.ended.load(ordering: .relaxed) == 1)
        #expect(await reader.next() == nil)
    }
}
