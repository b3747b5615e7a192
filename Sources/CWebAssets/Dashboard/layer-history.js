// Histories of the layers in constant memory: norms as lowest, mean and highest, histograms as columns of shares.
//
// Both halve their resolution when they are full, by merging neighbours, so nothing is left out and nothing sampled.
// Histograms arrive with ranges of their own and are laid on one grid of 128 bins. For weights it is linear over [−R,
// R];
// where a value falls outside, R doubles, which merges bins in pairs exactly, so a value is blurred once, on arrival,
// by a bin at most. Gradients differ by orders of magnitude from sample to sample: theirs is logarithmic, both signs
// from 10⁻⁸ to 10⁴, what is smaller next to zero.

export class NormHistory {
    static limit = 1200;
    length = 0;
    pending = 0;  // messages in the newest point
    span = 1;  // messages that a point may hold
    steps = new Float64Array(NormHistory.limit);
    weights = new Float64Array(NormHistory.limit);

    /** @param series how many time courses share the steps */
    constructor(series) {
        const column = () => new Float64Array(NormHistory.limit);
        this.series = Array.from({ length: series }, () => ({ mean: column(), min: column(), max: column() }));
    }

    add(step, values) {
        if (this.length && step <= this.steps[this.length - 1]) return;
        const opens = this.length === 0 || this.weights[this.length - 1] >= this.span;
        if (opens && this.length === NormHistory.limit) this.halve();
        const at = opens ? this.length++ : this.length - 1;
        const weight = opens ? 0 : this.weights[at];
        this.series.forEach((course, index) => {
            const value = values[index] ?? NaN;
            course.mean[at] = weight ? (course.mean[at] * weight + value) / (weight + 1) : value;
            course.min[at] = weight ? Math.min(course.min[at], value) : value;
            course.max[at] = weight ? Math.max(course.max[at], value) : value;
        });
        this.steps[at] = step;
        this.weights[at] = weight + 1;
    }

    halve() {
        this.span *= 2;
        const half = this.length >> 1;
        for (let to = 0; to < half; to += 1) {
            const [a, b] = [2 * to, 2 * to + 1];
            const [wa, wb] = [this.weights[a], this.weights[b]];
            for (const { mean, min, max } of this.series) {
                mean[to] = (mean[a] * wa + mean[b] * wb) / (wa + wb);
                min[to] = Math.min(min[a], min[b]);
                max[to] = Math.max(max[a], max[b]);
            }
            this.steps[to] = this.steps[b];
            this.weights[to] = wa + wb;
        }
        this.length = half;
    }
}

export class HistogramHistory {
    static limit = 180;
    static bins = 128;
    columns = [];  // { first, last, count, shares }: messages of these steps, and the mean share of each bin
    span = 1;  // messages that a column may hold
    range = 0;  // R, a power of two

    constructor(scale = "linear") { this.isLog = scale === "log"; }

    /** Where a value lies on the grid, in bins; zero is in the middle. */
    place(value) {
        const half = HistogramHistory.bins / 2;
        if (!this.isLog) return half + (value / this.range) * half;
        const share = (Math.log10(Math.abs(value)) + 8) / 12;
        return half + Math.sign(value) * half * Math.min(1, Math.max(0, share));
    }

    /** The value at an edge of the grid. */
    value(edge) {
        const share = (edge - HistogramHistory.bins / 2) / (HistogramHistory.bins / 2);
        if (!this.isLog) return share * this.range;
        return share === 0 ? 0 : Math.sign(share) * 10 ** (12 * Math.abs(share) - 8);
    }

    add(step, histogram) {
        if (!histogram || !Number.isFinite(histogram.min) || !Number.isFinite(histogram.max)) return;
        if (step <= this.columns.at(-1)?.last) return;
        const reach = Math.max(Math.abs(histogram.min), Math.abs(histogram.max), 1e-30);
        if (!this.range) this.range = 2 ** Math.ceil(Math.log2(reach));
        while (!this.isLog && reach > this.range) this.widen();
        const shares = this.laid(histogram);
        const last = this.columns.at(-1);
        if (last && last.count < this.span) {
            last.shares = last.shares.map((share, bin) => (share * last.count + shares[bin]) / (last.count + 1));
            last.count += 1;
            last.last = step;
            return;
        }
        if (this.columns.length === HistogramHistory.limit) this.halve();
        this.columns.push({ first: step, last: step, count: 1, shares });
    }

    /** Counts of equal bins over [min, max], by overlap onto the grid; adds up to 1. */
    laid({ min, max, counts }) {
        const { bins } = HistogramHistory;
        const shares = new Float32Array(bins);
        const total = counts.reduce((sum, count) => sum + count, 0) || 1;
        const wide = (max - min) / counts.length;
        const within = (place) => Math.min(bins - 1, Math.max(0, Math.floor(place)));
        counts.forEach((count, index) => {
            if (!count) return;
            const [from, to] = [min + index * wide, min + (index + 1) * wide];
            const [first, last] = [within(this.place(from)), within(this.place(to))];
            if (first === last) { shares[first] += count / total; return; }
            // The outermost bins take what lies beyond them.
            for (let bin = first; bin <= last; bin += 1) {
                const low = bin === first ? from : this.value(bin);
                const high = bin === last ? to : this.value(bin + 1);
                shares[bin] += (count / total) * (Math.max(0, high - low) / wide);
            }
        });
        return shares;
    }

    /** Doubles R: pairs of bins become one, exactly. */
    widen() {
        const { bins } = HistogramHistory;
        this.range *= 2;
        for (const column of this.columns) {
            const shares = new Float32Array(bins);
            column.shares.forEach((share, bin) => { shares[bins / 4 + (bin >> 1)] += share; });
            column.shares = shares;
        }
    }

    halve() {
        this.span *= 2;
        this.columns = this.columns.reduce((kept, column, index) => {
            if (index % 2 === 0) return [...kept, column];
            const one = kept.pop();
            const count = one.count + column.count;
            const shares = one.shares
                .map((share, bin) => (share * one.count + column.shares[bin] * column.count) / count);
            return [...kept, { first: one.first, last: column.last, count, shares }];
        }, []);
    }

    /** The bins on either side of zero worth drawing, [from, to]: without the thousandth farthest from zero, and on a
     * logarithm without the hundredth next to it. */
    reach() {
        const half = HistogramHistory.bins / 2;
        const sums = new Float64Array(half);
        for (const { shares } of this.columns) for (let bin = 0; bin < half; bin += 1) sums[bin] += shares[half + bin]
            + shares[half - 1 - bin];
        const total = sums.reduce((sum, part) => sum + part, 0);
        let [from, to, sum] = [0, 0, 0];
        while (to < half && sum < 0.999 * total) {
            sum += sums[to++];
            if (this.isLog && sum < 0.01 * total) from = to;
        }
        return [from, Math.max(to, from + 2)];
    }
}
