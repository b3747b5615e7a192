// A program that runs beside a measurement and never outlives it.
//
// Foundation's Process would do, but puts milliseconds of its own before the program's first instruction, which is
// what start-up measures. A guard ends the child where this process is killed before it can: a subshell that waits
// for the end of a pipe whose other end we hold.

import Foundation

final class ChildProcess {
    let pid: pid_t
    private let output: Int32
    private let lifeline: Int32
    private var buffered: [UInt8] = []
    private var isEnded = false

    /// How long a child may take to say a line, or to end.
    static let patience = 20.0

    /// Starts this very program with other arguments; its standard output is read by ``line()``.
    ///
    /// - Parameter isGuarded: a shell comes first, which costs a millisecond.
    init(_ arguments: [String], isGuarded: Bool = true) throws {
        guard let program = Bundle.main.executablePath else {
            throw CommandError("cannot find this program's own file")
        }
        // $$ is the process that `exec` turns into the program.
        let script = "(read line; kill $$) <&3 >/dev/null 2>&1 3<&- & exec \"$0\" \"$@\" 3<&-"
        let command = (isGuarded ? ["/bin/sh", "-c", script] : []) + [program] + arguments
        let (reader, writer) = try ChildProcess.pipe()
        let (guardEnd, lifeline) = try ChildProcess.pipe()
        defer {
            close(writer)
            close(guardEnd)
        }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
        #else
            var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, writer, STDOUT_FILENO)
        if isGuarded { posix_spawn_file_actions_adddup2(&actions, guardEnd, 3) }
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, command[0], &actions, nil, &words, environ)
        guard status == 0 else {
            close(reader)
            close(lifeline)
            throw CommandError("cannot start \(command[0]): \(String(cString: strerror(status)))")
        }
        self.pid = pid
        self.lifeline = lifeline
        output = reader
    }

    deinit { end() }

    private static func pipe() throws -> (reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        guard Foundation.pipe(&ends) == 0 else { throw CommandError("no pipe: \(String(cString: strerror(errno)))") }
        // Above the descriptors that a child is given; closed in children unless given.
        let high = ends.map { end in
            defer { close(end) }
            return fcntl(end, F_DUPFD_CLOEXEC, 10)
        }
        return (high[0], high[1])
    }

    /// The next line that it prints. Throws where it ends first, or takes longer than ``patience``.
    func line() throws -> String {
        while true {
            if let newline = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffered.removeSubrange(...newline) }
                return String(decoding: buffered[..<newline], as: UTF8.self)
            }
            var ready = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            var bytes = [UInt8](repeating: 0, count: 4096)
            guard poll(&ready, 1, Int32(ChildProcess.patience * 1000)) == 1,
                case let count = read(output, &bytes, bytes.count), count > 0
            else { throw CommandError("a child of this program did not start") }
            buffered += bytes[..<count]
        }
    }

    /// Ends it in order, or by force where that takes too long, and waits until it has ended.
    func end() {
        guard !isEnded else { return }
        isEnded = true
        kill(pid, SIGTERM)
        var status: Int32 = 0
        var waited = 0.0
        while waitpid(pid, &status, WNOHANG) == 0 {
            usleep(2000)
            waited += 0.002
            if waited > ChildProcess.patience {
                kill(pid, SIGKILL)
                waitpid(pid, &status, 0)
                break
            }
        }
        close(lifeline)
        close(output)
    }

    // MARK: What it takes, where the system tells (Linux)

    /// Resident memory in bytes, now and at most.
    var memory: (resident: Int, peak: Int)? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
        func kilobytes(_ name: String) -> Int? {
            text.split(separator: "\n").first { $0.hasPrefix(name + ":") }?
                .split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
        }
        guard let resident = kilobytes("VmRSS"), let peak = kilobytes("VmHWM") else { return nil }
        return (resident * 1024, peak * 1024)
    }

    /// Seconds of CPU time so far, in steps of about a hundredth.
    var cpuSeconds: Double? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")  // from field 3 of proc(5) on
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// `eddy serve` as a child, listening on free ports.
final class ServerProcess {
    let process: ChildProcess
    let feedPort: Int
    let webPort: Int

    /// Workload W1 as other programs have it: logistic regression by plain SGD from zeros, nothing scaled.
    static let fixed = [
        "--layers", "none", "--loss", "binary-cross-entropy", "--classes", "0,1", "--no-scaling", "--clip", "none",
        "--learning-rate", "0.05", "--initialization", "zeros",
    ]

    init(_ options: [String], isGuarded: Bool = true) throws {
        process = try ChildProcess(
            ["serve", "--port", "0", "--http-port", "0", "--log-level", "error"] + options, isGuarded: isGuarded)
        var feedPort: Int?
        while true {
            let words = try process.line().split(separator: " ")
            if words.first == "feed", words.count > 2 { feedPort = Int(words[2]) }
            guard words.first == "dashboard", words.count > 1 else { continue }
            guard let feedPort, let webPort = URLComponents(string: String(words[1]))?.port else {
                throw CommandError("the server did not say where it listens")
            }
            (self.feedPort, self.webPort) = (feedPort, webPort)
            return
        }
    }
}
