// What every drawing of this page needs: a canvas fitted to its size, a reader who points into it, a rule, a label.

import { clamp } from "./format.js";
import { color } from "./theme.js";

/** Fits a canvas to a size in CSS pixels and the screen's density; hands back a cleared context. */
export function prepared(canvas, width, height) {
    const density = window.devicePixelRatio;
    const [wide, high] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
}

/** Lets the reader point into a canvas, by pointer or by arrow keys that move `pace()` pixels; null: no longer. */
export function pointing(canvas, pace, moved) {
    let at = [0, 0];
    const go = (next) => { at = next ?? at; moved(next); };
    canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => go([offsetX, offsetY]));
    for (const end of ["pointerleave", "blur"]) canvas.addEventListener(end, () => go(null));
    canvas.addEventListener("keydown", (event) => {
        const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        const edge = [canvas.clientWidth - 1, canvas.clientHeight - 1];
        go(at.map((value, axis) => clamp(value + direction[axis] * pace(), 0, edge[axis])));
    });
}

/** Follows the size of a node without measuring it in every frame: `changed(width, height)`, CSS pixels. */
export function measured(node, changed) {
    new ResizeObserver(([{ contentRect: { width, height } }]) => changed(width, height)).observe(node);
}

/** A straight line in a colour of the theme. */
export function rule(context, fromX, fromY, toX, toY, ink, width) {
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
    context.strokeStyle = color(ink);
    context.lineWidth = width;
    context.stroke();
}

/** Words over a drawing, ending at a point, with a halo of the surface's colour. */
export function label(context, text, px, py, ink) {
    Object.assign(context, { textAlign: "right", lineWidth: 4, lineJoin: "round" });
    Object.assign(context, { strokeStyle: color("surface"), fillStyle: color(ink) });
    context.strokeText(text, px, py);
    context.fillText(text, px, py);
}
