// Whether the error reaches every layer, at a size that it can learn from: names for what is wrong, and remedies.
//
// A layer is judged against its siblings, because online a gradient is small whenever a sample fits: only a network
// whose last layer still has an error, and whose first has none, is vanishing (Hochreiter 1991). The update ratio,
// ‖ΔW‖ / ‖W‖ of a step, is the better sign of a wrong learning rate; around 10⁻³ is usual. Pure functions.

import { number } from "./format.js";

export const bounds = { exploding: 1e3, vanishing: 1e-3, largeStep: 1e-1, smallStep: 1e-5, rest: 1e-7 };

const remedies = {
    exploding: "Use a smaller learning rate, clip gradients, or scale the inputs.",
    vanishing: "Use ReLU in place of sigmoid or tanh, fewer layers, or other initial weights.",
    largeStep: "Use a smaller learning rate: each sample overwrites what others taught.",
    smallStep: "If the loss is still high, use a larger learning rate; if it is low, all is well.",
};

/** A layer's state: { kind, sign, word, reason, remedy, alarms }. */
export function verdict({ gradientNorm, updateRatio }, layers) {
    const largest = Math.max(...layers.map((layer) => layer.gradientNorm ?? 0));
    const told = (kind, sign, word, reason, alarms = false) =>
        ({ kind, sign, word, reason, alarms, remedy: remedies[kind] ?? "" });
    if (!Number.isFinite(gradientNorm)) return told("unknown", "○", "no gradient yet", "");
    if (gradientNorm > bounds.exploding) return told("exploding", "▲", "exploding", "Its gradient norm is above 1,000.",
        true);
    if (largest < bounds.rest) return told("rest", "○", "at rest",
        "No layer has a gradient to speak of: the samples fit.");
    if (gradientNorm < bounds.vanishing * largest) {
        return told("vanishing", "▼", "vanishing",
            `Its gradient norm, ${number(gradientNorm)}, is below a thousandth of the largest, ${number(largest)}.`,
            true);
    }
    if (updateRatio > bounds.largeStep) return told("largeStep", "▲", "large steps",
        "A step changes its weights by more than a tenth.", true);
    if (updateRatio < bounds.smallStep) return told("smallStep", "▽", "small steps",
        "A step changes its weights by less than 10⁻⁵ of them.");
    return told("steady", "●", "steady", "Gradient and step are in the usual range.");
}

/** One warning for the network, or null: which layers, what it means, what one can do. */
export function warning(message) {
    const layers = message?.layers ?? [];
    const verdicts = layers.map((layer) => verdict(layer, layers));
    for (const kind of ["exploding", "vanishing", "largeStep"]) {
        const bad = verdicts.flatMap((one, index) => (one.kind === kind ? [index + 1] : []));
        const isSaid = message.gradientHealth === kind;
        if (!bad.length && !isSaid) continue;
        const where = bad.length ? `layer${bad.length > 1 ? "s" : ""} ${bad.join(", ").replace(/, (\d+)$/, " and $1")}`
            : "the network";
        const what = { exploding: `Gradients explode in ${where}: steps overshoot, and the loss jumps.`,
            vanishing: `Gradients vanish in ${where}: the error hardly gets there, so the weights hardly learn.`,
            largeStep: `Steps are too large in ${where}: more than a tenth of the weights a sample.` }[kind];
        return `${what} ${remedies[kind]}`;
    }
    return null;
}
