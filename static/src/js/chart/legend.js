// The line above the chart: the bar under the crosshair, or the newest one.

import { element } from "../elements.js";
import { colour, compact, percent, price } from "../numbers.js";
import { moment, utcDate } from "../time.js";
import { say } from "../words.js";

const MOST_SHOWN = 3;

export class Legend {
  #cells = {};
  #hovered = null;
  #extra = () => [];

  /** `extra(index)` gives [{text, tone}] for the bar: signals on it. */
  constructor(node, view, { extra } = {}) {
    this.node = node;
    this.view = view;
    if (extra) this.#extra = extra;
    this.#build();
    view.on("hover", (row, index) => {
      this.#hovered = row ? index : null;
      this.show();
    });
    for (const event of ["reset", "bar", "prepended"]) view.on(event, () => this.#hovered === null && this.show());
  }

  #build() {
    const cell = (name) => {
      this.#cells[name] = element("span", { class: "number" });
      return element("span", {}, element("span", { class: "muted" }, `${say(name)} `), this.#cells[name]);
    };
    this.#cells.time = element("span", { class: "number muted legend-time" });
    this.#cells.change = element("span", { class: "number", title: say("bar-change") });
    this.#cells.extra = element("span", { class: "legend-extra" });
    this.node.replaceChildren(this.#cells.time, ...["open", "high", "low", "close"].map(cell), this.#cells.change, cell("volume"), this.#cells.extra);
  }

  show() {
    const { rows, timeframe, instrument } = this.view;
    const index = this.#hovered ?? rows.length - 1;
    const row = rows[index];
    if (!row) return;
    const [time, open, high, low, close, volume] = row;
    const before = rows[index - 1]?.[4] ?? open;
    this.#cells.time.textContent = timeframe === "1d" ? utcDate(time) : moment(time);
    for (const [name, value] of Object.entries({ open, high, low, close })) {
      this.#cells[name].textContent = price(value, instrument.price_decimals);
      colour(this.#cells[name], close - open);
    }
    this.#cells.change.textContent = percent(before ? close / before - 1 : null);
    colour(this.#cells.change, close - before);
    this.#cells.volume.textContent = compact(volume);
    const told = this.#extra(row);
    const shown = told.slice(0, MOST_SHOWN).map(({ text, tone }) => element("span", { class: `badge ${tone}` }, text));
    const more = told.slice(MOST_SHOWN).map(({ text }) => text);
    if (more.length) shown.push(element("span", { class: "badge", title: more.join("\n") }, `+${more.length}`));
    this.#cells.extra.replaceChildren(...shown);
  }
}
