// A compressed file's bytes, by the program that knows its kind: `gzip -dc` or `zstd -dc` as a child.
//
// A library for each kind would be more to build and keep than a reader of samples needs, and whoever has such files has
// the programs. One loop waits for whatever is ready of four: the file, the child's two ends, and its complaints; so it does
// not matter whether the file is one, or a pipe, or how far the child lags. The child never outlives its reading.
//
// Deliberately not here: feeds over the network, where a small message could become any amount of work.

import Foundation

/// A kind of compression, known by a file's first bytes.
enum Compression: String, CaseIterable {
    case gzip
    case zstd

    private var magic: [UInt8] {
        switch self {
        case .gzip: [0x1F, 0x8B]
        case .zstd: [0x28, 0xB5, 0x2F, 0xFD]
        }
    }

    /// What the bytes begin with; nil where it is none of these.
    init?(_ bytes: some Sequence<UInt8>) {
        guard let found = Compression.allCases.first(where: { bytes.starts(with: $0.magic) }) else { return nil }
        self = found
    }

    /// Whether more bytes could make one of these of the ones that have come.
    static func isPossible(_ bytes: [UInt8]) -> Bool {
        allCases.contains { bytes.count < $0.magic.count && $0.magic.starts(with: bytes) }
    }

    /// The kind of a file; nil where it is none of these, or cannot be read.
    init?(path: String) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4)
        let count = Foundation.read(file, &bytes, bytes.count)
        self.init(bytes.prefix(max(0, count)))
    }
}

/// The child, and our ends of its standard streams.
final class Decompressor {
    private let kind: Compression
    private let pid: pid_t
    /// A socket rather than a pipe: a child that ends early is then an error of ours and no signal.
    private var input: Int32
    private let output: Int32
    private let complaints: Int32
    /// What the child says is wrong, as far as it is kept.
    private var complaint: [UInt8] = []
    private var isSilent = false
    private var status: Int32?
    private var isClosed = false

    init(_ kind: Compression, path: String) throws {
        self.kind = kind
        var ends: [(ours: Int32, childs: Int32)] = []
        defer { for end in ends { close(end.childs) } }
        for _ in 0..<3 { ends.append(try Decompressor.socketPair()) }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // The thread that works here has signals blocked, and a child would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        for (stream, end) in ends.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, end.childs, Int32(stream))
        }
        let command = [kind.rawValue, "-dc"]
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, kind.rawValue, &actions, &attributes, &words, environ)
        guard failure == 0 else {
            for end in ends { close(end.ours) }
            let why = failure == ENOENT ? "which is not installed" : String(cString: strerror(failure))
            throw CommandError("cannot read \(path): it needs the program \(kind.rawValue), \(why)")
        }
        self.pid = pid
        (input, output, complaints) = (ends[0].ours, ends[1].ours, ends[2].ours)
    }

    deinit { end() }

    private static func socketPair() throws -> (ours: Int32, childs: Int32) {
        var ends: [Int32] = [0, 0]
        #if canImport(Darwin)
            let kind = SOCK_STREAM
        #else
            let kind = Int32(SOCK_STREAM.rawValue)
        #endif
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw CommandError("no socket: \(String(cString: strerror(errno)))")
        }
        // Above the descriptors that a child is given; closed in children unless given.
        let high = ends.map { end in
            defer { close(end) }
            return fcntl(end, F_DUPFD_CLOEXEC, 10)
        }
        #if canImport(Darwin)
            var on: Int32 = 1
            setsockopt(high[0], SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        #endif
        return (high[0], high[1])
    }

    /// Calls `body` with what the child makes of `beginning` and the rest of `source`, until it returns false.
    func read(
        _ beginning: [UInt8], _ source: Int32, path: String, _ body: ([UInt8]) async throws -> Bool
    ) async throws {
        var pending = beginning[...]
        var isSourceAtEnd = false
        while true {
            if isSourceAtEnd, pending.isEmpty { closeInput() }
            let wantsSource = pending.isEmpty && !isSourceAtEnd
            var ready = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isSilent ? -1 : complaints, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pending.isEmpty ? -1 : input, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: wantsSource ? source : -1, events: Int16(POLLIN), revents: 0),
            ]
            while poll(&ready, nfds_t(ready.count), 100) == 0 { if Interrupt.isSet { return end() } }
            if ready[0].revents != 0 {
                guard let block = try InputFile.block(output, path) else { continue }
                if block.isEmpty { break }
                guard try await body(block) else { return end() }
            }
            if ready[1].revents != 0 { listen() }
            if ready[2].revents != 0 {
                let count = pending.withUnsafeBytes { bytes in
                    send(input, bytes.baseAddress, bytes.count, Decompressor.sendFlags)
                }
                if count > 0 {
                    pending = pending.dropFirst(count)
                } else if count < 0, errno != EAGAIN, errno != EINTR {
                    (pending, isSourceAtEnd) = ([], true)  // the child has ended; its status says why
                }
            }
            if ready[3].revents != 0, let block = try InputFile.block(source, path) {
                (pending, isSourceAtEnd) = (block[...], block.isEmpty)
            }
        }
        try finish(path)
    }

    private static var sendFlags: Int32 {
        #if canImport(Darwin)
            MSG_DONTWAIT
        #else
            Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        #endif
    }

    private func listen() {
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = Foundation.read(complaints, &bytes, bytes.count)
        if count > 0 { complaint += bytes.prefix(min(count, 1000 - complaint.count)) }
        isSilent = count == 0 || (count < 0 && errno != EINTR)
    }

    private func closeInput() {
        guard input >= 0 else { return }
        close(input)
        input = -1
    }

    /// Waits for the child, and throws where the file was damaged.
    private func finish(_ path: String) throws {
        closeInput()
        while !isSilent { listen() }
        let status = wait()
        if Interrupt.isSet { return }  // which ends children too
        let code = (status >> 8) & 0xFF
        // gzip's 2 is a warning: something follows the compressed data.
        guard status != 0, status & 0x7F != 0 || code != 2 || kind != .gzip else { return }
        let text = String(decoding: complaint, as: UTF8.self)
        let line = text.split(whereSeparator: \.isNewline).first { !$0.allSatisfy(\.isWhitespace) }
        let why = line.map { "\($0)" } ?? "\(kind.rawValue) has failed"
        let end = status & 0x7F != 0 ? "signal \(status & 0x7F)" : "exit status \(code)"
        throw CommandError("cannot read \(path): \(why) (\(end))")
    }

    private func wait() -> Int32 {
        if let status { return status }
        var result: Int32 = 0
        while waitpid(pid, &result, 0) < 0, errno == EINTR {}
        status = result
        return result
    }

    /// Ends the child, where it has not ended, and waits until it has.
    private func end() {
        closeInput()
        if status == nil {
            kill(pid, SIGKILL)  // it has nothing to put away
            _ = wait()
        }
        guard !isClosed else { return }
        isClosed = true
        close(output)
        close(complaints)
    }
}
