// The theme: the system's, or the reader's own choice of light or dark, kept in this browser.
//
// Canvases cannot follow css variables by themselves, so `color` hands out their values; they are read once for a
// theme, because asking the style engine in every frame is slow.

const choices = ["system", "light", "dark"];
const darkness = matchMedia("(prefers-color-scheme: dark)");
const known = new Map();
let listeners = [];

/** The value of the css variable `--name` in the present theme. */
export function color(name) {
    if (!known.has(name)) {
        known.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
    }
    return known.get(name);
}

/** The font of the page at a size in pixels, as a canvas wants it. */
export const font = (size = 12, weight = 400) => `${weight} ${size}px ${color("sans")}`;

/** Calls back whenever the colours have changed. */
export function onThemeChange(listener) { listeners.push(listener); }

export const theme = {
    get choice() { return choices.find((name) => name === stored()) ?? "system"; },

    /** From system to light to dark and round again. */
    next() {
        const choice = choices[(choices.indexOf(theme.choice) + 1) % choices.length];
        try { localStorage.setItem("eddy.theme", choice); } catch { /* Private windows may refuse to keep it. */ }
        apply(choice);
    },
};

function stored() {
    try { return localStorage.getItem("eddy.theme"); } catch { return null; }
}

function apply(choice) {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    known.clear();
    for (const listener of listeners) listener();
}

apply(theme.choice);
darkness.addEventListener("change", () => apply(theme.choice));
