// Contour lines of a grid of numbers by marching squares (Lorensen and Cline's idea in two dimensions).
//
// Each cell between four grid points is crossed by at most two straight pieces, placed by linear interpolation; pieces
// are not joined, since they are only stroked. At a saddle the cell's mean decides which corners belong together.

/** Calls `piece(x1, y1, x2, y2)` in grid units (a point stands at whole numbers) for the line at a level. */
export function contour(values, columns, rows, level, piece) {
    for (let y = 0; y + 1 < rows; y += 1) {
        for (let x = 0; x + 1 < columns; x += 1) {
            const at = y * columns + x;
            const [a, b, c, d] = [values[at], values[at + 1], values[at + columns + 1], values[at + columns]];
            const kind = (a > level ? 8 : 0) | (b > level ? 4 : 0) | (c > level ? 2 : 0) | (d > level ? 1 : 0);
            if (kind === 0 || kind === 15) continue;
            const cut = (from, to) => (level - from) / (to - from);
            const sides = {
                top: () => [x + cut(a, b), y], right: () => [x + 1, y + cut(b, c)],
                bottom: () => [x + cut(d, c), y + 1], left: () => [x, y + cut(a, d)],
            };
            const draw = (one, other) => piece(...sides[one](), ...sides[other]());
            if (kind === 5 || kind === 10) {
                const isHigh = (a + b + c + d) / 4 > level;
                if ((kind === 5) === isHigh) { draw("left", "top"); draw("bottom", "right"); }
                else { draw("left", "bottom"); draw("top", "right"); }
                continue;
            }
            const pair = {
                1: ["left", "bottom"], 14: ["left", "bottom"], 2: ["bottom", "right"], 13: ["bottom", "right"],
                3: ["left", "right"], 12: ["left", "right"], 4: ["top", "right"], 11: ["top", "right"],
                6: ["top", "bottom"], 9: ["top", "bottom"], 7: ["left", "top"], 8: ["left", "top"],
            }[kind];
            draw(...pair);
        }
    }
}
