// The secret that a client may have to know (RFC 6750): in the header `Authorization: Bearer …`, or, since a page's
// websocket can set no header, as the subprotocol `token.` followed by the token in base64url, beside `eddy`.

import Foundation
import NIOHTTP1

/// A secret for feed, streams and interface.
///
///     let token = try BearerToken(file: "/etc/eddy/token")
public struct BearerToken: Sendable {
    /// The subprotocol that is agreed on.
    static let subprotocol = "eddy"

    private let secret: [UInt8]

    /// - Throws: ``ListenError`` where it is shorter than 8 characters, or has others than visible ASCII.
    public init(_ secret: String) throws {
        guard secret.utf8.count >= 8, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ListenError("the token needs at least 8 characters, all visible ASCII without blanks")
        }
        self.secret = Array(secret.utf8)
    }

    /// The first line of a file, without blanks at its ends.
    public init(file: String) throws {
        let text: String
        do { text = try String(contentsOfFile: file, encoding: .utf8) } catch {
            throw ListenError("the token file \(file) cannot be read: \(error.localizedDescription)")
        }
        let line = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).first ?? ""
        do { try self.init(line.trimmingCharacters(in: .whitespaces)) } catch {
            throw ListenError("\(file): \(error)")
        }
    }

    /// Whether a word is the secret. Takes the same time for every word of a length, so that it cannot be guessed
    /// byte by byte.
    public func matches(_ word: some StringProtocol) -> Bool {
        let word = Array(word.utf8)
        var difference = word.count ^ secret.count
        for (i, byte) in secret.enumerated() { difference |= Int(byte ^ (i < word.count ? word[i] : 0)) }
        return difference == 0
    }

    /// What the header Authorization says to a server that asks for it.
    public var authorization: String { "Bearer " + String(decoding: secret, as: UTF8.self) }

    /// Whether a request carries the secret.
    func isCarried(by headers: HTTPHeaders) -> Bool {
        for value in headers["authorization"] {
            let parts = value.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer", matches(parts[1]) { return true }
        }
        for word in headers[canonicalForm: "sec-websocket-protocol"] where word.hasPrefix("token.") {
            if let token = BearerToken.decoded(word.dropFirst(6)), matches(token) { return true }
        }
        return false
    }

    /// base64url without padding (RFC 4648 §5).
    private static func decoded(_ text: Substring) -> String? {
        var text = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        text += String(repeating: "=", count: (4 - text.count % 4) % 4)
        return Data(base64Encoded: text).map { String(decoding: $0, as: UTF8.self) }
    }
}
