// Who may talk to the server from inside a browser: only pages that the server itself has served.
//
// A browser lets any page open a websocket to 127.0.0.1 or post a form there; only the Origin header tells. So an
// Origin that is not the host being asked is refused, before any upgrade. DNS rebinding turns a foreign name into our
// address and makes both headers agree, but needs a *name*: a server on loopback therefore answers only to localhost,
// to its own name and to IP literals. Programs send no Origin and are not concerned. This is not authentication.

import Foundation

enum RequestOrigin {
    /// Why the request is refused, or nil.
    ///
    /// - Parameters:
    ///   - host: the one Host header.
    ///   - origins: the Origin headers, none or one.
    ///   - boundHost: the host the server listens on, as configured.
    static func refusal(host: String?, origins: [String], boundHost: String) -> String? {
        guard let host, let asked = Authority(host) else {
            return "the Host header is missing, malformed or not the only one"
        }
        if isLoopback(boundHost), !isLoopback(asked.host), !isAddress(asked.host), asked.host != boundHost.lowercased()
        {
            return "the server listens on loopback and does not answer to the name \(asked.host)"
        }
        guard let origin = origins.first else { return nil }
        guard origins.count == 1 else { return "there is more than one Origin header" }
        let parts = origin.split(separator: "://", maxSplits: 1).map(String.init)
        guard parts.count == 2, let page = Authority(parts[1]) else {
            return "the origin \(origin) may not use this server"
        }
        let defaultPort = parts[0].lowercased() == "https" ? 443 : 80
        guard page.host == asked.host, page.port ?? defaultPort == asked.port ?? defaultPort else {
            return "pages from \(origin) may not use this server"
        }
        return nil
    }

    /// True for localhost, 127.0.0.0/8 and ::1.
    static func isLoopback(_ host: String) -> Bool {
        let host = host.lowercased()
        if host == "localhost" || host == "::1" { return true }
        return host.hasPrefix("127.") && isAddress(host)
    }

    /// True for an IPv4 or IPv6 literal, without brackets.
    static func isAddress(_ host: String) -> Bool {
        var buffer = in6_addr()
        return inet_pton(AF_INET, host, &buffer) == 1 || inet_pton(AF_INET6, host, &buffer) == 1
    }

    /// `host[:port]`, where an IPv6 host stands in brackets.
    private struct Authority {
        let host: String
        let port: Int?

        init?(_ text: String) {
            let text = text.lowercased()
            let end: String.Index
            if text.hasPrefix("[") {
                guard let bracket = text.firstIndex(of: "]") else { return nil }
                host = String(text[text.index(after: text.startIndex)..<bracket])
                end = text.index(after: bracket)
            } else {
                end = text.firstIndex(of: ":") ?? text.endIndex
                host = String(text[..<end])
            }
            guard !host.isEmpty else { return nil }
            if end == text.endIndex {
                port = nil
            } else {
                guard text[end] == ":", let port = UInt16(text[text.index(after: end)...]) else { return nil }
                self.port = Int(port)
            }
        }
    }
}
