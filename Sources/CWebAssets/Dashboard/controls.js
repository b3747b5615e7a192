// Small controls that several views share: a switch of a few choices, and the legend of a chart.

import { make, makeSVG } from "./format.js";

/** A row of radio buttons that looks like one switch: `choices` is { value: words }. */
export function choice({ name, legend, choices, value, changed }) {
    const labels = Object.entries(choices).map(([key, words]) => {
        const input = make("input", "offscreen");
        Object.assign(input, { type: "radio", name, value: key, checked: key === value });
        input.addEventListener("change", () => changed(key));
        return make("label", "", input, words);
    });
    return make("fieldset", "switch", make("legend", "offscreen", legend), ...labels);
}

/** What the strokes of a chart mean, from the same `series` that the chart draws. */
export function legend(series) {
    return make("ul", "legend note", ...series.map(({ name, color, kind, width = 1.5, dash }) => {
        const thickness = kind ? 10 : Math.max(1.5, width);
        const line = makeSVG("path", { d: "M0 5h24", stroke: `var(--${color})`, "stroke-width": thickness });
        if (dash) line.setAttribute("stroke-dasharray", dash.join(" "));
        return make("li", "", makeSVG("svg", { "aria-hidden": "true" }, line), name);
    }));
}
