// The head of the page: connection, age of what is shown, theme, pause, the way to each view, and the notice below it.
//
// Always about the live state, also while the views are paused: a frozen page must not look like a lost connection.

import { age, element, make, number, put, several, whole } from "./format.js";
import { theme } from "./theme.js";

const changeTold = 60_000;  // ms that the notice tells of a change of the stream
const reactions = {
    "forget-memory": "Older samples are no longer replayed.",
    "raise-step": "Learning rates are raised for a while.",
    "restart-weakest": "The weakest network begins anew.",
    "forget-scaler": "Scales follow the newest samples.",
};
const themeMarks = { system: "◐ System", light: "○ Light", dark: "● Dark" };

export class StatusBar {
    constructor(app) {
        this.app = app;
        element("retry").addEventListener("click", () => app.connection.hurry());
        element("pause").addEventListener("click", () => app.pause(!app.paused));
        element("token-form").addEventListener("submit", (event) => {
            event.preventDefault();
            app.connection.useToken(element("token").value);
            this.draw();
        });
        element("theme").addEventListener("click", () => { theme.next(); this.drawTheme(); });
        this.drawTheme();
        const top = element("top");
        window.addEventListener("scroll", () => {
            top.classList.toggle("afloat", window.scrollY > 4);
            this.markView(top.offsetHeight + 60);
        }, { passive: true });
        this.draw();
    }

    drawTheme() {
        put(element("theme"), themeMarks[theme.choice]);
        element("theme").title = "Colours: as the system has them, light, or dark";
        element("theme").ariaLabel = `Theme: ${theme.choice}`;
    }

    /** A button for each view with a heading; the one in view is marked. */
    nameViews() {
        const buttons = this.app.views.filter(({ panel }) => panel.body).map(({ panel: { section } }) => {
            const name = section.querySelector("h2 > span").textContent.split(/ (by|of) /)[0];
            const button = make("button", "quiet", name);
            Object.assign(button, { type: "button" });
            button.dataset.view = section.id;
            button.addEventListener("click", () => this.app.show(section.id));
            return button;
        });
        element("views").replaceChildren(...buttons);
    }

    /** Marks the view that reaches up to the head. */
    markView(edge) {
        const buttons = [...element("views").children].filter(({ hidden }) => !hidden);
        const current = buttons.findLast(({ dataset }) => element(dataset.view)?.getBoundingClientRect().top < edge);
        for (const button of buttons) {
            const now = String(button === current);
            if (button.ariaCurrent !== now) button.ariaCurrent = now;
        }
    }

    draw() {
        const { connection, live, frozen } = this.app;
        const now = performance.now();
        const stale = connection.isStale(now);
        const flows = live.learnedAt > 0 && now - live.learnedAt < 2500;
        element("state").dataset.kind = stale ? "stale" : flows ? "live" : "idle";
        put(element("state-word"), connection.needsToken ? "Locked" : stale ? "Stale" : !live.model ? "Connecting"
            : flows ? "Live" : live.step ? "Idle" : "Waiting");
        put(element("state-age"), live.learnedAt && !stale && !flows ? `for ${age(now - live.learnedAt)}` : "");
        document.documentElement.toggleAttribute("data-stale", stale);
        const title = live.step ? `${whole(live.step)} steps – Eddy` : "Eddy";
        if (document.title !== title) document.title = title;
        put(element("version"), live.model?.version ?? "");
        put(element("pause"), frozen ? "Resume" : "Pause");

        element("views").hidden = !live.step;
        for (const button of element("views").children) button.hidden = element(button.dataset.view)?.hidden ?? true;
        const changed = live.changedAt > 0 && now - live.changedAt < changeTold;
        element("notice").hidden = !stale && !frozen && !changed;
        element("notice").dataset.kind = stale ? "stale" : frozen ? "paused" : "changed";
        element("retry").hidden = !stale || connection.needsToken || connection.isOpen;
        element("token-form").hidden = !connection.needsToken;
        if (connection.needsToken) {
            put(element("notice-text"), connection.token ? "The server did not accept this token."
                : "This server asks for its token.");
            put(element("notice-detail"), "It is what the server was started with.");
        } else if (stale) {
            const wait = Math.ceil((connection.retryAt - now) / 1000);
            const heard = connection.heardAt ? `Last heard ${age(now - connection.heardAt)} ago. ` : "";
            const words = connection.isOpen ? "The server has fallen silent" : "Not connected";
            put(element("notice-text"), `${words}${heard ? "; what is shown is old" : ""}.`);
            const next = connection.isOpen ? "" : wait > 0 ? `Next attempt in ${wait} s.` : "Trying now.";
            put(element("notice-detail"), heard + (connection.refusal || next));
        } else if (frozen) {
            const since = live.step - frozen.step;
            put(element("notice-text"), `The view is paused at step ${whole(frozen.step)}; learning goes on.`);
            put(element("notice-detail"), since > 0 ? `${several(since, "step")} since.` : "");
        } else if (changed) {
            const { drift: { alarms, step, watched, column, before, now: mean }, driftDetection } = live.model;
            put(element("notice-text"), `The stream changed at sample ${whole(step)}.`);
            const what = column ?? { errors: "Errors", loss: "Loss" }[watched];
            const change = before === undefined ? "" : `${what}: ${number(before)} before, now ${number(mean)}. `;
            const done = (driftDetection?.reactions ?? []).map((name) => `${reactions[name]} `).join("");
            put(element("notice-detail"), `${change}${done}${several(alarms, "change")} so far.`);
        }
    }
}
