// How a reader moves about in a chart: pointer, wheel and keys, for one x axis.
//
// Drag marks a range to zoom into, a double click or 0 shows everything again. Keys: arrows move the cursor, with
// Shift they move the view; + and − zoom about the cursor; Home and End go to the edges. The wheel zooms only once
// the chart has the focus, or with Ctrl or ⌘, so that it never catches a reader who scrolls past.

import { clamp } from "./format.js";

const smallestDrag = 6;  // px; less is a click

export class Gestures {
    cursor = null;  // px from the left
    drag = null;  // [from, to] in px while a range is being marked
    byKey = false;  // whether the cursor was last moved by a key

    constructor(chart) {
        this.chart = chart;
        const { canvas } = chart;
        const listen = (kinds, act) => kinds.split(" ").forEach((kind) => canvas.addEventListener(kind, act));
        listen("pointerdown", (event) => this.begin(event));
        listen("pointermove", (event) => this.move(event));
        listen("pointerup", () => this.end());
        listen("pointercancel", () => { this.drag = null; this.point(null); });
        listen("pointerleave blur", () => { if (!this.drag) this.point(null); });
        listen("dblclick", () => chart.zoomTo(null));
        listen("keydown", (event) => this.key(event));
        canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }

    get canZoom() { return this.chart.data.length > 1; }

    point(px, byKey = false) {
        this.cursor = px;
        this.byKey = byKey;
        this.chart.refresh();
    }

    begin({ button, offsetX, pointerId }) {
        const { box, canvas } = this.chart;
        if (button !== 0 || !this.canZoom || offsetX < box.left - 8) return;
        canvas.setPointerCapture(pointerId);
        const px = clamp(offsetX, box.left, box.right);
        this.drag = [px, px];
    }

    move({ offsetX }) {
        const { box } = this.chart;
        const px = clamp(offsetX, box.left, box.right);
        if (this.drag) this.drag[1] = px;
        this.point(px);
    }

    end() {
        const { drag, chart } = this;
        this.drag = null;
        if (!drag || Math.abs(drag[1] - drag[0]) < smallestDrag) return chart.refresh();
        chart.zoomTo([Math.min(...drag), Math.max(...drag)].map((px) => chart.valueAt(px)));
    }

    wheel(event) {
        const { canvas } = this.chart;
        const isMeant = event.ctrlKey || event.metaKey || document.activeElement === canvas;
        if (!isMeant || !this.canZoom) return;
        event.preventDefault();
        if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.shift(event.deltaX / canvas.clientWidth);
        else this.scale(2 ** (clamp(event.deltaY, -200, 200) / 300), event.offsetX);
    }

    key(event) {
        if (event.altKey || event.ctrlKey || event.metaKey) return;
        const { box } = this.chart;
        const middle = (box.left + box.right) / 2;
        const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (direction && event.shiftKey) this.shift(0.1 * direction);
        else if (direction) this.point(clamp((this.cursor ?? middle) + 8 * direction, box.left, box.right), true);
        else if (event.key === "Home") this.point(box.left, true);
        else if (event.key === "End") this.point(box.right, true);
        else if (event.key === "+" || event.key === "=") this.scale(0.5, this.cursor ?? middle);
        else if (event.key === "-" || event.key === "_") this.scale(2, this.cursor ?? middle);
        else if (event.key === "0" || event.key === "Escape") this.chart.zoomTo(null);
        else return;
        event.preventDefault();
    }

    /** Widens (> 1) or narrows the view by a factor; what is under a pixel stays there. */
    scale(factor, px) {
        if (!this.canZoom) return;
        const [from, to] = this.chart.range();
        const fixed = this.chart.valueAt(px);
        this.chart.zoomTo([fixed - (fixed - from) * factor, fixed + (to - fixed) * factor]);
    }

    /** Moves the view by a share of itself. */
    shift(share) {
        if (!this.chart.zoom) return;
        const [from, to] = this.chart.range();
        this.chart.zoomTo([from + share * (to - from), to + share * (to - from)]);
    }
}
