// The page: connects, builds the views, and draws those that are on screen and have something new, in one frame loop.
//
// `app` is all that a view knows of the rest. Another learner (a restarted server) gets new views: nothing of the old
// one can stay behind. While paused, views see a frozen copy, and messages still reach whoever keeps a history.

import { element } from "./format.js";
import { color, onThemeChange } from "./theme.js";
import { Connection } from "./connection.js";
import { LearnerState, ViewAddress } from "./state.js";
import { EmptyState } from "./empty.js";
import { StatusBar } from "./status.js";
import { FiguresView } from "./figures.js";
import { LossView } from "./loss.js";
import { MetricsView } from "./metrics.js";
import { RaceView } from "./race.js";
import { NetworkView } from "./network.js";
import { LayersView } from "./layers.js";
import { SpaceView } from "./space.js";
import { TrafficView } from "./traffic.js";
import { ModelView } from "./model.js";

const kinds = [
    FiguresView, LossView, MetricsView, RaceView, NetworkView, LayersView, SpaceView, TrafficView, ModelView,
];
const tickEvery = 250;  // ms

class App {
    live = new LearnerState();
    frozen = null;  // what the views see while paused
    views = [];
    url = new ViewAddress();
    isDue = false;  // a frame has been asked for
    color = color;

    start() {
        const motion = matchMedia("(prefers-reduced-motion: reduce)");
        this.reducedMotion = motion.matches;
        motion.addEventListener("change", () => { this.reducedMotion = motion.matches; this.refresh(); });
        this.sight = new IntersectionObserver((entries) => {
            for (const { target, isIntersecting } of entries) {
                const view = this.views.find(({ panel }) => panel.section === target);
                if (view) view.isOnScreen = isIntersecting;
            }
            this.refresh();
        }, { rootMargin: "120px" });
        this.connection = new Connection({
            received: (message) => this.receive(message),
            changed: () => this.status?.draw(),
        });
        this.status = new StatusBar(this);
        this.empty = new EmptyState();
        this.build();
        this.status.nameViews();
        onThemeChange(() => this.refresh());
        window.addEventListener("hashchange", () => { this.url.read(); this.build(); });
        setInterval(() => this.tick(), tickEvery);
    }

    // MARK: What views use

    get state() { return this.frozen ?? this.live; }
    get model() { return this.state.model; }
    get latest() { return this.state.latest; }
    get paused() { return this.frozen !== null; }
    get stale() { return this.connection.isStale(); }

    get(path) { return this.connection.get(path); }

    /** Asks for a frame; many asks before it make one. */
    refresh() {
        for (const view of this.views) view.isDirty = true;
        this.request();
    }

    show(id) {
        const section = element(id);
        if (!section) return;
        section.scrollIntoView({ behavior: this.reducedMotion ? "auto" : "smooth" });
        section.focus({ preventScroll: true });
        // Views on the way draw for the first time and grow: aim again, until the reader moves or a moment has passed.
        const follow = new ResizeObserver(() => section.scrollIntoView({ behavior: "instant" }));
        const stop = () => follow.disconnect();
        window.addEventListener("scrollend", () => follow.observe(element("main")), { once: true });
        for (const kind of ["wheel", "pointerdown", "keydown"]) window.addEventListener(kind, stop, { once: true });
        setTimeout(stop, 2500);
    }

    /** Opens the network on a sample: a step, or features. */
    explain(stepOrFeatures) {
        const network = this.views.find((view) => view instanceof NetworkView);
        network.explain(stepOrFeatures);
        this.show(network.panel.section.id);
    }

    // MARK: The loop

    receive(message) {
        if (this.live.receive(message)) this.beginAnew();
        for (const view of this.views) view.message?.(message);
        if (!this.paused) this.refresh();
        this.status.draw();
    }

    request() {
        if (this.isDue) return;
        this.isDue = true;
        requestAnimationFrame((now) => this.frame(now));
    }

    frame(now) {
        this.isDue = false;
        const hasBegun = this.state.step > 0;
        this.empty.draw(this.state);
        for (const view of this.views) {
            view.panel.section.hidden = view.isAbsent === true
                || (!hasBegun && !(view instanceof TrafficView && this.empty.hasLines(this.state)));
            if (!view.isDirty || !view.isOnScreen || view.panel.section.hidden) continue;
            view.isDirty = false;
            view.update(now);
            view.panel.drawn?.(now);
        }
    }

    tick() {
        const now = performance.now();
        this.connection.check(now);
        this.status.draw();
        if (document.hidden || this.paused || !this.connection.isOpen) return;
        for (const view of this.views) if (view.isOnScreen && !view.panel.section.hidden) view.tick?.(now);
    }

    pause(isPaused) {
        this.frozen = isPaused ? this.live.frozen() : null;
        this.refresh();
        this.status.draw();
    }

    // MARK: Views

    build() {
        this.sight.disconnect();
        this.views = kinds.map((View) => new View(this));
        element("main").replaceChildren(...this.views.map(({ panel }) => panel.section));
        for (const { panel } of this.views) this.sight.observe(panel.section);
        this.refresh();
    }

    /** Another learner: its predecessor's places in the address mean nothing to it. */
    beginAnew() {
        this.url.forgetPlaces();
        if (this.paused) this.pause(false);
        this.build();
    }
}

const app = new App();
app.start();
