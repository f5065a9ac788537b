// Signals and the person's own fills as marks on the bars. A mark must stand on a bar's time or it vanishes, so each is
// put on the bar that holds it; `missing` counts those that lie outside the bars that are drawn.

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
    const done = this.#fills.filter((one) => this.#show.fills && barAt(this.view.rows, one.time) === row[0]).map((one) => ({ text: this.#sentence(one), tone: "accent" }));
    return [...said, ...done];
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

  #sentence({ side, price, quantity: amount }) {
    return `${say(side)} ${quantity(amount)} @ ${written(price, this.view.instrument.price_decimals)}`;
  }

  draw() {
    const { rows } = this.view;
    const up = colourOf("--up");
    const down = colourOf("--down");
    const accent = colourOf("--accent");
    const marks = [];
    this.missing = 0;
    const place = (time, mark) => {
      const at = barAt(rows, time);
      if (at === null) this.missing += 1;
      else marks.push({ ...mark, time: at });
    };
    if (this.#show.signals) {
      for (const one of this.#signals) {
        const rising = one.direction === "up";
        place(one.time, { position: rising ? "belowBar" : "aboveBar", shape: "circle", color: rising ? up : down, size: 0.6, id: `signal-${one.id ?? one.time}` });
      }
    }
    if (this.#show.fills) {
      for (const one of this.#fills) {
        const bought = one.side === "buy";
        place(one.time, { position: bought ? "belowBar" : "aboveBar", shape: bought ? "arrowUp" : "arrowDown", color: accent, size: 1.3, id: `fill-${one.id}` });
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
