// Words, formulas and sums for one element of an explained sample: what the side panel says, as plain values.
//
// Each answer is { title, meaning, facts: [[word, value, note?]], formulas: [[part, …], …], terms? }, where a part is a
// string or { kind: "upstream" | "local" | "result", text }, so that the same quantity looks the same in every line.
// The rule in all of them is one: gradient = upstream × local; and where a unit feeds several, upstream is their sum.
// No DOM here, so that the words can be read, and tested, without a page.

import { number, percent, several } from "./format.js";

const upstream = (text) => ({ kind: "upstream", text });
const local = (text) => ({ kind: "local", text });
const result = (text) => ({ kind: "result", text });

/** A number as a factor or a summand: negative ones in brackets. */
const factor = (value) => (value < 0 ? `(${number(value)})` : number(value));

/** Which way gradient descent moves a parameter, and by how much where the rate is plain. */
export function direction(gradient, optimizer) {
    if (gradient === null) return "unknown without a label";
    if (gradient === 0) return "● stays: this sample does not move it";
    const rate = Number(/^sgd\((?:learningRate: )?([\d.]+(?:e-?\d+)?)/.exec(optimizer ?? "")?.[1]);
    const sense = gradient > 0 ? "▼ down" : "▲ up";
    const size = Number.isFinite(rate)
        ? `, by ${number(rate)} × ${number(Math.abs(gradient))} = ${number(rate * Math.abs(gradient))}` : "";
    return `${sense}, against the gradient${size}`;
}

const slopes = {
    identity: "1 everywhere", relu: "1 where z > 0, else 0", leakyReLU: "1 where z > 0, else 0.01",
    sigmoid: "h (1 − h), at most 0.25", tanh: "1 − h²", step: "1, straight through: a step has no useful derivative",
    softmax: "taken together with the loss",
};

/** Everything about a weight or a bias. */
export function parameter(seen, element, optimizer) {
    const { kind, layer, unit, input } = element;
    const name = seen.name(element);
    const into = seen.sum(layer, unit);
    const isWeight = kind === "W";
    const from = isWeight ? seen.unit(layer - 1, input) : "1";
    const value = isWeight ? seen.weight(element) : seen.layers[layer].bias[unit];
    const factorHere = isWeight ? seen.activation(layer - 1, input) : 1;
    const above = seen.layers[layer].gradient?.[unit] ?? null;
    const gradient = seen.gradient(element);
    const facts = [["value", number(value)], [isWeight ? `carries ${from}` : "carries", number(factorHere)]];
    if (isWeight && value !== null) facts.push([`adds to ${into}`, number(value * factorHere)]);
    facts.push(["local derivative", number(factorHere), `∂${into}/∂${name}${isWeight ? ` = ${from}` : ", always 1"}`]);
    const formulas = [];
    if (gradient !== null) {
        facts.push(["upstream", number(above), `∂loss/∂${into}`], ["gradient", number(gradient), `∂loss/∂${name}`],
            ["gradient descent", direction(gradient, optimizer)]);
        formulas.push(
            [`∂loss/∂${name} = `, upstream(`∂loss/∂${into}`), " × ", local(`∂${into}/∂${name}`)],
            ["= ", upstream(`upstream ${factor(above)}`), " × ",
                local(`local ${isWeight ? `${from} ` : ""}${factor(factorHere)}`),
                " = ", result(number(gradient))]);
    }
    const meaning = isWeight ? `weight from ${seen.meaning(layer - 1, input)} to ${seen.meaning(layer, unit)}`
        : `bias of ${seen.meaning(layer, unit)}`;
    return { title: name, meaning, facts, formulas };
}

/** Forward: how a unit's value came about. */
export function forward(seen, { layer, unit }) {
    const { sample } = seen.answer;
    if (layer < 0) {
        const name = seen.unit(layer, unit);
        return { facts: [["as it was sent", number(sample.features[unit])],
            [name, number(sample.scaled[unit]), "as the network sees it, scaled"]], formulas: [] };
    }
    const part = seen.layers[layer];
    const [z, h] = [seen.sum(layer, unit), seen.unit(layer, unit)];
    const terms = seen.incoming(layer, unit);
    const sum = terms.reduce((total, { product }) => total + (product ?? 0), 0);
    const formulas = [];
    if (seen.hasWeights) {
        const below = layer === 0 ? "x" : `h${layer}`;
        formulas.push([`${z} = Σ W·${below} + b = ${number(sum)} + ${factor(part.bias[unit])} = `,
            result(number(part.z[unit]))]);
    }
    const isSoftmax = part.activation === "softmax";
    formulas.push([`${h} = ${part.activation}(${isSoftmax ? "z" : number(part.z[unit])}) = `,
        result(number(part.h[unit]))]);
    const facts = [[z, number(part.z[unit]), "weighted sum"], [h, number(part.h[unit]), part.activation]];
    if (layer === seen.last && seen.probabilities) {
        facts.push(["probability", percent(seen.probabilities[unit]), "softmax over all outputs"]);
        if (!isSoftmax) formulas.push([`p = exp ${h} / Σ exp o = `, result(number(seen.probabilities[unit]))]);
    }
    return { facts, formulas, terms };
}

/** Backward: what reaches a node, what it does with it. */
export function backward(seen, { layer, unit }) {
    if (!seen.isLabelled) return { facts: [], formulas: [],
        reason: "This sample has no label: no loss, and nothing to send back." };
    const name = seen.unit(layer, unit);
    const terms = seen.outgoing(layer, unit);
    const above = layer < 0 ? seen.answer.input.gradient?.[unit] ?? null : seen.layers[layer].upstream[unit];
    const formulas = [];
    const facts = [["upstream", number(above), `∂loss/∂${name}`]];
    if (terms.length) {
        const after = seen.last === layer + 1 ? "o" : `h${seen.mark(layer + 1)}`;
        const fed = `${several(terms.length, "unit")} (${after})`;
        formulas.push([`∂loss/∂${name} = Σ W·∂loss/∂z over the ${fed} that it feeds = `, upstream(number(above))]);
    } else if (seen.isClassifier) {
        const p = seen.probabilities[unit];
        const isLabel = seen.meaning(layer, unit) === String(seen.answer.sample.label);
        const target = isLabel ? "1" : "0";
        formulas.push([`∂loss/∂${name} = p − target = ${number(p)} − ${target} = `, upstream(number(above)),
            isLabel ? " (this is the label)" : " (this is not the label)"]);
    } else {
        formulas.push([`∂loss/∂${name}: the slope of the ${seen.answer.lossName} loss there = `,
            upstream(number(above))]);
    }
    if (layer >= 0) {
        const part = seen.layers[layer];
        const z = seen.sum(layer, unit);
        const [slope, gradient] = [part.derivative[unit], part.gradient[unit]];
        facts.push(["local derivative", number(slope), `f′(z) of ${part.activation}: ${slopes[part.activation] ?? ""}`],
            ["gradient", number(gradient), `∂loss/∂${z}`]);
        formulas.push([`∂loss/∂${z} = `, upstream(`upstream ${factor(above)}`), " × ", local(`local ${factor(slope)}`),
            " = ", result(number(gradient))]);
    }
    return { facts, formulas, terms };
}

/** The error share: an attribution of the error, beside the true gradient. */
export function share(seen, { layer, unit }) {
    const error = seen.column(layer, "share")?.[unit] ?? null;
    if (error === null) return { facts: [], formulas: [], reason: "Without a label there is no error to share." };
    const name = seen.unit(layer, unit);
    const isOutput = layer === seen.last;
    const facts = [[isOutput ? "error" : "its share of the error", number(error), isOutput ? "target − output"
        : "what the units it feeds hand back"]];
    if (isOutput && seen.isClassifier) {
        const isLabel = seen.meaning(layer, unit) === String(seen.answer.sample.label);
        const p = number(seen.probabilities[unit]);
        return { facts, formulas: [[`target − p = ${isLabel ? "1" : "0"} − ${p} = `, result(number(error))]],
            ...rule(seen, layer, unit) };
    }
    const formulas = isOutput || layer === seen.last ? []
        : [[`error share of ${name} = Σ of its parts = `, result(number(error))]];
    return { facts, formulas, ...rule(seen, layer, unit) };
}

function rule(seen, layer, unit) {
    if (layer < 0 || !seen.hasWeights) return {};
    const { isMixed, shares } = seen.shares(layer, unit);
    const error = seen.layers[layer].errorShare[unit];
    const note = isMixed ? "shared by |w·a| / Σ |w·a|: contributions of both signs partly cancel"
        : "shared by w·a / Σ w·a";
    return { note, terms: seen.incoming(layer, unit)
        .map((term, index) => ({ ...term, share: shares[index], part: shares[index] * error })) };
}

/** The loss itself. */
export function loss(seen) {
    const { answer } = seen;
    const { label } = answer.sample;
    if (!seen.isClassifier) {
        return { title: "loss", meaning: `${answer.lossName} loss, on the scaled target`,
            facts: [["loss", number(answer.loss)], ["label", String(label)], ["prediction", number(answer.prediction)]],
            formulas: [] };
    }
    const p = Math.exp(-answer.loss);
    return {
        title: "loss", meaning: "the surprise of the label: rarer things surprise more",
        facts: [["loss", `${number(answer.loss)} nats`, `${number(answer.bits)} bits`], ["label", String(label)],
            ["its probability", percent(p)]],
        formulas: [[`loss = −ln p(${label}) = −ln ${number(p)} = `, result(`${number(answer.loss)} nats`)]],
    };
}
