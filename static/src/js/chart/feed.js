// The bars of one instrument and timeframe: history by REST, the newest by the stream, without a hole between them.
//
// While REST is asked, messages of the stream wait; then they are replayed. A snapshot that follows a reconnection, or a
// sequence number that skips one, asks REST for the span since the last closed bar.

import { SECONDS, merge, put } from "./bars.js";

const FIRST = 600;
const OLDER = 1500;
const AT_MOST = 5000;

export class BarFeed {
  rows = []; // closed bars, then the forming one
  formingTime = null;
  before = null; // what to ask for to go further back; null at the start of history
  #abort = new AbortController();
  #end = null;
  #waiting = []; // messages that came while a hole was being filled
  #filling = false;
  #sequence = null;
  #olderAsked = null;

  /** `listener` has reset(), bar(row, how), closed(row) and prepended(count). */
  constructor(ref, timeframe, stream, listener) {
    this.ref = ref;
    this.timeframe = timeframe;
    this.stream = stream;
    this.listener = listener;
  }

  get signal() {
    return this.#abort.signal;
  }

  /** Ask for the newest bars, `seconds` back and `least` at least, as far as 5,000 bars reach. */
  async load(seconds = 0, least = FIRST) {
    const span = Math.ceil(seconds / SECONDS[this.timeframe]) + 50;
    const answer = await this.#ask({ limit: Math.min(AT_MOST, Math.max(least, span)) });
    this.#take(answer);
    this.listener.reset();
    this.#end = this.stream.subscribe(`candles/${this.ref}/${this.timeframe}`, (message) => this.#hear(message));
  }

  /** Fetch bars before the first one. One request at a time; null at the start of history. */
  loadOlder() {
    if (this.before === null) return null;
    this.#olderAsked ??= this.#prepend().finally(() => (this.#olderAsked = null));
    return this.#olderAsked;
  }

  close() {
    this.#abort.abort();
    this.#end?.();
  }

  async #prepend() {
    const answer = await this.#ask({ limit: OLDER, before: this.before });
    const older = answer.candles.filter((row) => row[0] < (this.rows[0]?.[0] ?? Infinity));
    this.before = older.length ? answer.before : null;
    this.rows = [...older, ...this.rows];
    if (older.length) this.listener.prepended(older.length);
  }

  #take(answer) {
    this.rows = answer.candles;
    this.before = answer.before;
    this.#sequence = answer.sequence;
    this.formingTime = null;
    if (answer.forming) this.#forming(answer.forming);
  }

  #forming(row) {
    // A bar that has closed stays closed, whatever arrives late.
    const lastClosed = this.formingTime === null ? this.rows.at(-1) : this.rows.at(-2);
    if (lastClosed && row[0] <= lastClosed[0]) return null;
    if (this.formingTime !== null && row[0] < this.formingTime) return null;
    this.formingTime = row[0];
    return put(this.rows, row);
  }

  #hear(message) {
    if (message.type === "error") return;
    if (this.#filling) {
      this.#waiting.push(message);
      return;
    }
    const { data, seq } = message;
    if (message.type === "snapshot") {
      const last = this.#lastClosed();
      if (data.closed && last && data.closed[0] > last[0]) this.#fill();
      else if (data.closed && !last) this.#fill();
      if (data.forming) this.#showForming(data.forming);
      if (!this.#filling && seq !== null && seq !== undefined) this.#sequence = seq;
      return;
    }
    if (data.closed) {
      if (!data.revision && this.#sequence !== null && seq > this.#sequence + 1 && this.#expectsEveryBar()) {
        this.#waiting.push(message);
        this.#fill();
        return;
      }
      this.#close(data.closed, data.revision);
      if (!data.revision && seq !== null && seq !== undefined) this.#sequence = Math.max(this.#sequence ?? 0, seq);
    } else if (data.forming) this.#showForming(data.forming);
  }

  #expectsEveryBar() {
    return this.timeframe !== "1d"; // stocks have no bars at week-ends
  }

  #showForming(row) {
    const how = this.#forming(row);
    if (how) this.listener.bar(row, how);
  }

  #close(row) {
    if (this.formingTime !== null && row[0] >= this.formingTime) this.formingTime = null;
    const how = put(this.rows, row);
    this.listener.bar(row, how);
    this.listener.closed(row);
  }

  #lastClosed() {
    return this.formingTime === null ? this.rows.at(-1) : this.rows.at(-2);
  }

  /** Ask for what closed since the last closed bar, and replay what came meanwhile. */
  async #fill() {
    const last = this.#lastClosed();
    this.#filling = true;
    try {
      const answer = await this.#ask(last ? { start: last[0], limit: AT_MOST } : { limit: FIRST });
      if (answer.candles.length >= AT_MOST) {
        this.#take(await this.#ask({ limit: FIRST }));
        this.listener.reset();
      } else this.#join(answer);
    } catch (error) {
      // The next snapshot, which a working connection brings, tries again.
      if (error.name !== "AbortError") console.warn("bars since the last one could not be fetched", error);
    } finally {
      this.#filling = false;
    }
    this.#replay();
  }

  #join(answer) {
    const closed = this.formingTime === null ? this.rows : this.rows.slice(0, -1);
    this.rows = merge(closed, answer.candles);
    this.formingTime = null;
    this.#sequence = answer.sequence ?? this.#sequence;
    if (answer.forming) this.#forming(answer.forming);
    this.listener.reset({ keepRange: true });
  }

  #replay() {
    const messages = this.#waiting.splice(0);
    for (const message of messages) {
      // What REST has answered already cannot be a hole any more.
      if (message.data?.closed && !message.data.revision) {
        this.#close(message.data.closed);
        this.#sequence = Math.max(this.#sequence ?? 0, message.seq ?? 0);
      } else this.#hear(message);
    }
  }

  async #ask(parameters) {
    const query = new URLSearchParams({ timeframe: this.timeframe, ...parameters });
    const response = await fetch(`/api/v1/instruments/${this.ref}/candles/?${query}`, { signal: this.#abort.signal });
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? `HTTP ${response.status}`);
    return await response.json();
  }
}
