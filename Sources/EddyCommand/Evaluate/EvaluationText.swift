// An evaluation as text: configurations and baselines in one table, one configuration's spans, the course in doublings.

import Eddy

extension EvaluationReport {
    var text: String {
        var parts = [heading, comparison]
        if configurations.count == 1 { parts.append(spans(configurations[0])) }
        parts.append(course)
        if let changes { parts.append(changes) }
        let lines = parts.joined(separator: "\n\n").split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { line in
            // Columns are padded; nothing stands at the end of a line.
            line.lastIndex { $0 != " " }.map { line[...$0] } ?? ""
        }.joined(separator: "\n")
    }

    private var heading: String {
        var lines =
            [
                "files        \(files.joined(separator: ", "))",
                "samples      \(samples) learned, \(rejected) rejected",
            ] + notes
        if let lateLabels { lines.append("late labels  \(lateLabels.words)") }
        if let output { lines.insert("output       \(output)", at: 0) }
        if let entry = configurations.first, let task = entry.task {
            let names = entry.classes.prefix(12).joined(separator: ", ") + (entry.classes.count > 12 ? ", …" : "")
            lines.append(
                "task         \(task.rawValue)" + (names.isEmpty ? "" : ", \(entry.classes.count) classes: \(names)"))
        }
        lines.append("kernels      \(kernels)")
        return lines.joined(separator: "\n")
    }

    private var comparison: String {
        let columns = EvaluationColumn.columns(task)
        var table = TextTable([seeds > 1 ? "median of \(seeds) seeds" : "one pass"] + columns.map(\.title))
        for entry in configurations {
            table.add([entry.name] + columns.map { $0.median(entry) })
            if seeds > 1 {
                table.add(
                    ["  lowest"]
                        + columns.map { column in
                            entry.figures[column.key].map { column.number($0.lowest) } ?? "–"
                        })
                table.add(
                    ["  highest"]
                        + columns.map { column in
                            entry.figures[column.key].map { column.number($0.highest) } ?? "–"
                        })
            }
        }
        for (name, figures) in references {
            table.add([name] + columns.map { column in figures[column.key].map { column.number($0) } ?? "" })
        }
        return table.text
    }

    /// One configuration's figures of everything, of the newest samples, and decayed.
    private func spans(_ entry: Entry) -> String {
        let pass = entry.shown
        var table = TextTable(["figure", "all", "newest \(entry.recentWindow)", "half-life \(entry.recentWindow)"])
        func add<Figures>(_ name: String, _ spans: BySpan<Figures>, _ figure: (Figures) -> Double?) {
            table.add(
                [name] + [spans.all, spans.recent, spans.decayed].map { figure($0).map { decimal($0, 4) } ?? "–" })
        }
        if let spans = pass.classification {
            add("accuracy", spans) { $0.accuracy }
            add("mean loss, nats", spans) { $0.meanLoss }
            add("balanced accuracy", spans) { $0.balancedAccuracy }
            add("macro F1", spans) { $0.macroF1 }
            add("Cohen's kappa", spans) { $0.kappa }
            add("ROC AUC", spans) { $0.rocAUC }
            add("Brier score", spans) { $0.brierScore }
            add("calibration error", spans) { $0.calibrationError }
            for (index, name) in entry.classes.prefix(12).enumerated() {
                add("F1 of \(name)", spans) { $0.classes.indices.contains(index) ? $0.classes[index].f1 : nil }
            }
        }
        if let spans = pass.regression {
            add("MAE", spans) { $0.meanAbsoluteError }
            add("RMSE", spans) { $0.rootMeanSquaredError }
            add("R²", spans) { $0.r2 }
            add("median absolute error", spans) { $0.medianError }
            add("90 % of errors below", spans) { $0.error90 }
            add("99 % of errors below", spans) { $0.error99 }
        }
        return table.text
    }

    /// What was found to change, by each configuration's pass in the middle, and what it could not look for; nil where
    /// nothing was.
    private var changes: String? {
        let lines = configurations.flatMap { entry in
            let name = configurations.count > 1 ? entry.name + ", " : ""
            let seed = seeds > 1 ? "seed \(entry.shownSeed), " : ""
            let unwatched = entry.shown.unwatched.map { [name + $0] } ?? []
            return unwatched + entry.shown.drifts.lines().map { name + seed + $0 }
        }
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    /// The mean score so far and since the row before, at every doubling.
    private var course: String {
        let score = task == .classification ? "accuracy" : "MAE"
        var heading = ["samples"]
        for entry in configurations {
            let name = configurations.count > 1 ? entry.name + " " : ""
            heading += [name + score, "since last"]
            if configurations.count == 1 { heading += ["mean loss", "since last"] }
        }
        var table = TextTable(heading)
        let counts = Set(configurations.flatMap { $0.doublings.map(\.samples) }).sorted()
        for count in counts {
            var row = ["\(count)"]
            for entry in configurations {
                let doubling = entry.doublings.first { $0.samples == count }
                var figures = [doubling?.meanScore, doubling?.scoreSince]
                if configurations.count == 1 { figures += [doubling?.meanLoss, doubling?.lossSince] }
                row += figures.map { $0.map { decimal($0, 4) } ?? "–" }
            }
            table.add(row)
        }
        return table.text
    }
}
