// The card "Try it" beside an editor: runs what was saved and shows the few numbers, or what failed.

import { element } from "../elements.js";
import { percent, price, tone } from "../numbers.js";
import { post } from "./asking.js";
import { barsShown } from "./bars_shown.js";
import { follow } from "./progress.js";
import { say } from "./words.js";

const SHOWN = [["total_return", percent], ["benchmark_return", percent], ["sharpe", (value) => price(value, 2)], ["max_drawdown", percent], ["trades", (value) => price(value, 0)]];

export class TryOut {
  #latest = 0;
  #touched = false;

  /** `failed(run)` hears of a run that failed, with its line; `remembered` names where what was chosen is kept. */
  constructor({ instruments, failed = () => {}, remembered = "lab.try" }) {
    this.remembered = remembered;
    this.form = document.getElementById("try-form");
    this.place = document.getElementById("try-result");
    this.instruments = instruments;
    this.failed = failed;
    this.#restore();
    this.form.addEventListener("change", () => {
      this.#touched = true;
      this.#offer();
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.#offer();
  }

  /** How many instruments it needs. Two of different venues that nobody chose here give way to two that go together. */
  set legs(count) {
    const second = document.getElementById("try-second");
    const [one, other] = (second.dataset.pair ?? "").split(" ");
    const chosen = this.form.elements;
    if (count > 1 && second.hidden && other && !this.#touched) {
      const [a, b] = [chosen.instrument.value, chosen["instrument-2"].value];
      if (a === b || a.split(":")[0] !== b.split(":")[0]) {
        [chosen.instrument.value, chosen["instrument-2"].value] = [one, other];
        this.#offer();
      }
    }
    second.hidden = count < 2;
  }

  #offer() {
    const { instrument, timeframe } = this.form.elements;
    const offered = this.instruments[instrument.value] ?? {};
    for (const option of timeframe.options) option.disabled = !(option.value in offered);
    if (timeframe.selectedOptions[0]?.disabled) timeframe.value = Object.keys(offered).at(-1) ?? timeframe.value;
    try {
      localStorage.setItem(this.remembered, JSON.stringify(Object.fromEntries(new FormData(this.form))));
    } catch {
      // Storage is off: the choice holds for this page.
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.remembered) ?? "{}");
      for (const [name, value] of Object.entries(kept)) {
        const field = this.form.elements[name];
        if (field && [...field.options].some((option) => option.value === value)) field.value = value;
      }
    } catch {
      // Nothing usable was stored.
    }
  }

  async run(url) {
    const mine = ++this.#latest;
    const chosen = this.form.elements;
    const instruments = [chosen.instrument.value];
    if (!document.getElementById("try-second").hidden) instruments.push(chosen["instrument-2"].value);
    const bar = element("progress", { max: 1, value: 0.02, "aria-label": say("waiting") });
    const stage = element("span", {}, say("waiting"));
    this.place.replaceChildren(element("div", { class: "progress" }, stage, bar));
    const { ok, data } = await post(url, { instruments, timeframe: chosen.timeframe.value, span: chosen.span.value });
    if (!ok) {
      this.place.replaceChildren(element("p", { class: "small down" }, data.message ?? say("run-failed")));
      return;
    }
    const run = await follow(data.id, (now) => {
      if (mine !== this.#latest) return;
      bar.value = now.progress;
      const words = say(now.stage);
      if (stage.textContent !== words) stage.textContent = words;
    });
    if (mine === this.#latest) this.#show(run, data);
  }

  #show(run, { url, timeframe, start, end }) {
    const link = element("p", {}, element("a", { href: url }, say("open-report")));
    if (run.status !== "done") {
      const line = run.line ? `${say("line", { line: run.line })} ` : "";
      this.place.replaceChildren(element("p", { class: "small down" }, element("strong", {}, run.status === "cancelled" ? say("cancelled") : say("failed")), ` ${line}${run.message ?? ""}`), link);
      if (run.status === "failed") this.failed(run);
      return;
    }
    const rows = SHOWN.flatMap(([key, write]) => {
      const value = run.headline?.[key] ?? null;
      return [element("dt", {}, say(key)), element("dd", { class: `number ${key === "total_return" ? tone(value) : ""}` }, write(value))];
    });
    const bars = element("p", { class: "small muted" }, barsShown({ count: run.bars, timeframe, start, end }));
    this.place.replaceChildren(element("dl", { class: "pairs" }, ...rows), bars, link);
  }
}
