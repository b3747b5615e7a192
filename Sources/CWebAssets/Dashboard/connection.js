// The one way to the server: the websocket /events that comes back by itself, and GETs with the same token.
//
// The pause before another attempt doubles from a quarter of a second to five seconds, with jitter so that many pages
// do not return at once; a network that is back, or a page that is looked at again, tries at once. The server speaks
// at least once a second, so three seconds of silence mean that what is shown is old, and eight that the connection
// hangs and is given up. A browser hides why a websocket was refused; a GET finds out, and 401 asks for the token.

const staleAfter = 3000;  // ms of silence
const hangsAfter = 8000;
const longestWait = 5000;

export class Connection {
    socket = null;
    isOpen = false;
    failures = 0;
    retryAt = 0;  // ms, of performance.now()
    heardAt = 0;  // when anything last came, ms
    refusal = "";  // what the server said instead of answering
    needsToken = false;

    /** `received(message)` gets every message; `changed()` is told whenever the words about the connection differ. */
    constructor({ received, changed }) {
        Object.assign(this, { received, changed, token: takeToken() });
        window.addEventListener("online", () => this.hurry());
        document.addEventListener("visibilitychange", () => { if (!document.hidden) this.hurry(); });
        this.connect();
    }

    /** Nothing heard for a while, or the connection is lost; before the first word there is nothing to be old. */
    isStale(now = performance.now()) {
        if (!this.heardAt) return this.failures > 0;
        return !this.isOpen ? now - this.heardAt > 500 : now - this.heardAt > staleAfter;
    }

    /** Parsed JSON of a GET; throws an Error with the server's own words and `status`. */
    async get(path) {
        const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
        const address = new URL(path.replace(/^\//, ""), document.baseURI);
        const response = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(8000) });
        const answer = await response.json().catch(() => null);
        if (response.ok && answer !== null) return answer;
        const reason = answer?.error ?? `The server answers ${response.status} ${response.statusText}.`;
        throw Object.assign(new Error(reason), { status: response.status });
    }

    connect() {
        clearTimeout(this.timer);
        this.retryAt = 0;
        const address = new URL("events", document.baseURI);
        address.protocol = address.protocol.replace("http", "ws");
        this.socket = new WebSocket(address, this.token ? ["eddy", `token.${base64url(this.token)}`] : ["eddy"]);
        this.timer = setTimeout(() => this.abandon(), longestWait);  // an attempt that nobody answers
        this.socket.onopen = () => {
            clearTimeout(this.timer);
            Object.assign(this, { isOpen: true, openedAt: performance.now(), refusal: "", needsToken: false });
            this.changed();
        };
        this.socket.onmessage = ({ data }) => {
            this.heardAt = performance.now();
            this.received(JSON.parse(data));
        };
        this.socket.onclose = () => this.abandon();
    }

    /** Ends an attempt or a connection, also one that hangs and would not report its own end, and plans the next. */
    abandon() {
        clearTimeout(this.timer);
        const { socket } = this;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
        if (this.isOpen && performance.now() - this.openedAt > longestWait) this.failures = 0;
        const wasOpen = this.isOpen;
        this.isOpen = false;
        const wait = Math.min(longestWait, 250 * 2 ** this.failures) * (0.75 + 0.25 * Math.random());
        this.failures += 1;
        this.retryAt = performance.now() + wait;
        if (!this.needsToken) this.timer = setTimeout(() => this.connect(), wait);
        if (!wasOpen) this.askWhy();
        this.changed();
    }

    async askWhy() {
        const error = await this.get("model").then(() => null, (reason) => reason);
        if (this.isOpen) return;
        this.refusal = error?.status ? error.message : "";
        this.needsToken = error?.status === 401;
        if (this.needsToken) clearTimeout(this.timer);
        this.changed();
    }

    /** To be called now and then: gives up a connection that has gone silent. */
    check(now = performance.now()) {
        if (this.isOpen && now - Math.max(this.heardAt, this.openedAt) > hangsAfter) this.abandon();
    }

    /** Tries at once instead of waiting. */
    hurry() {
        if (this.isOpen || this.socket.readyState === WebSocket.CONNECTING) return this.check();
        this.connect();
    }

    useToken(token) {
        this.token = token;
        keep(token);
        Object.assign(this, { needsToken: false, refusal: "" });
        this.connect();
    }
}

/** The token of `#token=…` goes into this tab's memory and out of the address, where others could read it. */
function takeToken() {
    const words = new URLSearchParams(location.hash.slice(1));
    const token = words.get("token");
    if (token) {
        keep(token);
        words.delete("token");
        history.replaceState(null, "", `${location.pathname}${location.search}${words.size ? `#${words}` : ""}`);
        return token;
    }
    try { return sessionStorage.getItem("eddy.token") ?? ""; } catch { return ""; }
}

function keep(token) {
    try { sessionStorage.setItem("eddy.token", token); } catch { /* Then it lasts until the page is left. */ }
}

function base64url(text) {
    const bytes = String.fromCharCode(...new TextEncoder().encode(text));
    return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
