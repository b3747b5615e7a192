// Plots as inline SVG: drawn once, readable without scripts, coloured by the page's variables.

import Eddy
import Foundation

/// Text as it may stand in HTML.
func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;")
}

/// An element; numbers are written with one digit after the point.
func tag(_ name: String, _ attributes: KeyValuePairs<String, any CustomStringConvertible>, _ content: String = "")
    -> String
{
    let words = attributes.map { key, value in
        let text = (value as? Double).map { decimal($0, 1) } ?? value.description
        return " \(key)=\"\(escaped(text))\""
    }
    return "<\(name)\(words.joined())>\(content)</\(name)>"
}

/// Points of a polyline.
private func path(_ points: [(Double, Double)]) -> String {
    points.map { "\(decimal($0, 1)),\(decimal($1, 1))" }.joined(separator: " ")
}

/// Lines over the samples.
struct LinePlot {
    struct Line {
        let name: String
        /// The class that colours it: `c0` to `c5`, or `base`.
        let style: String
        let points: [(x: Double, y: Double)]
    }

    let title: String
    let lines: [Line]
    /// The least that the axis shows; nil: what the lines need.
    var floor: Double?
    var ceiling: Double?

    private static let (width, height) = (600.0, 260.0)
    private static let (left, right, top, bottom) = (52.0, 12.0, 10.0, 30.0)

    var svg: String {
        let (low, high) = range
        let last = lines.flatMap { $0.points.map(\.x) }.max() ?? 1
        let ticks = LinePlot.ticks(low, high)
        let (bottomTick, topTick) = (min(low, ticks.first ?? low), max(high, ticks.last ?? high))
        func x(_ value: Double) -> Double {
            LinePlot.left + value / last * (LinePlot.width - LinePlot.left - LinePlot.right)
        }
        func y(_ value: Double) -> Double {
            let share = (min(max(value, bottomTick), topTick) - bottomTick) / (topTick - bottomTick)
            return LinePlot.height - LinePlot.bottom - share * (LinePlot.height - LinePlot.top - LinePlot.bottom)
        }
        var parts: [String] = []
        for tick in ticks {
            parts.append(LinePlot.rule(LinePlot.left, y(tick), LinePlot.width - LinePlot.right, y(tick)))
            parts.append(LinePlot.label(LinePlot.left - 8, y(tick) + 4, "end", LinePlot.short(tick)))
        }
        let marks = LinePlot.ticks(0, last).filter { $0 <= last }
        for (index, tick) in marks.enumerated() {
            let words = LinePlot.short(tick) + (index == marks.count - 1 ? " samples" : "")
            let anchor = x(tick) > LinePlot.width - 60 ? "end" : "middle"
            parts.append(LinePlot.label(x(tick), LinePlot.height - 10, anchor, words))
        }
        for line in lines where !line.points.isEmpty {
            let points = path(line.points.map { (x($0.x), y($0.y)) })
            parts.append(
                tag("polyline", ["class": line.style, "points": points], tag("title", [:], escaped(line.name))))
        }
        let box = "0 0 \(Int(LinePlot.width)) \(Int(LinePlot.height))"
        return tag("svg", ["viewBox": box, "role": "img", "aria-label": title], parts.joined())
    }

    /// What the axis covers: all but the extremes of the first samples, which say little and would flatten the rest.
    private var range: (Double, Double) {
        let last = lines.flatMap { $0.points.map(\.x) }.max() ?? 1
        let settled = lines.flatMap { $0.points.filter { $0.x >= last / 8 }.map(\.y) }.sorted()
        guard let least = settled.first, let most = settled.last else { return (0, 1) }
        let low = floor ?? least
        let high = min(most, settled[settled.count * 99 / 100] * 1.25 + (least < 0 ? abs(least) : 0))
        return (low, max(min(ceiling ?? .infinity, max(high, low)), low + 1e-9 * max(1, abs(low))))
    }

    static func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String = "rule") -> String {
        tag("line", ["class": style, "x1": x1, "y1": y1, "x2": x2, "y2": y2])
    }

    static func label(_ x: Double, _ y: Double, _ anchor: String, _ text: String) -> String {
        tag("text", ["x": x, "y": y, "text-anchor": anchor], escaped(text))
    }

    /// Four or so round numbers.
    static func ticks(_ low: Double, _ high: Double) -> [Double] {
        let rough = (high - low) / 4
        guard rough > 0, rough.isFinite else { return [low] }
        let power = pow(10, (log10(rough)).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
        let first = (low / step).rounded(.down)
        let last = (high / step - 1e-9).rounded(.up)
        guard last - first < 12 else { return [low, high] }
        return (0...max(1, Int(last - first))).map { (first + Double($0)) * step }
    }

    static func short(_ value: Double) -> String {
        let size = abs(value)
        switch size {
        case 0: return "0"
        case 1e6...: return trimmed(value / 1e6) + " M"
        case 1e4...: return trimmed(value / 1e3) + " k"
        case ..<1e-4: return String(format: "%.0e", value)
        default: return trimmed(value)
        }
    }

    private static func trimmed(_ value: Double) -> String { String(format: "%.4g", value) }
}

/// Confidence against accuracy, and below how often each confidence was.
enum ReliabilityPlot {
    private static let (side, left, top, strip) = (220.0, 44.0, 10.0, 44.0)
    /// Bins of fewer samples say little, and are pale.
    private static let rare = 10.0

    static func svg(_ bins: [ReliabilityBin], name: String) -> String {
        let (width, height) = (left + side + 12, top + side + 16 + strip + 30)
        let base = top + side + 16 + strip
        func x(_ share: Double) -> Double { left + share * side }
        func y(_ share: Double) -> Double { top + (1 - share) * side }
        var parts: [String] = []
        for tick in [0, 0.25, 0.5, 0.75, 1] {
            parts.append(LinePlot.rule(x(0), y(tick), x(1), y(tick)))
            parts.append(LinePlot.label(left - 8, y(tick) + 4, "end", LinePlot.short(tick)))
            parts.append(LinePlot.label(x(tick), height - 10, "middle", LinePlot.short(tick)))
        }
        let most = max(bins.map(\.samples).max() ?? 1, 1)
        let told = bins.filter { $0.samples >= rare }
        for (index, bin) in bins.enumerated() where bin.samples > 0 {
            let tip = tag(
                "title", [:],
                "\(Int(bin.samples)) samples: confidence \(decimal(bin.confidence, 3)), "
                    + "accuracy \(decimal(bin.accuracy, 3))")
            let (from, wide) = (x(Double(index) / Double(bins.count)) + 1, side / Double(bins.count) - 2)
            let tall = max(1, bin.samples / most * strip)
            let style = bin.samples < rare ? "bar rare" : "bar"
            parts.append(bar(style, from, y(bin.accuracy), wide, bin.accuracy * side, tip))
            parts.append(bar("count", from, base - tall, wide, tall, tip))
        }
        parts.append(LinePlot.rule(x(0), y(0), x(1), y(1), "ideal"))
        parts.append(tag("polyline", ["class": "c0", "points": path(told.map { (x($0.confidence), y($0.accuracy)) })]))
        for bin in told {
            parts.append(tag("circle", ["class": "dot", "cx": x(bin.confidence), "cy": y(bin.accuracy), "r": 3.5]))
        }
        let box = "0 0 \(Int(width)) \(Int(height))"
        return tag(
            "svg", ["class": "square", "viewBox": box, "role": "img", "aria-label": "Reliability of \(name)"],
            parts.joined())
    }

    private static func bar(
        _ style: String, _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ tip: String
    ) -> String {
        tag("rect", ["class": style, "x": x, "y": y, "width": width, "height": height], tip)
    }
}
