// Scales and their ticks: linear, logarithmic, time. Pure functions of numbers, without a canvas.
//
// Ticks follow the rule of every good axis: 1, 2 or 5 times a power of ten, decades on a logarithm, and on time the
// steps that clocks have. Deliberately not here: category axes, and reversed ones.

import { raised } from "./format.js";

/** The smallest of 1, 2, 5 × 10ⁿ that is not below a positive value. */
export function rounded(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) * power;
}

/** A short number for an axis: `12,000`, `86.4M`, `0.05`. */
export function brief(value) {
    const size = Math.abs(value);
    const [unit, word] = size >= 1e9 ? [1e9, "G"] : size >= 1e6 ? [1e6, "M"] : [1, ""];
    if (size > 0 && size < 1e-4) {
        const exponent = Math.floor(Math.log10(size) + 1e-9);
        const digits = Number((value / 10 ** exponent).toPrecision(3));
        return (digits === 1 ? "10" : `${digits}×10`) + raised(exponent);
    }
    return Number((value / unit).toPrecision(7)).toLocaleString("en", { maximumFractionDigits: 9 }).replace("-", "−")
        + word;
}

/** Ticks of a linear axis, about `count` of them: [{ at, text }]. */
export function linearTicks(low, high, count) {
    const pace = rounded((high - low) / Math.max(1, count));
    const ticks = [];
    for (let index = Math.ceil(low / pace - 1e-9); index * pace <= high + 1e-9 * pace; index += 1) {
        ticks.push({ at: index * pace, text: brief(index * pace) });
    }
    return ticks;
}

/** Ticks of a logarithmic axis: decades with words, and the lines between them without. */
export function logTicks(low, high, count) {
    const [first, last] = [Math.floor(Math.log10(low) + 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const decades = Math.log10(high / low);
    const every = Math.max(1, Math.ceil(decades / Math.max(2, count)));
    const spoken = decades > 3 || every > 1 ? [1] : decades > 1 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const drawn = decades > 6 ? [1] : [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const ticks = [];
    for (let exponent = first; exponent <= last; exponent += 1) {
        for (const factor of drawn) {
            const at = Number(`${factor}e${exponent}`);
            if (at < low * (1 - 1e-9) || at > high * (1 + 1e-9)) continue;
            const speaks = spoken.includes(factor) && exponent % every === 0;
            ticks.push({ at, text: speaks ? brief(at) : "", minor: factor !== 1 });
        }
    }
    return ticks;
}

const clockSteps = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
    3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000,
];

// Made once: a format costs far more to make than to use.
const hourly = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const formats = {
    fractions: new Intl.DateTimeFormat("en", { minute: "2-digit", second: "2-digit", fractionalSecondDigits: 2 }),
    seconds: new Intl.DateTimeFormat("en", { ...hourly, second: "2-digit" }),
    minutes: new Intl.DateTimeFormat("en", hourly),
    days: new Intl.DateTimeFormat("en", { month: "short", day: "numeric" }),
};

/** Ticks of unix seconds at the reader's own round times; midnight shows the day. */
export function timeTicks(low, high, count) {
    const pace = clockSteps.find((step) => step >= (high - low) / Math.max(1, count)) ?? clockSteps.at(-1);
    const zone = -60 * new Date(1000 * low).getTimezoneOffset();
    const hours = pace < 1 ? formats.fractions : pace < 60 ? formats.seconds : formats.minutes;
    const ticks = [];
    for (let index = Math.ceil((low + zone) / pace - 1e-9); index * pace - zone <= high; index += 1) {
        const at = index * pace - zone;
        const date = new Date(1000 * at);
        const isMidnight = date.getHours() + date.getMinutes() + date.getSeconds() === 0;
        ticks.push({ at, text: (isMidnight || pace >= 86400 ? formats.days : hours).format(date) });
    }
    return ticks;
}

/** The first index in `values[from ..< to]`, ascending, that is not below a value. */
export function lowerBound(values, value, from, to) {
    while (from < to) {
        const middle = (from + to) >> 1;
        if (values[middle] < value) from = middle + 1;
        else to = middle;
    }
    return from;
}
