// What flows: rate, latency, connections, lines turned away and why, subscribers, and the samples hardest to predict.
//
// Everything is in the stream message, once a second; only the rate keeps a little past, for its sparkline. Rejected
// lines are shown as text exactly as they came: nothing from the stream is ever markup.

import { duration, finite, make, number, percent, put, rebuild, whole } from "./format.js";
import { Chart } from "./chart.js";
import { createPanel } from "./panel.js";

const remembered = 300;  // seconds of rates
const help = "Latency is the time from a line's arrival to the update it caused, over the last ten seconds. Waiting "
    + "chunks were read and wait for the learner. A rejected line never touches the model. A subscriber that is too "
    + "slow gets merged windows, and how many it missed is counted. Explain opens the network on that sample.";

export class TrafficView {
    rates = [];  // [unix seconds, samples a second]

    constructor(app) {
        this.app = app;
        const units = "samples a second, time to update";
        this.panel = createPanel({ id: "stream", title: "Stream", units, help, view: this });
        this.spark = make("canvas", "");
        Object.assign(this.spark, { role: "img", ariaLabel: "Samples a second, the last five minutes" });
        this.chart = new Chart(this.spark, {
            series: [{ name: "rate", color: "accent", width: 1.5 }],
            x: { scale: "time", hidden: true }, y: { min: 0 }, refresh: () => app.refresh(),
        });
        this.rate = make("dd", "", "–");
        const now = make("div", "", make("dt", "", "Samples a second"), this.rate);
        this.stats = make("dl", "stats", make("div", "wide", now, make("dd", "", this.spark)));
        this.figures = make("dl", "stats");
        [this.reasons, this.lines, this.losses, this.subscribers] = [
            list("Rejected, by reason", ["Count", "Reason"]),
            list("Latest rejected lines", ["Line", "What was wrong"]),
            list("Largest losses of the last minute", ["Loss", "Label", "Predicted", ""]),
            list("Subscribers", ["Stream", "Open", "Delivered", "Missed"]),
        ];
        const lists = make("div", "lists", this.losses.root, this.lines.root, this.subscribers.root, this.reasons.root);
        this.panel.body.append(this.stats, this.figures, lists);
    }

    message(message) {
        if (message.type !== "stream") return;
        this.rates = [...this.rates.slice(1 - remembered), [message.time, message.samplesPerSecond ?? 0]];
    }

    update() {
        const { stream } = this.app.latest;
        this.panel.setEmpty(stream ? null : "The server reports on its stream once a second; the first is awaited.");
        if (!stream) return;
        const { paused } = this.app;
        if (!paused || !this.shown) this.shown = this.rates;
        const { samplesPerSecond, latency, connections: { tcp, websocket }, queue, counts } = stream;
        put(this.rate, whole(samplesPerSecond ?? 0));
        this.chart.set({
            length: this.shown.length, x: this.shown.map(([time]) => time), y: [this.shown.map(([, rate]) => rate)],
        });
        this.chart.draw();
        rebuild(this.figures, [
            ["Latency, median", duration(latency?.p50), latency ? "p50" : ""],
            ["Latency, slowest 1%", duration(latency?.p99), latency ? "p99" : ""],
            ["Connections", whole(tcp + websocket), `${tcp} TCP, ${websocket} web`],
            ["Waiting chunks", whole(queue), ""],
            ["✓ Accepted", whole(counts.accepted), ""],
            ["● Learned", whole(counts.learned), ""],
            ["○ Predicted only", whole(counts.predicted), ""],
            ["✕ Rejected", whole(counts.rejected), share(counts)],
        ], ([name, value, unit]) => (
            make("div", "", make("dt", "", name), make("dd", "", value, make("small", "", unit)))));
        this.drawLists(stream);
        this.panel.setNote(latency ? `Latency of ${whole(latency.count)} samples`
            : "No sample in the last ten seconds, so no latency");
    }

    drawLists({ rejections, latestRejections, subscribers, largestLosses }) {
        this.reasons.draw(rejections, ({ reason, count }) => [tally(count), make("td", "", reason)],
            "Every line so far was a sample.");
        this.lines.draw(latestRejections.slice(-6).reverse(), (line) => [tally(line.line), wrong(line)],
            "None. A line that is no sample would be shown here, with what was expected.");
        this.subscribers.draw(subscribers, ({ stream, count, delivered, missed }) => [
            make("td", "", make("code", "", stream)), tally(count), tally(delivered), tally(missed),
        ], "Nobody listens.");
        this.losses.draw(largestLosses.slice(0, 6), ({ step, loss, label, prediction, probability }) => {
            const ask = make("button", "quiet", "Explain");
            Object.assign(ask, { type: "button", title: `Open the network on step ${whole(step)}` });
            ask.ariaLabel = `Explain step ${whole(step)}`;
            ask.addEventListener("click", () => this.app.explain(step));
            const certain = finite(probability) ? ` ${percent(probability)}` : "";
            const cell = make("td", "count", number(loss));
            cell.title = `step ${whole(step)}`;
            const words = [said(label), said(prediction) + certain].map((text) => make("td", "", text));
            return [cell, ...words, make("td", "count", ask)];
        }, "None in the last minute.");
    }

    // MARK: Taking along

    table() {
        const { largestLosses = [], latestRejections = [], rejections = [], subscribers = [] }
            = this.app.latest.stream ?? {};
        const rows = [
            ...largestLosses.map(({ step, loss, label, prediction, probability, features }) => (
                ["largest loss", step, loss, label, prediction, probability, features.join(" ")])),
            ...latestRejections.map(({ line, column, field, expected, got }) => (
                ["rejected line", line, column ?? null, field ?? null, expected, null, got])),
            ...rejections.map(({ reason, count }) => ["rejections", null, count, reason, null, null, null]),
            ...subscribers.map(({ stream, count, delivered, missed }) => (
                ["subscribers", null, count, stream, delivered, missed, null])),
        ];
        return { columns: ["what", "step or line", "value", "label", "prediction", "probability", "content"], rows };
    }

    data() {
        const rates = { columns: ["time", "samplesPerSecond"], rows: this.shown ?? this.rates };
        return { stream: this.app.latest.stream, rates };
    }
}

/** A headed table that says so when it is empty. */
function list(title, columns) {
    const body = make("tbody", "");
    const head = make("tr", "", ...columns.map((column) => {
        const cell = make("th", /^(Count|Line|Loss|Open|Delivered|Missed|)$/.test(column) ? "count" : "", column);
        cell.scope = "col";
        return cell;
    }));
    const table = make("table", "", make("thead", "", head), body);
    const none = make("p", "note");
    const root = make("div", "", make("h3", "", title), make("div", "scroll", table), none);
    return {
        root,
        draw(rows, cells, words) {
            table.hidden = rows.length === 0;
            none.hidden = rows.length > 0;
            put(none, words);
            rebuild(body, rows, (row) => make("tr", "", ...cells(row)));
        },
    };
}

function tally(value) { return make("td", "count", whole(value)); }

function wrong({ column, field, expected, got, source }) {
    const place = [field, finite(column) ? `column ${column}` : ""].filter(Boolean).join(", ");
    const found = got == null ? [] : [", got ", make("code", "", `“${String(got).slice(0, 80)}”`)];
    const cell = make("td", "", `${place && `${place}: `}expected ${expected ?? "another form"}`, ...found);
    cell.title = source ? `from ${source}` : "";
    return cell;
}

function said(value) { return typeof value === "number" ? number(value) : String(value ?? "–"); }

function share({ accepted, rejected }) {
    if (!rejected) return "";
    const part = rejected / (accepted + rejected);
    return part < 0.0005 ? "below 0.1% of lines" : `${percent(part)} of lines`;
}
