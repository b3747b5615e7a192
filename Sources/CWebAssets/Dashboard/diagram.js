// The network as nodes and edges: a canvas, with the nodes' buttons (node-buttons.js) over it.
//
// What is large is wide, strong and in the colour of its sign; a negative edge is dashed and a negative node carries
// a minus, so colour is never alone. The scale is the largest of its layer, since layers differ by orders of
// magnitude. Edges are stroked in groups of like style: a thousand of them cost a few milliseconds. Deliberately not
// here: what the numbers are (Explanation), what is selected and told about it (NetworkView), and networks with more
// than some forty units in a layer, which no one can read as nodes.

import { prepared } from "./canvas.js";
import { arranged } from "./arrangement.js";
import { clamp, make, number, percent } from "./format.js";
import { NodeButtons } from "./node-buttons.js";
import { color, font } from "./theme.js";

export const widest = 40;  // units in a layer that are drawn one by one

const groups = 10;

export class Diagram {
    hovered = null;  // element under the pointer or the focus

    /** @param on `select(element)`, `hover(element)`, `refresh()`, `close()` */
    constructor(on) {
        this.on = on;
        this.canvas = make("canvas", "diagram-canvas");
        this.canvas.ariaHidden = "true";  // the buttons speak
        this.nodes = new NodeButtons({ ...on, hover: (element) => this.hover(element) });
        this.root = make("div", "diagram", make("div", "diagram-inner", this.canvas, this.nodes.root));
        this.canvas.addEventListener("pointermove",
            ({ offsetX, offsetY }) => this.hover(this.edgeAt(offsetX, offsetY)));
        this.canvas.addEventListener("pointerleave", () => this.hover(null));
        this.canvas.addEventListener("click", ({ offsetX, offsetY }) => on.select(this.edgeAt(offsetX, offsetY)));
    }

    hover(element) {
        if (JSON.stringify(element) === JSON.stringify(this.hovered)) return;
        this.hovered = element;
        this.canvas.classList.toggle("pointed", element !== null);
        this.on.hover(element);
    }

    // MARK: Drawing

    place(layer, unit) { return [this.x[layer + 1], this.y(layer, unit)]; }

    /**
     * @param seen the Explanation
     * @param chosen the selected element, or null
     * @param path names of the elements of a path to be marked, or null
     */
    draw(seen, mode, chosen, path) {
        const room = Math.floor(this.root.clientWidth);
        if (!room) return;
        Object.assign(this, { seen, mode });
        Object.assign(this, arranged(seen, room, (text) => this.measure(text)));
        this.nodes.root.style.width = this.canvas.style.width = `${this.width}px`;
        this.nodes.root.style.height = this.canvas.style.height = `${this.height}px`;
        this.context = prepared(this.canvas, this.width, this.height);
        this.headings();
        const lit = this.hovered ?? chosen;
        for (let layer = 0; layer <= seen.last; layer += 1) this.edges(layer, lit);
        this.lossEdges(lit);
        if (path) this.path(path);
        if (lit?.kind === "W") this.strong(lit);
        for (let layer = -1; layer <= seen.last; layer += 1) this.column(layer, chosen);
        this.lossNode(chosen);
        this.nodes.follow(this, mode, chosen);
    }

    measure(text) {
        const context = this.canvas.getContext("2d");
        context.font = font(12);
        return context.measureText(text).width;
    }

    headings() {
        const { context, seen } = this;
        context.textAlign = "center";
        const back = this.mode !== "forward";
        seen.widths.forEach((width, column) => {
            const layer = column - 1;
            const isLast = layer === seen.last;
            const name = layer < 0 ? "x" : isLast ? "o" : `h${seen.mark(layer)}`;
            const kind = layer < 0 ? `${width} inputs` : isLast && seen.probabilities ? "softmax"
                : seen.layers[layer].activation;
            this.text(name, this.x[column], 16, "ink", font(13, 600));
            const isRoomy = this.measure(kind) < this.x[1] - this.x[0] - 4;  // many layers on a phone: symbols only
            if (isRoomy) this.text(kind, this.x[column], 32, "quiet");
        });
        if (seen.isLabelled) this.text("loss", this.lossX, 16, "ink", font(13, 600));
        // Which way the numbers travel.
        for (let column = 0; column + 1 < this.x.length - (seen.isLabelled ? 0 : 1); column += 1) {
            const margin = Math.min(34, 0.32 * (this.x[column + 1] - this.x[column]));
            const [from, to] = [this.x[column] + margin, this.x[column + 1] - margin];
            if (to - from < 10) continue;
            const [tail, head] = back ? [to, from] : [from, to];
            const sense = Math.sign(head - tail);
            context.strokeStyle = context.fillStyle = color("accent");
            context.lineWidth = 1.5;
            context.beginPath();
            context.moveTo(tail, 12.5);
            context.lineTo(head - 5 * sense, 12.5);
            context.stroke();
            context.beginPath();
            context.moveTo(head, 12.5);
            context.lineTo(head - 7 * sense, 8.5);
            context.lineTo(head - 7 * sense, 16.5);
            context.fill();
        }
    }

    /** Whether an edge belongs to what is lit. */
    touches(lit, layer, unit, input) {
        if (lit.kind === "W") return lit.layer === layer && lit.unit === unit && lit.input === input;
        if (lit.kind !== "node" && lit.kind !== "b") return lit.kind === "loss";
        return (lit.layer === layer && lit.unit === unit) || (lit.layer === layer - 1 && lit.unit === input);
    }

    edges(layer, lit) {
        const { context, seen } = this;
        const values = seen.edges(layer, this.mode) ?? null;
        const [inputs, outputs] = seen.layers[layer].shape;
        const paths = new Map();
        const most = values?.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
        const dense = clamp(220 / (inputs * outputs), 0.35, 1);
        for (let input = 0; input < inputs; input += 1) {
            for (let unit = 0; unit < outputs; unit += 1) {
                const value = values ? values[input * outputs + unit] : 0;
                const strength = Math.ceil(groups * (Math.abs(value) / most) ** 0.8);
                const isLit = !lit || this.touches(lit, layer, unit, input);
                const key = (strength * 2 + (value < 0 ? 1 : 0)) * 2 + (isLit ? 1 : 0);
                if (!paths.has(key)) paths.set(key, new Path2D());
                const path = paths.get(key);
                path.moveTo(...this.place(layer - 1, input));
                path.lineTo(...this.place(layer, unit));
            }
        }
        for (const [key, path] of [...paths].sort(([one], [other]) => (one & 1) - (other & 1) || one - other)) {
            const [strength, isNegative, isLit] = [(key >> 2) / groups, key & 2, key & 1];
            context.strokeStyle = color(strength === 0 ? "line" : isNegative ? "negative" : "positive");
            context.globalAlpha = (isLit ? (lit ? 1 : dense) : 0.22 * dense) * (0.16 + 0.84 * strength);
            context.lineWidth = 0.5 + 4 * strength * this.slim * (lit && isLit ? 1 : Math.sqrt(dense));
            context.setLineDash(isNegative ? [6, 4] : []);
            context.stroke(path);
        }
        context.globalAlpha = 1;
        context.setLineDash([]);
    }

    /** From every output to the loss: back along them comes ∂loss/∂o, or the error. */
    lossEdges(lit) {
        const { context, seen } = this;
        if (!seen.isLabelled) return;
        const values = this.mode === "forward" ? null : this.mode === "share" ? seen.column(seen.last, "share")
            : seen.layers[seen.last].upstream;
        const most = values?.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
        for (let unit = 0; unit < seen.widths.at(-1); unit += 1) {
            const strength = values ? Math.abs(values[unit]) / most : 0.1;
            const isDim = lit && lit.kind !== "loss"
                && !(lit.kind === "node" && lit.layer === seen.last && lit.unit === unit);
            context.beginPath();
            context.moveTo(...this.place(seen.last, unit));
            context.lineTo(this.lossX, this.middle);
            context.strokeStyle = color(!values ? "faint" : values[unit] < 0 ? "negative" : "positive");
            context.globalAlpha = (isDim ? 0.15 : 1) * (0.2 + 0.8 * strength);
            context.lineWidth = 0.5 + 4 * strength;
            context.setLineDash(values?.[unit] < 0 ? [6, 4] : []);
            context.stroke();
        }
        context.setLineDash([]);
        context.globalAlpha = 1;
    }

    strong({ layer, unit, input }) {
        const { context } = this;
        context.beginPath();
        context.moveTo(...this.place(layer - 1, input));
        context.lineTo(...this.place(layer, unit));
        Object.assign(context, { strokeStyle: color("accent"), lineWidth: 10, globalAlpha: 0.22 });
        context.stroke();
        Object.assign(context, { strokeStyle: color("ink"), lineWidth: 1.5, globalAlpha: 1 });
        for (const [column, at] of [[layer - 1, input], [layer, unit]]) {
            context.beginPath();
            context.arc(...this.place(column, at), this.radii[column + 1] + 4, 0, 7);
            context.stroke();
        }
    }

    path(names) {
        const { context, seen } = this;
        const places = names.map((name) => seen.parse(name)).flatMap((element) => {
            if (element?.kind === "loss") return [[this.lossX, this.middle]];
            if (element?.kind === "W") return [this.place(element.layer - 1, element.input)];
            return element ? [this.place(element.layer, element.unit)] : [];
        });
        context.beginPath();
        for (const place of places) context.lineTo(...place);
        Object.assign(context, { strokeStyle: color("accent"), lineWidth: 9, globalAlpha: 0.4, lineJoin: "round",
            lineCap: "round" });
        context.stroke();
        Object.assign(context, { globalAlpha: 1, lineCap: "butt" });
    }

    column(layer, chosen) {
        const { context, seen } = this;
        const [row, radius] = [this.rows[layer + 1], this.radii[layer + 1]];
        const values = seen.column(layer, this.mode);
        const most = values?.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
        for (let unit = 0; unit < seen.widths[layer + 1]; unit += 1) {
            const [px, py] = this.place(layer, unit);
            const value = values?.[unit];
            const strength = Math.abs(value ?? 0) / most;
            const isReserve = layer === seen.last && seen.isReserve(unit);
            const disc = (style, alpha) => {
                context.beginPath();
                context.arc(px, py, radius, 0, 7);
                Object.assign(context, { fillStyle: color(style), globalAlpha: alpha });
                context.fill();
            };
            disc("surface", 1);
            disc(value < 0 ? "negative" : "positive", strength ** 0.8);
            Object.assign(context,
                { globalAlpha: 1, strokeStyle: color(strength > 0.05 ? "quiet" : "faint"), lineWidth: 1 });
            context.setLineDash(isReserve ? [2, 2] : []);
            context.stroke();
            context.setLineDash([]);
            if (strength > 0.02 && radius >= 5) {
                const half = Math.min(4, radius * 0.45);
                context.fillStyle = color(strength > 0.55 ? "surface" : "ink");
                // Where there is no room for a plus, a minus alone tells the signs apart.
                if (value < 0 || radius >= 7) context.fillRect(px - half, py - 0.75, 2 * half, 1.5);
                if (value > 0 && radius >= 7) context.fillRect(px - 0.75, py - half, 1.5, 2 * half);
            }
            if (chosen?.kind === "node" && chosen.layer === layer && chosen.unit === unit) {
                Object.assign(context, { strokeStyle: color("ink"), lineWidth: 2 });
                context.beginPath();
                context.arc(px, py, radius + 4, 0, 7);
                context.stroke();
            }
            const said = this.mode === "forward" && layer === seen.last && seen.probabilities ? percent(value)
                : number(value);
            if (this.isBelow && (layer < 0 || layer === seen.last)) this.below(isReserve ? "(reserve)"
                : seen.meaning(layer, unit), said, px, py + radius);
            else if (layer < 0) this.words(row, seen.meaning(layer, unit), row >= 30 ? said : "", px - radius - 8, py,
                "right", this.gutter - 20);
            else if (layer === seen.last) this.words(row, isReserve ? "(reserve)" : seen.meaning(layer, unit), said,
                px + radius + 8, py, "left", this.outputRoom - 30);
            else if (row >= 42) { context.textAlign = "center"; this.text(said, px, py + radius + 13, "quiet",
                font(11)); }
        }
    }

    below(name, said, px, py) {
        const { context } = this;
        context.textAlign = "center";
        const isLabel = name === String(this.seen.answer.sample.label);
        const place = (text, face) => {
            context.font = face;
            const half = context.measureText(text).width / 2;
            return clamp(px, half + 2, this.width - half - 2);
        };
        const face = font(11, isLabel ? 700 : 400);
        this.text(name, place(name, face), py + 12, "ink", face);
        this.text(said, place(said, font(11)), py + 24, "quiet", font(11));
    }

    /** A name and below it a number, or both in a line where rows are low; cut to the room there is. */
    words(row, name, said, px, py, align, room) {
        const { context } = this;
        if (row < 12) return;
        context.textAlign = align;
        const isLow = row < 30;
        const cut = (text, most) => {
            if (context.measureText(text).width <= most) return text;
            let kept = text;
            while (kept && context.measureText(`${kept}…`).width > most) kept = kept.slice(0, -1);
            return `${kept}…`;
        };
        context.font = font(12);
        const right = this.seen.answer.sample.label;
        const isLabel = align === "left" && right !== null && name === String(right);
        const shown = cut(name, isLow && said && align === "left" ? room - 12 : room);
        this.text(isLow && said && align === "left" ? `${shown} ${said}` : shown, px, isLow ? py + 4 : py - 1, "ink",
            font(12, isLabel ? 700 : 400));
        if (!isLow && said) this.text(isLabel ? `${said} · label` : said, px, py + 13, "quiet", font(11));
    }

    lossNode(chosen) {
        const { context, seen, lossX, middle } = this;
        if (!seen.isLabelled) return;
        Object.assign(context,
            { fillStyle: color("surface"), strokeStyle: color(chosen?.kind === "loss" ? "ink" : "quiet"),
            lineWidth: chosen?.kind === "loss" ? 2.5 : 1.2 });
        context.beginPath();
        context.roundRect(lossX - 29, middle - 15, 58, 30, 8);
        context.fill();
        context.stroke();
        context.textAlign = "center";
        this.text(number(seen.answer.loss), lossX, middle + 4, "ink", font(12, 600));
    }

    text(text, px, py, ink, face = font(12)) {
        const { context } = this;
        Object.assign(context,
            { font: face, lineWidth: 4, lineJoin: "round", strokeStyle: color("surface"), fillStyle: color(ink) });
        context.strokeText(text, px, py);
        context.fillText(text, px, py);
    }

    // MARK: Reaching it

    focusChosen() { this.nodes.take(); }

    /** The edge within a few pixels of a point, or null. */
    edgeAt(px, py) {
        const { seen } = this;
        if (!seen) return null;
        let [best, found] = [6, null];
        for (let layer = 0; layer <= seen.last; layer += 1) {
            const [left, right] = [this.x[layer], this.x[layer + 1]];
            if (px < left || px > right) continue;
            const [inputs, outputs] = seen.layers[layer].shape;
            const along = (px - left) / (right - left);
            for (let input = 0; input < inputs; input += 1) {
                const from = this.y(layer - 1, input);
                for (let unit = 0; unit < outputs; unit += 1) {
                    const rise = this.y(layer, unit) - from;
                    const distance = Math.abs(from + along * rise - py) / Math.hypot(1, rise / (right - left));
                    if (distance < best) [best, found] = [distance, { kind: "W", layer, unit, input }];
                }
            }
        }
        return found;
    }
}
