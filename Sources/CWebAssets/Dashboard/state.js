// What the page knows: the newest message of each type, and, in the address, how the reader looks at it.
//
// Messages replace whole fields and are never changed, so a frozen state is a shallow copy. Histories are the views'
// own business. Deliberately not here: anything about drawing.

/** What the learner last said. */
export class LearnerState {
    model = null;
    latest = { loss: null, layers: null, stream: null };
    learnedAt = 0;  // when a loss with samples last came, ms of performance.now()
    changedAt = 0;  // when a drift alarm last came, likewise; not one from before this page

    /** Takes a message; true when it comes from another learner than the last, whose state is then forgotten. */
    receive(message, now = performance.now()) {
        const isOther = this.isOther(message);
        if (isOther) Object.assign(this, new LearnerState());
        if (message.type === "model") this.takeModel(message, now);
        else this.latest = { ...this.latest, [message.type]: message };
        if (message.type === "loss" && message.count > 0) this.learnedAt = now;
        return isOther;
    }

    takeModel(model, now) {
        const known = this.model && (this.model.drift?.alarms ?? 0);
        if (known !== null && model.drift?.alarms > known) this.changedAt = now;
        this.model = model;
    }

    /** Another start time, or steps that run backwards. */
    isOther({ type, started, step }) {
        if (type === "model" && this.model && started !== this.model.started) return true;
        return type !== "layers" && step < (type === "model" ? this.model?.step : this.latest[type]?.step);
    }

    /** Samples learned so far. */
    get step() { return Math.max(this.model?.step ?? 0, this.latest.loss?.step ?? 0, this.latest.stream?.step ?? 0); }

    get isRegression() {
        return this.model?.task === "regression" || this.latest.loss?.unit === "squared units";
    }

    /** Of several outputs each one's name and figures; undefined for one. */
    get outputs() { return this.latest.loss?.outputs ?? this.model?.outputs; }

    frozen() { return Object.assign(new LearnerState(), this); }
}

/** How the reader looks at it, in the address: `#loss.scale=log&loss.by=time`. Written a moment after a change. */
export class ViewAddress {
    constructor() { this.read(); }

    read() { this.words = new URLSearchParams(location.hash.slice(1)); }

    get(key, fallback = null) { return this.words.get(key) ?? fallback; }

    /** null or undefined takes the key out. */
    set(key, value) {
        if (value == null) this.words.delete(key);
        else this.words.set(key, String(value));
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.write(), 150);  // browsers refuse to be written to many times a second
    }

    /** Takes out what is true of one learner only: a range of steps, a sample, an element of its network. */
    forgetPlaces() {
        for (const key of [...this.words.keys()]) {
            if (/\.(zoom|sample|element)$/.test(key)) this.set(key, null);
        }
    }

    write() {
        const words = this.words.toString().replaceAll("%2C", ",").replaceAll("%5B", "[").replaceAll("%5D", "]");
        history.replaceState(null, "", `${location.pathname}${location.search}${words && `#${words}`}`);
    }
}
