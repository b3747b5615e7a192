// Where the nodes of a network stand: columns of units, names beside the first and the last, the loss at the end.
//
// The widest layer gives the height; narrower ones spread out a little, so that there is room for their names. On a
// phone, names go below their nodes where there is the height for it, and are cut to a few letters where there is not.
// A network of many layers may be wider than its room: the drawing scrolls then. Pure but for measuring text.

import { clamp } from "./format.js";

const [top, bottom] = [50, 14];  // px for the headings, and below
const tight = 560;  // px; less is a phone

/**
 * @param seen the Explanation
 * @param room the width there is, px
 * @param measure the width of a text, px
 */
export function arranged(seen, room, measure) {
    const isNarrow = room < tight;
    const columns = seen.widths.length + 1;  // the last one is the loss
    const widest = (texts, most) => Math.min(most, Math.max(...texts.map(measure)));
    const inputs = Array.from({ length: seen.widths[0] }, (_, unit) => seen.meaning(-1, unit));
    const most = Math.max(...seen.widths);
    const row = clamp((isNarrow ? 400 : 470) / most, 13, 58);
    const isRoomy = (most * row) / Math.max(seen.widths[0], seen.widths.at(-1)) >= 60 && room - 146 > 62 * (columns - 2);
    const isBelow = isNarrow && isRoomy;
    const gutter = isBelow ? 38 : Math.max(isNarrow ? 44 : 54, widest(inputs, isNarrow ? 56 : 150)) + 26;
    const outputs = widest(seen.answer.outputs ?? [""], isNarrow ? 60 : 130) + 48;
    const outputRoom = isBelow ? 42 : clamp(outputs, isNarrow ? 88 : 128, 200);
    const before = gutter + outputRoom + 66;
    const width = Math.max(room, before + (columns - 2) * 40);
    const pitch = (width - before) / (columns - 2);
    const height = Math.round(top + Math.max(most, 3) * row + bottom);
    const middle = top + (height - top - bottom) / 2;
    const rows = seen.widths.map((units) => Math.max(row, Math.min(isBelow ? 66 : 46, (most * row) / units)));
    const x = Array.from({ length: columns }, (_, column) => gutter + column * pitch);
    x[columns - 1] = width - 32;
    return {
        isBelow, gutter, outputRoom, width, height, middle, rows, x, lossX: x[columns - 1],
        radii: rows.map((high) => clamp(high * 0.36, 4, high < 54 ? 13 : 15)),
        slim: clamp(pitch / 110, 0.4, 1),  // edges of narrow columns are thinner, or they hide one another
        y: (layer, unit) => middle + (unit - (seen.widths[layer + 1] - 1) / 2) * rows[layer + 1],
    };
}
