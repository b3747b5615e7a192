// Several canvases under one another on one sheet, each with its title: for the picture of a view that has many.
//
// A panel asks for a view's picture often, only to know that there is one; so a sheet is made anew at most every two
// seconds.

import { make } from "./format.js";
import { color, font } from "./theme.js";

const keptFor = 2000;  // ms

export class Sheet {
    canvas = make("canvas", "");
    madeAt = -Infinity;

    /** @param parts [{ canvas, title, keys: [{ ink, dash, text }] }]; hidden and empty canvases are left out */
    of(parts) {
        const now = performance.now();
        if (now - this.madeAt < keptFor) return this.canvas;
        this.madeAt = now;
        const density = window.devicePixelRatio;
        const [head, gap] = [24, 14];
        const shown = parts.filter(({ canvas }) => canvas.width > 0 && canvas.height > 0 && !canvas.hidden);
        const high = (canvas) => canvas.height / density;
        this.canvas.width = Math.max(1, ...shown.map(({ canvas }) => canvas.width));
        this.canvas.height = Math.max(1, density * shown.reduce((sum, { canvas }) => sum + high(canvas) + head + gap, 0));
        const context = this.canvas.getContext("2d");
        context.scale(density, density);
        let top = 0;
        for (const { canvas, title, keys = [] } of shown) {
            Object.assign(context, { font: font(13, 600), fillStyle: color("ink") });
            context.fillText(title, 0, top + 16);
            this.keys(context, keys, context.measureText(title).width + 18, top + 16);
            context.drawImage(canvas, 0, top + head, canvas.width / density, high(canvas));
            top += head + high(canvas) + gap;
        }
        return this.canvas;
    }

    keys(context, keys, left, level) {
        Object.assign(context, { font: font(12), fillStyle: color("quiet"), lineWidth: 2.5 });
        for (const { ink, dash, text } of keys) {
            context.strokeStyle = color(ink);
            context.setLineDash(dash);
            context.beginPath();
            context.moveTo(left, level - 4);
            context.lineTo(left + 22, level - 4);
            context.stroke();
            context.setLineDash([]);
            context.fillText(text, left + 28, level);
            left += 28 + context.measureText(text).width + 16;
        }
    }
}
