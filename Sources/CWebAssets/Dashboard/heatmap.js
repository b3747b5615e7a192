// A matrix of signed numbers as cells: the stronger the colour, the larger within its map; a minus on negative cells.
//
// For weights (a row is a unit, a column an input) and for the values of a layer too wide to draw as nodes. Cells are
// as large as there is room for; below eight pixels the minus no longer fits, and the readout under the cursor (or
// under the arrow keys) tells sign and value. Deliberately not here: pooling, which the server does and names, and
// sequential colour scales.

import { pointing, prepared } from "./canvas.js";
import { clamp, make, number, put, several } from "./format.js";
import { color } from "./theme.js";

/** The bytes of a base64 text. */
export function bytes(text) { return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)); }

/** Signed bytes of a base64 text, such as a weight map. */
export function signedBytes(text) { return new Int8Array(bytes(text).buffer); }

/** The legend of every signed map: colour and sign together. */
export function signedLegend(words) {
    const key = (className, sign) => make("span", `key ${className}`, sign);
    return make("p", "note", key("positive", "+"), " positive, ", key("negative", "−"), ` negative; ${words}`);
}

export class HeatMap {
    at = null;  // [column, row] under the cursor
    data = null;

    /**
     * @param options `refresh()`; `describe(row, column, value)` → text; `pick(row, column)`, on click or Enter, if
     * any;
     *     `largest` px of a cell
     */
    constructor(options) {
        Object.assign(this, { largest: 18, highest: 220, pick: null, cell: 1, ...options });
        this.canvas = make("canvas", "heatmap");
        this.canvas.role = "img";
        this.canvas.tabIndex = 0;
        this.readout = make("output", "readout");
        this.root = make("div", "heatmap-frame", this.canvas, this.readout);
        pointing(this.canvas, () => this.cell, (at) => {
            this.at = at && at.map((place) => Math.floor((place + 0.01) / this.cell));
            this.readout.ariaLive = document.activeElement === this.canvas ? "polite" : "off";
            this.refresh();
        });
        const choose = () => { if (this.pick && this.cellAt()) this.pick(this.at[1], this.at[0]); };
        this.canvas.addEventListener("click", choose);
        this.canvas.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
        this.canvas.classList.toggle("pointed", this.pick !== null);
    }

    /**
     * @param data `rows`, `columns`, `values` (row-major numbers, in units of `scale` / `full`), `scale` the largest
     *     magnitude, `full` the value that stands for it, `name` for the screen reader, `idle` what the readout says
     *     while nothing is pointed at
     */
    set(data) { this.data = data; }

    cellAt() {
        if (!this.at || !this.data) return false;
        const [column, row] = this.at;
        return column >= 0 && row >= 0 && column < this.data.columns && row < this.data.rows
            && row * this.data.columns + column < this.data.values.length;
    }

    draw() {
        const { data, canvas, root } = this;
        const room = root.clientWidth;
        if (!data || !room) return;
        const { rows, columns, values, scale, full } = data;
        const cell = this.cell = clamp(Math.min(room / columns, this.highest / rows), 1, this.largest);
        const [width, height] = [Math.floor(columns * cell), Math.floor(rows * cell)];
        Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
        const context = prepared(canvas, width, height);
        const [neutral, positive, negative, ink, surface] = ["neutral", "positive", "negative", "ink", "surface"]
            .map(color);
        const gap = cell >= 6 ? 1 : 0;
        let negatives = 0;
        context.fillStyle = neutral;
        if (!gap) context.fillRect(0, 0, width, height);
        for (let row = 0; row < rows; row += 1) {
            const top = Math.round(row * cell);
            const high = Math.round((row + 1) * cell) - top - gap;
            for (let column = 0; column < columns; column += 1) {
                const index = row * columns + column;
                if (index >= values.length) continue;
                const value = values[index];
                if (value < 0) negatives += 1;
                const left = Math.round(column * cell);
                const wide = Math.round((column + 1) * cell) - left - gap;
                if (gap) { context.globalAlpha = 1; context.fillStyle = neutral; context.fillRect(left, top, wide,
                    high); }
                const strength = Math.min(1, Math.abs(value) / full) ** 0.8;
                context.globalAlpha = strength;
                context.fillStyle = value < 0 ? negative : positive;
                context.fillRect(left, top, wide, high);
                if (value < 0 && cell >= 8 && strength > 0.04) {
                    context.globalAlpha = 0.75;
                    context.fillStyle = strength > 0.6 ? surface : ink;
                    context.fillRect(left + Math.round(wide / 2) - 2, top + (high >> 1), 4, 1);
                }
            }
        }
        context.globalAlpha = 1;
        if (this.cellAt()) {
            const [column, row] = this.at;
            const value = (values[row * columns + column] / full) * scale;
            const [left, top] = [Math.round(column * cell), Math.round(row * cell)];
            Object.assign(context, { strokeStyle: ink, lineWidth: 1.5 });
            context.strokeRect(left + 0.5, top + 0.5, Math.max(2, cell - 1), Math.max(2, cell - 1));
            put(this.readout, this.describe(row, column, value));
        } else {
            put(this.readout, data.idle ?? `largest ±${number(scale)}`);
        }
        canvas.ariaLabel = `${data.name}: ${several(values.length, "value")}, ${negatives} negative, `
            + `largest magnitude ${number(scale)}. Arrow keys read them.`;
    }
}

/** A list of numbers as a map: a row of cells, or a square where their count is one, as of an image's pixels. */
export function listed(values, wide) {
    const side = Math.sqrt(values.length);
    const isSquare = values.length >= 64 && Number.isInteger(side);
    const columns = isSquare ? side : Math.min(values.length, wide);
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return { rows: Math.ceil(values.length / columns), columns, values, scale, full: scale || 1, isSquare };
}
