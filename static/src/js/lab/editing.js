// What both editors do with what was written: save it as versions, say whether it is saved, run it, name the page.

import { toast } from "../toast.js";
import { post } from "./asking.js";
import { Saved } from "./saved.js";
import { say } from "./words.js";

export class Editing {
  #addresses;
  #kept; // what the newest version holds; null before the first
  #first;
  #number;
  #busy = false;
  #saidOf = new Saved();
  #state = document.getElementById("editor-state");
  #notes = document.getElementById("notes");
  #heading = document.querySelector(".editor-head h1");

  /**
   * `text()` is what is there now and `content()` the same as the server takes it; `prepare()` comes before a run, `refused(answer)` after a
   * save that was.
   */
  constructor({ data, tryout, text, content, prepare = () => {}, refused = () => {} }) {
    Object.assign(this, { tryout, text, content, prepare, refused });
    this.#addresses = { save: data.save, try: data.try };
    this.#first = text();
    this.#kept = data.saved ? this.#first : null;
    this.#number = this.#state.dataset.number;
    this.#listen();
  }

  get isSaved() {
    return this.#kept !== null && this.text() === this.#kept;
  }

  /** What is written has changed. */
  tell() {
    this.#state.textContent = this.isSaved ? say("version", { number: this.#number }) : say("unsaved");
    this.#saidOf.place.hidden = !this.isSaved; // it is said of the version, not of what was changed since
  }

  /** Whether what is there is saved now. */
  async save() {
    if (this.#busy) return false;
    this.#busy = true;
    this.#state.textContent = say("saving");
    const text = this.text();
    try {
      const { ok, data: answer } = await post(this.#addresses.save, { ...this.content(), notes: this.#notes.value });
      if (!ok) {
        toast(answer.message ?? say("save-failed"), "bad");
        this.refused(answer);
        return false;
      }
      this.#saved(text, answer);
      return true;
    } catch {
      toast(say("save-failed"), "bad");
      return false;
    } finally {
      this.#busy = false;
      this.tell();
    }
  }

  #saved(text, answer) {
    const same = String(answer.number) === String(this.#number);
    toast(say(same ? "same" : "saved", { number: answer.number }), same ? "info" : "good");
    this.#kept = text;
    this.#number = answer.number;
    this.#saidOf.show(answer);
    this.#notes.value = "";
    this.#addresses = { save: answer.save, try: answer.try };
    if (location.pathname + location.search !== answer.edit) history.replaceState(null, "", answer.edit);
    this.#heading.replaceChildren(answer.name);
    document.title = `${answer.name} · ClusterX`;
  }

  async backtest() {
    if (!this.isSaved && !(await this.save())) return;
    this.prepare();
    document.getElementById("try-card").scrollIntoView({ block: "nearest" });
    await this.tryout.run(this.#addresses.try).catch(() => toast(say("run-failed"), "bad"));
  }

  #listen() {
    for (const [id, act] of [["save", () => this.save()], ["try", () => this.backtest()]]) {
      const button = document.getElementById(id);
      button.addEventListener("click", act);
      button.disabled = false;
    }
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
      const act = { s: () => this.save(), Enter: () => this.backtest() }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    addEventListener("beforeunload", (event) => {
      if (this.text() !== (this.#kept ?? this.#first)) event.preventDefault();
    });
  }
}
