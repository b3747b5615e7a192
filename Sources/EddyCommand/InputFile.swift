// Files and standard input as sources of a pipeline; and where words to people go.

import AsyncAlgorithms
import Eddy
import Foundation
import Synchronization

/// The bytes of a file, block by block, read by a task of their own.
///
/// Reading and learning overlap by one block: the channel holds the reader until the pipeline has taken what it read.
struct FileBytes: AsyncSequence, Sendable {
    typealias Element = [UInt8]
    typealias Failure = any Error

    let path: String
    /// Called with the size of each block.
    var counted: @Sendable (Int) -> Void = { _ in }

    func makeAsyncIterator() -> AsyncThrowingChannel<[UInt8], any Error>.AsyncIterator {
        let channel = AsyncThrowingChannel<[UInt8], any Error>()
        let (path, counted) = (path, counted)
        Task {
            do {
                try await InputFile.read(path) { block in
                    await channel.send(block)
                    counted(block.count)
                    return !Interrupt.isSet
                }
                channel.finish()
            } catch {
                channel.fail(error)
            }
        }
        return channel.makeAsyncIterator()
    }
}

enum InputFile {
    /// Calls `body` with each block of the file until it returns false. `-` is standard input. Compressed files are
    /// decompressed.
    static func read(_ path: String, _ body: ([UInt8]) async throws -> Bool) async throws {
        let handle: Int32
        if path == "-" {
            handle = STDIN_FILENO
        } else {
            handle = open(path, O_RDONLY | O_CLOEXEC)
            guard handle >= 0 else { throw CommandError("cannot read \(path): \(String(cString: strerror(errno)))") }
        }
        defer { if path != "-" { close(handle) } }
        var beginning: [UInt8] = []
        var isBeginning = true
        while true {
            // Waits a moment at a time, so that Ctrl-C is noticed while nothing comes.
            var ready = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
            while poll(&ready, 1, 100) == 0 { if Interrupt.isSet { return } }
            guard let block = try block(handle, path) else { continue }
            guard isBeginning else {
                if block.isEmpty { return }
                guard try await body(block) else { return }
                continue
            }
            beginning += block
            if !block.isEmpty, Compression.isPossible(beginning) { continue }
            isBeginning = false
            if let kind = Compression(beginning) {
                return try await Decompressor(kind, path: path).read(beginning, handle, path: path, body)
            }
            guard !beginning.isEmpty, try await body(beginning), !block.isEmpty else { return }
        }
    }

    /// The next bytes of a file; empty at its end, nil where a signal came between.
    static func block(_ handle: Int32, _ path: String) throws -> [UInt8]? {
        var count = 0
        let block = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, filled in
            count = Foundation.read(handle, buffer.baseAddress!, buffer.count)
            filled = max(0, count)
        }
        if count < 0 {
            if errno == EINTR || errno == EAGAIN { return nil }
            throw CommandError("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return block
    }

    /// Throws where a file cannot be read, before anything is done with others.
    static func check(_ path: String) throws {
        guard path != "-" else { return }
        var info = stat()
        guard access(path, R_OK) == 0, stat(path, &info) == 0 else {
            throw CommandError("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        if info.st_mode & S_IFMT == S_IFDIR { throw CommandError("cannot read \(path): it is a directory") }
    }

    /// How many bytes will be read of a file; nil where that is not known, as of a pipe or compressed.
    static func size(_ path: String) -> Int? {
        var info = stat()
        guard path != "-", stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG,
            Compression(path: path) == nil
        else { return nil }
        return Int(info.st_size)
    }
}

enum OutputFile {
    /// Throws where a model could not be saved at the end, while there is still time to choose another place.
    static func check(_ path: String) throws {
        let trial = path + ".\(getpid()).tmp"
        let file = open(trial, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw CommandError("cannot save to \(path): \(String(cString: strerror(errno)))") }
        close(file)
        unlink(trial)
    }
}

enum Terminal {
    /// Whether standard error is a terminal, where a line can be drawn over.
    static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

    /// A line to standard output, at once also where that is a pipe.
    static func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

    static func complain(_ text: String) { write(text + "\n") }

    static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
