// Words, numbers and nodes: how the page writes what it measured.
//
// Every function is pure or touches one node only. Numbers here are for reading, about four digits; whoever wants
// all of them takes the data table, CSV or JSON. Deliberately not here: translation, and a template language.

export const finite = (value) => Number.isFinite(value);
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export const whole = (value) => (finite(value) ? Math.round(value).toLocaleString("en") : "–");
export const percent = (value) => (finite(value) ? `${(100 * value).toFixed(1)}%` : "–");
export const several = (count, word) => `${whole(count)} ${word}${Math.round(count) === 1 ? "" : "s"}`;

/** A span of time in words: `4 s`, `12 min`, `3.5 h`, `2 days`. */
export function age(ms) {
    const seconds = Math.max(0, ms / 1000);
    if (seconds < 100) return `${Math.round(seconds)} s`;
    if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
    const hours = seconds / 3600;
    if (hours < 48) return `${Number(hours.toFixed(1))} h`;
    return several(hours / 24, "day");
}

/** A short duration given in microseconds: `85 µs`, `1.20 ms`, `2.3 s`. */
export function duration(microseconds) {
    if (!finite(microseconds)) return "–";
    if (microseconds < 1000) return `${Number(microseconds.toPrecision(3))} µs`;
    if (microseconds < 1e6) return `${Number((microseconds / 1e3).toPrecision(3))} ms`;
    return `${Number((microseconds / 1e6).toPrecision(3))} s`;
}

/** A measured number with about four digits: `0.1211`, `2.310`, `−1.20×10⁻⁵`. */
export function number(value) {
    if (!finite(value)) return "–";
    const [sign, size] = [value < 0 ? "−" : "", Math.abs(value)];
    if (size === 0) return "0";
    if (size >= 1e-3 && size < 1e6) return sign + size.toFixed(size < 1 ? 4 : size < 100 ? 3 : size < 1e4 ? 1 : 0);
    const [digits, exponent] = size.toExponential(2).split("e");
    return `${sign}${digits}×10${raised(Number(exponent))}`;
}

/** A whole number as an exponent: `⁻⁵`. */
export function raised(exponent) {
    return String(exponent).replace(/./g, (character) => (character === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[character]));
}

/** A clock time of unix seconds, in the reader's own zone: `14:03:07`, or with the day `Nov 21, 14:03`. */
export function clock(seconds, withDay = false) {
    const options = withDay
        ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
        : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    return new Date(1000 * seconds).toLocaleString("en", options);
}

// MARK: Nodes

export const element = (id) => document.getElementById(id);

/** Sets a text, but only when it differs: no needless layout. */
export function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
}

export function make(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children);
    return node;
}

/** An element of SVG with its attributes. */
export function makeSVG(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
}

/** Rebuilds what is in a node, but only when its data differ from the last time. */
export function rebuild(node, data, build) {
    const text = JSON.stringify(data);
    if (node.shows === text) return;
    node.shows = text;
    node.replaceChildren(...data.flatMap(build));
}
