// Histograms over time as a heat strip: along it steps, across it values, the stronger the larger a bin's share.
//
// A strip shows a distribution drift, spread or collapse at a glance, which a row of bars cannot. Drawn as one small
// image of a pixel a bin, then scaled, so a long history costs no more than a short one.

import { pointing, prepared } from "./canvas.js";
import { make, number, percent, put, whole } from "./format.js";
import { HistogramHistory } from "./layer-history.js";
import { channels } from "./shades.js";
import { color, font } from "./theme.js";

const [left, right, top, bottom] = [64, 4, 6, 20];

export class HistogramStrip {
    at = null;
    image = make("canvas", "");

    constructor(title, unit, refresh) {
        Object.assign(this, { title, unit, refresh });
        this.canvas = make("canvas", "strip");
        this.canvas.role = "img";
        this.canvas.tabIndex = 0;
        this.readout = make("output", "readout");
        this.root = make("figure", "", make("figcaption", "note", title), this.canvas, this.readout);
        pointing(this.canvas, () => 6, (at) => {
            this.at = at;
            this.readout.ariaLive = document.activeElement === this.canvas ? "polite" : "off";
            refresh();
        });
    }

    draw(history, absent) {
        const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
        const { columns } = history;
        this.canvas.hidden = columns.length === 0;
        if (!columns.length) return put(this.readout, absent);
        if (!width) return;
        const context = prepared(this.canvas, width, height);
        const half = HistogramHistory.bins / 2;
        const [from, to] = history.reach();
        this.bins = [];  // of each row, from the top
        for (let bin = to - 1; bin >= from; bin -= 1) this.bins.push(half + bin);
        for (let bin = from; bin < to; bin += 1) this.bins.push(half - 1 - bin);
        const [limit, least] = [history.value(half + to), history.value(half + from)];
        const most = this.paint(columns);
        const [wide, high] = [width - left - right, height - top - bottom];
        context.fillStyle = color("neutral");
        context.globalAlpha = 0.5;
        context.fillRect(left, top, wide, high);
        context.globalAlpha = 1;
        context.imageSmoothingEnabled = false;
        context.drawImage(this.image, left, top, wide, high);
        const zero = Math.round(top + high / 2) + 0.5;
        Object.assign(context, { strokeStyle: color("faint"), lineWidth: 1, font: font(11), fillStyle: color("quiet"),
            textAlign: "right" });
        context.setLineDash([3, 3]);
        context.beginPath();
        context.moveTo(left, zero);
        context.lineTo(width - right, zero);
        context.stroke();
        context.setLineDash([]);
        const middle = least ? `±${number(least)}` : "0";
        for (const [text, y] of [[number(limit), top + 9], [middle, zero + 4],
            [number(-limit), top + high]]) context.fillText(text, left - 6, y);
        context.textAlign = "left";
        context.fillText(whole(columns[0].first), left, height - 5);
        context.textAlign = "right";
        context.fillText(`step ${whole(columns.at(-1).last)}`, width - right, height - 5);
        this.point(context, { history, columns, wide, high, most });
        this.canvas.ariaLabel =
            `${this.title} over ${whole(columns.length)} columns to step ${whole(columns.at(-1).last)}, `
            + `within ±${number(limit)}. Arrow keys read them.`;
    }

    /** The history as an image of a pixel a bin; hands back the largest share, which is full strength. */
    paint(columns) {
        const { image, bins } = this;
        Object.assign(image, { width: columns.length, height: bins.length });
        const context = image.getContext("2d");
        const data = context.createImageData(columns.length, bins.length);
        const [red, green, blue] = channels("accent");
        let most = 0;
        for (const { shares } of columns) for (const share of shares) if (share > most) most = share;
        columns.forEach(({ shares }, column) => {
            for (let row = 0; row < bins.length; row += 1) {
                const share = shares[bins[row]];
                const at = 4 * (row * columns.length + column);
                data.data[at] = red;
                data.data[at + 1] = green;
                data.data[at + 2] = blue;
                data.data[at + 3] = 255 * (share / most) ** 0.5;
            }
        });
        context.putImageData(data, 0, 0);
        return most;
    }

    point(context, { history, columns, wide, high, most }) {
        const { bins } = this;
        const [x, y] = this.at ?? [-1, -1];
        if (x < left || x > left + wide || y < top || y > top + high) {
            return put(this.readout, `strongest: ${percent(most)} of the ${this.unit} in a bin`);
        }
        const column = columns[Math.min(columns.length - 1, Math.floor(((x - left) / wide) * columns.length))];
        const row = Math.min(bins.length - 1, Math.floor(((y - top) / high) * bins.length));
        const bin = bins[row];
        context.strokeStyle = color("ink");
        context.strokeRect(Math.round(x) - 3.5, Math.round(top + (row / bins.length) * high) + 0.5, 7,
            Math.max(2, high / bins.length));
        const steps = column.first === column.last ? `step ${whole(column.last)}`
            : `steps ${whole(column.first)}–${whole(column.last)}`;
        const [from, to] = [bin, bin + 1].map((edge) => number(history.value(edge)));
        put(this.readout, `${steps}: ${percent(column.shares[bin])} from ${from} to ${to}`);
    }
}
