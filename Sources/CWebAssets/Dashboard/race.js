// The race: what each expert's word weighs in the answer, now and since the page was opened.
//
// A row is an expert: its name, its share of the vote as a bar, and the way there as a small curve. Shares move with
// every sample; rows do not. Their order follows a slow mean, only where the difference is worth a move, and at most
// every three seconds: two experts of equal strength stay where they are, and the eye can follow those that pass.
// Where one network answers alone there is no race, and no panel.

import { measured, prepared } from "./canvas.js";
import { leadingNetwork, shortName, votes } from "./committee.js";
import { make, percent, put, several, whole } from "./format.js";
import { NormHistory } from "./layer-history.js";
import { createPanel } from "./panel.js";
import { lowerBound } from "./scales.js";
import { Sheet } from "./sheet.js";

const settleEvery = 3000;  // ms
const kept = 0.9;  // of a slow mean at each message, twice a second: five seconds
const help = "Several learners run side by side on the stream, and the answer is their vote. A share grows while an "
    + "expert predicts better than the others, and recent samples count for more. A full bar is the whole vote; the "
    + "mark in it is an equal share. For classes the bars are the shares of a weighted average, which is mixed with a "
    + "learned product of all opinions. The network views show the network with the largest share.";

export class RaceView {
    rows = [];  // in the committee's order
    order = [];  // indices of the rows, first to last
    means = [];  // slow means of the shares
    names = "";  // of the committee that the history is of
    settledAt = -Infinity;
    sheet = new Sheet();

    constructor(app) {
        this.app = app;
        this.panel = createPanel({ id: "race", title: "Race", units: "share of the vote", help, view: this });
        this.list = make("ol", "race");
        this.list.ariaLabel = "Experts, the strongest first";
        this.scale = make("p", "note");
        this.panel.body.append(this.list, this.scale);
    }

    get isAbsent() { return !votes(this.app); }

    // MARK: History

    message({ type, step, committee }) {
        if (type !== "layers" || !committee?.length) return;
        const names = namesOf(committee);
        if (names !== this.names) {
            Object.assign(this, { names, history: new NormHistory(committee.length), means: [] });
        }
        this.history.add(step, committee.map(({ weight }) => weight));
        this.means = committee.map(({ weight }, index) => weight + kept * ((this.means[index] ?? weight) - weight));
    }

    /** How many points of the history are in view: while paused, those that were there. */
    get length() {
        const { history, app: { latest, paused } } = this;
        if (!history || !this.isOfShown) return 0;
        return paused ? lowerBound(history.steps, latest.layers.step + 1, 0, history.length) : history.length;
    }

    /** Whether the history is of the committee in view; while paused it may be of a later one. */
    get isOfShown() { return this.rows.names === this.names; }

    // MARK: Showing

    update(now) {
        const committee = votes(this.app);
        if (!committee) return;
        const names = namesOf(committee);
        if (names !== this.rows.names) this.begin(names, committee);
        if (!this.app.paused && this.isOfShown) this.settle(now);
        const leader = this.order[0];
        const drawn = committee.indexOf(leadingNetwork(committee));
        const { length, history } = this;
        const top = Math.max(0.01, ...this.rows.map((_, index) => (
            length ? Math.max(...history.series[index].max.subarray(0, length)) : committee[index].weight)));
        this.rows.forEach((row, index) => {
            const { weight } = committee[index];
            put(row.share, percent(weight));
            row.bar.style.width = `${100 * weight}%`;
            row.root.classList.toggle("leads", index === leader);
            row.leads.hidden = index !== leader;
            row.drawn.hidden = index !== drawn;
            this.draw(row, length && history.series[index], length, top);
        });
        const begun = length ? `Curves: since step ${whole(history.steps[0])}, all from 0 to ${percent(top)}. ` : "";
        put(this.scale, `${begun}The mark in a bar is an equal share, ${percent(1 / committee.length)}.`);
        this.panel.setNote(`${several(length, "point")} since this page was opened`);
    }

    begin(names, committee) {
        this.rows = committee.map(({ name }) => this.row(name, 1 / committee.length));
        this.rows.names = names;
        this.order = committee.map((_, index) => index).sort((a, b) => committee[b].weight - committee[a].weight);
        this.list.replaceChildren(...this.order.map((index) => this.rows[index].root));
    }

    row(name, equal) {
        const [bar, tick] = [make("b", ""), make("i", "")];
        tick.style.left = `${100 * equal}%`;
        const gauge = make("div", "gauge", bar, tick);
        gauge.ariaHidden = "true";
        const words = make("span", "", shortName(name));
        words.title = name;
        const [leads, drawn] = [make("small", "badge leads", "leads"), make("small", "badge", "drawn below")];
        drawn.title = "The network views show this one";
        const share = make("span", "share");
        const spark = make("canvas", "");
        spark.role = "img";
        const root = make("li", "", make("p", "expert", words, " ", leads, " ", drawn), gauge, share, spark);
        const row = { name, root, bar, leads, drawn, share, spark, width: 0, height: 0, shows: "" };
        measured(spark, (width, height) => { Object.assign(row, { width, height }); this.app.refresh(); });
        return row;
    }

    /** Lets experts pass those that they have clearly left behind. */
    settle(now) {
        if (now - this.settledAt < settleEvery) return;
        const order = [...this.order];
        const passes = (lower, upper) => this.means[lower] > 1.15 * this.means[upper] + 0.002;
        for (let end = 1; end < order.length; end += 1) {
            for (let at = end; at > 0 && passes(order[at], order[at - 1]); at -= 1) {
                [order[at - 1], order[at]] = [order[at], order[at - 1]];
            }
        }
        if (order.join() === this.order.join()) return;
        Object.assign(this, { order, settledAt: now });
        const roots = this.rows.map(({ root }) => root);
        const before = roots.map((root) => root.offsetTop);
        this.list.append(...order.map((index) => roots[index]));
        if (this.app.reducedMotion) return;
        roots.forEach((root, index) => {
            const way = before[index] - root.offsetTop;
            if (way) root.animate({ transform: [`translateY(${way}px)`, "none"] }, { duration: 500, easing: "ease" });
        });
    }

    /** The way of one share: the range of each point, and its mean; the same heights for all. */
    draw(row, course, length, top) {
        const { spark, width, height } = row;
        if (!course || !width) return;
        const { steps } = this.history;
        const ink = this.app.color(row.leads.hidden ? "quiet" : "accent");
        const shows = [length, steps[length - 1], top, width, height, ink, window.devicePixelRatio].join();
        if (shows === row.shows) return;
        row.shows = shows;
        const context = prepared(spark, width, height);
        const reach = Math.max(1, steps[length - 1] - steps[0]);
        const px = (index) => 1 + ((steps[index] - steps[0]) / reach) * (width - 6);
        const py = (value) => height - 2 - (value / top) * (height - 6);
        context.fillStyle = this.app.color("line");
        context.fillRect(0, height - 1, width, 1);
        context.beginPath();
        for (let index = 0; index < length; index += 1) context.lineTo(px(index), py(course.max[index]));
        for (let index = length - 1; index >= 0; index -= 1) context.lineTo(px(index), py(course.min[index]));
        context.fillStyle = this.app.color("envelope");
        context.fill();
        context.beginPath();
        for (let index = 0; index < length; index += 1) context.lineTo(px(index), py(course.mean[index]));
        Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: 1.5, lineJoin: "round" });
        context.stroke();
        context.beginPath();
        context.arc(px(length - 1), py(course.mean[length - 1]), 2.5, 0, 7);
        context.fill();
        const [low, high] = [Math.min(...course.min.subarray(0, length)), Math.max(...course.max.subarray(0, length))];
        spark.ariaLabel = `Between ${percent(low)} and ${percent(high)} since step ${whole(steps[0])}`;
    }

    // MARK: Taking along

    table() {
        const committee = votes(this.app) ?? [];
        const { length, history } = this;
        const rows = Array.from({ length }, (_, at) => (
            [history.steps[at], ...history.series.map(({ mean }) => mean[at])]));
        return { columns: ["step", ...committee.map(({ name }) => name)], rows: rows.reverse() };
    }

    data() { return { committee: votes(this.app), history: this.table() }; }

    canvas() {
        const committee = votes(this.app);
        if (!committee || !this.length) return null;
        return this.sheet.of(this.order.map((index) => ({
            canvas: this.rows[index].spark,
            title: `${percent(committee[index].weight)}  ${shortName(committee[index].name)}`,
        })));
    }
}

const namesOf = (committee) => committee.map(({ name }) => name).join("\n");
