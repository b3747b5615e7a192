// The confusion matrix as a table: a row a label, a column a prediction, with recall and precision at the edges.
//
// A real table and not a picture: it is read by screen readers, searched and copied. Shade is the share of the row;
// right answers have a frame as well, so that colour alone says nothing.

import { make, percent, rebuild, whole } from "./format.js";

export function drawConfusion(table, { classes, others }, counts) {
    rebuild(table, [{ classes, others, counts }], () => {
        const columns = counts.map((_, column) => counts.reduce((sum, row) => sum + (row[column] ?? 0), 0));
        const all = columns.reduce((sum, count) => sum + count, 0);
        const caption = make("caption", "", "Rows: label. Columns: prediction."
            + (others ? ` ${whole(others)} further classes are not shown.` : ""));
        const head = make("tr", "", make("td", ""), ...classes.map((name) => heading(name, "col")),
            heading("recall", "col", "Of the samples with this label, the share that was predicted so"));
        const rows = counts.map((row, label) => {
            const sum = row.reduce((total, count) => total + count, 0);
            const cells = row.map((count, prediction) => cell(count, sum, label === prediction,
                `label ${classes[label]}, predicted ${classes[prediction]}`));
            return make("tr", "", heading(classes[label], "row"), ...cells, rate(row[label], sum));
        });
        const precision = make("tr", "",
            heading("precision", "row", "Of the samples predicted so, the share with this label"),
            ...columns.map((sum, index) => rate(counts[index]?.[index], sum)),
            rate(counts.reduce((sum, row, index) => sum + row[index], 0), all));
        return [caption, make("thead", "", head), make("tbody", "", ...rows), make("tfoot", "", precision)];
    });
}

/** The matrix for CSV: one line a label. */
export function confusionTable({ classes }, counts) {
    return {
        columns: ["label", ...classes.map((name) => `predicted ${name}`), "recall"],
        rows: counts.map((row, label) => {
            const sum = row.reduce((total, count) => total + count, 0);
            return [classes[label], ...row, sum ? row[label] / sum : null];
        }),
    };
}

function heading(text, scope, title = text) {
    const node = make("th", "", text);
    Object.assign(node, { scope, title });
    return node;
}

function cell(count, sum, isRight, title) {
    const node = make("td", isRight ? "cell right" : "cell", whole(count));
    // The square root lets rare mistakes be seen next to the many right answers.
    node.style.setProperty("--share", sum ? Math.sqrt(count / sum).toFixed(3) : "0");
    node.title = `${title}: ${whole(count)}, ${percent(count / sum)} of the label`;
    return node;
}

function rate(part, sum) { return make("td", "rate", sum ? percent(part / sum) : "–"); }
