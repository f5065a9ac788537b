// The chart as a table, for who reads instead of looking: the newest bars first, with the values of the indicators.

import { element } from "../elements.js";
import { colour, compact, percent, price } from "../numbers.js";
import { moment, utcDate } from "../time.js";
import { digits } from "./points.js";

const STEP = 50; // rows at first, and more with each asking
const EVERY = 1000; // milliseconds between two looks at what changed

export class BarTable {
  #rows = new Map(); // opening time → {row, cells}
  #columns = ""; // what the columns are, as one text
  #count = STEP;
  #timer = 0;

  /** `dialog` holds a table whose head has the columns of a bar, translated, and a button [data-more]. */
  constructor(dialog, button, view, indicators) {
    this.view = view;
    this.indicators = indicators;
    this.table = dialog.querySelector("table");
    this.head = this.table.tHead.rows[0];
    this.fixed = [...this.head.cells].map((cell) => cell.textContent);
    this.body = this.table.tBodies[0];
    this.more = dialog.querySelector("[data-more]");
    button.addEventListener("click", () => {
      dialog.showModal();
      this.#count = STEP;
      this.show();
      this.#timer = setInterval(() => this.show(), EVERY);
    });
    dialog.addEventListener("close", () => clearInterval(this.#timer));
    this.more.addEventListener("click", () => {
      this.#count += STEP;
      this.show();
    });
  }

  show() {
    const { rows } = this.view;
    const first = Math.max(0, rows.length - this.#count);
    this.more.hidden = first === 0;
    const shown = rows.map((_, index) => index).slice(first).reverse();
    this.#makeColumns();
    const times = new Set(shown.map((index) => rows[index][0]));
    for (const [time, { row }] of this.#rows) {
      if (times.has(time)) continue;
      row.remove();
      this.#rows.delete(time);
    }
    let next = this.body.firstElementChild;
    for (const index of shown) {
      const one = this.#row(rows[index][0]);
      // Rows that stay are not touched, so that a reader keeps its place.
      if (one.row === next) next = next.nextElementSibling;
      else this.body.insertBefore(one.row, next);
      this.#fill(one.cells, index);
    }
  }

  #makeColumns() {
    const names = this.indicators.at(this.view.rows.at(-1)?.[0]).flatMap((one) => one.values.map(({ label }) => (one.values.length > 1 ? `${one.label} · ${label}` : one.label)));
    const columns = JSON.stringify([this.view.timeframe, names]);
    if (columns === this.#columns) return;
    this.#columns = columns;
    this.labels = [...this.fixed, ...names];
    this.head.replaceChildren(...this.labels.map((label, index) => element("th", { scope: "col", class: index ? "number" : null }, label)));
    this.#rows.clear();
    this.body.replaceChildren();
  }

  #row(time) {
    let one = this.#rows.get(time);
    if (!one) {
      const cells = this.labels.map((label, index) => (index ? element("td", { class: "number", "data-label": label }) : element("th", { scope: "row", class: "lead number" })));
      one = { row: element("tr", {}, ...cells), cells };
      this.#rows.set(time, one);
    }
    return one;
  }

  #fill(cells, index) {
    const { rows, timeframe, instrument } = this.view;
    const [time, open, high, low, close, volume] = rows[index];
    const before = rows[index - 1]?.[4];
    const change = before ? close / before - 1 : null;
    const when = timeframe === "1d" ? utcDate(time) : moment(time);
    const prices = [open, high, low, close].map((value) => price(value, instrument.price_decimals));
    const values = this.indicators.at(time).flatMap((one) => one.values.map(({ value, unit }) => written(value, unit, instrument)));
    const texts = [time === this.view.formingTime ? `${when} · ${this.table.dataset.forming}` : when, ...prices, percent(change), compact(volume), ...values];
    for (const [place, cell] of cells.entries()) if (cell.textContent !== texts[place]) cell.textContent = texts[place];
    colour(cells[5], change);
  }
}

function written(value, unit, instrument) {
  if (value === undefined) return "–";
  if (unit === "price") return price(value, instrument.price_decimals);
  return unit === "volume" ? compact(value) : price(value, digits(value));
}
