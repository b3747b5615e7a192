// The layers over time: gradient norm and update ratio, histograms of weights and gradients, and the weights as maps.
//
// All layers share the two time courses, for it is the comparison that tells: a first layer far below the last one is
// a vanishing gradient. Norms and histograms come with /events, about twice a second, and are kept here, off screen
// and paused too, in constant memory (layer-history.js); maps are asked for while on screen.

import { Chart } from "./chart.js";
import { make, number, put, several, whole } from "./format.js";
import { leadingNetwork, tellWhose } from "./committee.js";
import { bounds, verdict, warning } from "./health.js";
import { HeatMap, signedLegend } from "./heatmap.js";
import { HistogramStrip } from "./histogram-strip.js";
import { HistogramHistory, NormHistory } from "./layer-history.js";
import { cellWords, weightMap } from "./layer-maps.js";
import { createPanel } from "./panel.js";
import { Poll } from "./poll.js";
import { Sheet } from "./sheet.js";

const inks = 6;
const kept = 8;  // networks whose past is remembered
const dashes = [[], [8, 4], [2, 3]];  // a seventh layer has the first one's colour, dashed

export class LayersView {
    rows = [];
    courses = new Map();  // what is remembered of each network that led: { history, spreads }
    course = null;  // that of the network in view
    sheet = new Sheet();

    constructor(app) {
        this.app = app;
        this.panel = createPanel({
            id: "layers", title: "Layers", units: "logarithmic scales", view: this,
            help: "Gradient norm: how strongly the newest samples pull at a layer's weights. Update ratio: how much a "
                + "step changes them, of their own size; around 0.001 is usual. A strip shows how weights or "
                + "gradients are distributed over time, a map each weight as it is now. Drag in a chart to zoom, "
                + "double-click to see everything.",
        });
        this.norms = this.chart("Gradient norm", "the larger, the stronger the pull", "network.norms", [
            { value: bounds.exploding, label: "exploding above 1,000", color: "warn", fit: false },
        ]);
        this.ratios = this.chart("Update ratio", "‖change of weights‖ / ‖weights‖ a step", "network.ratios", [
            { value: bounds.largeStep, label: "steps too large above 0.1", color: "warn", fit: false },
            { value: bounds.smallStep, label: "hardly moving below 10⁻⁵", color: "baseline", fit: false },
        ]);
        this.legend = make("ul", "legend note");
        this.list = make("ol", "layer-list");
        this.whose = make("p", "note whose");
        this.panel.body.append(this.whose, make("div", "halves", this.norms.root, this.ratios.root), this.legend, this.list,
            signedLegend("the stronger the colour, the larger within its map. A row is a unit, a column an input."));
        this.maps = new Poll(app, { every: 1000, rate: 8_000 });
    }

    chart(title, unit, key, levels) {
        const { app } = this;
        const canvas = make("canvas", "");
        canvas.tabIndex = 0;
        canvas.role = "img";
        const output = make("output", "readout");
        const root = make("div", "", make("h3", "", title, make("small", "units", ` ${unit}`)),
            make("div", "plot small", canvas), output);
        const urlKey = key.replace("network", "layers");
        const chart = new Chart(canvas, {
            series: [], x: { scale: "linear", name: "step" }, y: { scale: "log" }, output, refresh: () => app.refresh(),
            zoomed: (range) => {
                app.url.set(`${urlKey}.zoom`, range && range.map(Math.round).join("-"));
            },
        });
        const zoom = app.url.get(`${urlKey}.zoom`, "").split("-").map(Number);
        if (zoom.length === 2 && zoom[1] > zoom[0]) chart.zoom = zoom;
        chart.levels = levels;
        return { root, chart, canvas, title };
    }

    // MARK: History

    message(message) {
        if (message.type !== "layers" || !message.layers.length) return;
        const { history, spreads } = this.courseOf(message) ?? this.open(message);
        history.add(message.step,
            [...message.layers.map(({ gradientNorm }) => gradientNorm),
            ...message.layers.map(({ updateRatio }) => updateRatio)]);
        message.layers.forEach(({ weights, gradients }, index) => {
            spreads[index].weights.add(message.step, weights);
            spreads[index].gradients.add(message.step, gradients);
        });
    }

    courseOf(message) { return this.courses.get(identity(message)); }

    /** Another network: one that takes the lead, or the same with other outputs. Of many, the first is forgotten. */
    open(message) {
        const { layers } = message;
        if (this.courses.size === kept) this.courses.delete(this.courses.keys().next().value);
        const course = {
            history: new NormHistory(2 * layers.length),
            spreads: layers.map(() => ({ weights: new HistogramHistory(), gradients: new HistogramHistory("log") })),
        };
        this.courses.set(identity(message), course);
        return course;
    }

    get history() { return this.course?.history; }

    /** Shows another network. */
    begin(course, layers) {
        this.course = course;
        const names = layers.map(({ shape: [inputs, outputs] }, index) =>
            `${index + 1}. ${whole(inputs)} → ${whole(outputs)} ${this.activation(layers, index)}`);
        const style = (index) =>
            ({ color: `layer-${(index % inks) + 1}`, dash: dashes[Math.floor(index / inks) % dashes.length] });
        for (const { chart } of [this.norms, this.ratios]) {
            chart.series = [...names.map((_, index) => ({ kind: "band", color: `layer-${(index % inks) + 1}-band` })),
                ...names.map((name, index) => ({ name: `layer ${index + 1}`, width: 1.8, ...style(index) }))];
        }
        this.swatches = [];
        this.legend.replaceChildren(...names.map((name, index) => {
            const { dash } = style(index);
            const swatch = make("canvas", "swatch");
            this.swatches.push({ canvas: swatch, ink: style(index).color, dash });
            return make("li", "", swatch, name);
        }));
        this.rows = names.map((name, index) => this.row(name, index));
        this.list.replaceChildren(...this.rows.map(({ root }) => root));
    }

    /** A last layer under a cross-entropy is a softmax, wherever that is computed. */
    activation(layers, index) {
        const { activation } = layers[index];
        const isSoftmax = index === layers.length - 1 && activation === "identity"
            && this.app.model?.loss === "crossEntropy";
        return isSoftmax ? "softmax" : activation;
    }

    row(name, index) {
        const refresh = () => this.app.refresh();
        const word = make("p", "verdict");
        const figures = ["gradient norm", "update ratio", "weight norm"].map((title) => [title, make("dd", "")]);
        const weights = new HistogramStrip("Weights over time", "weights", refresh);
        const gradients = new HistogramStrip("Gradients over time, logarithmic", "gradients", refresh);
        const map = new HeatMap({
            refresh, largest: 16, highest: 150,
            describe: (row, column, value) => cellWords(this.maps.answer.layers[index], row, column, value,
                this.names(index)),
        });
        const root = make("li", "layer-row",
            make("div", "bar", make("h3", "", name), word),
            make("div", "layer-figures",
                make("dl", "", ...figures.flatMap(([title, value]) => [make("div", "", make("dt", "", title), value)])),
                weights.root, gradients.root, make("figure", "", make("figcaption", "note", "Weights now"), map.root)));
        return { root, word, figures, weights, gradients, map };
    }

    /** Names of what a layer's columns and rows stand for. */
    names(index) {
        const { model } = this.app;
        const last = this.rows.length - 1;
        return {
            input: (column) => (index === 0 ? model?.inputs?.[column] : null)
                ?? `${index ? `h${index}` : "x"}[${column}]`,
            unit: (row) => (index === last && model?.task === "classification" ? model.classes[row] ?? "reserve" : null)
                ?? `unit ${row}`,
        };
    }

    // MARK: Showing

    tick() { if (this.app.model?.step > 0) this.maps.tick("/layers"); }

    update() {
        const message = this.app.latest.layers;
        const course = message && this.courseOf(message);
        const isEmpty = !message?.layers.length || !course;
        this.panel.setEmpty(isEmpty
            ? "No layer has learned yet. Send labelled samples, and every layer's gradients are followed here." : null);
        if (isEmpty) return this.panel.setWarning(null);
        this.panel.setWarning(warning(message));
        tellWhose(this.whose, this.app);
        const isOther = course !== this.course;
        if (isOther) this.begin(course, message.layers);
        if (isOther || !this.app.paused) this.lay();
        for (const { chart, canvas, title } of [this.norms, this.ratios]) {
            chart.draw();
            canvas.ariaLabel = `${title} of ${several(this.rows.length, "layer")} to step ${whole(message.step)}. `
                + "Arrow keys read it, plus and minus zoom.";
        }
        for (const swatch of this.swatches) this.swatch(swatch);
        message.layers.forEach((layer, index) => this.showLayer(this.rows[index], layer, message.layers, index));
        const { span, length } = this.history;
        const each = span > 1 ? `, each of ${span} messages: lowest, mean and highest` : "";
        const lead = this.whose.hidden ? "" : ", while this network led";
        this.panel.setNote(`${several(length, "point")} since this page was opened${lead}${each}`);
    }

    /** Hands the history to the charts. */
    lay() {
        const { length, steps, series } = this.history;
        const half = series.length / 2;
        [this.norms, this.ratios].forEach(({ chart }, which) => {
            const part = series.slice(which * half, which * half + half);
            chart.set({ length, x: steps.subarray(0, length),
                y: [...part.map(({ min, max }) => [min, max]), ...part.map(({ mean }) => mean)] });
        });
    }

    showLayer(row, layer, layers, index) {
        if (!row) return;
        const judged = verdict(layer, layers);
        put(row.word, `${judged.sign} ${judged.word}`);
        row.word.classList.toggle("alarm", judged.alarms);
        row.word.title = `${judged.reason} ${judged.remedy}`.trim();
        [layer.gradientNorm, layer.updateRatio,
            layer.weightNorm].forEach((value, at) => put(row.figures[at][1], number(value)));
        row.weights.draw(this.course.spreads[index].weights, "No histogram came yet.");
        row.gradients.draw(this.course.spreads[index].gradients, "Not sent for networks of more than 50,000 parameters.");
        const known = this.maps.answer?.layers?.[index];
        if (known && known.shape.join() === layer.shape.join()) row.map.set(weightMap(known, index));
        row.map.draw();
    }

    swatch({ canvas, ink, dash }) {
        const density = window.devicePixelRatio;
        Object.assign(canvas, { width: 28 * density, height: 10 * density });
        const context = canvas.getContext("2d");
        context.scale(density, density);
        context.strokeStyle = this.app.color(ink);
        context.lineWidth = 2.5;
        context.setLineDash(dash);
        context.beginPath();
        context.moveTo(0, 5);
        context.lineTo(28, 5);
        context.stroke();
    }

    // MARK: Handing over

    table() {
        const rows = [];
        const { history } = this;
        const half = (history?.series.length ?? 0) / 2;
        for (let at = 0; at < (history?.length ?? 0); at += 1) {
            for (let layer = 0; layer < half; layer += 1) {
                const [norm, ratio] = [history.series[layer], history.series[half + layer]];
                rows.push([history.steps[at], layer + 1, norm.mean[at], norm.min[at], norm.max[at], ratio.mean[at],
                    ratio.min[at], ratio.max[at]]);
            }
        }
        return { columns: ["step", "layer", "gradient norm", "its lowest", "its highest", "update ratio", "its lowest",
            "its highest"], rows };
    }

    data() { return { newest: this.app.latest.layers, history: this.table(), weightMaps: this.maps.answer }; }

    /** Everything on one sheet. */
    canvas() {
        if (!this.history?.length) return null;
        const { series } = this.norms.chart;
        const keys = series.filter(({ name }) => name).map(({ name, color, dash }) => ({ ink: color, dash, text: name }));
        return this.sheet.of([
            ...[this.norms, this.ratios].map(({ canvas, title }) => ({ canvas, title, keys })),
            ...this.rows.flatMap(({ weights, gradients, map }, index) => [
                { canvas: weights.canvas, title: `Layer ${index + 1}, weights over time` },
                { canvas: gradients.canvas, title: `Layer ${index + 1}, gradients over time, logarithmic` },
                { canvas: map.canvas, title: `Layer ${index + 1}, weights now` },
            ]),
        ]);
    }
}

/** What tells one network from another: its name in the committee, and its shape. */
function identity({ layers, committee }) {
    const shapes = layers.map(({ shape, activation }) => [shape, activation]);
    return JSON.stringify([leadingNetwork(committee)?.name, shapes]);
}
