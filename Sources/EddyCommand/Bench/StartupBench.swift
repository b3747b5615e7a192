// From starting the program to its first reply: what someone waits for who has just typed the command.

import Eddy
import Foundation

struct StartupReport: Encodable {
    /// Milliseconds from exec to the line that says where the server listens, and to the reply to a first sample.
    let listening: Spread
    let firstReply: Spread
    /// Resident bytes then; nil where the system does not tell.
    let residentBytes: Int?

    var text: String {
        var table = TextTable(["start-up, ms", "median", "shortest", "longest", "runs"])
        for (name, spread) in [("listening", listening), ("first reply", firstReply)] {
            table.add([
                name, decimal(spread.median, 1), decimal(spread.lowest, 1), decimal(spread.highest, 1),
                "\(spread.bursts)",
            ])
        }
        return table.text + "\n\(megabytes(residentBytes)) MB resident after the first reply"
    }
}

enum StartupBench {
    private static let runs = 11

    static func run() throws -> StartupReport {
        var listening: [Double] = []
        var firstReply: [Double] = []
        var resident: [Double] = []
        let sample = Array("0.5,1.5,a\n".utf8)
        for _ in 0..<runs {
            let start = ContinuousClock.now
            // Without the guard: its shell would be measured too. This child lives for some milliseconds.
            let server = try ServerProcess(["--reply", "predictions"], isGuarded: false)
            defer { server.process.end() }
            listening.append((ContinuousClock.now - start) / .milliseconds(1))
            let connection = try Loopback(port: server.feedPort)
            try sample.withUnsafeBufferPointer { try connection.send($0) }
            try connection.awaitLine()
            firstReply.append((ContinuousClock.now - start) / .milliseconds(1))
            if let memory = server.process.memory { resident.append(Double(memory.resident)) }
        }
        return StartupReport(
            listening: Spread(listening), firstReply: Spread(firstReply),
            residentBytes: resident.isEmpty ? nil : Int(Spread(resident).median))
    }
}
