// The parts without a server: rendezvous, frame assembly, origin rules, the socket pool.

import FlyingFox
import FlyingSocks
import Foundation
import Synchronization
import Testing

@testable import EddyServer

@Suite struct RendezvousTests {
    @Test func element_isMadeOnlyWhenItIsWanted() async {
        let point = Rendezvous<Int>()
        let made = Mutex(0)
        let producer = Task {
            while await point.demand() {
                point.give(
                    made.withLock { made in
                        made += 1
                        return made
                    })
            }
        }
        for number in 1...100 {
            #expect(await point.take() == number)
            // One may not be made before the next take() asks for it.
            #expect(made.withLock { $0 } == number)
        }
        point.close()
        await producer.value
    }

    @Test func close_deliversWhatIsInHandThenTheLastWords() async {
        let point = Rendezvous<String>()
        point.interject("old")
        point.interject("urgent")
        point.conclude(with: "last")
        point.conclude(with: "never")
        point.close()
        point.interject("too late")
        #expect(await point.take() == "urgent")
        #expect(await point.take() == "last")
        #expect(await point.take() == nil)
        #expect(await point.send("too late") == false)
    }

    @Test func end_dropsAllAndFreesBothSides() async {
        let point = Rendezvous<String>()
        point.conclude(with: "last")
        async let taken = point.take()
        point.end()
        #expect(await taken == nil)
        #expect(await point.demand() == false)
    }

    @Test func cancelledConsumer_freesTheProducer() async {
        let point = Rendezvous<Int>()
        let consumer = Task { await point.take() }
        consumer.cancel()
        #expect(await consumer.value == nil)
        #expect(await point.demand() == false)
    }
}

@Suite struct WebSocketAssemblerTests {
    private func frame(_ opcode: UInt8, _ payload: [UInt8] = [], fin: Bool = true, rsv1: Bool = false) -> WSFrame {
        WSFrame(fin: fin, rsv1: rsv1, opcode: .init(opcode), mask: nil, payload: Data(payload))
    }

    @Test func brokenRules_areNamedByTheirCode() {
        let cases: [(frames: [WSFrame], code: UInt16)] = [
            ([frame(1, rsv1: true)], 1002), ([frame(3)], 1002), ([frame(0)], 1002),
            ([frame(1, fin: false), frame(1)], 1002), ([frame(9, fin: false)], 1002),
            ([frame(9, [UInt8](repeating: 0, count: 126))], 1002), ([frame(8, [3])], 1002),
            ([frame(8, [3, 237])], 1002), ([frame(8, [0, 0])], 1002), ([frame(8, [3, 232, 0xFF])], 1007),
            ([frame(1, [0xFF])], 1007), ([frame(2, [UInt8](repeating: 0, count: 9))], 1009),
            ([frame(2, [1, 2, 3, 4, 5], fin: false), frame(0, [6, 7, 8, 9])], 1009),
        ]
        for (frames, code) in cases {
            var assembler = WebSocketAssembler(limit: 8)
            var caught: UInt16?
            for frame in frames {
                do throws(WebSocketViolation) { _ = try assembler.accept(frame) } catch { caught = error.code }
            }
            #expect(caught == code, "\(frames)")
        }
    }

    @Test func characterSplitOverFragments_isWhole() throws {
        var assembler = WebSocketAssembler(limit: 8)
        #expect(try assembler.accept(frame(1, [0xE2, 0x82], fin: false)) == nil)
        #expect(try assembler.accept(frame(0, [0xAC])) == .message(.text("€")))
        #expect(try assembler.accept(frame(2, [])) == .message(.binary(Data())))
    }

    @Test func longReason_isCutAtACharacter() {
        let violation = WebSocketViolation(code: 1011, reason: String(repeating: "€", count: 100))
        #expect(violation.frame.payload.count == 125)
    }
}

@Suite struct RequestOriginTests {
    @Test(
        arguments: [
            (host: "127.0.0.1:7070", origin: nil, bound: "127.0.0.1"),
            ("localhost:7070", "http://localhost:7070", "127.0.0.1"),
            ("LocalHost:7070", "http://localhost:7070", "127.0.0.1"),
            ("[::1]:7070", "http://[::1]:7070", "::1"),
            ("192.168.1.5:7070", nil, "127.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1:80", "127.0.0.1"),
            ("eddy.example", "https://eddy.example", "0.0.0.0"),
            ("eddy.example:7070", nil, "0.0.0.0"),
        ] as [(String, String?, String)]) func ownPagesAndPrograms_areServed(
            host: String, origin: String?, bound: String
        )
    {
        #expect(RequestOrigin.refusal(host: host, origin: origin, boundHost: bound) == nil)
    }

    @Test(
        arguments: [
            (host: nil, origin: nil, bound: "127.0.0.1"),
            ("evil.example:7070", nil, "127.0.0.1"),
            ("evil.example:7070", "http://evil.example:7070", "localhost"),
            ("127.evil.example:7070", nil, "127.0.0.1"),
            ("127.0.0.1:7070", "http://evil.example", "127.0.0.1"),
            ("127.0.0.1:7070", "http://127.0.0.1:8080", "127.0.0.1"),
            ("127.0.0.1:7070", "http://localhost:7070", "127.0.0.1"),
            ("127.0.0.1:7070", "null", "127.0.0.1"),
            ("127.0.0.1:7070", "http://127.0.0.1:7070@evil.example", "127.0.0.1"),
            ("eddy.example", "http://evil.example", "0.0.0.0"),
            ("eddy.example:port", nil, "0.0.0.0"),
        ] as [(String?, String?, String)]) func foreignPagesAndNames_areRefused(
            host: String?, origin: String?, bound: String
        )
    {
        #expect(RequestOrigin.refusal(host: host, origin: origin, boundHost: bound) != nil)
    }
}

#if os(Linux)
    @Suite struct EpollSocketPoolTests {
        private func withPool(
            writeDeadline: Duration = .seconds(30), _ body: @escaping @Sendable (EpollSocketPool) async throws -> Void
        ) async throws {
            let pool = EpollSocketPool(writeDeadline: writeDeadline)
            try await pool.prepare()
            let running = Task { try await pool.run() }
            try await deadline { try await body(pool) }
            running.cancel()
            await #expect(throws: CancellationError.self) { try await running.value }
        }

        /// Two connected sockets, the first as the pool knows it.
        private func pair() throws -> (Socket, Socket) {
            var descriptors: [Int32] = [0, 0]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &descriptors) == 0)
            return (Socket(file: .init(rawValue: descriptors[0])), Socket(file: .init(rawValue: descriptors[1])))
        }

        @Test func readerAndWriterOfOneSocket_areWokenEachForItsOwn() async throws {
            try await withPool { pool in
                let (ours, theirs) = try pair()
                let reading = Task { try await pool.suspendSocket(ours, untilReadyFor: .read) }
                try await pool.suspendSocket(ours, untilReadyFor: .write)
                _ = try theirs.write(Data([1]))
                try await reading.value
                try ours.close()
                try theirs.close()
            }
        }

        @Test func cancelledTask_isResumedAndTheSocketStaysUsable() async throws {
            try await withPool { pool in
                let (ours, theirs) = try pair()
                let reading = Task { try await pool.suspendSocket(ours, untilReadyFor: .read) }
                reading.cancel()
                await #expect(throws: CancellationError.self) { try await reading.value }
                _ = try theirs.write(Data([1]))
                try await pool.suspendSocket(ours, untilReadyFor: .read)
                try ours.close()
                try theirs.close()
            }
        }

        /// The cause of the hung connections: a task parked on a descriptor that was closed and given out anew.
        @Test func taskParkedOnAClosedSocket_isTurnedAwayWhenItsNumberComesBack() async throws {
            try await withPool { pool in
                let (old, oldPeer) = try pair()
                let parked = Task { try await pool.suspendSocket(old, untilReadyFor: .read) }
                try await eventually { pool.parkedCount(on: old) == 1 }
                let (new, newPeer) = try pair()
                // Put the new socket under the old one's number, as accept(2) would.
                #expect(dup2(new.file.rawValue, old.file.rawValue) == old.file.rawValue)
                let reading = Task { try await pool.suspendSocket(old, untilReadyFor: .read) }
                await #expect(throws: SocketError.disconnected) {
                    try await withTaskCancellationHandler {
                        try await parked.value
                    } onCancel: {
                        parked.cancel()
                    }
                }
                _ = try newPeer.write(Data([1]))
                try await reading.value
                for socket in [old, oldPeer, new, newPeer] { try socket.close() }
            }
        }

        @Test func stalledWrite_endsItsConnection() async throws {
            try await withPool(writeDeadline: .milliseconds(1)) { pool in
                let (ours, theirs) = try pair()
                let socket = try AsyncSocket(socket: ours, pool: pool)
                await #expect(throws: SocketError.self) { try await socket.write(Data(count: 10 << 20)) }
                try ours.close()
                try theirs.close()
            }
        }

        @Test func stoppedPool_letsNobodyWait() async throws {
            let pool = EpollSocketPool()
            try await pool.prepare()
            let running = Task { try await pool.run() }
            let (ours, theirs) = try pair()
            let reading = Task { try await pool.suspendSocket(ours, untilReadyFor: .read) }
            running.cancel()
            await #expect(throws: CancellationError.self) { try await reading.value }
            _ = await running.result
            await #expect(throws: CancellationError.self) { try await pool.suspendSocket(ours, untilReadyFor: .read) }
            try ours.close()
            try theirs.close()
        }
    }
#endif
