// One explained sample as the views read it: names, values and terms, over the answer of GET /explain.
//
// A node is a place (layer, unit), layer −1 being the inputs; an edge is a weight (layer, unit, input). Names are those
// of Eddy's graph: x[2], W1[0,2] (unit 0, input 2), b1[0], z1[0], h1[0], o[k] for the last activation; a network of one
// layer has W[…], b[…], z[…]. Nothing here is learned or guessed: what is not in the answer is computed from it by the
// definition of the thing (a softmax, a product, an error share), and by nothing else. No DOM.

export const modes = ["forward", "backward", "share"];

export class Explanation {
    constructor(answer) {
        this.answer = answer;
        this.layers = answer.layers;
        this.last = answer.layers.length - 1;
        this.widths = [answer.sample.scaled.length, ...answer.layers.map(({ shape }) => shape[1])];
        this.isLabelled = answer.loss !== null;
        this.hasWeights = !answer.truncated && this.layers.every(({ weights }) => weights);
        this.probabilities = this.softmax();
    }

    // MARK: Names

    /** `1`, `2`, … or nothing for a network of one layer. */
    mark(layer) { return this.last === 0 ? "" : `${layer + 1}`; }

    name({ kind, layer, unit, input }) {
        if (kind === "loss") return "loss";
        if (kind === "W") return `W${this.mark(layer)}[${unit},${input}]`;
        if (kind === "b" || kind === "z") return `${kind}${this.mark(layer)}[${unit}]`;
        if (layer < 0) return `x[${unit}]`;
        return layer === this.last ? `o[${unit}]` : `h${this.mark(layer)}[${unit}]`;
    }

    sum(layer, unit) { return this.name({ kind: "z", layer, unit }); }
    unit(layer, unit) { return this.name({ kind: "node", layer, unit }); }

    /** The element of a name, or null where this network has none such. */
    parse(name) {
        if (name === "loss") return { kind: "loss" };
        const found = /^(x|W|b|z|h|o)(\d*)\[(\d+)(?:,(\d+))?\]$/.exec(name ?? "");
        if (!found) return null;
        const [unit, input] = [Number(found[3]), Number(found[4])];
        const kind = { x: "node", h: "node", o: "node", z: "node" }[found[1]] ?? found[1];
        const layer = found[1] === "x" ? -1 : found[1] === "o" ? this.last : Number(found[2] || 1) - 1;
        const fits = layer <= this.last && unit < this.widths[layer + 1]
            && (kind !== "W" || input < this.widths[layer]);
        return fits ? { kind, layer, unit, ...(kind === "W" ? { input } : {}) } : null;
    }

    /** What a node stands for, in words. */
    meaning(layer, unit) {
        if (layer < 0) return this.answer.inputs?.[unit] ?? `input ${unit + 1}`;
        if (layer < this.last) return `unit ${unit + 1} of layer ${layer + 1}`;
        return this.isReserve(unit) ? "in reserve, for a class to come"
            : this.answer.outputs?.[unit] ?? `output ${unit + 1}`;
    }

    isReserve(unit) { return this.answer.outputs?.[unit] === "(reserve)"; }

    // MARK: Values

    get isClassifier() { return this.answer.lossName === "crossEntropy"; }

    /** p of the outputs, where the loss is a cross-entropy: softmax(o), unless the last layer is one already. */
    softmax() {
        if (!this.isClassifier) return null;
        const { activation, h } = this.layers[this.last];
        if (activation === "softmax") return h;
        const top = Math.max(...h);
        const powers = h.map((value) => Math.exp(value - top));
        const sum = powers.reduce((total, value) => total + value, 0);
        return powers.map((value) => value / sum);
    }

    /** The activation of a node: the scaled input, or h. */
    activation(layer, unit) { return layer < 0 ? this.answer.sample.scaled[unit] : this.layers[layer].h[unit]; }
    activations(layer) { return layer < 0 ? this.answer.sample.scaled : this.layers[layer].h; }

    /** What a column of nodes shows: activations (outputs of a classifier: probabilities),
        gradients or error shares. */
    column(layer, mode) {
        if (mode === "forward") {
            return layer === this.last && this.probabilities ? this.probabilities : this.activations(layer);
        }
        const part = layer < 0 ? this.answer.input : this.layers[layer];
        return (mode === "backward" ? part?.gradient : part?.errorShare) ?? null;
    }

    /** What a layer's edges show, row-major (inputs, outputs): weights, their gradients, or parts of the error. */
    edges(layer, mode) {
        const { weights, weightGradient } = this.layers[layer];
        if (mode === "forward") return weights;
        if (mode === "backward") return weightGradient;
        return weights && this.layers[layer].errorShare ? this.errorParts(layer) : null;
    }

    weight({ layer, unit, input }) { return this.layers[layer].weights?.[input * this.widths[layer + 1] + unit]
        ?? null; }

    /** The gradient of any element. */
    gradient({ kind, layer, unit, input }) {
        if (!this.isLabelled) return null;
        if (kind === "loss") return 1;
        if (kind === "W") return this.layers[layer].gradient[unit] * this.activation(layer - 1, input);
        if (kind === "b") return this.layers[layer].gradient[unit];
        return layer < 0 ? this.answer.input.gradient?.[unit] ?? null : this.layers[layer].gradient[unit];
    }

    /**
     * How a unit's error is shared among what fed it: w·a / Σ w·a where all have one sign, else |w·a| / Σ |w·a|, since
     * parts that cancel could exceed the whole.
     */
    shares(layer, unit) {
        const products = this.incoming(layer, unit).map(({ product }) => product);
        const total = products.reduce((sum, product) => sum + Math.abs(product), 0);
        const isMixed = products.some((product) => product > 0) && products.some((product) => product < 0);
        return { isMixed, shares: products.map((product) => (total > 0 ? Math.abs(product) / total : 0)) };
    }

    errorParts(layer) {
        const [inputs, outputs] = this.layers[layer].shape;
        const parts = new Array(inputs * outputs);
        for (let unit = 0; unit < outputs; unit += 1) {
            const error = this.layers[layer].errorShare[unit];
            this.shares(layer, unit).shares.forEach((share,
                input) => { parts[input * outputs + unit] = share * error; });
        }
        return parts;
    }

    // MARK: Terms

    /** The terms of z = Σ w·a + b of a unit. */
    incoming(layer, unit) {
        return this.activations(layer - 1).map((activation, input) => {
            const weight = this.weight({ layer, unit, input });
            return { input, weight, activation, product: weight === null ? null : weight * activation };
        });
    }

    /** The terms of a node's upstream gradient: over every unit that it feeds, weight × that unit's ∂loss/∂z. */
    outgoing(layer, unit) {
        if (layer === this.last || !this.isLabelled) return [];
        return this.layers[layer + 1].gradient.map((gradient, to) => {
            const weight = this.weight({ layer: layer + 1, unit: to, input: unit });
            return { to, weight, gradient, product: weight === null ? null : weight * gradient };
        });
    }

    /** Everything, for the data table. */
    table() {
        const rows = [];
        for (let layer = -1; layer <= this.last; layer += 1) {
            const part = this.layers[layer];
            for (let unit = 0; unit < this.widths[layer + 1]; unit += 1) {
                rows.push([this.unit(layer, unit), this.meaning(layer, unit), this.activation(layer, unit),
                    part?.z[unit] ?? null,
                    part?.derivative[unit] ?? null, part?.upstream?.[unit] ?? null, this.gradient({ layer, unit }),
                    this.column(layer, "share")?.[unit] ?? null]);
            }
        }
        for (const [layer, part] of this.layers.entries()) {
            const [inputs, outputs] = part.shape;
            const parts = part.errorShare && this.hasWeights ? this.errorParts(layer) : null;
            for (let unit = 0; unit < outputs; unit += 1) {
                const bias = { kind: "b", layer, unit };
                const upstream = part.gradient?.[unit] ?? null;
                const into = this.sum(layer, unit);
                rows.push([this.name(bias), `bias of ${into}`, part.bias[unit], null, 1, upstream, upstream, null]);
                for (let input = 0; input < inputs && this.hasWeights; input += 1) {
                    const edge = { kind: "W", layer, unit, input };
                    rows.push([this.name(edge), `${this.unit(layer - 1, input)} → ${into}`, this.weight(edge), null,
                        this.activation(layer - 1, input), upstream, this.gradient(edge),
                            parts?.[input * outputs + unit] ?? null]);
                }
            }
        }
        return { columns: ["element", "meaning", "value", "z", "local derivative", "upstream", "gradient",
            "error share"], rows };
    }
}
