// Where a token is asked for: nothing of a connection is decoded before its first line has shown it.

import Eddy
import NIOCore

/// A sender that did not show the token. Its bytes were dropped.
struct AdmissionError: Error, CustomStringConvertible {
    let description: String

    init(got: String) {
        let expected = "`!token TOKEN` as the first line, with the server's token"
        description = "\(SampleError(.token, line: 1, field: "token", expected: expected, got: got))"
    }
}

/// Waits for the line `!token TOKEN`.
struct TokenLine: Sendable {
    private let token: BearerToken
    private var line: [UInt8] = []

    init(_ token: BearerToken) { self.token = token }

    /// Takes bytes up to the end of the first line.
    ///
    /// - Returns: whether the token has come.
    /// - Throws: ``AdmissionError`` where something else has.
    mutating func take(_ bytes: inout ByteBuffer) throws(AdmissionError) -> Bool {
        let view = bytes.readableBytesView
        let end = view.firstIndex(of: UInt8(ascii: "\n"))
        line += view[..<(end ?? view.endIndex)]
        bytes.moveReaderIndex(forwardBy: end.map { $0 - view.startIndex + 1 } ?? view.count)
        let text = String(decoding: line.prefix(1024), as: UTF8.self)
        guard text.hasPrefix("!") else {
            if line.isEmpty, end == nil { return false }
            throw AdmissionError(got: "a line without it")
        }
        guard end != nil else {
            if line.count > 1024 { throw AdmissionError(got: "a line too long") }
            return false
        }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "!token" else { throw AdmissionError(got: "another directive") }
        guard token.matches(words[1]) else { throw AdmissionError(got: "another token") }
        return true
    }
}

/// A connection's bytes, behind the token where one is asked for.
struct AdmittedSequence<Base: AsyncSequence>: AsyncSequence where Base.Element == ByteBuffer {
    typealias Element = ByteBufferView

    let base: Base
    let token: BearerToken?

    func makeAsyncIterator() -> Iterator {
        Iterator(base: base.makeAsyncIterator(), line: token.map { TokenLine($0) })
    }

    struct Iterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        /// Nil once the token has come.
        var line: TokenLine?

        mutating func next() async throws -> ByteBufferView? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBufferView? {
            while let bytes = try await base.next(isolation: actor) {
                guard line != nil else { return bytes.readableBytesView }
                var rest = bytes
                guard try line!.take(&rest) else { continue }
                line = nil
                if rest.readableBytes > 0 { return rest.readableBytesView }
            }
            if line != nil { throw AdmissionError(got: "none") }
            return nil
        }
    }
}

extension AsyncSequence where Element == ByteBuffer {
    /// The bytes behind the line `!token TOKEN`; all of them where no token is asked for.
    ///
    /// The sequence throws ``AdmissionError`` where another line comes first, or none.
    func admitted(by token: BearerToken?) -> AdmittedSequence<Self> { AdmittedSequence(base: self, token: token) }
}
