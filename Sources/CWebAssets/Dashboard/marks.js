// Marks of classes: a shape and a colour each, so that either alone tells them apart.
//
// Eight of both, out of step, so that the ninth class has the first shape in another colour. Drawn as one path about a
// point; a ring around a mark means that its sample was predicted wrong.

export const classInk = (index) => `class-${((index + Math.floor(index / 8)) % 8) + 1}`;

const polygon = (context, x, y, radius, corners, turn) => {
    for (let corner = 0; corner < corners; corner += 1) {
        const angle = turn + (2 * Math.PI * corner) / corners;
        const [px, py] = [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
        if (corner === 0) context.moveTo(px, py);
        else context.lineTo(px, py);
    }
    context.closePath();
};

const cross = (context, x, y, radius, turn) => {
    const wide = radius * 0.36;
    for (let arm = 0; arm < 4; arm += 1) {
        const angle = turn + (Math.PI / 2) * arm;
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        for (const [along, across] of [[wide, wide], [radius * 1.15, wide], [radius * 1.15, -wide]]) {
            // From arm to arm, the inner corner is shared.
            const [px, py] = [x + along * cos + across * sin, y + along * sin - across * cos];
            if (arm === 0 && along === wide) context.moveTo(px, py);
            else context.lineTo(px, py);
        }
    }
    context.closePath();
};

const shapes = [
    (context, x, y, radius) => { context.moveTo(x + radius * 0.92, y); context.arc(x, y, radius * 0.92, 0, 7); },
    (context, x, y, radius) => polygon(context, x, y, radius * 1.2, 3, -Math.PI / 2),
    (context, x, y, radius) => polygon(context, x, y, radius * 1.15, 4, Math.PI / 4),
    (context, x, y, radius) => cross(context, x, y, radius, 0),
    (context, x, y, radius) => polygon(context, x, y, radius * 1.2, 4, 0),
    (context, x, y, radius) => cross(context, x, y, radius, Math.PI / 4),
    (context, x, y, radius) => polygon(context, x, y, radius * 1.2, 3, Math.PI / 2),
    (context, x, y, radius) => polygon(context, x, y, radius * 1.1, 6, 0),
];

/** Adds a class's shape to the current path. */
export function mark(context, index, x, y, radius) { shapes[index % shapes.length](context, x, y, radius); }
