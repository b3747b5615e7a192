// Where a token is asked for: nothing of a connection is decoded before its first line has shown it.

import NIOCore

/// Waits for the line `!token TOKEN`.
struct FeedDoor: Sendable {
    enum Answer { case admitted, refused(String), undecided }

    let token: BearerToken
    private var line: [UInt8] = []

    init(token: BearerToken) { self.token = token }

    /// Takes bytes up to the end of the first line.
    mutating func knock(_ bytes: inout ByteBuffer) -> Answer {
        let view = bytes.readableBytesView
        let end = view.firstIndex(of: UInt8(ascii: "\n"))
        line += view[..<(end ?? view.endIndex)]
        bytes.moveReaderIndex(forwardBy: end.map { $0 - view.startIndex + 1 } ?? view.count)
        let text = String(decoding: line.prefix(1024), as: UTF8.self)
        guard text.hasPrefix("!") else {
            return line.isEmpty && end == nil ? .undecided : .refused("a line without it")
        }
        guard end != nil else { return line.count > 1024 ? .refused("a line too long") : .undecided }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "!token" else { return .refused("another directive") }
        return token.matches(words[1]) ? .admitted : .refused("another token")
    }
}
