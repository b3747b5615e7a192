// The loss by step or by time: from the server's history of everything, with the live windows appended.
//
// The whole run is kept as one history of constant size (history.js) and follows the stream; a zoom asks the server
// for its range at the plot's width and shows the coarse rows until the answer is there. Smoothing is a fixed share
// of the view, so that a line looks as smooth over a day as over a minute.

import { age, clamp, clock, finite, make, number, several, whole } from "./format.js";
import { Chart } from "./chart.js";
import { choice, legend } from "./controls.js";
import { LossHistory } from "./history.js";
import { createPanel } from "./panel.js";
import { lowerBound, rounded } from "./scales.js";

const rememberedChanges = 50;
const zoomWait = 120;  // ms that a zoom has to rest before the server is asked
const series = [
    { name: "lowest to highest", color: "envelope", kind: "band" },
    { name: "mean of each point", color: "raw", width: 1 },
    { name: "mean since the start", color: "ink", width: 1, dash: [2, 3] },
    { name: "smoothed", color: "accent", width: 2 },
];
const help = "The loss of every sample before the learner was updated by it. The band runs from the lowest to the "
    + "highest loss that a point covers; no sample is left out. Drag to zoom into a range, double-click to see all. "
    + "Keys in the chart: arrows read points, + and − zoom, Shift with arrows moves, 0 shows all.";

export class LossView {
    smooth = new Float64Array(4096);
    runningMean = new Float64Array(4096);
    sorted = new Float64Array(4096);
    detail = null;  // history of the zoomed range
    frozen = null;  // copy of the whole while paused
    waiting = [];  // live messages since the server was asked
    changes = [];  // steps of drift alarms: the last before this page, and those since
    missed = 0;  // windows that were merged because this page was slow
    turn = 0;

    constructor(app) {
        this.app = app;
        const { url } = app;
        this.by = url.get("loss.by") === "time" ? "time" : "steps";
        this.scale = url.get("loss.scale") === "log" ? "log" : "linear";
        this.smoothing = clamp(Number(url.get("loss.smooth", "0.9")) || 0, 0, 0.99);
        this.whole = new LossHistory(this.by);
        this.panel = createPanel({ id: "loss", title: "Loss", units: "nats", help, view: this });
        this.panel.tools.append(this.smoothingControl(), choice({
            name: "loss.by", legend: "Measured by", choices: { steps: "Steps", time: "Time" }, value: this.by,
            changed: (by) => this.measureBy(by),
        }), choice({
            name: "loss.scale", legend: "Scale of the loss", choices: { linear: "Linear", log: "Log" },
            value: this.scale, changed: (scale) => {
                this.scale = scale;
                url.set("loss.scale", scale === "log" ? "log" : null);
                app.refresh();
            },
        }));

        this.plot = make("canvas", "");
        Object.assign(this.plot, { tabIndex: 0, role: "img", ariaLabel: "Loss" });
        this.readout = make("output", "readout");
        this.reset = make("button", "quiet", "Show all");
        Object.assign(this.reset, { type: "button", hidden: true });
        this.reset.addEventListener("click", () => this.chart.zoomTo(null));
        const key = [...series, { name: "baseline", color: "baseline", dash: [5, 4] }];
        this.panel.body.append(make("div", "plot", this.plot),
            make("div", "bar", legend(key), this.reset), this.readout);
        this.chart = new Chart(this.plot, {
            series, x: { name: "step" }, y: {}, output: this.readout, refresh: () => app.refresh(),
            describe: (index) => this.describe(index), zoomed: (range) => this.zoomed(range),
        });
        this.chart.zoom = zoomFrom(url.get("loss.zoom"));
        if (this.chart.zoom) this.zoomed(this.chart.zoom);
        if (app.model) this.takeChange(app.model);
        this.load();
    }

    smoothingControl() {
        const slider = make("input", "");
        Object.assign(slider, { type: "range", min: 0, max: 0.99, step: 0.01, value: this.smoothing });
        slider.addEventListener("input", () => {
            this.smoothing = Number(slider.value);
            this.app.url.set("loss.smooth", slider.value);
            this.app.refresh();
        });
        this.reach = make("output", "");
        return make("label", "smoothing", "Smoothing", slider, this.reach);
    }

    measureBy(by) {
        Object.assign(this, { by, whole: new LossHistory(by), frozen: null, detail: null });
        this.app.url.set("loss.by", by === "time" ? "time" : null);
        this.chart.zoomTo(null);
        this.load();
    }

    // MARK: Data

    message(message) {
        if (message.type === "model") {  // said again on every new connection: what was missed is in the history
            this.takeChange(message);
            if (this.hasLoaded) this.load();
        } else if (message.type === "drift") {
            this.takeChange({ drift: message });
        } else if (message.type === "loss") {
            if (this.app.paused) this.freeze();
            this.missed += message.missed ?? 0;
            if (this.isLoading) this.waiting.push(message);
            this.whole.append(message);
        }
    }

    takeChange({ drift }) {
        if (drift && drift.step !== this.changes.at(-1)) {
            this.changes = [...this.changes.slice(1 - rememberedChanges), drift.step];
        }
    }

    /** The whole run, and after it what has come in the meantime. */
    async load() {
        const { whole: target } = this;
        const turn = ++this.turn;
        this.isLoading = true;
        this.waiting = [];
        try {
            const answer = await this.app.get(`/history?by=${this.by}&points=1200`);
            if (turn !== this.turn || target !== this.whole) return;
            target.load(answer);
            this.waiting.forEach((message) => target.append(message));
            Object.assign(this, { hasLoaded: true, failure: "" });
            const { zoom } = this.chart;
            if (zoom && target.extent && (zoom[0] >= target.last || zoom[1] <= target.begin)) this.chart.zoomTo(null);
        } catch (error) {
            if (turn !== this.turn) return;
            this.failure = error.message;
            setTimeout(() => { if (turn === this.turn && this.panel.section.isConnected) this.load(); }, 2000);
        } finally {
            if (turn === this.turn) Object.assign(this, { isLoading: false, waiting: [] });
        }
        this.app.refresh();
    }

    zoomed(range) {
        this.app.url.set("loss.zoom", range && range.map((end) => end.toFixed(this.by === "time" ? 3 : 0)).join(".."));
        clearTimeout(this.timer);
        this.detailTurn = (this.detailTurn ?? 0) + 1;
        if (!range) this.detail = null;
        else this.timer = setTimeout(() => this.loadDetail(range, this.detailTurn), zoomWait);
    }

    /** The zoomed range at the plot's width, with some lead for the smoothing to settle in. */
    async loadDetail([from, to], turn) {
        const lead = from - 0.1 * (to - from);
        const [first, last] = this.by === "time" ? [lead, to] : [Math.max(0, Math.floor(lead)), Math.ceil(to)];
        const points = Math.round(clamp(1.1 * (this.chart.width || 1000), 200, 2000));
        try {
            const answer = await this.app.get(
                `/history?by=${this.by}&from=${first}&to=${last}&points=${points}`);
            if (turn !== this.detailTurn) return;
            const detail = new LossHistory(this.by);
            detail.load({ ...answer, begin: { time: first } });
            this.detail = detail.length ? detail : null;
            this.app.refresh();
        } catch {
            // The coarse rows stay; they are right, only fewer.
        }
    }

    /** Keeps what is there now for the pause; what is not read yet is waited for. */
    freeze() { if (this.whole.length) this.frozen ??= this.whole.copy(); }

    // MARK: Drawing

    update() {
        const { app, chart } = this;
        if (app.paused) this.freeze();
        else this.frozen = null;
        const all = this.frozen ?? this.whole;
        const shown = this.shown = (chart.zoom && this.detail) || all;
        const isRegression = app.latest.loss?.unit === "squared units" || app.model?.task === "regression";
        const { baseline } = { ...app.model?.metrics, ...app.latest.loss?.metrics };
        const { outputs } = app.state;
        const unit = outputs ? app.latest.loss?.unit ?? "" : isRegression ? "squared units" : "nats";
        this.panel.setUnits(`${unit} by ${this.by === "time" ? "time" : "step"}`);
        this.panel.setWarning(this.failure ? `The history could not be read: ${this.failure}` : null);
        this.panel.setEmpty(all.length ? null : this.isLoading ? "Reading the history …"
            : "No sample has been learned since this page was opened. The curve draws what comes.");
        this.reset.hidden = !chart.zoom;
        if (!all.length) return;

        chart.extent = all.extent;
        const [from, to] = chart.range();
        shown.smoothed(this.smoothing, to - from, this.smooth);
        shown.running(this.runningMean,
            shown === all ? undefined : all.before(shown.rows.step[0] - shown.rows.count[0]));
        const { mean, min, max } = shown.rows;
        chart.x.scale = this.by === "time" ? "time" : "linear";
        chart.set({ length: shown.length, x: shown.x, y: [[min, max], mean, this.runningMean, this.smooth] });
        const word = outputs ? "mean of the outputs'" : isRegression ? "label variance" : "label entropy";
        chart.levels = [{ value: baseline, label: `baseline ${number(baseline)} (${word})`, color: "baseline" }];
        chart.marks = this.marks(all);
        this.axis(baseline, from, to);
        chart.draw();
        this.words(baseline, to - from);
    }

    /** Linear fits the lines and lets rare peaks run out at the top; log reaches from low losses to the peak. */
    axis(baseline, from, to) {
        const { x, length, rows: { mean, min, max } } = this.shown;
        const first = lowerBound(x, from, 0, length);
        const last = Math.max(first + 1, Math.min(length, lowerBound(x, to, 0, length) + 1));
        const means = this.sorted.subarray(0, last - first);
        means.set(mean.subarray(first, last));
        means.sort();
        let [most, peak, least, smallest] = [1.4 * means[Math.floor(0.98 * (means.length - 1))], 0, Infinity, Infinity];
        for (let index = first; index < last; index += 1) {
            most = Math.max(most, 1.05 * this.smooth[index]);
            peak = Math.max(peak, max[index]);
            if (min[index] > 0) least = Math.min(least, min[index]);
            if (mean[index] > 0) smallest = Math.min(smallest, mean[index]);
        }
        if (!this.chart.zoom) most = Math.max(most, 1.15 * (baseline || 0));
        // The top rests on a round number, so that its line of the grid is labelled.
        const pace = rounded((most || 1) / 5);
        most = Math.ceil((most || 1) / pace - 1e-9) * pace;
        // One exact fit among millions would stretch the axis by decades: three below the lowest mean are enough.
        const floor = finite(least) ? Math.max(least, smallest * 1e-3) : smallest / 3;
        Object.assign(this.chart.y, this.scale === "log"
            ? { scale: "log", min: finite(floor) ? floor : 1e-3, max: Math.max(peak, baseline || 0) * 1.15 || 1 }
            : { scale: "linear", min: 0, max: most });
        const isCut = this.scale === "linear" && peak > most;
        this.beyond = isCut ? `peaks reach ${number(peak)}` : "";
        if (this.scale === "log" && least < floor) this.beyond = `lowest ${number(least)}`;
    }

    /** Where the stream changed; the newest in words. By time, when the row with that step ended. */
    marks({ length, rows: { step, time } }) {
        return this.changes.filter((change) => change <= step[length - 1]).map((change, index, { length: count }) => ({
            value: this.by === "time" ? time[lowerBound(step, change, 0, length)] : change, color: "quiet",
            label: index === count - 1 ? `the stream changed at sample ${whole(change)}` : "",
        }));
    }

    words(baseline, width) {
        const pace = -width / 1000 / Math.log(this.smoothing);
        const reach = this.by === "time" ? age(1000 * pace) : several(Math.ceil(pace), "step");
        this.reach.value = this.smoothing ? `${this.smoothing.toFixed(2)} ≈ ${reach}` : "none";
        const { length } = this.shown;
        this.panel.setNote([
            `${several(length, "point")}, no sample left out`,
            this.beyond,
            this.missed ? `${whole(this.missed)} windows came merged` : "",
        ].filter(Boolean).join(" · "));
        this.plot.ariaLabel = `Loss at step ${whole(this.shown.rows.step[length - 1])}: `
            + `smoothed ${number(this.smooth[length - 1])}, `
            + `mean since the start ${number(this.runningMean[length - 1])}, baseline ${number(baseline)}. `
            + (this.chart.marks.length ? `The stream changed at sample ${whole(this.changes.at(-1))}. ` : "")
            + "Arrows read points, plus and minus zoom, zero shows all.";
    }

    describe(index) {
        const [from, to] = this.chart.range();
        if (index < 0 && !this.chart.zoom) return "Point at the curve to read it; drag to look closer.";
        if (index < 0) {
            return this.by === "time" ? `${clock(from, true)} to ${clock(to, true)}`
                : `steps ${whole(from)} to ${whole(to)}`;
        }
        const { step, time, count, mean, min, max } = this.shown.rows;
        const place = `${this.by === "time" ? `${clock(time[index])}, ` : ""}step ${whole(step[index])}`;
        const extremes = count[index] > 1 ? `, from ${number(min[index])} to ${number(max[index])}` : "";
        return `${place}: ${number(mean[index])}${extremes} over ${several(count[index], "sample")}; `
            + `smoothed ${number(this.smooth[index])}, since the start ${number(this.runningMean[index])}`;
    }

    // MARK: Taking along

    table() {
        const { columns, rows } = (this.shown ?? this.whole).table();
        return {
            columns: [...columns, "smoothed", "mean since the start"],
            rows: rows.map((row, index) => [...row, this.smooth[index], this.runningMean[index]]),
        };
    }

    data() {
        const { columns, rows } = this.table();
        return {
            by: this.by, unit: this.app.latest.loss?.unit, smoothing: this.smoothing, range: this.chart.range(),
            columns, rows,
        };
    }

    canvas() { return this.plot; }
}

/** `12000..15000` as two numbers, or null. */
function zoomFrom(text) {
    const ends = (text ?? "").split("..").map(Number);
    return ends.length === 2 && ends.every(finite) && ends[1] > ends[0] ? ends : null;
}
