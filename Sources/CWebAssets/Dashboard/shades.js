// A css colour as three bytes, for drawings that are made pixel by pixel.

import { make } from "./format.js";
import { color } from "./theme.js";

let context = null;

/** Red, green and blue of the css variable `--name`, which is to be opaque. */
export function channels(name) {
    context ??= make("canvas", "").getContext("2d");
    context.fillStyle = color(name);
    const text = context.fillStyle;  // a canvas always hands back #rrggbb
    return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}
