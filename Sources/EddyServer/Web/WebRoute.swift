// What the server answers to one method and path. Three kinds: a response, a stream out, a conversation.
//
//     WebRoute.get("/healthz") { _ in .json(["status": "ok"]) }
//     WebRoute.stream("/losses") { _ in losses }
//     WebRoute.conversation("/feed") { request in FeedConversation(session) }
//
// A route that cannot serve a request throws a `WebError` and the client gets its status and reason as JSON.

import NIOHTTP1

struct WebRoute: Sendable {
    typealias Respond = @Sendable (WebRequest) async throws -> WebResponse
    enum Kind: Sendable {
        case response(Respond)
        case stream(@Sendable (WebRequest) async throws -> any MessageStream)
        case conversation(@Sendable (WebRequest) async throws -> any WebConversation)
    }

    let method: HTTPMethod
    let path: String
    let kind: Kind
    /// Whether it is served without the token.
    var isPublic = false

    static func get(_ path: String, isPublic: Bool = false, respond: @escaping Respond) -> WebRoute {
        WebRoute(method: .GET, path: path, kind: .response(respond), isPublic: isPublic)
    }

    /// A route whose request has a body: `request.body`, piece by piece or whole.
    static func post(_ path: String, respond: @escaping Respond) -> WebRoute {
        WebRoute(method: .POST, path: path, kind: .response(respond))
    }

    /// Messages out, as a websocket or as server-sent events, whichever the request asks for.
    ///
    /// - Parameter messages: called for each subscriber; sends as fast as its socket takes messages.
    static func stream(
        _ path: String, messages: @escaping @Sendable (WebRequest) async throws -> any MessageStream
    ) -> WebRoute {
        WebRoute(method: .GET, path: path, kind: .stream(messages))
    }

    /// A websocket that is read and answered.
    static func conversation(
        _ path: String, open: @escaping @Sendable (WebRequest) async throws -> any WebConversation
    ) -> WebRoute {
        WebRoute(method: .GET, path: path, kind: .conversation(open))
    }
}

/// Routes by path.
struct WebRoutes: Sendable {
    private let routes: [String: [WebRoute]]

    init(_ routes: [WebRoute]) { self.routes = Dictionary(grouping: routes, by: \.path) }

    /// The route for a request; HEAD is served wherever GET is.
    /// - Throws: ``WebError`` 404 or 405.
    func route(_ method: HTTPMethod, _ path: String) throws(WebError) -> WebRoute {
        guard let candidates = routes[path] else {
            throw WebError(.notFound, "there is nothing at \(path.prefix(200))")
        }
        if let route = candidates.first(where: { $0.method == (method == .HEAD ? .GET : method) }) { return route }
        throw WebError(.methodNotAllowed, "\(path) takes \(allowed(path)), not \(method.rawValue)")
    }

    /// The methods of a path, as the header Allow has them.
    func allowed(_ path: String) -> String {
        (routes[path] ?? []).flatMap { $0.method == .GET ? ["GET", "HEAD"] : [$0.method.rawValue] }
            .joined(separator: ", ")
    }
}
