// The loss over a range in constant memory: rows of the server's history, and the live windows after them.
//
// Columns in typed arrays of a fixed size. A row covers `count` samples that end at `step` and `time`, with their
// lowest, mean and highest loss; when the columns are full, neighbours merge, so that a peak never gets lost and a
// day costs what a minute does. `x` is what the reader measures by: steps, or unix seconds.

import { finite } from "./format.js";
import { lowerBound } from "./scales.js";

const limit = 3000;  // rows; the columns have one more, for a window on its way into the last row
const names = ["step", "time", "count", "mean", "min", "max", "error", "baseline"];

export class LossHistory {
    length = 0;
    span = 0;  // how much of x a merged row may cover
    begin = null;  // where the first row begins, in x
    rows = Object.fromEntries(names.map((name) => [name, new Float64Array(limit + 1)]));

    constructor(by) { this.by = by; }

    get x() { return this.by === "time" ? this.rows.time : this.rows.step; }
    get last() { return this.length ? this.x[this.length - 1] : null; }
    get extent() { return this.length ? [this.begin, this.last] : null; }

    copy() {
        const twin = new LossHistory(this.by);
        Object.assign(twin, { length: this.length, span: this.span, begin: this.begin });
        for (const name of names) twin.rows[name].set(this.rows[name]);
        return twin;
    }

    /** Takes an answer of GET /history in place of everything. */
    load({ columns, rows, begin }) {
        const places = names.map((name) => columns.indexOf(name));
        this.length = 0;
        for (const row of rows.slice(-limit)) {
            names.forEach((name, index) => { this.rows[name][this.length] = row[places[index]] ?? NaN; });
            this.length += 1;
        }
        if (!this.length) return;
        this.begin = this.by === "time" ? Math.min(begin?.time ?? Infinity, this.x[0])
            : this.rows.step[0] - this.rows.count[0];
        // Live windows finer than this join the last row at once; they would be less than half a pixel wide.
        this.span = (this.last - this.begin) / (0.6 * limit);
    }

    /** Appends a live loss message: its parts where it has some, else its one window. */
    append({ step, time, count, windowMean, min, max, parts, metrics }) {
        if (!(count > 0)) return;
        const before = this.length ? this.rows.time[this.length - 1] : time - 0.1;
        const windows = parts ?? [[0, count, windowMean, min, max]];
        for (const [back, size, mean, low, high] of windows) {
            const at = time - Math.min(1, back / count) * Math.max(0, Math.min(1, time - before));
            this.add([step - back, at, size, mean, low, high, NaN, metrics?.baseline ?? NaN]);
        }
    }

    add(row) {
        const [step, time, count, mean] = row;
        if (!finite(mean) || (this.length && step <= this.rows.step[this.length - 1])) return;
        const from = this.by === "time" ? time : step - count;
        if (this.begin === null) this.begin = from;
        const x = this.by === "time" ? time : step;
        const previous = this.length > 1 ? this.x[this.length - 2] : this.begin;
        const joins = this.length > 0 && x - previous <= this.span;
        if (!joins && this.length === limit) this.thin();
        const { length } = this;
        names.forEach((name, index) => { this.rows[name][length] = row[index]; });
        if (joins) this.merge(length - 1, length);
        else this.length += 1;
    }

    /** Widens the span until at least a third of the rows is free. */
    thin() {
        while (this.length > 0.67 * limit) {
            this.span = Math.max(2 * this.span, (this.last - this.begin) / limit);
            let kept = 0;
            let start = this.begin;
            for (let index = 1; index < this.length; index += 1) {
                if (this.x[index] - start <= this.span) {
                    this.merge(kept, index);
                } else {
                    start = this.x[kept];
                    kept += 1;
                    if (kept !== index) for (const name of names) this.rows[name][kept] = this.rows[name][index];
                }
            }
            this.length = kept + 1;
        }
    }

    /** Row `index` becomes one with the later row `next`. */
    merge(index, next) {
        const { step, time, count, mean, min, max, error, baseline } = this.rows;
        const [a, b] = [count[index], count[next]];
        mean[index] = (mean[index] * a + mean[next] * b) / (a + b);
        // A live window has no error of its own; then the row's stands for what it knows.
        if (!finite(error[index])) error[index] = error[next];
        else if (finite(error[next])) error[index] = (error[index] * a + error[next] * b) / (a + b);
        count[index] = a + b;
        min[index] = Math.min(min[index], min[next]);
        max[index] = Math.max(max[index], max[next]);
        step[index] = step[next];
        time[index] = time[next];
        if (finite(baseline[next])) baseline[index] = baseline[next];
    }

    // MARK: Derived lines

    /**
     * The exponential mean, bias-corrected, into `result`. What a row keeps of the past depends on how much of x it
     * covers: the smoothing is that of a view of a thousand points, whatever the rows are.
     */
    smoothed(smoothing, width, result) {
        const { mean } = this.rows;
        const { x } = this;
        const pace = width / 1000;
        let [sum, weight, previous] = [0, 0, this.begin];
        for (let index = 0; index < this.length; index += 1) {
            const kept = smoothing > 0 ? smoothing ** Math.max(1e-3, (x[index] - previous) / pace) : 0;
            sum = sum * kept + mean[index] * (1 - kept);
            weight = weight * kept + (1 - kept);
            result[index] = sum / weight;
            previous = x[index];
        }
        return result;
    }

    /** The mean since the start into `result`; `earlier` is { sum, count } of all before the first row. */
    running(result, earlier = { sum: 0, count: 0 }) {
        let { sum, count } = earlier;
        for (let index = 0; index < this.length; index += 1) {
            sum += this.rows.mean[index] * this.rows.count[index];
            count += this.rows.count[index];
            result[index] = sum / count;
        }
        return result;
    }

    /** Sum and count of all losses up to a step; within a row, in proportion. */
    before(step) {
        const { count, mean, step: steps } = this.rows;
        const end = lowerBound(steps, step, 0, this.length);
        let [sum, total] = [0, 0];
        for (let index = 0; index < end; index += 1) {
            sum += mean[index] * count[index];
            total += count[index];
        }
        if (end < this.length) {
            const part = Math.max(0, step - (steps[end] - count[end]));
            sum += mean[end] * part;
            total += part;
        }
        return { sum, count: total };
    }

    /** The rows as a table at full precision. */
    table() {
        const list = Array.from({ length: this.length }, (_, index) => (
            names.map((name) => (finite(this.rows[name][index]) ? this.rows[name][index] : null))));
        return { columns: names, rows: list };
    }
}
