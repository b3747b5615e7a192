// The network on one sample: forward, backward, and the error share, node by node and edge by edge.
//
// The way of the data: a choice of sample and of an element -> GET /explain -> Explanation -> diagram (or layer maps
// where a layer is wider than can be drawn) and side panel. While the newest sample is followed, it asks some twice a
// second, less often where the answer is large, and slower while somebody reads the side panel; a chosen sample is
// asked for again too, since the weights under it go on moving. Pause stops all of it.

import { tellWhose, votes } from "./committee.js";
import { createPanel } from "./panel.js";
import { Diagram, widest } from "./diagram.js";
import { Explanation, modes } from "./explanation.js";
import { make, number, percent, put, whole } from "./format.js";
import { signedLegend } from "./heatmap.js";
import { Inspector } from "./inspector.js";
import { LayerMaps } from "./layer-maps.js";
import { Poll } from "./poll.js";
import { SampleChoice, query } from "./sample-choice.js";
import { Sheet } from "./sheet.js";

const words = {
    forward: { title: "Forward", edges: "weights", nodes: "activations (outputs of a classifier: probabilities)" },
    backward: { title: "Backward", edges: "the weights' gradients ∂loss/∂W",
        nodes: "gradients ∂loss/∂z (inputs: ∂loss/∂x)" },
    share: { title: "Error share", edges: "the part of the error handed back along it",
        nodes: "shares of the error, an attribution in proportion to w·a, not the gradient" },
};

export class NetworkView {
    seen = null;
    sheet = new Sheet();
    mark = null;  // names along the path that is pointed at

    constructor(app) {
        this.app = app;
        this.panel = createPanel({
            id: "network", title: "Network", units: "of one sample", view: this,
            help: "One sample on its way through the network. Forward shows what each unit makes of it; backward, how "
                + "the loss changes with each number: upstream gradient times local derivative, summed over all "
                + "paths; error share, the error handed back in proportion to what each unit contributed. Click a "
                + "node or an edge, or move with the arrow keys and press Enter; Escape closes.",
        });
        const refresh = () => app.refresh();
        const select = (element) => this.select(element);
        const close = () => this.select(null);
        this.mode = modes.includes(app.url.get("network.dir", "")) ? app.url.get("network.dir", "") : "forward";
        this.chosenName = app.url.get("network.element", "");
        this.choice = new SampleChoice({ choose: (text) => this.choose(text), refresh }, "network-sample");
        this.choice.set(app.url.get("network.sample", "last"));
        this.diagram = new Diagram({ select, close, hover: refresh, refresh });
        this.maps = new LayerMaps({ select, refresh });
        this.inspector = new Inspector({ select, close, mark: (names) => { this.mark = names; refresh(); } });
        this.inspector.lead(this.mode);
        this.explained = new Poll(app, { every: 500, rate: 15_000 });
        this.weights = new Poll(app, { every: 2000, rate: 6_000 });
        this.says = make("p", "sample-line");
        this.says.ariaLive = "off";
        this.key = make("div", "");
        this.whose = make("p", "note whose");
        this.wide = make("p", "note");
        this.stage = make("div", "stage", make("div", "", this.diagram.root, this.maps.root), this.inspector.root);
        this.panel.tools.append(this.modeSwitch(), this.choice.root);
        this.panel.body.append(this.choice.drawer, this.whose, this.says, this.stage, this.wide, this.key);
    }

    modeSwitch() {
        const legend = make("legend", "offscreen", "Direction");
        return make("fieldset", "switch", legend, ...modes.map((mode) => {
            const input = make("input", "offscreen");
            Object.assign(input, { type: "radio", name: "network-dir", value: mode, checked: mode === this.mode });
            input.addEventListener("change", () => {
                this.mode = mode;
                this.app.url.set("network.dir", mode);
                this.inspector.lead(mode);
                this.app.refresh();
            });
            return make("label", "", input, words[mode].title);
        }));
    }

    // MARK: Choosing

    /** Opens on a sample: a step, or features as numbers (with `label` on it, if known). */
    explain(sample) {
        const text = Array.isArray(sample?.features ?? sample)
            ? `features:${(sample.features ?? sample).join(",")}${sample.label == null ? "" : `:label=${sample.label}`}`
                : `step:${sample}`;
        this.choice.set(text);
        this.choose(text);
    }

    choose(text) {
        this.app.url.set("network.sample", text === "last" ? null : text);
        this.asked(true);
    }

    select(element) {
        const was = this.chosenName;
        this.chosenName = element && this.seen ? this.seen.name(element) : "";
        this.app.url.set("network.element", this.chosenName || null);
        this.mark = null;
        this.asked(true);
        if (!element && was && this.inspector.root.contains(document.activeElement)) this.diagram.focusChosen();
        this.app.refresh();
    }

    // MARK: Asking

    get path() {
        // An element of the address may be of another network: it is asked for only once this one is known to have it.
        const { chosen } = this;
        const name = chosen && chosen.kind !== "loss" ? this.chosenName : "";
        const of = name && `&of=${encodeURIComponent(name)}&paths=12`;
        return `/explain?${query(this.choice.choice)}${of}`;
    }

    /** Asks; also while paused where the reader chose something, since that is his own doing. */
    asked(atOnce = false) {
        this.explained.every = this.chosenName || this.choice.choice !== "last" ? 2000 : 500;
        if (!atOnce) return this.explained.tick(this.path);
        this.explained.hurry();
        this.explained.tick(this.path);
    }

    tick() {
        if (!(this.app.model?.step > 0)) return;
        this.asked();
        if (this.isWide) this.weights.tick("/layers");
    }

    // MARK: Showing

    /** Whether a layer is wider than can be drawn, or the weights were not sent. */
    get isWide() { return this.seen !== null && (Math.max(...this.seen.widths) > widest || !this.seen.hasWeights); }

    get chosen() { return this.seen?.parse(this.chosenName) ?? null; }

    update() {
        const { answer } = this.explained;
        if (answer && answer !== this.seen?.answer) this.seen = answer.layers.length ? new Explanation(answer) : null;
        const { seen, mode, chosen } = this;
        const isEmpty = !(this.app.model?.step > 0);
        this.panel.setEmpty(isEmpty
            ? "Nothing has been learned yet. Send labelled samples, and the newest one is drawn here on its way "
            + "through the network." : null);
        if (isEmpty) return;
        tellWhose(this.whose, this.app);
        this.choice.follow(answer, this.app.latest.stream?.largestLosses, this.app.model?.classes);
        const { objection } = this.explained;
        const stays = seen ? " What is shown is the sample before." : "";
        this.panel.setWarning(objection && objection[0].toUpperCase() + objection.slice(1) + stays);
        this.stage.hidden = !seen;
        put(this.says, seen || objection ? "" : "Asking for the sample …");
        if (!seen) return;
        this.sentence(seen);
        const wide = this.isWide;
        this.diagram.root.hidden = wide;
        this.maps.root.hidden = !wide;
        this.stage.classList.toggle("open", chosen !== null);
        put(this.wide, wide ? this.reason(seen) : "");
        const isFresh = chosen !== null && answer?.paths?.source === this.chosenName;
        this.inspector.show(seen, chosen, isFresh ? answer.paths : null, !isFresh && this.explained.isAsking,
            this.app.model?.optimizer);
        if (wide) this.maps.draw(seen, mode, this.weights.answer);
        else this.diagram.draw(seen, mode, chosen, this.mark);
        this.legend(wide);
        const paused = this.app.paused ? "; paused" : "";
        const from = this.choice.choice === "last" && !this.app.paused
            ? `, asked again every ${Number((this.explained.pace / 1000).toFixed(1))} s` : "";
        this.panel.setNote(`Weights of step ${whole(seen.answer.step)}${from}${paused}`);
    }

    /** Why there is no node to be seen. */
    reason(seen) {
        const unsent = seen.answer.truncated ? ", and its weights are not sent one by one" : "";
        const widestLayer = whole(Math.max(...seen.widths));
        return `This network is too large to draw node by node (a layer has ${widestLayer} units${unsent}): its layers `
            + "are shown as heat maps. Click a cell, or press Enter on it, to have its unit explained.";
    }

    /** The sample in a sentence: what it was, what was predicted, how wrong. */
    sentence(seen) {
        const { sample, prediction, probability, loss, bits, lossName } = seen.answer;
        const isRight = sample.label !== null && String(prediction) === String(sample.label);
        const who = sample.step === null ? "Typed sample" : `Sample of step ${whole(sample.step)}`;
        const label = sample.label === null ? ", no label"
            : `, label ${typeof sample.label === "number" ? number(sample.label) : sample.label}`;
        const said = typeof prediction === "number" ? number(prediction) : prediction;
        // The answer is the vote of all; the loss, like the drawing, is the leading network's own.
        const isVote = votes(this.app) !== null;
        const certainty = probability === null ? "" : ` with ${percent(probability)}`;
        const guess = `: ${isVote ? "the vote " : ""}predicted ${said}${certainty}`;
        const verdict = sample.label === null || !seen.isClassifier ? "" : isRight ? " ✓" : " ✕ wrong";
        const whose = isVote ? "the network's " : "";
        const cost = loss === null ? ""
            : seen.isClassifier ? `; ${whose}loss ${number(loss)} nats = ${number(bits)} bits`
            : `; ${whose}${lossName} loss ${number(loss)}`;
        put(this.says, who + label + guess + verdict + cost);
    }

    legend(wide) {
        const { edges, nodes } = words[this.mode];
        const text = wide ? `the stronger, the larger within its map. Layers: ${nodes}.`
            : `wider and stronger is larger within its layer, dashed is negative. Edges: ${edges}. Nodes: ${nodes}.`;
        if (this.key.shows === text) return;
        this.key.shows = text;
        this.key.replaceChildren(signedLegend(text));
    }

    // MARK: Handing over

    table() { return this.seen?.table() ?? { columns: ["element"], rows: [] }; }
    data() { return this.explained.answer; }

    canvas() {
        if (!this.seen) return null;
        return this.isWide ? this.sheet.of(this.maps.pictures()) : this.diagram.canvas;
    }
}
