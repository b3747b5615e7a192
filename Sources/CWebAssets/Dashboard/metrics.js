// How good the predictions are: the error over the whole run, and where the mistakes lie.
//
// The course of the error is the server's history, asked for again now and then; the confusion matrix of classes and
// the residuals of a regression come with the stream. The figures at the head of the page are figures.js.

import { finite, make, number, percent, several, whole } from "./format.js";
import { Chart } from "./chart.js";
import { confusionTable, drawConfusion } from "./confusion.js";
import { choice } from "./controls.js";
import { createPanel } from "./panel.js";

const help = "Left, the share of wrong predictions (for numbers: the mean absolute error) over the whole run, each "
    + "prediction made before its sample was learned. Right, for classes, what was taken for what; for numbers, how "
    + "far the targets lay from the predictions.";
const resting = "Each point is the mean over the steps that it covers.";

export class MetricsView {
    history = null;  // the last answer of /history
    nextAt = 0;

    constructor(app) {
        this.app = app;
        this.span = app.url.get("metrics.span") === "total" ? "total" : "recent";
        this.panel = createPanel({ id: "metrics", title: "Metrics", help, view: this });
        this.course = this.makeCourse();
        this.matrix = this.makeMatrix();
        this.residuals = this.makeResiduals();
        this.panel.body.append(make("div", "halves", this.course.root, this.matrix.root, this.residuals.root));
    }

    makeCourse() {
        const canvas = make("canvas", "");
        Object.assign(canvas, { tabIndex: 0, role: "img", ariaLabel: "Error over the run" });
        const [title, output] = [make("h3", "", "Error"), make("output", "readout")];
        const series = [{ name: "error", color: "accent", width: 1.75 }];
        const chart = new Chart(canvas, {
            series, x: { name: "step" }, y: { min: 0 }, output, refresh: () => this.app.refresh(),
            describe: (index) => (index < 0 ? resting : chart.words(index)),
        });
        const root = make("div", "", make("div", "bar sub", title), make("div", "plot small", canvas), output);
        return { root, title, canvas, chart };
    }

    makeMatrix() {
        const table = make("table", "confusion");
        const title = make("h3", "", "Confusion");
        const spans = choice({
            name: "metrics.span", legend: "Of which samples", choices: { recent: "Recent", total: "Total" },
            value: this.span, changed: (span) => {
                this.span = span;
                this.app.url.set("metrics.span", span === "total" ? span : null);
                this.app.refresh();
            },
        });
        spans.classList.add("note");
        const scroll = make("div", "scroll", table);
        Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "Confusion matrix" });
        const root = make("div", "", make("div", "bar sub", title, spans), scroll);
        return { root, title, table };
    }

    makeResiduals() {
        const canvas = make("canvas", "");
        Object.assign(canvas, { tabIndex: 0, role: "img", ariaLabel: "Residuals" });
        const [title, words, output] = [make("h3", "", "Residuals"), make("p", "note", ""), make("output", "readout")];
        const chart = new Chart(canvas, {
            series: [{ name: "samples", color: "accent", kind: "bars" }], x: { name: "residual" }, y: { min: 0 },
            output, refresh: () => this.app.refresh(), describe: (index) => this.bar(index),
        });
        const root = make("div", "", make("div", "bar sub", title, words), make("div", "plot small", canvas), output);
        return { root, words, canvas, chart };
    }

    // MARK: Data

    get isRegression() { return this.app.state.isRegression; }

    /** Often while the run is young, seldom when a new row takes minutes. */
    async tick(now) {
        if (now < this.nextAt) return;
        this.nextAt = now + ((this.history?.step ?? 0) < 20_000 ? 2000 : 10_000);
        try {
            this.history = await this.app.get("/history?by=steps&points=240");
            this.app.refresh();
        } catch {
            // The connection has its own notice; the last course stays.
        }
    }

    // MARK: Drawing

    update() {
        const { stream } = this.app.latest;
        this.drawCourse();
        const { confusion, residuals } = stream ?? {};
        this.matrix.root.hidden = !confusion;
        this.residuals.root.hidden = !residuals;
        if (confusion) {
            const total = confusion.total.flat().reduce((sum, count) => sum + count, 0);
            drawConfusion(this.matrix.table, confusion, confusion[this.span]);
            this.matrix.title.textContent = this.span === "recent"
                ? `Confusion, last ${whole(confusion.recentCount)}` : `Confusion, all ${whole(total)}`;
        }
        if (residuals) this.drawResiduals(residuals);
        const [first] = this.app.state.outputs ?? [];
        this.panel.setNote(first ? `Where the mistakes lie is of the first output, ${first.name}.`
            : confusion || residuals ? "Predicted first, learned after: nothing is scored that was seen."
            : "Where the mistakes lie comes with the first learned samples.");
    }

    drawCourse() {
        const { chart, title, canvas } = this.course;
        const { isRegression } = this;
        const metrics = { ...this.app.model?.metrics, ...this.app.latest.loss?.metrics };
        const { outputs } = this.app.state;
        title.textContent = outputs ? "Mean error of the outputs over the run"
            : isRegression ? "Mean absolute error over the run" : "Share of errors over the run";
        const rows = (this.history?.rows ?? []).filter((row) => finite(row[this.column("error")]));
        const error = this.column("error");
        chart.set({ length: rows.length, x: rows.map((row) => row[0]), y: [rows.map((row) => row[error])] });
        // Guessing is drawn where it leaves the errors readable; else its label points upwards.
        const worst = rows.reduce((most, row) => Math.max(most, row[error]), 0);
        const guess = isRegression || outputs ? null : 1 - metrics.majority;
        const label = `always the largest class: ${percent(guess)}`;
        chart.levels = [{ value: guess, label, color: "baseline", fit: guess < 4 * worst }];
        chart.draw();
        canvas.ariaLabel = `${title.textContent}: now ${number(rows.at(-1)?.[error])}`;
    }

    column(name) { return this.history?.columns.indexOf(name) ?? -1; }

    drawResiduals({ min, max, counts, count, mean, deviation }) {
        const { chart, words, canvas } = this.residuals;
        const width = (max - min) / counts.length;
        this.edges = { min, width, counts };
        chart.extent = [min, max];
        chart.set({ length: counts.length, x: counts.map((_, index) => min + (index + 0.5) * width), y: [counts] });
        chart.draw();
        words.textContent = `mean ${number(mean)}, deviation ${number(deviation)}`;
        canvas.ariaLabel = `Residuals of the last ${whole(count)} samples: ${words.textContent}`;
    }

    bar(index) {
        if (index < 0) return "target − prediction of the last 1,000 samples";
        const { min, width, counts } = this.edges;
        const [from, to] = [min + index * width, min + (index + 1) * width];
        return `${number(from)} to ${number(to)}: ${several(counts[index], "sample")}`;
    }

    // MARK: Taking along

    table() {
        const { confusion, residuals } = this.app.latest.stream ?? {};
        if (confusion) return confusionTable(confusion, confusion[this.span]);
        if (!residuals) return { columns: ["step", "error"], rows: [] };
        const { min, max, counts } = residuals;
        const width = (max - min) / counts.length;
        return {
            columns: ["from", "to", "samples"],
            rows: counts.map((count, index) => [min + index * width, min + (index + 1) * width, count]),
        };
    }

    data() {
        const { latest, model } = this.app;
        return {
            step: latest.loss?.step, metrics: { ...model?.metrics, ...latest.loss?.metrics },
            runningMean: latest.loss?.runningMean, recentMean: latest.loss?.recentMean, outputs: latest.loss?.outputs,
            confusion: latest.stream?.confusion, residuals: latest.stream?.residuals, history: this.history,
        };
    }

    canvas() { return this.course.canvas; }
}
