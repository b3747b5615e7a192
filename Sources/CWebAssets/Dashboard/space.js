// The input space: what the network would answer over two inputs, and the newest samples where they fell.
//
// It asks some twice a second while on screen, less often where the answer is large. A sample is a mark in the shape
// and colour of its own class, over the colour that is predicted there; a ring means that it was predicted wrong when
// it came, before it was learned. A click on a mark opens it in the network. With more than two inputs the plane is a
// cut through the space, and the view says at what the other inputs are held.

import { pointing, prepared } from "./canvas.js";
import { make, number, percent, put, rebuild, several, whole } from "./format.js";
import { classInk, mark } from "./marks.js";
import { createPanel } from "./panel.js";
import { Poll } from "./poll.js";
import { linearTicks } from "./scales.js";
import { Surface } from "./surface.js";
import { font } from "./theme.js";

const near = 9;  // px within which a mark is pointed at

export class SpaceView {
    surface = null;
    at = null;

    constructor(app) {
        this.app = app;
        this.panel = createPanel({
            id: "space", title: "Input space", units: "in the inputs' own units", view: this,
            help: "The prediction over two inputs, moving as the network learns, and the newest samples over it. The "
                + "stronger the colour, the more certain; the line is where the prediction changes. A ringed sample "
                + "was predicted wrong when it came. Point to read a place; click a sample, or press Enter, to see it "
                + "in the network.",
        });
        this.plot = make("canvas", "space-canvas");
        this.plot.tabIndex = 0;
        this.plot.role = "img";
        this.readout = make("output", "readout");
        this.legend = make("ul", "legend note space-legend");
        this.selects = ["x", "y"].map((axis, index) => this.select(axis, index));
        const swap = make("button", "quiet", "⇄ Swap");
        Object.assign(swap, { type: "button", title: "Exchanges the two axes" });
        swap.addEventListener("click", () => this.choose(...this.inputs.toReversed()));
        this.controls = make("div", "tools", ...this.selects.map(({ label }) => label), swap);
        this.panel.tools.append(this.controls);
        this.panel.body.append(make("div", "space-frame", make("div", "space-plot", this.plot), this.readout,
            this.legend));
        pointing(this.plot, () => 8, (at) => {
            this.at = at;
            this.readout.ariaLive = document.activeElement === this.plot ? "polite" : "off";
            app.refresh();
        });
        const open = () => { const found = this.pointed(); if (found) app.explain(found[4]); };
        this.plot.addEventListener("click", open);
        this.plot.addEventListener("keydown", ({ key }) => { if (key === "Enter") open(); });
        this.poll = new Poll(app, { every: 500, rate: 12_000 });
    }

    select(axis, index) {
        const select = make("select", "");
        select.addEventListener("change", () => {
            const inputs = this.inputs;
            inputs[index] = Number(select.value);
            if (inputs[0] === inputs[1]) inputs[1 - index] = this.previous[index];  // the other one gives way
            this.choose(...inputs);
        });
        return { select, label: make("label", "", `${axis} `, select) };
    }

    /** The columns: a plane of words would say nothing. */
    get names() { return (this.app.model?.inputs ?? []).slice(0, this.app.model?.columns); }

    /** The two chosen inputs, within what there is. */
    get inputs() {
        const count = this.names.length;
        const [x, y] = ["x", "y"].map((axis, index) => {
            const wanted = Number(this.app.url.get(`space.${axis}`, index));
            return Number.isInteger(wanted) && wanted >= 0 && wanted < count ? wanted
                : Math.min(index, Math.max(0, count - 1));
        });
        return x === y && count > 1 ? [x, x === 0 ? 1 : 0] : [x, y];
    }

    choose(x, y) {
        this.app.url.set("space.x", x);
        this.app.url.set("space.y", y);
        this.poll.tick(this.path);
        this.app.refresh();
    }

    get path() {
        const [x, y] = this.inputs;
        return `/surface?x=${x}&y=${y}&size=48`;
    }

    tick() { if (this.app.model?.step > 0 && this.names.length > 1) this.poll.tick(this.path); }

    // MARK: Showing

    update() {
        const { answer } = this.poll;
        const { names } = this;
        const isEmpty = !(this.app.model?.step > 0);
        this.panel.setEmpty(isEmpty
            ? "No sample has arrived yet. Send samples of two inputs or more, and what the network makes of their "
            + "space is drawn here as it learns."
            : names.length < 2 ? `A plane needs two columns of numbers, and this stream has ${names.length ? "one" : "none"}.`
            : null);
        if (isEmpty || names.length < 2) return;
        this.panel.setWarning(this.poll.objection);
        this.offer(names);
        if (!answer) return put(this.readout, "Asking for the surface …");
        if (answer !== this.surface?.answer) this.surface = new Surface(answer);
        this.draw();
        this.keys();
        const held = names.length > 2 ? `; the other ${several(names.length - 2, "input")} ${answer.others}` : "";
        this.panel.setNote(`Step ${whole(answer.step)}, newest ${several(answer.samples.length, "sample")}${held}`);
    }

    offer(names) {
        this.previous = this.inputs;
        this.controls.hidden = false;
        this.selects.forEach(({ select }, axis) => {
            rebuild(select, names.map((name, index) => [name, index]), ([name, index]) => {
                const option = make("option", "", name);
                option.value = index;
                return option;
            });
            if (select !== document.activeElement) select.value = this.previous[axis];
        });
    }

    draw() {
        const [width, height] = [this.plot.clientWidth, this.plot.clientHeight];
        if (!width) return;
        const { answer } = this.surface;
        const context = prepared(this.plot, width, height);
        context.font = font(12);
        const ticks = [linearTicks(answer.x.min, answer.x.max, width / 110),
            linearTicks(answer.y.min, answer.y.max, height / 70)];
        const gutter = Math.max(...ticks[1].map(({ text }) => context.measureText(text).width));
        const box = this.box = { left: Math.ceil(gutter) + 34, top: 8, width: 0, height: height - 8 - 46 };
        box.width = width - box.left - 10;
        this.surface.draw(context, box);
        this.axes(context, box, ticks, answer);
        this.samples(context, box, answer);
        this.read(context, box, answer);
    }

    px(value) {
        const { min, max } = this.surface.answer.x;
        return this.box.left + ((value - min) / (max - min)) * this.box.width;
    }

    py(value) {
        const { min, max } = this.surface.answer.y;
        return this.box.top + ((max - value) / (max - min)) * this.box.height;
    }

    axes(context, { left, top, width, height }, [across, up], { x, y }) {
        const { app } = this;
        Object.assign(context,
            { strokeStyle: app.color("faint"), lineWidth: 1, fillStyle: app.color("quiet"), font: font(12),
            textAlign: "center" });
        context.strokeRect(left + 0.5, top + 0.5, width, height);
        context.beginPath();
        for (const { at, text } of across) {
            const px = Math.round(this.px(at)) + 0.5;
            context.moveTo(px, top + height);
            context.lineTo(px, top + height + 5);
            context.fillText(text, px, top + height + 19);
        }
        context.textAlign = "right";
        for (const { at, text } of up) {
            const py = Math.round(this.py(at)) + 0.5;
            context.moveTo(left - 5, py);
            context.lineTo(left, py);
            context.fillText(text, left - 9, py + 4);
        }
        context.stroke();
        Object.assign(context, { textAlign: "center", fillStyle: app.color("ink"), font: font(13, 600) });
        context.fillText(x.name, left + width / 2, top + height + 39);
        context.save();
        context.translate(14, top + height / 2);
        context.rotate(-Math.PI / 2);
        context.fillText(y.name, 0, 0);
        context.restore();
    }

    /** Oldest first and faintest, so that the newest lie on top. */
    samples(context, { left, top, width, height }, answer) {
        const { app, surface } = this;
        const radius = width < 420 ? 3.6 : 4.6;
        context.save();
        context.beginPath();
        context.rect(left, top, width, height);
        context.clip();
        const list = this.sorted = [...answer.samples].sort((one, other) => one[4] - other[4]);
        list.forEach(([x, y, label, isRight], index) => {
            const [px, py] = [this.px(x), this.py(y)];
            const age = index / Math.max(1, list.length - 1);
            context.globalAlpha = 0.35 + 0.65 * age;
            context.beginPath();
            mark(context, surface.isRegression ? 0 : label, px, py, radius);
            if (surface.isRegression) this.fillTarget(context, label, answer);
            else { context.fillStyle = app.color(classInk(label)); context.fill(); }
            Object.assign(context, { strokeStyle: app.color("surface"), lineWidth: 1 });
            if (surface.isRegression) Object.assign(context, { strokeStyle: app.color("ink"), lineWidth: 0.8 });
            context.stroke();
            if (isRight || surface.isRegression) return;
            context.beginPath();
            context.arc(px, py, radius + 4, 0, 7);
            Object.assign(context, { strokeStyle: app.color("ink"), lineWidth: 1.8 });
            context.stroke();
        });
        context.restore();
        context.globalAlpha = 1;
    }

    fillTarget(context, target, { low, high }) {
        const share = Math.max(-1, Math.min(1, (2 * (target - low)) / (high - low || 1) - 1));
        const alpha = context.globalAlpha;
        context.fillStyle = this.app.color("surface");
        context.fill();
        context.globalAlpha = alpha * Math.abs(share);
        context.fillStyle = this.app.color(share < 0 ? "negative" : "positive");
        context.fill();
        context.globalAlpha = alpha;
    }

    /** The sample under the cursor, the newest first. */
    pointed() {
        if (!this.at || !this.sorted) return null;
        return this.sorted.findLast(([x, y]) => Math.hypot(this.px(x) - this.at[0], this.py(y) - this.at[1]) < near)
            ?? null;
    }

    read(context, { left, top, width, height }, answer) {
        const [px, py] = this.at ?? [-1, -1];
        const isIn = px >= left && px <= left + width && py >= top && py <= top + height;
        const found = isIn ? this.pointed() : null;
        this.plot.classList.toggle("pointed", found !== null);
        if (!isIn) {
            const wrong = answer.samples.filter(([, , , isRight]) => !isRight).length;
            put(this.readout, this.surface.isRegression ? "Point at a place to read its prediction."
                : `${whole(wrong)} of ${several(answer.samples.length, "sample")} shown: predicted wrong on arrival.`);
        } else {
            Object.assign(context, { strokeStyle: this.app.color("ink"), lineWidth: 1, globalAlpha: 0.6 });
            context.strokeRect(Math.round(px) - 4.5, Math.round(py) - 4.5, 9, 9);
            context.globalAlpha = 1;
            const x = answer.x.min + ((px - left) / width) * (answer.x.max - answer.x.min);
            const y = answer.y.max - ((py - top) / height) * (answer.y.max - answer.y.min);
            const { name, certainty, value } = this.surface.at((px - left) / width, (py - top) / height);
            const what = this.surface.isRegression ? number(value)
                : `${name}${certainty === null ? "" : `, ${percent(certainty)} certain`}`;
            const label = (index) => (this.surface.isRegression ? number(index)
                : answer.classes[index] ?? `class ${index}`);
            const fate = this.surface.isRegression ? "" : found?.[3] ? " ✓" : " ✕ predicted wrong";
            const sample = found ? ` · sample of step ${whole(found[4])}: ${label(found[2])}${fate}` : "";
            const place = `${answer.x.name} ${number(x)}, ${answer.y.name} ${number(y)}`;
            put(this.readout, `${place}: predicted ${what}${sample}`);
        }
        this.plot.ariaLabel =
            `Predictions over ${answer.x.name} and ${answer.y.name} with ${several(answer.samples.length, "sample")}. `
            + "Arrow keys read places, Enter opens a sample.";
    }

    /** The legend: a mark a class, or the ends of the diverging map. */
    keys() {
        const { surface, app } = this;
        const { classes } = surface.answer;
        const theme = app.color("surface");
        const shown = surface.isRegression ? [...surface.ends(), theme] : [...classes.slice(0, 16), theme];
        if (this.legend.shows === JSON.stringify(shown)) return;
        this.legend.shows = JSON.stringify(shown);
        const item = (draw, text, wide = 18) => {
            const canvas = make("canvas", "swatch");
            Object.assign(canvas.style, { width: `${wide}px`, height: "16px" });
            const context = prepared(canvas, wide, 16);
            draw(context);
            return make("li", "", canvas, text);
        };
        if (surface.isRegression) {
            const [low, middle, high] = surface.ends();
            this.legend.replaceChildren(item((context) => {
                for (let x = 0; x < 160; x += 1) {
                    context.globalAlpha = 0.78 * Math.abs(x / 79.5 - 1);
                    context.fillStyle = app.color(x < 80 ? "negative" : "positive");
                    context.fillRect(x, 3, 1, 10);
                }
            }, `predicted, from ${low} over ${middle} to ${high}; contour lines below the middle are dashed`, 160));
            return;
        }
        const marks = classes.slice(0, 16).map((name, index) => item((context) => {
            context.beginPath();
            mark(context, index, 9, 8, 5.4);
            context.fillStyle = app.color(classInk(index));
            context.fill();
        }, name));
        const ring = item((context) => {
            context.beginPath();
            context.arc(9, 8, 6.4, 0, 7);
            Object.assign(context, { strokeStyle: app.color("ink"), lineWidth: 1.8 });
            context.stroke();
        }, "ringed: predicted wrong");
        const more = classes.length > 16 ? [make("li", "", `and ${whole(classes.length - 16)} more`)] : [];
        this.legend.replaceChildren(...marks, ...more, ring);
    }

    // MARK: Handing over

    table() {
        const answer = this.surface?.answer;
        if (!answer) return { columns: ["step"], rows: [] };
        const rows = answer.samples.map(([x, y, label, isRight, step]) => this.surface.isRegression
            ? [x, y, label, step]
            : [x, y, answer.classes[label] ?? label, isRight ? "right" : "wrong", step]);
        const last = this.surface.isRegression ? ["target", "step"] : ["class", "predicted", "step"];
        return { columns: [answer.x.name, answer.y.name, ...last], rows };
    }

    data() { return this.surface?.answer ?? null; }
    canvas() { return this.surface ? this.plot : null; }
}
