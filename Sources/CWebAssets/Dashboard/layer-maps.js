// A network too wide to draw node by node: every layer as a map of its values, every weight matrix as a heat map.
//
// Values come from the explained sample, so the maps follow the switch between forward, backward and error share;
// weights come from GET /layers, where large matrices are pooled: a cell then is the weight of largest magnitude in
// its block, and the readout says so. 784 inputs are shown as 28 × 28, since a square count is most often an image.

import { HeatMap, listed, signedBytes } from "./heatmap.js";
import { make, number, put } from "./format.js";

/** What a cell of a weight map is, in words. */
export function cellWords({ shape: [inputs, outputs], rows, columns, pooled }, row, column, value, names) {
    const sign = value < 0 ? "negative" : value > 0 ? "positive" : "zero";
    if (!pooled) return `${names.input(column)} → ${names.unit(row)}: ${number(value)} (${sign})`;
    const block = (index, parts, count) => {
        const [from, to] = [Math.floor((index * count) / parts),
            Math.max(Math.ceil(((index + 1) * count) / parts), 1) - 1];
        return from >= to ? `${from}` : `${from}–${to}`;
    };
    const [from, to] = [block(column, columns, inputs), block(row, rows, outputs)];
    return `inputs ${from} → units ${to}: largest ${number(value)} (${sign})`;
}

/** The data of a HeatMap from a layer of GET /layers. */
export function weightMap(layer, index) {
    const { rows, columns, scale, map, pooled, shape } = layer;
    const size = pooled ? `, pooled from ${shape[1]} × ${shape[0]}` : "";
    return {
        rows, columns, values: signedBytes(map), scale, full: 127, name: `Weights of layer ${index + 1}`,
        idle: `${rows} units × ${columns} inputs${size}; largest weight ±${number(scale)}`,
    };
}

export class LayerMaps {
    root = make("div", "layer-maps");
    parts = [];

    /** @param on `refresh()`, `select(element)` */
    constructor(on) { this.on = on; }

    draw(seen, mode, maps) {
        const shape = `${seen.widths}`;
        if (this.shape !== shape) this.raise(seen, shape);
        Object.assign(this, { seen, maps });
        for (const { layer, heading, values, weights } of this.parts) {
            const list = seen.column(layer, mode);
            const what = { forward: layer < 0 ? "values" : layer === seen.last && seen.probabilities ? "probabilities"
                : "activations", backward: layer < 0 ? "∂loss/∂x" : "∂loss/∂z", share: "error shares" }[mode];
            const activation = layer === seen.last && seen.probabilities ? "softmax" : seen.layers[layer]?.activation;
            const place = layer < 0 ? "Inputs" : `Layer ${layer + 1}, ${activation}`;
            const map = list ? listed(list, 16) : null;
            const form = map?.isSquare ? `, as ${map.columns} × ${map.rows}` : list ? "" : " (none without a label)";
            put(heading, `${place}: ${seen.widths[layer + 1]} ${what}${form}`);
            values.root.hidden = !list;
            if (map) values.set({ ...map, name: `${place}, ${what}` });
            values.draw();
            if (!weights) continue;
            const known = maps?.layers?.[layer];
            weights.root.hidden = !known;
            if (known) weights.set(weightMap(known, layer));
            weights.draw();
        }
    }

    /** Every map with its title, for a picture. */
    pictures() {
        return this.parts.flatMap(({ layer, heading, values, weights }) => [
            ...(weights ? [{ canvas: weights.canvas, title: `Weights W${layer + 1}` }] : []),
            { canvas: values.canvas, title: heading.textContent },
        ]);
    }

    raise(seen, shape) {
        this.shape = shape;
        this.parts = seen.widths.map((_, column) => {
            const layer = column - 1;
            const heading = make("h3", "");
            const values = new HeatMap({
                refresh: this.on.refresh, largest: 16, highest: 260,
                describe: (row, at, value) => {
                    const unit = row * values.data.columns + at;
                    const name = `${this.seen.unit(layer, unit)}, ${this.seen.meaning(layer, unit)}`;
                    return `${name}: ${number(value)}. Enter or click explains it.`;
                },
                pick: (row, at) => this.on.select({ kind: "node", layer, unit: row * values.data.columns + at }),
            });
            const weights = layer < 0 ? null : new HeatMap({
                refresh: this.on.refresh, largest: 12, highest: 260,
                describe: (row, at, value) => cellWords(this.maps.layers[layer], row, at, value,
                    { input: (input) => this.seen.unit(layer - 1, input), unit: (unit) => this.seen.sum(layer, unit) }),
            });
            const roots = weights ? [make("section", "", make("h3", "", `Weights W${seen.mark(layer)}`), weights.root)]
                : [];
            roots.push(make("section", "", heading, values.root));
            return { layer, heading, values, weights, roots };
        });
        this.root.replaceChildren(...this.parts.flatMap(({ roots }) => roots));
    }
}
