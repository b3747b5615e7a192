// The page and its parts, embedded in the binary.

import Eddy
import NIOCore

enum Assets {
    /// Nothing is loaded from elsewhere, and nothing inline is run.
    private static let policy =
        "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'; "
        + "base-uri 'none'; form-action 'self'"

    static var routes: [WebRoute] {
        [page] + parts.map { name, bytes in asset("/assets/\(name)", type: type(of: name), ByteBuffer(bytes: bytes())) }
    }

    private static var page: WebRoute {
        let page = ByteBuffer(bytes: PackageResources.index_html)
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

    /// The files beside index.html, each read when the routes are made.
    private static let parts: [(name: String, bytes: @Sendable () -> [UInt8])] = [
        ("app.js", { PackageResources.app_js }),
        ("arrangement.js", { PackageResources.arrangement_js }),
        ("canvas.js", { PackageResources.canvas_js }),
        ("chart.js", { PackageResources.chart_js }),
        ("committee.js", { PackageResources.committee_js }),
        ("confusion.js", { PackageResources.confusion_js }),
        ("connection.js", { PackageResources.connection_js }),
        ("contours.js", { PackageResources.contours_js }),
        ("controls.js", { PackageResources.controls_js }),
        ("diagram.js", { PackageResources.diagram_js }),
        ("empty.js", { PackageResources.empty_js }),
        ("explanation.js", { PackageResources.explanation_js }),
        ("export.js", { PackageResources.export_js }),
        ("figures.js", { PackageResources.figures_js }),
        ("format.js", { PackageResources.format_js }),
        ("gestures.js", { PackageResources.gestures_js }),
        ("health.js", { PackageResources.health_js }),
        ("heatmap.js", { PackageResources.heatmap_js }),
        ("histogram-strip.js", { PackageResources.histogram_strip_js }),
        ("history.js", { PackageResources.history_js }),
        ("inspector.js", { PackageResources.inspector_js }),
        ("layer-history.js", { PackageResources.layer_history_js }),
        ("layer-maps.js", { PackageResources.layer_maps_js }),
        ("layers.js", { PackageResources.layers_js }),
        ("learner.css", { PackageResources.learner_css }),
        ("loss.js", { PackageResources.loss_js }),
        ("marks.js", { PackageResources.marks_js }),
        ("metrics.js", { PackageResources.metrics_js }),
        ("model.js", { PackageResources.model_js }),
        ("network.js", { PackageResources.network_js }),
        ("node-buttons.js", { PackageResources.node_buttons_js }),
        ("panel.js", { PackageResources.panel_js }),
        ("paths.js", { PackageResources.paths_js }),
        ("poll.js", { PackageResources.poll_js }),
        ("race.js", { PackageResources.race_js }),
        ("sample-choice.js", { PackageResources.sample_choice_js }),
        ("scales.js", { PackageResources.scales_js }),
        ("shades.js", { PackageResources.shades_js }),
        ("sheet.js", { PackageResources.sheet_js }),
        ("space.js", { PackageResources.space_js }),
        ("state.js", { PackageResources.state_js }),
        ("status.js", { PackageResources.status_js }),
        ("style.css", { PackageResources.style_css }),
        ("surface.js", { PackageResources.surface_js }),
        ("terms.js", { PackageResources.terms_js }),
        ("theme.js", { PackageResources.theme_js }),
        ("traffic.js", { PackageResources.traffic_js }),
    ]
}
