// What the network would answer over a plane of two inputs: the picture behind the samples of the input space.
//
// Classes: the colour is the predicted class, its strength the certainty, and a line runs where the prediction
// changes. The server answers on a grid; between its points every class's score is interpolated, so that borders are
// smooth and not stairs. Regression: a diverging map about the middle of what is predicted, with contour lines.

import { contour } from "./contours.js";
import { brief, linearTicks } from "./scales.js";
import { bytes } from "./heatmap.js";
import { make } from "./format.js";
import { color, font } from "./theme.js";
import { channels } from "./shades.js";
import { classInk } from "./marks.js";

const finer = 3;  // points drawn a side for one of the grid

export class Surface {
    constructor(answer) {
        this.answer = answer;
        this.size = answer.size;
        this.values = bytes(answer.values);
        this.certainty = answer.certainty ? bytes(answer.certainty) : null;
        this.isRegression = answer.task === "regression";
        if (!this.isRegression) this.score();
        this.image = make("canvas", "");
    }

    /**
     * A score for each class that occurs: the certainty p where it is predicted, elsewhere what the runner-up can have
     * at
     * most, 1 − p. So the lead of the predicted class, 2p − 1, is zero at a border of two classes, and the border lies
     * where it is and not on the grid.
     */
    score() {
        const { values, certainty, size } = this;
        this.present = [...new Set(values)].sort((one, other) => one - other);
        this.scores = this.present.map((index) => Float32Array.from(values, (value, at) => {
            const sure = certainty ? certainty[at] / 255 : 1;
            return value === index ? sure : sure - Math.max(0.02, 2 * sure - 1);
        }));
        const wide = this.wide = size * finer;
        const fine = this.scores.map((score) => interpolated(blurred(score, size), size, wide));
        const count = wide * wide;
        this.best = new Uint8Array(count);  // index in `present`
        this.sure = new Float32Array(count);  // score of the best class
        const next = new Float32Array(count);  // and of the one after it
        fine.forEach((score, index) => {
            for (let at = 0; at < count; at += 1) {
                const value = score[at];
                if (value > this.sure[at]) [next[at], this.sure[at], this.best[at]] = [this.sure[at], value, index];
                else if (value > next[at]) next[at] = value;
            }
        });
        // How far a class is ahead of all others: its zero line is its border. Of two classes it is the same line
        // twice.
        this.pieces = [];  // x1, y1, x2, y2, …
        for (let index = fine.length === 2 ? 1 : 0; index < fine.length && fine.length > 1; index += 1) {
            const lead = fine[index];
            for (let at = 0; at < count; at += 1) lead[at] -= this.best[at] === index ? next[at] : this.sure[at];
            contour(lead, wide, wide, 0, (x1, y1, x2, y2) => this.pieces.push(x1, y1, x2, y2));
        }
    }

    /** Class and certainty, or the value, at a place given as shares of width and height. */
    at(x, y) {
        const [column, row] = [x, y]
            .map((share) => Math.min(this.size - 1, Math.max(0, Math.floor(share * this.size))));
        const index = row * this.size + column;
        if (this.isRegression) return { value: this.number(this.values[index]) };
        return { name: this.answer.classes[this.values[index]] ?? `class ${this.values[index]}`,
            certainty: this.certainty ? this.certainty[index] / 255 : null };
    }

    number(byte) { return this.answer.low + (byte / 255) * (this.answer.high - this.answer.low); }

    draw(context, box) {
        if (this.isRegression) this.paintValues();
        else this.paintClasses();
        const { left, top, width, height } = box;
        context.imageSmoothingEnabled = true;
        context.imageSmoothingQuality = "high";
        context.save();
        context.beginPath();
        context.rect(left, top, width, height);
        context.clip();
        context.drawImage(this.image, left, top, width, height);
        const points = this.isRegression ? this.size : this.wide;
        const place = (x, y) => [left + ((x + 0.5) / points) * width, top + ((y + 0.5) / points) * height];
        if (this.isRegression) this.contours(context, place);
        else this.borders(context, place);
        context.restore();
    }

    pixels(wide, paint) {
        const theme = color("surface");
        if (this.paintedIn === theme) return;
        this.paintedIn = theme;
        Object.assign(this.image, { width: wide, height: wide });
        const context = this.image.getContext("2d");
        const picture = context.createImageData(wide, wide);
        paint(picture.data);
        context.putImageData(picture, 0, 0);
    }

    paintClasses() {
        this.pixels(this.wide, (data) => {
            const inks = this.present.map((index) => channels(classInk(index)));
            const floor = 1 / Math.max(2, this.answer.classes.length);
            for (let at = 0; at < this.best.length; at += 1) {
                const sure = Math.max(0, (this.sure[at] - floor) / (1 - floor));
                const [red, green, blue] = inks[this.best[at]];
                [data[4 * at], data[4 * at + 1], data[4 * at + 2]] = [red, green, blue];
                data[4 * at + 3] = 255 * (0.05 + 0.38 * sure);
            }
        });
    }

    paintValues() {
        this.pixels(this.size, (data) => {
            const [positive, negative] = [channels("positive"), channels("negative")];
            for (let at = 0; at < this.values.length; at += 1) {
                const share = this.values[at] / 127.5 - 1;
                data.set(share < 0 ? negative : positive, 4 * at);
                data[4 * at + 3] = 200 * Math.abs(share);
            }
        });
    }

    borders(context, place) {
        Object.assign(context, { strokeStyle: color("ink"), lineWidth: 1.4, globalAlpha: 0.75, lineCap: "round" });
        context.beginPath();
        const { pieces } = this;
        for (let at = 0; at < pieces.length; at += 4) {
            context.moveTo(...place(pieces[at], pieces[at + 1]));
            context.lineTo(...place(pieces[at + 2], pieces[at + 3]));
        }
        context.stroke();
        Object.assign(context, { globalAlpha: 1, lineCap: "butt" });
    }

    contours(context, place) {
        const { low, high } = this.answer;
        if (!(high > low)) return;
        const middle = (low + high) / 2;
        const numbers = Float32Array.from(this.values, (byte) => this.number(byte));
        context.font = font(11);
        context.textAlign = "center";
        for (const { at, text } of linearTicks(low, high, 8)) {
            const pieces = [];
            contour(numbers, this.size, this.size, at, (...piece) => pieces.push(piece));
            Object.assign(context, { strokeStyle: color("ink"), lineWidth: 1, globalAlpha: 0.5 });
            context.setLineDash(at < middle ? [5, 3] : []);
            context.beginPath();
            for (const [x1, y1, x2,
                y2] of pieces) { context.moveTo(...place(x1, y1)); context.lineTo(...place(x2, y2)); }
            context.stroke();
            context.setLineDash([]);
            context.globalAlpha = 1;
            const spot = pieces[Math.floor(pieces.length * 0.4)];
            if (!spot || pieces.length < 6) continue;
            const [px, py] = place(spot[0], spot[1]);
            Object.assign(context,
                { lineWidth: 3.5, lineJoin: "round", strokeStyle: color("surface"), fillStyle: color("ink") });
            context.strokeText(text, px, py + 4);
            context.fillText(text, px, py + 4);
        }
    }

    /** The ends and the middle of the diverging map, for its legend. */
    ends() {
        const { low, high } = this.answer;
        return [low, (low + high) / 2, high].map((value) => brief(Number(value.toPrecision(3))));
    }
}

/** Each point with its neighbours, 1 2 1 both ways: takes the grid's stairs out of a border, and little else. */
function blurred(grid, size) {
    const along = (from, step, other) => {
        const to = new Float32Array(grid.length);
        for (let line = 0; line < size; line += 1) {
            for (let place = 0; place < size; place += 1) {
                const at = line * other + place * step;
                const before = place > 0 ? from[at - step] : from[at];
                const after = place < size - 1 ? from[at + step] : from[at];
                to[at] = (before + 2 * from[at] + after) / 4;
            }
        }
        return to;
    };
    return along(along(grid, 1, size), size, 1);
}

/** A grid with `wide` points a side, bilinear between those of a grid with `size`. */
function interpolated(grid, size, wide) {
    const fine = new Float32Array(wide * wide);
    // A grid point is the middle of its cell; the half cell around the outermost ones repeats them.
    const places = Float32Array.from({ length: wide },
        (_, index) => Math.min(size - 1, Math.max(0, (index + 0.5) / finer - 0.5)));
    for (let y = 0; y < wide; y += 1) {
        const row = Math.min(size - 2, Math.floor(places[y]));
        const down = places[y] - row;
        for (let x = 0; x < wide; x += 1) {
            const column = Math.min(size - 2, Math.floor(places[x]));
            const along = places[x] - column;
            const at = row * size + column;
            fine[y * wide + x] = (grid[at] * (1 - along) + grid[at + 1] * along) * (1 - down)
                + (grid[at + size] * (1 - along) + grid[at + size + 1] * along) * down;
        }
    }
    return fine;
}
