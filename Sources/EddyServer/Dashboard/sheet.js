// Several canvases under one another on one sheet, each with its title: for the picture of a view that has many.

import { make } from "./format.js";
import { color, font } from "./theme.js";

/** @param parts [{ canvas, title }]; hidden and empty canvases are left out. `old` is used again, if given. */
export function sheet(parts, old = make("canvas", "")) {
    const density = window.devicePixelRatio;
    const [head, gap] = [24 * density, 14 * density];
    const shown = parts.filter(({ canvas }) => canvas.width > 0 && canvas.height > 0 && !canvas.hidden);
    old.width = Math.max(1, ...shown.map(({ canvas }) => canvas.width));
    old.height = Math.max(1, shown.reduce((sum, { canvas }) => sum + canvas.height + head + gap, 0));
    const context = old.getContext("2d");
    let top = 0;
    for (const { canvas, title } of shown) {
        Object.assign(context, { font: font(13 * density, 600), fillStyle: color("ink") });
        context.fillText(title, 0, top + 16 * density);
        context.drawImage(canvas, 0, top + head);
        top += head + canvas.height + gap;
    }
    return old;
}
