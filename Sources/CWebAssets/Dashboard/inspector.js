// The side panel of the network: one node or edge, in numbers, in the formula with the numbers put in, and in words.
//
// The words come from terms.js; this file only lays them out. Its parts (forward, backward, error share, paths) are
// folds that are built once and refilled, so that what the reader has opened stays open while samples go by. Names of
// other elements are buttons: the way through the network by keyboard. Deliberately not here: fetching.

import { make, number, percent, put, rebuild } from "./format.js";
import { PathsTable } from "./paths.js";
import { backward, forward, loss, parameter, share } from "./terms.js";

const shownTerms = 12;

export class Inspector {
    title = make("h3", "");
    meaning = make("p", "note");
    whole = make("div", "");  // for elements that need no folds
    folds = {
        forward: fold("Forward"), backward: fold("Backward"), share: fold("Error share"),
            paths: fold("Paths to the loss"),
    };

    /** @param on `select(element)`, `close()`, `mark(names)` */
    constructor(on) {
        this.on = on;
        const close = make("button", "quiet", "Close");
        close.type = "button";
        close.addEventListener("click", () => on.close());
        this.paths = new PathsTable((names) => on.mark(names));
        this.folds.paths.body.append(this.paths.root);
        this.root = make("aside", "inspector", make("div", "bar", this.title, close), this.meaning, this.whole,
            ...Object.values(this.folds).map(({ root }) => root));
        this.root.ariaLabel = "The chosen node or edge";
        this.root.tabIndex = -1;
        this.root.addEventListener("keydown", (event) => { if (event.key === "Escape") on.close(); });
        this.root.hidden = true;
    }

    /** Opens the fold of a mode and closes the others. */
    lead(mode) {
        for (const [name, { root }] of Object.entries(this.folds)) if (name !== "paths") root.open = name === mode;
    }

    show(seen, element, paths, waits, optimizer) {
        this.root.hidden = !element;
        if (!element) return;
        const focused = this.root.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
        const isNode = element.kind === "node";
        const told = element.kind === "loss" ? loss(seen) : isNode
            ? { title: seen.name(element), meaning: seen.meaning(element.layer, element.unit) }
                : parameter(seen, element, optimizer);
        put(this.title, told.title);
        put(this.meaning, told.meaning);
        rebuild(this.whole, isNode ? [] : [told],
            (one) => [facts(one.facts), ...one.formulas.map(formula), ...this.ends(seen, element)]);
        for (const [name, tell] of Object.entries({ forward, backward, share })) {
            const { root, body } = this.folds[name];
            root.hidden = !isNode;
            if (!isNode) continue;
            const said = tell(seen, element);
            rebuild(body, [said], () => [
                ...(said.reason ? [make("p", "note", said.reason)] : []), facts(said.facts),
                    ...said.formulas.map(formula),
                ...(said.note ? [make("p", "note", said.note)] : []), ...this.terms(seen, element, name, said.terms),
            ]);
        }
        this.folds.paths.root.hidden = element.kind === "loss";
        const reason = !seen.isLabelled ? "Without a label there is no loss that paths could lead to."
            : waits ? "Asking for the paths …" : "The server lists no paths for this element.";
        this.paths.show(paths, reason);
        // What was refilled has lost the focus: back to the same name, or to the panel, never to the page's top.
        if (focused === null || this.root.contains(document.activeElement)) return;
        const same = [...this.root.querySelectorAll("button")].find((button) => button.ariaLabel === focused);
        (same ?? this.root).focus({ preventScroll: true });
    }

    /** The sum's terms as a table, largest first; the small ones as one sum. */
    terms(seen, { layer, unit }, mode, terms) {
        if (!terms?.length) return [];
        if (!seen.hasWeights) return [make("p", "note",
            "The terms of this sum need the weights, which are not sent for a network of more than 4,000 parameters.")];
        const isBackward = mode === "backward";
        const size = ({ product, part }) => Math.abs(mode === "share" ? part : product);
        const sorted = [...terms].sort((one, other) => size(other) - size(one));
        const [shown, others] = [sorted.slice(0, shownTerms), sorted.slice(shownTerms)];
        const sum = (key) => others.reduce((total, term) => total + term[key], 0);
        const heads = isBackward ? ["weight", "w", "× ∂loss/∂z", "="] : mode === "share"
            ? ["weight", "w·a", "share", "its part"] : ["weight", "w", "× a", "="];
        const rows = shown.map((term) => {
            const edge = isBackward ? { kind: "W", layer: layer + 1, unit: term.to, input: unit }
                : { kind: "W", layer, unit, input: term.input };
            const cells = isBackward ? [term.weight, term.gradient, term.product].map(number)
                : mode === "share" ? [number(term.product), percent(term.share), number(term.part)]
                    : [term.weight, term.activation, term.product].map(number);
            const far = isBackward ? seen.meaning(layer + 1, term.to) : seen.meaning(layer - 1, term.input);
            const isNamed = isBackward ? layer + 1 === seen.last : layer === 0;
            return line([named(this.link(seen, edge, `${isBackward ? "to" : "from"} ${far}`), isNamed ? far : ""),
                ...cells]);
        });
        if (others.length) rows.push(line([`${others.length} smaller`, "", "",
            number(sum(mode === "share" ? "part" : "product"))]));
        if (mode === "forward") rows.push(line([this.link(seen, { kind: "b", layer, unit }, "the bias"), "", "",
            number(seen.layers[layer].bias[unit])]));
        const head = make("tr", "", ...heads.map((word, column) => {
            const cell = make("th", column ? "count" : "", word);
            cell.scope = "col";
            return cell;
        }));
        return [make("div", "scroll", make("table", "terms", make("thead", "", head), make("tbody", "", ...rows)))];
    }

    /** The two nodes that a weight joins. */
    ends(seen, { kind, layer, unit, input }) {
        if (kind === "loss") return [];
        const nodes = [...(kind === "W" ? [{ kind: "node", layer: layer - 1, unit: input }] : []),
            { kind: "node", layer, unit }];
        return [make("p", "ends note", "See also ",
            ...nodes.map((node) => this.link(seen, node, seen.meaning(node.layer, node.unit))))];
    }

    link(seen, element, title) {
        const button = make("button", "quiet link", seen.name(element));
        Object.assign(button, { type: "button", title, ariaLabel: `${seen.name(element)}, ${title}` });
        button.addEventListener("click", () => this.on.select(element));
        return button;
    }
}

function fold(title) {
    const body = make("div", "");
    const root = make("details", "", make("summary", "", title), body);
    root.open = true;
    return { root, body };
}

function facts(list) {
    return make("dl", "terms-facts", ...list.flatMap(([word, value, note]) => [
        make("dt", "", word), make("dd", "", value, ...(note ? [make("small", "", note)] : [])),
    ]));
}

function formula(parts) {
    return make("p", "formula",
        ...parts.map((part) => (typeof part === "string" ? part : make("span", part.kind, part.text))));
}

/** A weight and, where its other end has a name of its own, that. */
function named(link, name) {
    if (!name) return link;
    const both = document.createDocumentFragment();
    both.append(link, make("small", "", name));
    return both;
}

function line(cells) {
    return make("tr", "", ...cells.map((cell, column) => make("td", column ? "count" : "", cell)));
}
