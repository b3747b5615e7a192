// The socket pool under FlyingFox on Linux: one epoll instance, one thread, every registration one-shot.
//
//     task: read would block ──▶ suspendSocket ──▶ arm the descriptor, park ──▶ thread: event ──▶ resume, read again
//
// Why not FlyingFox's own pool: that one remembers in a table which descriptors epoll watches. A subscriber that
// vanishes by RST is closed while a reader is still parked; the kernel forgets the descriptor, the table does not, and
// the next connection to get the same number waits for ever. Here the kernel is the only table. A descriptor is armed
// by EPOLL_CTL_MOD, and by ADD if the kernel does not know it; since registrations end only with their file, "not
// known" means a new file, and whoever is still parked under that number waits for a closed one and is turned away.
//
// The pool also does what FlyingFox leaves no other place for:
// - TCP_NODELAY. Header and body are separate writes, so Nagle and delayed acknowledgement cost 44 ms a response.
//   Set on the listener (and so inherited), the one socket with SO_ACCEPTCONN.
// - A write that makes no progress for `writeDeadline` ends its connection, by shutdown(2) and not by an error thrown
//   from here: both ends then find out from their own read or write.
// - The size of a websocket frame under way; see ReadAllowance.

#if os(Linux)
    import CEpoll
    import FlyingSocks
    import Foundation
    import Synchronization

    final class EpollSocketPool: AsyncSocketPool {
        private struct Waiter {
            let id: UInt64
            let events: Socket.Events
            let since: ContinuousClock.Instant
            let continuation: CheckedContinuation<Void, any Error>
        }

        private struct State {
            var epoll: Int32 = -1
            var wakeup: Int32 = -1
            var isStopped = true
            var nextID: UInt64 = 0
            var waiters: [Int32: [Waiter]] = [:]
        }

        private let state = Mutex(State())
        private let writeDeadline: Duration

        /// - Parameter writeDeadline: how long a peer may take nothing of what is written to it.
        init(writeDeadline: Duration = .seconds(30)) {
            self.writeDeadline = writeDeadline
        }

        deinit {
            // Resumed waiters hold the pool, so none is left here.
            state.withLock { state in
                for descriptor in [state.epoll, state.wakeup] where descriptor >= 0 { close(descriptor) }
            }
        }

        func prepare() async throws {
            try state.withLock { state in
                guard state.epoll < 0 else { return state.isStopped = false }
                state.epoll = try Self.check(cepoll_create(), "epoll_create")
                state.wakeup = try Self.check(cepoll_add_wakeup(state.epoll), "eventfd")
                state.isStopped = false
            }
        }

        /// Dispatches events until the calling task is cancelled; then every parked task gets a `CancellationError`.
        func run() async throws {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let thread = Thread { [self] in
                        dispatchEvents()
                        continuation.resume()
                    }
                    thread.name = "epoll"
                    thread.start()
                }
            } onCancel: {
                stop()
            }
            throw CancellationError()
        }

        func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
            let descriptor = socket.file.rawValue
            if let allowance = ReadAllowance.current, events == .read {
                try allowance.check(bytesReceived: cepoll_bytes_received(descriptor))
            }
            let id = state.withLock { state in
                state.nextID += 1
                return state.nextID
            }
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    park(Waiter(id: id, events: events, since: .now, continuation: continuation), on: descriptor)
                }
            } onCancel: {
                unpark(id, from: descriptor)
            }
        }

        /// How many tasks are parked on a socket, for tests.
        func parkedCount(on socket: Socket) -> Int {
            state.withLock { $0.waiters[socket.file.rawValue]?.count ?? 0 }
        }

        // Every lock below covers bookkeeping and epoll_ctl only; continuations are resumed after it is released.

        private func park(_ waiter: Waiter, on descriptor: Int32) {
            var stale: [Waiter] = []
            let refusal: (any Error)? = state.withLock { state in
                // The task's flag is set before `unpark` runs, so a cancellation is seen here or finds the waiter.
                guard !state.isStopped, !Task.isCancelled else { return CancellationError() }
                let others = state.waiters[descriptor] ?? []
                switch Self.arm(descriptor, for: others + [waiter], in: state.epoll) {
                case 0:
                    state.waiters[descriptor] = others + [waiter]
                case 1:
                    stale = others
                    // Not the others' events: they belong to a file that is gone.
                    if !others.isEmpty { _ = Self.arm(descriptor, for: [waiter], in: state.epoll) }
                    state.waiters[descriptor] = [waiter]
                    Self.disableDelay(ofListener: descriptor)
                default:
                    return SocketError.disconnected
                }
                return nil
            }
            for waiter in stale { waiter.continuation.resume(throwing: SocketError.disconnected) }
            if let refusal { waiter.continuation.resume(throwing: refusal) }
        }

        private func unpark(_ id: UInt64, from descriptor: Int32) {
            let waiter: Waiter? = state.withLock { state in
                guard let index = state.waiters[descriptor]?.firstIndex(where: { $0.id == id }) else { return nil }
                let waiter = state.waiters[descriptor]?.remove(at: index)
                if state.waiters[descriptor]?.isEmpty == true { state.waiters[descriptor] = nil }
                return waiter
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }

        private func stop() {
            let wakeup = state.withLock { state in
                state.isStopped = true
                return state.wakeup
            }
            if wakeup >= 0 { cepoll_wake(wakeup) }
        }

        /// The thread's loop; a second without events is the tick that finds stalled writes.
        private func dispatchEvents() {
            let (epoll, wakeup) = state.withLock { ($0.epoll, $0.wakeup) }
            var events = [CEpollEvent](repeating: CEpollEvent(), count: 64)
            var lastSweep = ContinuousClock.now
            while !state.withLock({ $0.isStopped }) {
                let count = cepoll_wait(epoll, &events, Int32(events.count), 1000)
                guard count >= 0 else { break }
                for event in events.prefix(Int(count)) where event.descriptor != wakeup { dispatch(event) }
                if lastSweep.duration(to: .now) >= .seconds(1) {
                    lastSweep = .now
                    endStalledWrites()
                }
            }
            let abandoned = state.withLock { state in
                state.isStopped = true
                defer { state.waiters = [:] }
                return state.waiters.values.flatMap { $0 }
            }
            for waiter in abandoned { waiter.continuation.resume(throwing: CancellationError()) }
        }

        private func dispatch(_ event: CEpollEvent) {
            let ready: [Waiter] = state.withLock { state in
                guard var waiting = state.waiters[event.descriptor] else { return [] }
                let isReady: (Waiter) -> Bool = {
                    event.readable && $0.events.contains(.read) || event.writable && $0.events.contains(.write)
                }
                let ready = waiting.filter(isReady)
                waiting.removeAll(where: isReady)
                state.waiters[event.descriptor] = waiting.isEmpty ? nil : waiting
                // One shot: the event has disarmed the descriptor for those who still wait.
                if !waiting.isEmpty { _ = Self.arm(event.descriptor, for: waiting, in: state.epoll) }
                return ready
            }
            for waiter in ready { waiter.continuation.resume() }
        }

        private func endStalledWrites() {
            state.withLock { state in
                for (descriptor, waiters) in state.waiters
                where waiters.contains(where: {
                    $0.events.contains(.write) && $0.since.duration(to: .now) > writeDeadline
                }) {
                    shutdown(descriptor, Int32(SHUT_RDWR))
                }
            }
        }

        private static func arm(_ descriptor: Int32, for waiters: [Waiter], in epoll: Int32) -> Int32 {
            cepoll_arm(
                epoll, descriptor, waiters.contains { $0.events.contains(.read) },
                waiters.contains { $0.events.contains(.write) })
        }

        private static func disableDelay(ofListener descriptor: Int32) {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0, value != 0 else { return }
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &value, length)
        }

        private static func check(_ result: Int32, _ call: String) throws -> Int32 {
            guard result < 0 else { return result }
            throw SocketError.failed(type: call, errno: -result, message: String(cString: strerror(-result)))
        }
    }
#endif
