// Signals and the person's own fills as marks on the bars. A mark must stand on a bar's time or it vanishes, so each is
// put on the bar that holds it; `missing` counts the fills that lie outside the bars that are drawn.

import { createSeriesMarkers } from "lightweight-charts";
import { price as written, quantity } from "../numbers.js";
import { say } from "../words.js";
import { barAt } from "./bars.js";
import { colourOf } from "./colours.js";

const SIGNALS_AT_MOST = 500;

export class Markers {
  missing = 0;
  #signals = [];
  #fills = [];
  #show = { signals: true, fills: true };
  #end = null;

  constructor(view, { stream, fills = null }) {
    this.view = view;
    this.stream = stream;
    this.fillsQuery = fills;
    this.plugin = createSeriesMarkers(view.candles, []);
    view.on("reset", () => this.#load());
    view.on("prepended", () => this.#load());
    view.on("bar", (row, how) => how === "append" && this.draw());
    view.on("recolour", () => this.draw());
  }

  toggle(name, shown) {
    this.#show[name] = shown;
    this.draw();
  }

  /** What stands on a bar, as badges for the legend. */
  on(row) {
    const said = this.#signals.filter((one) => this.#show.signals && one.time === row[0]).map((one) => ({ text: one.label, tone: one.direction === "up" ? "good" : "bad" }));
    const done = this.#show.fills ? this.#merged().filter(({ time }) => time === row[0]) : [];
    return [...said, ...done.map((one) => ({ text: this.#sentence(one), tone: "accent" }))];
  }

  async #load() {
    const { rows, signal, instrument, timeframe } = this.view;
    if (!rows.length) return;
    this.#follow(instrument.ref, timeframe);
    try {
      const query = new URLSearchParams({ timeframe, start: rows[0][0], limit: SIGNALS_AT_MOST });
      const answers = await Promise.all([
        get(`/api/v1/instruments/${instrument.ref}/signals/?${query}`, signal),
        this.fillsQuery !== null ? get(`/api/v1/fills/?instrument=${encodeURIComponent(instrument.ref)}${this.fillsQuery}`, signal) : { results: [] },
      ]);
      if (signal !== this.view.signal) return;
      this.#signals = answers[0].results;
      this.#fills = answers[1].results.map((fill) => ({ time: Math.floor(Date.parse(fill.market_time) / 1000), side: fill.side, price: fill.price, quantity: fill.quantity, id: fill.id }));
      this.draw();
    } catch (error) {
      if (error.name !== "AbortError") console.warn("signals could not be fetched", error);
    }
  }

  #follow(ref, timeframe) {
    const channel = `signals/${ref}/${timeframe}`;
    if (this.channel === channel) return;
    this.#end?.();
    this.channel = channel;
    this.#end = this.stream.subscribe(channel, ({ type, data }) => {
      if (type !== "update") return;
      this.#signals.push(data);
      this.draw();
    });
  }

  /** A fill that happened just now. */
  addFill(fill) {
    if (this.#fills.some((one) => one.id === fill.id)) return;
    this.#fills.push({ time: Math.floor(Date.parse(fill.market_time) / 1000), side: fill.side, price: fill.price, quantity: fill.quantity, id: fill.id });
    this.draw();
  }

  /** The fills of a bar and side as one, at their mean price: a day of a busy strategy is one arrow and not forty. */
  #merged() {
    const merged = new Map();
    this.missing = 0;
    for (const fill of this.#fills) {
      const time = barAt(this.view.rows, fill.time);
      if (time === null) {
        this.missing += 1;
        continue;
      }
      const key = `${time} ${fill.side}`;
      const one = merged.get(key) ?? { time, side: fill.side, quantity: 0, value: 0, count: 0, id: fill.id };
      one.quantity += Number(fill.quantity);
      one.value += Number(fill.quantity) * Number(fill.price);
      one.count += 1;
      merged.set(key, one);
    }
    return [...merged.values()];
  }

  #sentence({ side, value, quantity: amount, count }) {
    const told = `${say(side)} ${quantity(amount)} @ ${written(value / amount, this.view.instrument.price_decimals)}`;
    return count > 1 ? `${told} (${say("fills", { count })})` : told;
  }

  draw() {
    const { rows } = this.view;
    const up = colourOf("--up");
    const down = colourOf("--down");
    const accent = colourOf("--accent");
    const marks = [];
    if (this.#show.signals) {
      for (const one of this.#signals) {
        const rising = one.direction === "up";
        const time = barAt(rows, one.time);
        if (time !== null) marks.push({ time, position: rising ? "belowBar" : "aboveBar", shape: "circle", color: rising ? up : down, size: 0.6, id: `signal-${one.id ?? one.time}` });
      }
    }
    const fills = this.#merged();
    if (this.#show.fills) {
      for (const one of fills) {
        const bought = one.side === "buy";
        marks.push({ time: one.time, position: bought ? "belowBar" : "aboveBar", shape: bought ? "arrowUp" : "arrowDown", color: accent, size: 1.3, id: `fill-${one.id}` });
      }
    }
    marks.sort((a, b) => a.time - b.time);
    this.plugin.setMarkers(marks);
  }
}

async function get(url, signal) {
  const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}
