// Every way by which an element moves the loss: the largest paths one by one, the others as one sum.
//
// A gradient is the sum over all paths of the product of the local derivatives along each; here that sum is a table
// that adds up to the gradient above it. Steps that only carry a product into its sum (W2·h1[0] → z2[0], derivative 1)
// are folded into one, since they say nothing; no number is changed by it. Deliberately not here: finding the paths,
// which is the server's work.

import { make, number, percent, rebuild, several, whole } from "./format.js";

/** A path without its product elements: [{ name, derivative that led here }, …], the source's being null. */
export function folded({ elements, derivatives }) {
    const steps = [];
    let carried = 1;
    elements.forEach((name, index) => {
        const derivative = index === 0 ? null : derivatives[index - 1];
        if (index > 0) carried *= derivative;
        if (name.includes("·")) return;
        steps.push({ name, derivative: index === 0 ? null : carried });
        carried = 1;
    });
    return steps;
}

export class PathsTable {
    marked = null;  // names along the path under the pointer or the focus
    rows = make("tbody", "");
    caption = make("caption", "");
    says = make("p", "note");

    /** @param mark called with the names along a path, or null */
    constructor(mark) {
        this.mark = mark;
        const head = make("tr", "", ...["path", "product", "share"].map((word) => {
            const cell = make("th", word === "path" ? "" : "count", word);
            cell.scope = "col";
            return cell;
        }));
        this.table = make("table", "paths", this.caption, make("thead", "", head), this.rows);
        this.root = make("div", "scroll", this.table, this.says);
    }

    /** Shows the answer's `paths`, or says why there are none. */
    show(paths, reason) {
        this.table.hidden = !paths;
        this.says.hidden = Boolean(paths);
        this.says.textContent = paths ? "" : reason;
        if (!paths) return;
        const { source, gradient, count, largest, rest } = paths;
        const many = count > 1e15 ? "countless paths" : several(count, "path");
        const sum = count === 1 ? "its product is" : "their products add up to";
        this.caption.textContent = `${many} from ${source} to the loss; ${sum} ∂loss/∂${source} = ${number(gradient)}`;
        const known = largest.map((path) => ({ steps: folded(path), product: path.product, share: path.share }));
        const listed = known.map((path) => ({ ...path, isRest: false }));
        const others = count - largest.length;
        if (others > 0) {
            const share = gradient ? rest / gradient : null;
            listed.push({ isRest: true, steps: count > 1e15 ? "all others"
                : `${whole(others)} other${others === 1 ? "" : "s"}`, product: rest, share });
        }
        rebuild(this.rows, listed, (path) => this.row(path));
    }

    row({ steps, product, share, isRest }) {
        const way = make("td", "way");
        if (isRest) way.append(steps);
        else {
            for (const { name, derivative } of steps) {
                if (derivative !== null) way.append(make("span", "times", ` ×${number(derivative)} → `));
                way.append(make("code", "", name));
            }
        }
        const bar = make("i", product < 0 ? "bar-negative" : "bar-positive");
        bar.style.width = `${Math.min(100, Math.abs(100 * (share ?? 0)))}%`;
        const row = make("tr", isRest ? "rest" : "", way, make("td", "count", number(product)),
            make("td", "count", share === null ? "–" : percent(share).replace("-", "−"), bar));
        if (!isRest) {
            row.tabIndex = 0;
            const names = steps.map(({ name }) => name);
            for (const kind of ["pointerenter", "focus"]) row.addEventListener(kind, () => this.mark(names));
            for (const kind of ["pointerleave", "blur"]) row.addEventListener(kind, () => this.mark(null));
        }
        return row;
    }
}
