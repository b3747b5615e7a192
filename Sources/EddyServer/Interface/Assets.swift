// The page and its parts, embedded in the binary.

import NIOCore

enum Assets {
    static let routes: [WebRoute] = [
        .get("/", isPublic: true) { _ in
            WebResponse(
                type: "text/html; charset=utf-8", cache: "no-cache", ByteBuffer(bytes: PackageResources.dashboard_html))
        }
    ]
}
