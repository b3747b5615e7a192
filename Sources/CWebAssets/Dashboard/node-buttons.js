// One button a node, over the drawing: what makes a canvas reachable by keyboard and readable by ear.
//
// The group is one stop of the Tab key; inside it arrow keys move: up and down in a layer, left and right to the
// nearest node of the next. Each button says its name, its meaning and its value in the present mode. It draws nothing.

import { clamp, make, number } from "./format.js";

export class NodeButtons {
    buttons = new Map();  // "layer,unit" or "loss" → button
    focus = "-1,0";  // the one that Tab leads to

    /** @param on `select(element)`, `hover(element)`, `close()` */
    constructor(on) {
        this.on = on;
        this.root = make("div", "diagram-nodes");
        this.root.role = "group";
        this.root.addEventListener("keydown", (event) => this.key(event));
    }

    /** @param plan where things stand: the Diagram after its layout */
    follow(plan, mode, chosen) {
        const { seen } = plan;
        this.plan = plan;
        const shape = `${seen.widths},${seen.isLabelled}`;
        if (this.shape !== shape) this.raise(seen, shape);
        this.root.ariaLabel =
            `Network, ${seen.widths.join(" → ")}, ${mode}. Arrow keys move among the nodes, Enter opens one, `
            + "Escape closes it.";
        for (const [key, button] of this.buttons) {
            const element = this.element(key);
            const { layer, unit } = element;
            const isLoss = key === "loss";
            const [px, py] = isLoss ? [plan.lossX, plan.middle] : plan.place(layer, unit);
            const size = isLoss ? 34 : clamp(plan.rows[layer + 1], 2 * plan.radii[layer + 1], 34);
            Object.assign(button.style,
                { left: `${px}px`, top: `${py}px`, width: `${isLoss ? 58 : size}px`, height: `${size}px` });
            const value = isLoss ? seen.answer.loss : seen.column(layer, mode)?.[unit];
            button.ariaLabel = isLoss ? `loss ${number(value)}`
                : `${seen.name(element)}, ${seen.meaning(layer, unit)}: ${number(value)}`;
            button.ariaPressed = String(chosen !== null && seen.name(element) === seen.name(chosen));
            button.tabIndex = key === this.focus ? 0 : -1;
        }
    }

    element(key) {
        if (key === "loss") return { kind: "loss" };
        const [layer, unit] = key.split(",").map(Number);
        return { kind: "node", layer, unit };
    }

    raise(seen, shape) {
        this.shape = shape;
        this.buttons.clear();
        const keys = seen.widths
            .flatMap((width, column) => Array.from({ length: width }, (_, unit) => `${column - 1},${unit}`));
        if (seen.isLabelled) keys.push("loss");
        for (const key of keys) {
            const button = make("button", "node");
            button.type = "button";
            const element = this.element(key);
            button.addEventListener("click", () => { this.focus = key; this.on.select(element); });
            button.addEventListener("focus", () => { this.focus = key; this.on.hover(element); });
            button.addEventListener("blur", () => this.on.hover(null));
            button.addEventListener("pointerenter", () => this.on.hover(element));
            button.addEventListener("pointerleave", () => this.on.hover(null));
            this.buttons.set(key, button);
        }
        const hadFocus = this.root.contains(document.activeElement);
        if (!this.buttons.has(this.focus)) this.focus = keys[0];
        this.root.replaceChildren(...this.buttons.values());
        if (hadFocus) this.take();
    }

    key(event) {
        if (event.key === "Escape") return this.on.close();
        const [across, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
            ArrowDown: [0, 1] }[event.key] ?? [0, 0];
        if (!across && !down) return;
        event.preventDefault();
        const { plan } = this;
        const { seen } = plan;
        const isLoss = this.focus === "loss";
        const { layer, unit } = isLoss ? { layer: seen.last + 1, unit: 0 } : this.element(this.focus);
        const y = isLoss ? plan.middle : plan.y(layer, unit);
        const next = clamp(layer + across, -1, seen.last + (seen.isLabelled ? 1 : 0));
        if (next > seen.last) return this.buttons.get("loss").focus();
        const width = seen.widths[next + 1];
        const nearest = across ? Math.round((y - plan.middle) / plan.rows[next + 1] + (width - 1) / 2) : unit + down;
        this.buttons.get(`${next},${clamp(nearest, 0, width - 1)}`).focus();
    }

    /** Takes the focus to the node that had it last. */
    take() { this.buttons.get(this.focus)?.focus({ preventScroll: true }); }
}
