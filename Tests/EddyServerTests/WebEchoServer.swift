// Not a test of its own: the websocket server that scripts/autobahn lets Autobahn's fuzzing client loose on.
//
// It serves `/echo` on the port that EDDY_ECHO_PORT names until the file that EDDY_ECHO_STOP names exists, and is
// skipped otherwise. Its limits are the server's own, but for the size of a message, as Autobahn sends up to 16 MB.

import Foundation
import NIOPosix
import Testing

@testable import EddyServer

private let environment = ProcessInfo.processInfo.environment

@Test(.enabled(if: environment["EDDY_ECHO_PORT"] != nil, "served for scripts/autobahn only"))
func echo_isServedUntilToldToStop() async throws {
    let port = try #require(environment["EDDY_ECHO_PORT"].flatMap { Int($0) })
    let stop = try #require(environment["EDDY_ECHO_STOP"])
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let large = limits { $0.messageBytes = 17 << 20 }
    let server = WebServer(limits: large, loop: group.next(), logger: silentLogger, routes: [.echo])
    _ = try await server.listen(port: port)
    while !FileManager.default.fileExists(atPath: stop) { try await Task.sleep(for: .milliseconds(100)) }
    await server.stop()
    try await group.shutdownGracefully()
}
