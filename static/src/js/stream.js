// One socket a page for everything live: docs/api.md, The stream.
//
// A listener gets {type: "snapshot" | "update" | "error", seq, data}. A snapshot comes first, and again after every
// reconnection: whoever must not miss anything asks REST for what lies between.

const LOOK_EVERY = 1000;
const QUIET = 4000; // milliseconds without a word, after which the server is asked for one
const SILENT = 9000; // without a word: what is shown may be old, and people must see that
const DEAD = 20_000; // without a word: the connection is made anew
const ANSWER_WITHIN = 3000; // a page in the background is late itself: only what was asked and not answered is silence
const FIRST_WAIT = 500;
const LONGEST_WAIT = 12_000;
const TOO_MANY = 4429; // close code; whoever has too many connections waits longer
const TOO_MANY_WAIT = 30_000;

export class Stream {
  #url;
  #socket = null;
  #listeners = new Map(); // channel → Set of functions
  #last = new Map(); // channel → newest snapshot, for those who come later
  #states = new Set();
  #state = "connecting";
  #attempt = 0;
  #retry = 0;
  #looking = 0;
  #heard = 0;
  #asked = 0; // when the server was asked for a word; 0 when it has answered
  #id = 0;
  #due = new Map(); // channel → "subscribe" | "unsubscribe", sent together
  #make;

  constructor(url, { make = (address) => new WebSocket(address) } = {}) {
    this.#url = url;
    this.#make = make;
  }

  get state() {
    return this.#state;
  }

  /** Listen to `channel`; the function that is returned ends it. The channel is held while anybody listens. */
  subscribe(channel, listener) {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners);
    listeners.add(listener);
    if (listeners.size === 1) this.#queue(channel, "subscribe");
    else if (this.#last.has(channel)) queueMicrotask(() => listeners.has(listener) && listener(this.#last.get(channel)));
    if (!this.#socket && !this.#retry) this.#connect();
    return () => {
      if (!listeners.delete(listener) || listeners.size) return;
      if (this.#listeners.get(channel) === listeners) this.#listeners.delete(channel);
      this.#last.delete(channel);
      this.#queue(channel, "unsubscribe");
    };
  }

  /** Be told "connecting", "open", "silent" (connected, and nothing comes) and "offline"; at once what it is now. */
  onState(listener) {
    this.#states.add(listener);
    listener(this.#state);
  }

  /** Somebody came back to the page, or the network did: do not wait any longer. */
  wake() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#askForAWord();
    else if (this.#retry) {
      clearTimeout(this.#retry);
      this.#retry = 0;
      this.#connect();
    }
  }

  /** The browser says that the network is gone. That need not be the way to this server, so it is asked. */
  doubt() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#askForAWord();
    setTimeout(() => this.#asked && this.#state === "open" && this.#become("silent"), ANSWER_WITHIN);
  }

  #connect() {
    this.#retry = 0;
    const socket = this.#make(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempt = 0;
      this.#heard = Date.now();
      this.#asked = 0;
      this.#due.clear();
      for (const channel of this.#listeners.keys()) this.#due.set(channel, "subscribe");
      this.#flush();
      this.#looking = setInterval(() => this.#look(), LOOK_EVERY);
      this.#become("open");
    };
    socket.onmessage = (event) => {
      this.#heard = Date.now();
      this.#asked = 0;
      if (this.#state === "silent") this.#become("open");
      for (const message of JSON.parse(event.data).m) this.#deliver(message);
    };
    socket.onclose = (event) => {
      if (this.#socket !== socket) return;
      clearInterval(this.#looking);
      this.#socket = null;
      this.#become("offline");
      this.#attempt += 1;
      const ceiling = event.code === TOO_MANY ? TOO_MANY_WAIT : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempt);
      // Full jitter: after a restart of the server, a thousand pages must not come back in one second.
      this.#retry = setTimeout(() => this.#connect(), ceiling / 4 + Math.random() * ceiling * 0.75);
    };
  }

  #look() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const now = Date.now();
    const quiet = now - this.#heard;
    const unanswered = this.#asked ? now - this.#asked : 0;
    if (quiet >= QUIET && !this.#asked) this.#askForAWord();
    else if (quiet >= DEAD && unanswered >= 2 * ANSWER_WITHIN) {
      const dead = this.#socket;
      dead?.close();
      dead?.onclose?.({ code: 0 }); // a socket of a vanished network closes only after minutes
    } else if (quiet >= SILENT && unanswered >= ANSWER_WITHIN && this.#state === "open") this.#become("silent");
  }

  #askForAWord() {
    this.#asked ||= Date.now();
    this.#send({ op: "ping", id: ++this.#id });
  }

  #deliver(message) {
    if (!message.ch && !message.channel) return;
    if (message.t === "resync") {
      // Something was lost on the way: a new snapshot tells every listener to look again.
      this.#send({ op: "unsubscribe", id: ++this.#id, channels: [message.ch] });
      this.#send({ op: "subscribe", id: ++this.#id, channels: [message.ch] });
      return;
    }
    const channel = message.ch ?? message.channel;
    const told = message.t === "error" ? { type: "error", code: message.code, detail: message.detail } : { type: message.t, seq: message.seq, data: message.d };
    if (message.t === "snapshot") this.#last.set(channel, told);
    for (const listener of this.#listeners.get(channel) ?? []) listener(told);
  }

  #queue(channel, op) {
    // A page that leaves a channel and takes it again at once says nothing.
    if (this.#due.has(channel) && this.#due.get(channel) !== op) this.#due.delete(channel);
    else this.#due.set(channel, op);
    queueMicrotask(() => this.#flush());
  }

  #flush() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (const op of ["unsubscribe", "subscribe"]) {
      const channels = [...this.#due].filter(([, wanted]) => wanted === op).map(([channel]) => channel);
      if (channels.length) this.#send({ op, id: ++this.#id, channels });
    }
    this.#due.clear();
  }

  #send(command) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #become(state) {
    this.#state = state;
    for (const listener of this.#states) listener(state);
  }
}

export const stream = new Stream(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/v1/stream/`);

addEventListener("online", () => stream.wake());
addEventListener("offline", () => stream.doubt());
document.addEventListener("visibilitychange", () => document.hidden || stream.wake());
