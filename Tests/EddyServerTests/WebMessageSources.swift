// Message sequences and conversations for the web tests.

import Foundation
import Synchronization

@testable import EddyServer

/// "1", "2", … up to `count`, each after a suspension.
struct Counting: AsyncSequence, Sendable {
    var count = Int.max
    var interval = Duration.zero

    struct AsyncIterator: AsyncIteratorProtocol {
        let sequence: Counting
        var number = 0

        mutating func next() async throws -> WebMessage? {
            guard number < sequence.count else { return nil }
            if sequence.interval > .zero { try await Task.sleep(for: sequence.interval) }
            number += 1
            return .text(String(number))
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(sequence: self) }
}

/// Never has a message, and knows how many subscriptions to it are alive.
struct Silence: AsyncSequence, Sendable {
    final class Alive: Sendable {
        let count = Mutex(0)
        var isNone: Bool { count.withLock { $0 == 0 } }
    }

    final class AsyncIterator: AsyncIteratorProtocol {
        private let alive: Alive

        init(_ alive: Alive) {
            self.alive = alive
            alive.count.withLock { $0 += 1 }
        }

        deinit { alive.count.withLock { $0 -= 1 } }

        func next() async throws -> WebMessage? {
            try await Task.sleep(for: .seconds(100_000))
            return nil
        }
    }

    let alive: Alive

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(alive) }
}

/// Replies to each message twice, and with a summary at the end.
struct Twice: WebConversation {
    struct Refusal: Error, CustomStringConvertible { let description = "no" }

    final class Log: Sendable {
        let ended = Mutex(0)
    }

    let log: Log
    var count = 0

    mutating func receive(_ message: WebMessage) async throws -> [WebMessage] {
        if message == .text("refuse") { throw Refusal() }
        count += 1
        return [message, message]
    }

    mutating func end() async -> [WebMessage] {
        log.ended.withLock { $0 += 1 }
        return [.text("\(count) received")]
    }
}
