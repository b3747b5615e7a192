// A GET that is asked again and again while its view is on screen, at a pace that its answers can afford.
//
// The pace is the larger of the wished one and that at which the answers' size stays below a rate: a page is to cost
// a server less than 50 kB a second, whatever the network's size. One request at a time; after an error the wait
// doubles up to eight seconds, and what the server will not have, or no longer has, is not asked for again; an answer
// to an older question is dropped. What failed is told, what was last known stays. Deliberately not here: caching, and
// whether to poll at all (the view's tick says so).

const silence = "The server did not answer.";

export class Poll {
    answer = null;  // the newest one
    failure = "";  // why the last question had none
    bytes = 0;  // of the newest answer, as text

    /**
     * @param app `get`, `refresh`
     * @param every the wished pace, ms
     * @param rate what the answers may cost, bytes a second
     */
    constructor(app, { every, rate }) {
        Object.assign(this, { app, every, rate, path: null, due: 0, turn: 0, isAsking: false, failures: 0 });
    }

    /** The pace that its last answer's size allows, ms. */
    get pace() { return Math.max(this.every, (1000 * this.bytes) / this.rate); }

    /** To be called often. Another path than the last is asked at once, and an answer still under way is dropped. */
    tick(path, now = performance.now()) {
        if (path !== this.path) {
            Object.assign(this, { path, due: 0, isAsking: false });
            this.turn += 1;
        }
        if (path && !this.isAsking && now >= this.due) this.ask();
    }

    /** What the server said against the question, as a sentence, or null; silence is the page's own affair to tell. */
    get objection() {
        return this.failure && this.failure !== silence ? `${this.failure.replace(/[.]$/, "")}.` : null;
    }

    /** Asks again at the next tick. */
    hurry() { this.due = 0; }

    async ask() {
        const turn = ++this.turn;
        this.isAsking = true;
        let answer = null;
        let failure = "";
        let isFinal = false;
        try {
            answer = await this.app.get(this.path);
        } catch (error) {
            failure = error.message || "The server gave no answer.";
            if (!error.status) failure = silence;
            isFinal = [400, 404, 410].includes(error.status);
        }
        if (turn !== this.turn) return;
        this.isAsking = false;
        this.failure = failure;
        this.failures = failure ? Math.min(this.failures + 1, 4) : 0;
        if (answer) {
            this.answer = answer;
            this.bytes = JSON.stringify(answer).length;
        }
        this.due = isFinal ? Infinity : performance.now() + (failure ? 500 * 2 ** this.failures : this.pace);
        this.app.refresh();
    }
}
