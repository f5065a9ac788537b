// The bars of one instrument and timeframe: history by REST, the newest by the stream, without a hole between them.
//
// A bar counts as closed only when REST or the stream has said so: an unfinished one that a newer one follows stays
// unfinished. A hole (a sequence number that skips one, an unfinished bar too far ahead, a snapshot after a reconnection, a
// closed bar that comes late) asks REST for the span since the last bar up to which nothing was missing; messages of the
// stream wait meanwhile and are replayed.

import { SECONDS, indexOf, merge, put } from "./bars.js";

const FIRST = 600;
const OLDER = 1500;
const AT_MOST = 5000;
const AMENDABLE = 2; // bars behind the newest that the stream still amends
const RETRY = 2000; // milliseconds, doubled each time
const LONGEST_RETRY = 30_000;

export class BarFeed {
  rows = []; // closed bars, then what has not closed
  before = null; // what to ask for to go further back; null at the start of history
  #abort = new AbortController();
  #end = null;
  #closed = null; // opening time of the newest bar that has closed
  #whole = null; // opening time of the newest bar before which none is missing, as far as anybody knows
  #sequence = null;
  #heard = false; // whether a snapshot has come
  #waiting = []; // messages that came while a hole was being filled
  #filling = false;
  #askedAt = null; // the unfinished bar for which a hole was looked into
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

  /** Opening time of the unfinished bar, or null. */
  get formingTime() {
    const newest = this.rows.at(-1)?.[0];
    return newest !== undefined && (this.#closed === null || newest > this.#closed) ? newest : null;
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
    this.#closed = this.#whole = this.rows.at(-1)?.[0] ?? null;
    this.#sequence = answer.sequence;
    if (answer.forming) this.#forming(answer.forming);
  }

  #forming(row) {
    // A bar that has closed stays closed, whatever arrives late.
    if (this.#closed !== null && row[0] <= this.#closed) return null;
    if (this.formingTime !== null && row[0] < this.formingTime) return null;
    return put(this.rows, row);
  }

  #hear(message) {
    if (message.type === "error") return;
    if (this.#filling) {
      this.#wait(message);
      return;
    }
    const { data, seq } = message;
    if (message.type === "snapshot") {
      // One that follows another comes after something was lost, also an amendment or a bar that was missing then.
      if (this.#heard || (data.closed && (this.#closed === null || data.closed[0] > this.#closed))) this.#fill();
      this.#heard = true;
      if (data.forming) this.#hear({ type: "update", data: { forming: data.forming } });
    } else if (data.closed) this.#hearClosed(message, data.closed, data.revision, seq);
    else if (data.forming) {
      if (this.#isAhead(data.forming[0])) {
        this.#askedAt = data.forming[0];
        this.#wait(message);
        this.#fill();
      } else this.#showForming(data.forming);
    }
  }

  #hearClosed(message, row, revision, seq) {
    const late = this.#closed !== null && row[0] <= this.#closed;
    if (late && this.rows[indexOf(this.rows, row[0])]?.[0] !== row[0]) {
      if (row[0] < this.rows[0][0]) return; // older than what is drawn: going back will bring it
      this.#lookFrom(this.rows[indexOf(this.rows, row[0]) - 1][0]);
    } else if (late || revision || this.#sequence === null || seq <= this.#sequence + 1) {
      this.#close(row, seq);
      return;
    }
    this.#wait(message);
    this.#fill();
  }

  // The first word on a bar may come before the last word on the one before it; anything further ahead has left out a bar.
  #isAhead(time) {
    return this.#closed !== null && time > this.#closed + 2 * SECONDS[this.timeframe] && this.#askedAt !== time;
  }

  #showForming(row) {
    const how = this.#forming(row);
    if (how) this.listener.bar(row, how);
  }

  #close(row, seq) {
    if (this.#closed === null || row[0] > this.#closed) {
      if (this.#whole === this.#closed && (this.#sequence === null || seq === this.#sequence + 1)) this.#whole = row[0];
      this.#closed = row[0];
      this.#sequence = seq ?? this.#sequence;
    }
    const how = put(this.rows, row);
    this.listener.bar(row, how);
    this.listener.closed(row);
  }

  #lookFrom(time) {
    if (this.#whole === null || time < this.#whole) this.#whole = time;
  }

  #wait(message) {
    // Of an unfinished bar only the newest word counts.
    if (message.data?.forming && message.type === "update") this.#waiting = this.#waiting.filter(({ type, data }) => type !== "update" || !data.forming);
    this.#waiting.push(message);
  }

  /** Ask for what closed since the last bar up to which nothing was missing, then replay what came meanwhile. */
  async #fill() {
    this.#filling = true;
    const from = this.#whole === null ? null : Math.max(this.rows[0][0], this.#whole - AMENDABLE * SECONDS[this.timeframe]);
    try {
      const answer = await this.#askUntilTold(from === null ? { limit: FIRST } : { start: from, limit: AT_MOST });
      if (from === null || answer.candles.length >= AT_MOST) {
        this.#take(from === null ? answer : await this.#askUntilTold({ limit: FIRST }));
        this.listener.reset();
      } else this.#join(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    this.#filling = false;
    this.#replay();
  }

  async #askUntilTold(parameters) {
    for (let pause = RETRY; ; pause = Math.min(pause * 2, LONGEST_RETRY)) {
      try {
        return await this.#ask(parameters);
      } catch (error) {
        if (error.name === "AbortError") throw error;
        console.warn("bars since the last one could not be fetched", error);
      }
      await new Promise((done) => setTimeout(done, pause));
    }
  }

  #join(answer) {
    const closed = this.rows.slice(0, this.#closed === null ? 0 : indexOf(this.rows, this.#closed + 1));
    this.rows = merge(closed, answer.candles);
    const newest = answer.candles.at(-1)?.[0];
    if (newest !== undefined && newest >= (this.#closed ?? 0)) {
      this.#closed = newest;
      this.#sequence = answer.sequence ?? this.#sequence;
    }
    this.#whole = this.#closed;
    if (answer.forming) this.#forming(answer.forming);
    this.listener.reset({ keepRange: true });
  }

  #replay() {
    const messages = this.#waiting.splice(0);
    for (const message of messages) {
      // What REST has not answered is not there yet: the bars that follow are drawn, and the hole is looked into again when the
      // stream says so.
      if (message.data?.closed && message.type === "update") this.#close(message.data.closed, message.seq);
      else this.#hear(message);
    }
  }

  async #ask(parameters) {
    const query = new URLSearchParams({ timeframe: this.timeframe, ...parameters });
    const response = await fetch(`/api/v1/instruments/${this.ref}/candles/?${query}`, { signal: this.#abort.signal });
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? `HTTP ${response.status}`);
    return await response.json();
  }
}
