// The figures at the head of the page: loss and score, each against what guessing would reach.
//
// A gauge has a mark where guessing stands; loss wants to be left of it, accuracy right of it, and the note says so in
// words. The same values, with all digits, are in the table of the metrics.

import { clamp, finite, make, number, percent, rebuild, whole } from "./format.js";

const recentCount = 1000;  // the server's window, samples

/** Everything on the tiles as plain values; a gauge is [value, baseline, full]. */
export function figures({ model, latest, step, isRegression, outputs }) {
    const metrics = { ...model?.metrics, ...latest.loss?.metrics };
    const { baseline, accuracy, recentAccuracy, majority, mae, recentMAE, rmse } = metrics;
    const unit = outputs ? latest.loss?.unit ?? "" : isRegression ? "squared units" : "nats";
    const recent = whole(clamp(step, 1, recentCount));
    const deviation = Math.sqrt(baseline);
    const loss = (label, value) => ({
        label, value: number(value), unit, notes: [against(value, baseline)],
        gauge: [value, baseline, 1.25 * baseline],
    });
    const score = (label, value) => ({
        label, value: percent(value), gauge: [value, majority, 1], notes: [ahead(value, majority)],
    });
    const error = (label, value, note) => ({
        label, value: number(value), gauge: [value, deviation, 1.25 * deviation], notes: [note],
    });
    if (outputs) {
        const mean = `mean of ${outputs.length} outputs`;
        return [
            loss(`Loss, ${mean}`, latest.loss?.runningMean ?? model?.meanLoss),
            loss(`Loss, last ${recent}`, latest.loss?.recentMean ?? model?.recentLoss),
            ...outputs.map((output) => ofOutput(output, score, error)),
        ];
    }
    return [
        loss("Mean loss", latest.loss?.runningMean ?? model?.meanLoss),
        loss(`Loss, last ${recent}`, latest.loss?.recentMean ?? model?.recentLoss),
        ...(isRegression
            ? [error("Error (RMSE)", rmse, `labels deviate by ${number(deviation)}`),
                error("Mean absolute error", mae, `last ${recent}: ${number(recentMAE)}`)]
            : [score("Accuracy", accuracy), score(`Accuracy, last ${recent}`, recentAccuracy)]),
        {
            label: "Baseline", value: number(baseline), unit,
            notes: [`label ${isRegression ? "variance: guessing the mean" : "entropy: guessing by class frequency"}`],
        },
    ];
}

/** The newest samples' accuracy or error of one of several outputs, and that of all. */
function ofOutput({ name, task, metrics }, score, error) {
    const { accuracy, recentAccuracy, majority, mae, recentMAE, baseline } = metrics;
    if (!task) return { label: name, value: "–", notes: ["no label yet"] };
    if (task === "regression") {
        const tile = error(`${name}: error`, recentMAE, `all: ${number(mae)}`);
        const deviation = Math.sqrt(baseline);
        return { ...tile, gauge: [recentMAE, deviation, 1.25 * deviation] };
    }
    const tile = score(`${name}: accuracy`, recentAccuracy);
    return { ...tile, gauge: [recentAccuracy, majority, 1], notes: [`all: ${percent(accuracy)}`, ...tile.notes] };
}

function against(value, baseline) {
    if (!finite(value) || !(baseline > 0)) return "";
    const share = Math.round(100 * (1 - value / baseline));
    return share === 0 ? "level with baseline" : `${Math.abs(share)}% ${share > 0 ? "below" : "above"} baseline`;
}

function ahead(value, majority) {
    if (!finite(value) || !finite(majority)) return "";
    return `always the largest class: ${percent(majority)}`;
}

export class FiguresView {
    constructor(app) {
        this.app = app;
        const section = make("section", "panel figures");
        Object.assign(section, { id: "figures", ariaLabel: "Figures" });
        this.panel = { section };
    }

    update() {
        rebuild(this.panel.section, figures(this.app.state), tile);
    }
}

function tile({ label, value, unit = "", notes, gauge = [] }) {
    const [reading, mark, full] = gauge;
    const known = finite(reading) && finite(mark) && full > 0;
    const [bar, tick] = [make("b", ""), make("i", "")];
    if (known) bar.style.width = `${100 * clamp(reading / full, 0, 1)}%`;
    if (known) tick.style.left = `${100 * clamp(mark / full, 0, 1)}%`;
    return make("div", "tile", make("h3", "", label), make("p", "value", value, make("small", "", unit)),
        make("div", known ? "gauge" : "gauge none", bar, tick), ...notes.map((note) => make("p", "note", note)));
}
