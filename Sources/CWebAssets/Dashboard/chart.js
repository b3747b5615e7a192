// A chart on a canvas: lines, bands and bars over a linear, logarithmic or time axis, with zoom and a readout.
//
// Written here because the page may fetch nothing from elsewhere and the views are its own; general, but no larger
// than they need. Data are columns (arrays or typed arrays) that the chart only reads. Where there are more points
// than pixels, every pixel column shows its first, lowest, highest and last value, so no peak is ever left out, and
// the inner loops make no objects. The chart never draws by itself: it asks (`refresh`), and `draw` is called in the
// page's one frame loop. Deliberately not here: legends and controls (HTML does them better), animation, two y axes.
//
//     const chart = new Chart(canvas, {
//         series: [{ name: "loss", color: "accent", width: 2 }, { name: "range", color: "envelope", kind: "band" }],
//         x: { scale: "linear" | "time", name: "step" }, y: { scale: "linear" | "log", min: 0, max: null },
//         refresh: () => app.refresh(), output: node, zoomed: (range) => {}, describe: (index) => "…",
//     });
//     chart.set({ length, x: steps, y: [losses, [lowest, highest]] });  // not finite = a gap
//     chart.levels = [{ value: 0.66, label: "baseline 0.66", color: "baseline", dash: [6, 5] }];
//     chart.draw();

import { clamp, finite, number, put, whole, clock } from "./format.js";
import { linearTicks, logTicks, lowerBound, rounded, timeTicks } from "./scales.js";
import { color, font } from "./theme.js";
import { label, measured, prepared, rule } from "./canvas.js";
import { Gestures } from "./gestures.js";

export { prepared, pointing, measured } from "./canvas.js";

const solid = [];

export class Chart {
    levels = [];  // constant lines: { value, label, color, dash }
    marks = [];  // moments, upright lines at values of x: { value, label, color }
    zoom = null;  // [from, to] where the reader looks closer
    extent = null;  // [from, to] of all there is, where the data hold only a part of it
    at = -1;  // index of the point under the cursor
    width = 0;
    height = 0;
    box = { left: 0, right: 0, top: 0, bottom: 0 };
    data = { length: 0, x: solid, y: solid };

    constructor(canvas, options) {
        Object.assign(this, { canvas, series: [], x: {}, y: {}, refresh() {}, zoomed() {}, ...options });
        this.gestures = new Gestures(this);
        measured(canvas, (width, height) => { Object.assign(this, { width, height }); this.refresh(); });
    }

    set(data) { this.data = data; }

    /** Shows [from, to], or everything with null, and tells the owner; a range as wide as everything is everything. */
    zoomTo(range) {
        const [first, last] = this.all();
        if (range) {
            const span = clamp(range[1] - range[0], (last - first) * 1e-9 + 1e-9, last - first);
            const from = clamp(range[0], first, last - span);
            range = span > 0.999 * (last - first) ? null : [from, from + span];
        }
        this.zoom = range;
        this.zoomed(range);
        this.refresh();
    }

    /** All there is on x: the given extent, else that of the data. */
    all() {
        const { x, length } = this.data;
        return this.extent ?? (length ? [x[0], x[length - 1]] : [0, 1]);
    }

    /** The range in view; a lone point gets some room about it. */
    range() {
        const [from, to] = this.zoom ?? this.all();
        return to > from ? [from, to] : [from - 0.5, to + 0.5];
    }

    valueAt(px) {
        const [from, to] = this.range();
        return from + ((px - this.box.left) / (this.box.right - this.box.left)) * (to - from);
    }

    draw() {
        const { canvas, width, height, box } = this;
        if (!width || !height) return;
        const context = this.context = prepared(canvas, width, height);
        context.font = font();
        const [from, to] = this.range();
        const { x, length } = this.data;
        // One point beyond either edge, so that lines run out of the box instead of ending short of it.
        const first = Math.max(0, lowerBound(x, from, 0, length) - 1);
        const last = Math.min(length, lowerBound(x, to, 0, length) + 1);
        const { low, high } = this.fit(first, last);

        box.top = 10;
        box.bottom = height - (this.x.hidden ? 6 : 24);
        const rows = Math.max(2, Math.floor((box.bottom - box.top) / 56));
        const ticks = this.isLog ? logTicks(low, high, 1.6 * rows) : linearTicks(low, high, rows);
        let gutter = 0;
        for (const { text } of ticks) gutter = Math.max(gutter, context.measureText(text).width);
        box.left = Math.ceil(gutter) + 10;
        box.right = width - 12;
        this.kx = (box.right - box.left) / (to - from);
        this.bx = box.left - this.kx * from;
        const [bottom, top] = this.isLog ? [Math.log10(low), Math.log10(high)] : [low, high];
        this.ky = (box.top - box.bottom) / (top - bottom);
        this.by = box.bottom - this.ky * bottom;
        this.floor = low;

        this.grid(ticks, from, to);
        context.save();
        context.beginPath();
        context.rect(box.left, box.top - 2, box.right - box.left + 1, box.bottom - box.top + 3);
        context.clip();
        this.series.forEach((style, index) => {
            const values = this.data.y[index];
            if (!values || style.hidden) return;
            if (style.kind === "band") this.band(style, x, values[0], values[1], first, last);
            else if (style.kind === "bars") this.bars(style, x, values, first, last);
            else this.line(style, x, values, first, last);
        });
        context.restore();
        this.drawMarks(from, to);
        this.drawLevels(low, high);
        this.drawCursor(first, last);
    }

    /** Low and high end of the y axis: what is given, else what the series in view need. */
    fit(first, last) {
        this.isLog = this.y.scale === "log";
        let [low, high] = [Infinity, -Infinity];
        const take = (values, from, to) => {
            for (let index = from; index < to; index += 1) {
                const value = values[index];
                if (value > high && value < Infinity) high = value;
                if (value < low && (this.isLog ? value > 0 : value > -Infinity)) low = value;
            }
        };
        this.series.forEach((style, index) => {
            const values = this.data.y[index];
            if (!values || style.hidden || style.fit === false) return;
            for (const column of style.kind === "band" ? values : [values]) take(column, first, last);
        });
        for (const { value, fit } of this.levels) if (fit !== false && finite(value)) take([value], 0, 1);
        if (!(high >= low)) [low, high] = this.isLog ? [0.1, 1] : [0, 1];
        if (this.isLog) {
            low = this.y.min > 0 ? this.y.min : low / 1.1;
            high = this.y.max > 0 ? this.y.max : high * 1.1;
            return high > low * 1.01 ? { low, high } : { low: low / 2, high: high * 2 };
        }
        const given = [this.y.min, this.y.max];
        [low, high] = [given[0] ?? low, given[1] ?? high];
        if (!(high > low)) [low, high] = [given[0] ?? low - Math.abs(low || 1), low + Math.abs(low || 1)];
        // Ends that are not given rest on round numbers, so that the top line of the grid is labelled.
        const pace = rounded((high - low) / Math.max(2, this.height / 60));
        if (given[0] == null) low = Math.floor(low / pace + 1e-9) * pace;
        if (given[1] == null) high = Math.ceil(high / pace - 1e-9) * pace;
        return { low, high };
    }

    px(value) { return this.kx * value + this.bx; }

    /** Height in pixels. A logarithm has no place for zero: it stands on the floor. Far outside is just outside. */
    py(value) {
        const y = this.isLog ? (value > this.floor ? this.ky * Math.log10(value) + this.by : this.box.bottom)
            : this.ky * value + this.by;
        return y < -4000 ? -4000 : y > 8000 ? 8000 : y;
    }

    // MARK: Series

    line({ color: ink, width = 1.5, dash = solid }, x, values, first, last) {
        const { context } = this;
        const density = window.devicePixelRatio;
        const crowded = last - first > density * (this.box.right - this.box.left);
        context.beginPath();
        let isOpen = false;
        for (let index = first; index < last; index += 1) {
            let value = values[index];
            if (!(value > -Infinity && value < Infinity)) { isOpen = false; continue; }
            const px = this.px(x[index]);
            if (isOpen) context.lineTo(px, this.py(value));
            else context.moveTo(px, this.py(value));
            isOpen = true;
            if (!crowded) continue;
            // The rest of this pixel column: its lowest, highest and last value.
            const column = Math.floor(px * density);
            const opening = value;
            let low = value;
            let high = value;
            while (index + 1 < last && Math.floor(this.px(x[index + 1]) * density) === column) {
                value = values[index + 1];
                if (!(value > -Infinity && value < Infinity)) break;
                index += 1;
                if (value < low) low = value;
                if (value > high) high = value;
            }
            const latest = values[index];
            if (low < opening && low < latest) context.lineTo(px, this.py(low));
            if (high > opening && high > latest) context.lineTo(px, this.py(high));
            if (latest !== opening) context.lineTo(px, this.py(latest));
        }
        context.strokeStyle = color(ink);
        context.lineWidth = width;
        // Round joins cost more than the line itself, and between neighbouring pixels nobody sees them.
        context.lineJoin = last - first > (this.box.right - this.box.left) / 3 ? "bevel" : "round";
        context.setLineDash(dash);
        context.stroke();
        context.setLineDash(solid);
    }

    /** The area between two columns: there along the upper, back along the lower, run by run between gaps. */
    band({ color: ink }, x, lows, highs, first, last) {
        const { context } = this;
        context.beginPath();
        let start = first;
        while (start < last) {
            while (start < last && !(highs[start] - lows[start] >= 0)) start += 1;
            let end = start;
            while (end < last && highs[end] - lows[end] >= 0) end += 1;
            if (end > start) {
                context.moveTo(Math.round(this.px(x[start])), Math.round(this.py(highs[start])));
                this.edge(x, highs, start, end, 1, 1);
                this.edge(x, lows, end - 1, start - 1, -1, -1);
                context.closePath();
            }
            start = end;
        }
        context.fillStyle = color(ink);
        context.fill();
    }

    /** One edge of a band, the outermost value of each pixel column; `sense` 1: the highest, −1: the lowest. */
    edge(x, values, from, to, step, sense) {
        const { context } = this;
        const density = window.devicePixelRatio;
        for (let index = from; index !== to; index += step) {
            const column = Math.floor(this.px(x[index]) * density);
            let outermost = values[index];
            while (index + step !== to && Math.floor(this.px(x[index + step]) * density) === column) {
                index += step;
                if (sense * values[index] > sense * outermost) outermost = values[index];
            }
            // On whole pixels a filled edge costs half of what it does between them.
            context.lineTo(column / density, Math.round(this.py(outermost)));
        }
    }

    /** Bars about their x, as wide as the first two are apart. */
    bars({ color: ink }, x, values, first, last) {
        const { context } = this;
        const wide = Math.max(1, (x.length > 1 ? this.kx * (x[1] - x[0]) : 12) - 1);
        const ground = this.py(this.isLog ? this.floor : 0);
        context.fillStyle = color(ink);
        for (let index = first; index < last; index += 1) {
            const top = this.py(values[index]);
            context.fillRect(this.px(x[index]) - wide / 2, Math.min(top, ground), wide, Math.abs(ground - top));
        }
    }

    // MARK: Around the series

    grid(ticks, from, to) {
        const { context, box } = this;
        context.lineWidth = 1;
        context.strokeStyle = color("line");
        context.fillStyle = color("quiet");
        context.textAlign = "right";
        let below = Infinity;  // height of the last word
        for (const { at, text, minor } of ticks) {
            const level = Math.round(this.py(at)) + 0.5;
            context.globalAlpha = minor ? 0.5 : 1;
            context.beginPath();
            context.moveTo(box.left, level);
            context.lineTo(box.right, level);
            context.stroke();
            context.globalAlpha = 1;
            // Where lines are close, the decades keep their words and those between them go without.
            const decade = minor ? this.py(10 ** Math.ceil(Math.log10(at))) : -Infinity;
            if (!text || (minor && Math.min(below - level, level - decade) < 13)) continue;
            context.fillText(text, box.left - 8, level + 4);
            below = level;
        }
        if (this.x.hidden) return;
        context.textAlign = "center";
        const count = Math.max((box.right - box.left) / 105, Math.min(5, (box.right - box.left) / 60));
        let free = -Infinity;  // where the next word may begin: narrow charts drop words rather than print over them
        for (const { at, text } of (this.x.scale === "time" ? timeTicks : linearTicks)(from, to, count)) {
            const half = context.measureText(text).width / 2;
            const px = clamp(this.px(at), half, box.right + 12 - half);
            if (px - half < free) continue;
            free = px + half + 10;
            context.fillText(text, px, box.bottom + 18);
        }
    }

    drawLevels(low, high) {
        const { context, box } = this;
        for (const { value, label: words, color: ink, dash = [6, 5] } of this.levels) {
            if (!finite(value)) continue;
            if (value > high && words) label(context, `↑ ${words}`, box.right - 2, box.top + 12, ink);
            if (value < low || value > high) continue;
            const level = Math.round(this.py(value)) + 0.5;
            context.setLineDash(dash);
            rule(context, box.left, level, box.right, level, ink, 1.5);
            context.setLineDash(solid);
            if (words) label(context, words, box.right - 2, level < 40 ? level + 16 : level - 7, ink);
        }
    }

    drawMarks(from, to) {
        const { context, box } = this;
        const shown = this.marks.filter(({ value }) => value >= from && value <= to);
        context.setLineDash([2, 3]);
        for (const { value, color: ink } of shown) {
            const px = Math.round(this.px(value)) + 0.5;
            rule(context, px, box.top, px, box.bottom, ink, 1.5);
        }
        context.setLineDash(solid);
        for (const { value, label: words, color: ink } of shown) {
            if (!words) continue;
            const px = this.px(value);
            const wide = context.measureText(words).width;
            label(context, words, px - 6 - wide < box.left ? px + 6 + wide : px - 6, box.bottom - 8, ink);
        }
    }

    /** The point under the cursor, and the range that is being dragged. */
    drawCursor(first, last) {
        const { context, box, gestures, data } = this;
        this.at = -1;
        if (gestures.drag) {
            const [left, right] = gestures.drag;
            context.fillStyle = color("accent");
            context.globalAlpha = 0.13;
            context.fillRect(Math.min(left, right), box.top, Math.abs(right - left), box.bottom - box.top);
            context.globalAlpha = 1;
        }
        if (gestures.cursor !== null && last > first) {
            const wanted = this.valueAt(gestures.cursor);
            let index = Math.min(last - 1, lowerBound(data.x, wanted, first, last));
            if (index > first && wanted - data.x[index - 1] < data.x[index] - wanted) index -= 1;
            this.at = index;
            const px = Math.round(this.px(data.x[index])) + 0.5;
            if (px >= box.left - 1 && px <= box.right + 1) rule(context, px, box.top, px, box.bottom, "quiet", 1);
            this.series.forEach(({ kind, color: ink, hidden }, series) => {
                const value = data.y[series]?.[index];
                if (kind || hidden || !finite(value)) return;
                const y = this.py(value);
                if (y < box.top - 2 || y > box.bottom + 2) return;
                context.beginPath();
                context.arc(px, y, 3.5, 0, 7);
                context.fillStyle = color(ink);
                context.fill();
                context.lineWidth = 1.5;
                context.strokeStyle = color("surface");
                context.stroke();
            });
        }
        if (!this.output) return;
        // Read aloud only what the reader asked for by key, not every message that arrives.
        this.output.ariaLive = gestures.byKey && this.at >= 0 ? "polite" : "off";
        put(this.output, this.describe ? this.describe(this.at) : this.words(this.at));
    }

    /** `step 1,200: loss 0.1211, mean 0.2310`. */
    words(index) {
        if (index < 0) return "";
        const { x, y } = this.data;
        const place = this.x.scale === "time" ? clock(x[index]) : `${this.x.name ?? "step"} ${whole(x[index])}`;
        const values = this.series.flatMap(({ name, kind, hidden }, series) => {
            if (hidden || !y[series] || !name) return [];
            if (kind !== "band") return [`${name} ${number(y[series][index])}`];
            return [`${name} ${number(y[series][0][index])} to ${number(y[series][1][index])}`];
        });
        return `${place}: ${values.join(", ")}`;
    }
}
