// An evaluation as one page: figures, plots, confusions, reliability. It loads nothing, and reads the same on paper.

import Eddy

struct EvaluationPage {
    let report: EvaluationReport

    init(_ report: EvaluationReport) { self.report = report }

    /// Configurations beyond these share the last colour.
    private static let colours = 6
    /// The most classes whose confusions are shown.
    private static let confusionLimit = 16

    private var isClassification: Bool { report.task == .classification }
    private var score: String { isClassification ? "Accuracy" : "Mean absolute error" }

    /// One page, with a part for each of several outputs.
    static func html(_ reports: [EvaluationReport]) -> String {
        let pages = reports.map { EvaluationPage($0) }
        let (title, report) = (pages[0].title, reports[0])
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Evaluation of \(escaped(title))</title>
            <style>\(EvaluationPage.style)</style>
            </head>
            <body>
            \(pages.map(\.part).joined(separator: "\n"))
            <footer>eddy \(escaped(report.version)), kernels \(escaped(report.kernels)). Each sample was predicted before it
            was learned (prequential evaluation), and counts once, whatever its importance weight.</footer>
            </body>
            </html>
            """
    }

    private var part: String {
        """
        <header>
        <h1>\(escaped(title))\(report.output.map { ": " + escaped($0) } ?? "")</h1>
        <p>\(escaped(summary))</p>
        </header>
        <main>
        \(section("Figures", note: figuresNote, comparison))
        \(section("Course", note: courseNote, legend + "<div class=\"pair\">\(coursePlots)</div>"))
        \(details)
        \(section("Learning curve", note: "\(score) of the samples since the row before, and so far.", doublings))
        \(section("Configurations", note: nil, configurations))
        </main>
        """
    }

    // MARK: Words

    private var title: String {
        let names = report.files.map { $0 == "-" ? "standard input" : String($0.split(separator: "/").last ?? "") }
        return names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }

    private var summary: String {
        let classes = report.configurations[0].classes
        let task = isClassification ? "\(classes.count) classes" : "regression"
        let rejected = report.rejected > 0 ? ", \(report.rejected) rejected" : ""
        let late = report.lateLabels.map { ", \($0.counts.joined) of them labelled late" } ?? ""
        let seeds = report.seeds > 1 ? ", \(report.seeds) seeds" : ""
        return "\(report.samples) samples\(late)\(rejected), \(task), one pass\(seeds)"
    }

    private var figuresNote: String {
        let recent = "Recent figures are of the newest \(report.configurations[0].recentWindow) samples."
        return report.seeds > 1
            ? "Medians of \(report.seeds) seeds, the lowest and the highest below; plots show the one in the middle. "
                + recent
            : "Of everything, unless called recent. \(recent)"
    }

    private var courseNote: String {
        "Over the newest \(courseWindow) samples, and over all so far. The dotted line always answers the "
            + (isClassification ? "most frequent class so far." : "mean so far.")
    }

    /// Samples over which the course is smoothed: fewer than recent figures have, where the stream is short.
    private var courseWindow: Int {
        let window = report.configurations[0].recentWindow
        return min(window, max(50, Int(report.samples) / 120 * 10))
    }

    // MARK: Parts

    private func section(_ title: String, note: String?, _ body: String) -> String {
        "<section><h2>\(title)</h2>\(note.map { "<p class=\"note\">\(escaped($0))</p>" } ?? "")\(body)</section>"
    }

    private func colour(_ index: Int) -> String { "c\(min(index, EvaluationPage.colours - 1))" }

    private var legend: String {
        guard report.configurations.count > 1 else { return "" }
        return legend(report.configurations.enumerated().map { (colour($0), $1.name) } + [("base", "baseline")])
    }

    private func legend(_ entries: [(style: String, name: String)]) -> String {
        let entries = entries.map { tag("span", [:], tag("i", ["class": $0.style]) + escaped($0.name)) }
        return tag("p", ["class": "legend"], entries.joined())
    }

    /// Rows of cells. The first row is the heading, and the first cell of a row its name.
    private func table(_ rows: [[String]], style: String = "plain") -> String {
        let rows = rows.enumerated().map { index, row in
            let cells = row.enumerated().map { tag(index == 0 || $0 == 0 ? "th" : "td", [:], $1) }
            return tag("tr", [:], cells.joined())
        }
        return tag("div", ["class": "wide"], tag("table", ["class": style], rows.joined()))
    }

    private var comparison: String {
        let columns = EvaluationColumn.columns(report.task)
        var rows = tag("tr", [:], tag("th", [:]) + columns.map { tag("th", [:], $0.title) }.joined())
        for (index, entry) in report.configurations.enumerated() {
            let swatch = report.configurations.count > 1 ? tag("i", ["class": colour(index)]) : ""
            let cells = columns.map { column in
                let range = column.range(entry).map { tag("small", [:], $0) } ?? ""
                return tag("td", ["class": isBest(column, entry) ? "best" : "figure"], column.median(entry) + range)
            }
            rows += tag("tr", [:], tag("th", [:], swatch + escaped(entry.name)) + cells.joined())
        }
        for (name, figures) in report.references {
            let cells = columns.map { column in
                tag("td", [:], figures[column.key].map(column.number) ?? "")
            }
            rows += tag("tr", ["class": "reference"], tag("th", [:], escaped(name)) + cells.joined())
        }
        return tag("div", ["class": "wide"], tag("table", [:], rows))
    }

    private func isBest(_ column: EvaluationColumn, _ entry: EvaluationReport.Entry) -> Bool {
        let medians = report.configurations.compactMap { $0.figures[column.key]?.median }
        guard report.configurations.count > 1, let own = entry.figures[column.key]?.median else { return false }
        return own == (column.isHigherBetter ? medians.max() : medians.min())
    }

    private typealias Point = Prequential.Point

    private var coursePlots: String {
        let (isFew, isAll) = (false, true)
        let loss = "Loss in \(isClassification ? "nats" : "squared units")"
        return coursePlot(
            score, ofAll: isFew, ceiling: isClassification ? 1 : nil, \.meanScore, baseline: \.baselineScore)
            + coursePlot(
                score, ofAll: isAll, ceiling: isClassification ? 1 : nil, \.meanScore, baseline: \.baselineScore)
            + coursePlot(loss, ofAll: isFew, ceiling: nil, \.meanLoss, baseline: nil)
            + coursePlot(loss, ofAll: isAll, ceiling: nil, \.meanLoss, baseline: nil)
    }

    /// - Parameter mean: of all samples so far; those of a window are the differences of two.
    private func coursePlot(
        _ what: String, ofAll: Bool, ceiling: Double?, _ mean: KeyPath<Point, Double>,
        baseline: KeyPath<Point, Double>?
    ) -> String {
        func points(_ entry: EvaluationReport.Entry, _ mean: KeyPath<Point, Double>) -> [(x: Double, y: Double)] {
            var oldest = 0
            return entry.curve.indices.map { index in
                let point = entry.curve[index]
                let (count, sum) = (Double(point.samples), Double(point.samples) * point[keyPath: mean])
                while entry.curve[oldest].samples < point.samples - courseWindow { oldest += 1 }
                let before = entry.curve[oldest]
                guard !ofAll, oldest > 0 else { return (count, point[keyPath: mean]) }
                let rest = sum - Double(before.samples) * before[keyPath: mean]
                return (count, max(0, rest) / max(count - Double(before.samples), 1))
            }
        }
        var lines = report.configurations.enumerated().map { index, entry in
            LinePlot.Line(name: entry.name, style: colour(index), points: points(entry, mean))
        }
        if let baseline, let first = report.configurations.first {
            lines.insert(LinePlot.Line(name: "baseline", style: "base", points: points(first, baseline)), at: 0)
        }
        let title = what + (ofAll ? ", all so far" : ", newest \(courseWindow)")
        return figure(title, LinePlot(title: title, lines: lines, ceiling: ceiling).svg)
    }

    private func figure(_ title: String, _ body: String) -> String {
        tag("figure", [:], tag("figcaption", [:], escaped(title)) + body)
    }

    /// What each configuration did, beside the others.
    private var details: String {
        if isClassification { return classDetails }
        let plots = report.configurations.map { entry -> String in
            let lines = ["median", "90 %", "99 %"].enumerated().map { index, name in
                LinePlot.Line(
                    name: name, style: "q\(index)",
                    points: entry.curve.map { (Double($0.samples), $0.errorQuantiles?[index] ?? 0) })
            }
            return figure(entry.name, LinePlot(title: "Error quantiles of \(entry.name)", lines: lines, floor: 0).svg)
        }
        let legend = self.legend([("q0", "median"), ("q1", "90 %"), ("q2", "99 %")])
        return section(
            "Absolute errors",
            note:
                "Quantiles of the newest \(report.configurations[0].curveWindow) errors, in units of the target.",
            legend + "<div class=\"pair\">\(plots.joined())</div>")
    }

    private var classDetails: String {
        func flow(_ figures: [String]) -> String { tag("div", ["class": "flow"], figures.joined()) }
        func reliability(_ entry: EvaluationReport.Entry) -> String {
            ReliabilityPlot.svg(entry.shown.classification?.all.reliability ?? [], name: entry.name)
        }
        let entries = report.configurations
        let confusionsNote = "Rows are labels, columns predictions; shades are shares of a row."
        let reliabilityNote =
            "Of predictions made with some probability, the share that was right: on the diagonal where probabilities "
            + "can be believed. Below, how many there were."
        if entries.count == 1 {
            return section(
                "Classes", note: confusionsNote + " " + reliabilityNote,
                flow([
                    figure("Confusions", confusions(entries[0])), figure("Reliability", reliability(entries[0])),
                    figure("One against the rest", classes(entries[0])),
                ]))
        }
        return section("Confusions", note: confusionsNote, flow(entries.map { figure($0.name, confusions($0)) }))
            + section("Reliability", note: reliabilityNote, flow(entries.map { figure($0.name, reliability($0)) }))
            + section("Classes", note: nil, flow(entries.map { figure($0.name, classes($0)) }))
    }

    private func confusions(_ entry: EvaluationReport.Entry) -> String {
        let shown = min(entry.confusions.count, EvaluationPage.confusionLimit)
        let names = entry.classes.prefix(shown).map { escaped(String($0.prefix(14))) }
        var rows = tag("tr", [:], tag("th", [:]) + names.map { tag("th", [:], $0) }.joined())
        for (label, name) in names.enumerated() {
            let total = max(entry.confusions[label].reduce(0, +), 1)
            let cells = (0..<shown).map { predicted in
                let count = entry.confusions[label][predicted]
                let share = Int(100 * Double(count) / Double(total))
                let style = (label == predicted ? "hit" : "miss") + (share > 55 ? " deep" : "")
                return tag("td", ["class": style, "style": "--share:\(share)%"], "\(count)")
            }
            rows += tag("tr", [:], tag("th", [:], name) + cells.joined())
        }
        let hidden = entry.classes.count - shown
        let more = hidden > 0 ? tag("p", ["class": "note"], "\(hidden) more classes are not shown.") : ""
        return tag("div", ["class": "wide"], tag("table", ["class": "confusions"], rows)) + more
    }

    private func classes(_ entry: EvaluationReport.Entry) -> String {
        let figures = entry.shown.classification?.all.classes ?? []
        let rows = zip(entry.classes, figures).prefix(Prequential.classLimit).map { name, figure in
            [escaped(name), decimal(figure.support, 0)]
                + [figure.precision, figure.recall, figure.f1].map { decimal($0, 4) }
        }
        return table([["", "samples", "precision", "recall", "F1"]] + rows)
    }

    private var doublings: String {
        let entries = report.configurations
        let withLoss = entries.count == 1
        var heading = ["samples"]
        for entry in entries { heading += [escaped(entry.name) + ", since last", "so far"] }
        if withLoss { heading += ["loss, since last", "so far"] }
        let rows = Set(entries.flatMap { $0.doublings.map(\.samples) }).sorted().map { count in
            ["\(count)"]
                + entries.flatMap { entry -> [String] in
                    let row = entry.doublings.first { $0.samples == count }
                    let figures =
                        [row?.scoreSince, row?.meanScore] + (withLoss ? [row?.lossSince, row?.meanLoss] : [])
                    return figures.map { $0.map { decimal($0, 4) } ?? "–" }
                }
        }
        return table([heading] + rows)
    }

    /// The steps of the newest alarms.
    private func changes(_ pass: EvaluationReport.Pass) -> String {
        let drifts = pass.drifts
        guard !drifts.alarms.isEmpty else { return pass.unwatched.map { "none; " + escaped($0) } ?? "none" }
        let steps = drifts.alarms.suffix(12).map { "\($0.step)" }
        let earlier = drifts.alarms.count + drifts.missed - steps.count
        return (earlier > 0 ? "\(earlier) earlier, " : "") + steps.joined(separator: ", ")
    }

    private var configurations: String {
        let rows = report.configurations.map { entry in
            let seeds = entry.passes.map { "\($0.seed)" }
            let told = seeds.count > 2 ? "\(seeds[0]) to \(seeds[seeds.count - 1])" : seeds.joined(separator: ", ")
            return [
                escaped(entry.name), tag("code", [:], entry.options.isEmpty ? "none" : escaped(entry.options)),
                escaped(entry.network), told, changes(entry.shown),
            ]
        }
        return table([["", "options", "network", "seeds", "drift found at sample"]] + rows, style: "words")
    }
}
