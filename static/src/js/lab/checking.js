// A verdict on what is being written, true of the newest text or not shown as if it were.

import { patiently } from "./asking.js";
import { say } from "./words.js";

const QUIET = 400; // milliseconds: a faster answer comes without a word before it

export class Checking {
  #due = 0;
  #slow = 0;
  #asked = null;
  #answered = false;

  /**
   * `ask(signal)` sends what is there now, `after` milliseconds after the last change. What is heard of it: `changed()`, the verdict is of
   * an older text; `waiting(message)`; `show(answer)`; `failed()`.
   */
  constructor({ ask, after, changed, waiting, show, failed }) {
    Object.assign(this, { ask, after, changed, waiting, show, failed });
  }

  /** The text has changed. */
  soon() {
    this.#end();
    this.changed();
    this.#due = setTimeout(() => this.now(), this.after);
  }

  async now() {
    this.#end();
    const asked = (this.#asked = new AbortController());
    const { signal } = asked;
    // Before the first verdict there is nothing that a word could take the place of.
    if (this.#answered) this.#slow = setTimeout(() => this.waiting(say("checking")), QUIET);
    else this.waiting(say("checking"));
    try {
      const { ok, data } = await patiently(() => this.ask(signal), { signal, waiting: (message) => this.#tell(message) });
      if (!ok) throw new Error("no answer");
      this.#end();
      this.#answered = true;
      this.show(data);
    } catch (error) {
      if (signal.aborted) return; // another question is under way, or will be
      this.#end();
      this.#answered = true;
      this.failed(error);
    }
  }

  #tell(message) {
    clearTimeout(this.#slow);
    this.waiting(message);
  }

  #end() {
    clearTimeout(this.#due);
    clearTimeout(this.#slow);
    this.#asked?.abort();
    this.#asked = null;
  }
}
