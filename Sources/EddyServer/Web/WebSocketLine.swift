// One websocket connection: a reader, a worker, and FlyingFox's writer between two meeting points.
//
//     socket ─▶ FlyingFox frames ─▶ reader ─▶ inbox ─▶ worker ─▶ outbox ─▶ FlyingFox writer ─▶ socket
//                                     └── pongs, and the answer to the client's close ──▲
//
// The worker is either a subscription (pulls messages from a sequence; there is no inbox, what the client says is
// read and dropped) or a conversation (answers each message). FlyingFox pulls frames with `next()`, and only after it
// has written the one before, which makes the outbox's back pressure that of the socket.
//
// How it ends. A close frame is named once (the first wins) and goes out after what is in hand: the client's own code
// when it closes, 1000 when the sequence ends, 1001 when the server stops, 1002/1007/1009 for a violation. After a
// close frame of ours the client has `linger` to answer: closing a socket with unread bytes would send RST and could
// destroy the close frame on its way. Then the reader is cancelled and *awaited* before FlyingFox may close the
// descriptor, or a parked reader would be left behind. If the client is gone the reader sees it, also when no message
// is due, and ends both meeting points. If a write fails, FlyingFox drops the stream and so this object, and `deinit`
// does the same.

import FlyingFox
import Foundation
import Synchronization

/// The meeting points of one connection, shared by its tasks.
struct WebSocketEnds: Sendable {
    /// Nil if nobody wants to know what the client says.
    let inbox: Rendezvous<WebMessage>?
    let outbox = Rendezvous<WSFrame>()

    /// Begins an orderly end with this close frame.
    func conclude(with frame: WSFrame) {
        outbox.conclude(with: frame)
        if let inbox { inbox.close() } else { outbox.close() }
    }

    /// The client is gone.
    func cut() {
        outbox.end()
        inbox?.end()
    }
}

final class WebSocketLine: Sendable {
    typealias Work = @Sendable (WebSocketEnds) async -> Void

    private struct Tasks {
        let worker: Task<Void, Never>
        let reader: Task<Void, Never>
        let heart: Task<Void, Never>
    }

    private let client: AsyncThrowingStream<WSFrame, any Error>
    private let ends: WebSocketEnds
    private let work: Work
    private let limits: WebLimits
    private let ticket: LiveStreams.Ticket
    private let tasks = Mutex<Tasks?>(nil)
    private let hasSentClose = Atomic(false)

    init(
        client: AsyncThrowingStream<WSFrame, any Error>, ends: WebSocketEnds, limits: WebLimits,
        streams: LiveStreams, work: @escaping Work
    ) {
        (self.client, self.ends, self.limits, self.work) = (client, ends, limits, work)
        ticket = streams.enter { ends.conclude(with: .close(code: WSCloseCode(1001, reason: "the server stops"))) }
    }

    deinit {
        ends.cut()
        tasks.withLock { tasks in
            tasks?.reader.cancel()
            tasks?.heart.cancel()
            // A conversation's worker ends by itself, so that `end()` is not called in a cancelled task.
            if ends.inbox == nil { tasks?.worker.cancel() }
        }
    }

    /// The next frame to write; nil once the socket may be closed. Called by FlyingFox alone, one call at a time.
    func next() async -> WSFrame? {
        start()
        if let frame = await ends.outbox.take() {
            if frame.opcode == .close { hasSentClose.store(true, ordering: .relaxed) }
            return frame
        }
        guard let tasks = tasks.withLock({ $0 }) else { return nil }
        tasks.heart.cancel()
        if ends.inbox == nil { tasks.worker.cancel() }
        let linger = hasSentClose.load(ordering: .relaxed) && !Task.isCancelled ? limits.linger : .zero
        let timer = Task {
            try? await Task.sleep(for: linger)
            tasks.reader.cancel()
        }
        await tasks.reader.value
        timer.cancel()
        return nil
    }

    /// Starts the tasks at the first pull, which is when the 101 response has been written.
    private func start() {
        tasks.withLock { [client, ends, work, limits, ticket] tasks in
            guard tasks == nil else { return }
            let worker = Task {
                await work(ends)
                withExtendedLifetime(ticket) {}
            }
            let pulse = Pulse()
            let reader = Task {
                await Self.read(client, into: ends, limits: limits, pulse: pulse)
                if ends.inbox == nil { worker.cancel() }
            }
            let heart = Task {
                var silent = 0
                while (try? await Task.sleep(for: limits.heartbeat)) != nil {
                    silent = pulse.wasFelt() ? 0 : silent + 1
                    guard silent <= limits.silentHeartbeats else { return ends.cut() }
                    let ping = WSFrame(fin: true, opcode: .ping, mask: nil, payload: Data())
                    guard ends.outbox.interject(ping) else { return }
                }
            }
            tasks = Tasks(worker: worker, reader: reader, heart: heart)
        }
    }

    private static func read(
        _ client: AsyncThrowingStream<WSFrame, any Error>, into ends: WebSocketEnds, limits: WebLimits,
        pulse: Pulse
    ) async {
        let allowance = ReadAllowance(limit: limits.messageBytes)
        await ReadAllowance.$current.withValue(allowance) {
            var assembler = WebSocketAssembler(limit: limits.messageBytes)
            var frames = client.makeAsyncIterator()
            do {
                while let frame = try await frames.next() {
                    allowance.frameEnded()
                    pulse.state = .heard
                    let event: WebSocketAssembler.Event?
                    do throws(WebSocketViolation) {
                        event = try assembler.accept(frame)
                    } catch {
                        ends.conclude(with: error.frame)
                        while let frame = try await frames.next(), frame.opcode != .close { allowance.frameEnded() }
                        return
                    }
                    switch event {
                    case .message(let message):
                        pulse.state = .busy
                        _ = await ends.inbox?.send(message)
                        pulse.state = .heard
                    case .ping(let payload):
                        ends.outbox.interject(WSFrame(fin: true, opcode: .pong, mask: nil, payload: payload))
                    case .close(let answer):
                        return ends.conclude(with: answer)
                    case nil:
                        break
                    }
                }
                ends.cut()
            } catch let violation as WebSocketViolation {
                // In the middle of a frame: what follows cannot be parsed. Leave the client time to read the reason.
                ends.conclude(with: violation.frame)
                try? await Task.sleep(for: limits.linger)
            } catch {
                ends.cut()
            }
        }
    }

    /// Whether the client has been heard lately. While we are busy with its message it need not speak.
    private final class Pulse: Sendable {
        enum State { case silent, heard, busy }
        private let current = Mutex(State.heard)

        var state: State {
            get { current.withLock { $0 } }
            set { current.withLock { $0 = newValue } }
        }

        func wasFelt() -> Bool {
            current.withLock { state in
                defer { if state == .heard { state = .silent } }
                return state != .silent
            }
        }
    }
}

/// Sends the elements of a sequence, each pulled when the socket can take it; what the client says is dropped.
struct WebSocketSubscription<Messages: AsyncSequence & Sendable>: WSHandler where Messages.Element == WebMessage {
    let messages: Messages
    let limits: WebLimits
    let streams: LiveStreams

    func makeFrames(for client: AsyncThrowingStream<WSFrame, any Error>) async throws -> AsyncStream<WSFrame> {
        let ends = WebSocketEnds(inbox: nil)
        let line = WebSocketLine(client: client, ends: ends, limits: limits, streams: streams) { [messages] ends in
            do {
                var iterator = messages.makeAsyncIterator()
                while await ends.outbox.demand() {
                    guard let message = try await iterator.next() else { break }
                    ends.outbox.give(WSFrame(message))
                }
                ends.outbox.conclude(with: .close(code: WSCloseCode(1000)))
            } catch {
                ends.outbox.conclude(with: closeFrame(for: error))
            }
            ends.outbox.close()
        }
        return AsyncStream { await line.next() }
    }
}

/// Answers each message of a client, in order.
struct WebSocketDialogue<Conversation: WebConversation>: WSHandler {
    let conversation: Conversation
    let limits: WebLimits
    let streams: LiveStreams

    func makeFrames(for client: AsyncThrowingStream<WSFrame, any Error>) async throws -> AsyncStream<WSFrame> {
        let ends = WebSocketEnds(inbox: Rendezvous())
        let line = WebSocketLine(client: client, ends: ends, limits: limits, streams: streams) { [conversation] ends in
            var conversation = conversation
            do {
                while let message = await ends.inbox?.take() {
                    for reply in try await conversation.receive(message) {
                        _ = await ends.outbox.send(WSFrame(reply))
                    }
                }
            } catch {
                ends.conclude(with: closeFrame(for: error))
            }
            for reply in await conversation.end() { _ = await ends.outbox.send(WSFrame(reply)) }
            ends.outbox.close()
        }
        return AsyncStream { await line.next() }
    }
}

private func closeFrame(for error: any Error) -> WSFrame {
    (error as? WebSocketViolation ?? WebSocketViolation(code: 1011, reason: "\(error)")).frame
}
