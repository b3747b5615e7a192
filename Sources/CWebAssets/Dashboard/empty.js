// Before the first sample: what to do, with commands that fit this server and buttons that copy them.

import { element, put } from "./format.js";

export class EmptyState {
    constructor() {
        for (const button of document.querySelectorAll("[data-copy]")) {
            button.addEventListener("click", () => this.copy(element(button.dataset.copy), button));
        }
    }

    /** Lines have come, though none could be learned from. */
    hasLines({ model, latest }) {
        const { predicted, rejected } = latest.stream?.counts ?? model?.counts ?? {};
        return Boolean(predicted || rejected);
    }

    draw(state) {
        const { model, step, latest } = state;
        element("empty").hidden = !model || step > 0;
        if (!model || step > 0) return;
        const { predicted, rejected } = latest.stream?.counts ?? model.counts ?? {};
        put(element("empty-title"), predicted ? "No line had a label yet"
            : rejected ? "No line was accepted yet" : "Nothing has flowed in yet");
        // A server that listens on every address is reached where this page was.
        const { host = "127.0.0.1", port = 7071 } = model.feed ?? {};
        const isAny = ["0.0.0.0", "::"].includes(host);
        const target = `nc -N ${isAny ? location.hostname.replace(/[[\]]/g, "") : host} ${port}`;
        const made = 'x = rand(); y = rand(); print x "," y "," (x*x + y*y < .64 ? "in" : "out")';
        put(element("send-file"), `${target} < file.csv`);
        put(element("send-made-up"), `awk 'BEGIN { while (n++ < 1e5) { ${made} } }' | ${target}`);
    }

    /** The clipboard is there in secure contexts only (localhost is one); elsewhere the selection has to do. */
    async copy(source, button) {
        getSelection().selectAllChildren(source);
        const copied = await navigator.clipboard?.writeText(source.textContent).then(() => true, () => false);
        put(button, copied || document.execCommand("copy") ? "Copied" : "Selected");
        setTimeout(() => put(button, "Copy"), 2000);
    }
}
