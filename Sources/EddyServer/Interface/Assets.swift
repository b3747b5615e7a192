// The page and its parts, embedded in the binary.

import CWebAssets
import Eddy
import NIOCore

enum Assets {
    /// Nothing is loaded from elsewhere, and nothing inline is run.
    private static let policy =
        "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'; "
        + "base-uri 'none'; form-action 'self'"

    static var routes: [WebRoute] {
        [page] + files.dropFirst(2).map { asset("/assets/\($0.name)", type: type(of: $0.name), $0.bytes) }
    }

    private static var page: WebRoute {
        let page = file("index.html")
        return .get("/", isPublic: true) { _ in
            var response = WebResponse(type: "text/html; charset=utf-8", cache: "no-cache", page)
            response.headers.add(name: "Content-Security-Policy", value: policy)
            response.headers.add(name: "Referrer-Policy", value: "no-referrer")
            return response
        }
    }

    private static func asset(_ path: String, type: String, _ bytes: ByteBuffer) -> WebRoute {
        // A browser asks each time whether it is still the same; another version of the server has another tag.
        let tag = "\"\(EddyVersion.current)-\(String(FNV1a.hash(bytes.readableBytesView), radix: 16))\""
        return .get(path, isPublic: true) { request in
            let isKnown = request.headers["if-none-match"].contains(tag)
            var response = WebResponse(
                isKnown ? .notModified : .ok, type: type, cache: "no-cache", isKnown ? ByteBuffer() : bytes)
            response.headers.add(name: "ETag", value: tag)
            return response
        }
    }

    private static func type(of name: String) -> String {
        name.hasSuffix(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8"
    }

    /// The description of the HTTP interface.
    static var description: ByteBuffer { file("openapi.json") }

    private static func file(_ name: String) -> ByteBuffer {
        guard let asset = files.first(where: { $0.name == name }) else {
            preconditionFailure("no embedded file \(name)")
        }
        return asset.bytes
    }

    /// Every embedded file (Sources/CWebAssets/assets.c), read when the routes are made.
    private static let files: [(name: String, bytes: ByteBuffer)] = {
        var files: [(name: String, bytes: ByteBuffer)] = []
        var next = web_assets()!
        while let name = next.pointee.name {
            files.append((String(cString: name), ByteBuffer(string: String(cString: next.pointee.bytes))))
            next += 1
        }
        return files
    }()
}
