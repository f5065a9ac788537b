// The candle chart: one instance of Lightweight Charts, fed by BarFeed.

import { CandlestickSeries, HistogramSeries, createChart } from "lightweight-charts";
import { onThemeChange } from "../theme.js";
import { SECONDS, candle, indexOf } from "./bars.js";
import { axis, priceFormat } from "./axis.js";
import { candleColours, chartColours, colourOf, faded } from "./colours.js";
import { BarFeed } from "./feed.js";

const EDGE = 60; // bars left of the window that are fetched ahead
const BAR_WIDTH = 8; // pixels a bar has at first
const ROOM = 6; // bars of empty space right of the newest
const WIDEST = 3000; // bars that a window may hold after a change of timeframe

export class ChartView {
  #listeners = new Map();
  #feed = null;
  #cursor = null; // index of the bar the keyboard stands on
  #ahead = 0; // bars that lines reach beyond the newest
  #wanted = null; // logical range that was set and is not drawn yet

  constructor(container, { instrument, stream }) {
    this.instrument = instrument;
    this.stream = stream;
    this.container = container;
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      rightPriceScale: { borderColor: colourOf("--border"), scaleMargins: { top: 0.08, bottom: 0.2 } },
      timeScale: { borderColor: colourOf("--border"), rightOffset: ROOM, minBarSpacing: 0.3, enableConflation: true, lockVisibleTimeRangeOnResize: true },
      // A finger that swipes down scrolls the page, not the price.
      handleScroll: { vertTouchDrag: false, mouseWheel: true, pressedMouseMove: true, horzTouchDrag: true },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      ...candleColours(),
      priceFormat: priceFormat(instrument.price_decimals, instrument.tick_size),
    });
    this.volume = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.#wantOlder(range));
    this.chart.subscribeCrosshairMove((event) => {
      const index = event.time === undefined ? null : indexOf(this.rows, event.time);
      this.#emit("hover", index === null ? null : this.rows[index] ?? null, index);
    });
    onThemeChange(() => this.#recolour());
  }

  /** Bars that are drawn, oldest first; the last may be forming. */
  get rows() {
    return this.#feed?.rows ?? [];
  }

  /** Opening time of the bar that is not closed yet, or null. */
  get formingTime() {
    return this.#feed?.formingTime ?? null;
  }

  get timeframe() {
    return this.#feed?.timeframe;
  }

  /** Aborted when the timeframe changes: for requests that belong to it. */
  get signal() {
    return this.#feed?.signal;
  }

  /** "clear" (another series follows), "reset", "prepended" (count), "bar" (row, how), "closed" (row), "hover" (row or null, index), "state" (name, detail). */
  on(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  #emit(name, ...values) {
    for (const listener of this.#listeners.get(name) ?? []) listener(...values);
  }

  /** Draw `timeframe`, keeping the dates in view where its bars reach that far. The last call wins. */
  async show(timeframe) {
    const old = this.#feed;
    const range = old?.rows.length ? this.chart.timeScale().getVisibleRange() : null;
    const live = !old || this.#atNewest();
    old?.close();
    const feed = new BarFeed(this.instrument.ref, timeframe, this.stream, {
      reset: (options) => this.#feed === feed && this.#redraw(options),
      prepended: (count) => this.#feed === feed && this.#prepended(count),
      bar: (row, how) => this.#feed === feed && this.#draw(row, how),
      closed: (row) => this.#feed === feed && this.#emit("closed", row),
    });
    this.#feed = feed;
    this.#cursor = null;
    this.chart.applyOptions(axis(timeframe));
    this.#emit("state", "loading");
    try {
      // The venue's clock may not be ours: a recording ends when it ends.
      const newest = old?.rows.at(-1)?.[0];
      await feed.load(range && newest ? newest - range.from : 0);
    } catch (error) {
      if (error.name === "AbortError" || this.#feed !== feed) return;
      this.#clear();
      this.#emit("state", "failed", error.message);
      return;
    }
    if (this.#feed !== feed) return;
    this.#restore(range, live, timeframe);
    this.#emit("state", feed.rows.length ? "ready" : "empty");
  }

  #restore(range, live, timeframe) {
    const scale = this.chart.timeScale();
    const bars = range ? (range.to - range.from) / SECONDS[timeframe] : 0;
    if (range && bars >= 10 && bars <= WIDEST && range.to >= (this.rows[0]?.[0] ?? Infinity)) {
      scale.setVisibleRange(range);
      if (!live) return;
    }
    if (live || !range) {
      const shown = range && bars >= 10 && bars <= WIDEST ? bars : Math.min(this.#window(), Math.max(this.rows.length, 30));
      const end = this.rows.length - 1;
      this.#setRange({ from: end - shown, to: end + this.#room });
      return;
    }
    if (bars > WIDEST || bars < 10) {
      const end = Math.max(indexOf(this.rows, range.to), this.#window());
      this.#setRange({ from: end - this.#window(), to: end });
    }
  }

  #window() {
    return Math.max(30, Math.floor(this.container.clientWidth / BAR_WIDTH));
  }

  /** Bars of space right of the newest: for lines drawn ahead of it, but no more than a third of the window. */
  get #room() {
    return this.#ahead ? Math.max(ROOM, Math.min(this.#ahead + 2, Math.floor(this.#window() / 3))) : ROOM;
  }

  /** Lines reach `bars` bars beyond the newest one. */
  reserve(bars) {
    if (bars === this.#ahead) return;
    const follow = this.#atNewest();
    this.#ahead = bars;
    // The library follows its newest point, which then lies in the future; #draw follows the newest bar.
    this.chart.timeScale().applyOptions({ shiftVisibleRangeOnNewBar: bars === 0 });
    if (follow) this.toNewest();
  }

  /** Do something that must not move what is in view. */
  keepingRange(work) {
    const range = this.#range;
    work();
    if (range) this.#setRange(range);
  }

  // The library takes a range over with its next frame, and until then tells the old one.
  get #range() {
    return this.#wanted ?? this.chart.timeScale().getVisibleLogicalRange();
  }

  #setRange(range) {
    this.#wanted = range;
    this.chart.timeScale().setVisibleLogicalRange(range);
    requestAnimationFrame(() => this.#wanted === range && (this.#wanted = null));
  }

  #atNewest() {
    const range = this.#range;
    return !range || range.to >= this.rows.length - 2;
  }

  #clear() {
    this.candles.setData([]);
    this.volume.setData([]);
  }

  #redraw({ keepRange = false } = {}) {
    const range = keepRange ? this.#range : null;
    if (!keepRange) this.#emit("clear");
    this.candles.setData(this.rows.map(candle));
    this.volume.setData(this.rows.map((row) => this.#volumeBar(row)));
    if (range) this.#setRange(range);
    if (this.rows.length) this.#emit("state", "ready");
    this.#emit("reset");
  }

  #prepended(count) {
    const before = this.#range;
    this.candles.setData(this.rows.map(candle));
    this.volume.setData(this.rows.map((row) => this.#volumeBar(row)));
    if (this.#cursor !== null) this.#cursor += count;
    this.#emit("prepended", count);
    if (before) this.#setRange({ from: before.from + count, to: before.to + count });
  }

  #draw(row, how) {
    if (how === "insert") this.#redraw({ keepRange: true });
    else {
      const range = how === "append" && this.#ahead && this.#atNewest() ? this.#range : null;
      this.candles.update(candle(row), how === "amend");
      this.volume.update(this.#volumeBar(row), how === "amend");
      if (range) this.#setRange({ from: range.from + 1, to: range.to + 1 });
    }
    if (this.rows.length === 1) this.#emit("state", "ready");
    this.#emit("bar", row, how);
  }

  #volumeBar(row) {
    return { time: row[0], value: row[5], color: faded(colourOf(row[4] >= row[1] ? "--up" : "--down"), 0.35) };
  }

  #wantOlder(range) {
    if (!range || range.from > EDGE || !this.rows.length) return;
    this.#feed?.loadOlder()?.catch((error) => error.name === "AbortError" || console.warn("older bars could not be fetched", error));
  }

  #recolour() {
    this.chart.applyOptions(chartColours());
    this.candles.applyOptions(candleColours());
    this.volume.setData(this.rows.map((row) => this.#volumeBar(row)));
    this.#emit("recolour");
  }

  /** Move the crosshair by `step` bars, from the newest one in view; returns the bar it stands on. */
  moveCursor(step) {
    if (!this.rows.length) return null;
    const range = this.#range;
    const start = this.#cursor ?? Math.min(this.rows.length - 1, Math.floor(range?.to ?? Infinity)) - step;
    this.#cursor = Math.max(0, Math.min(this.rows.length - 1, start + step));
    const row = this.rows[this.#cursor];
    this.chart.setCrosshairPosition(row[4], row[0], this.candles);
    if (range && (this.#cursor < range.from || this.#cursor > range.to)) {
      const width = range.to - range.from;
      this.#setRange({ from: this.#cursor - width / 2, to: this.#cursor + width / 2 });
    }
    this.#emit("hover", row, this.#cursor);
    return row;
  }

  leaveCursor() {
    this.#cursor = null;
    this.chart.clearCrosshairPosition();
    this.#emit("hover", null, null);
  }

  toNewest() {
    const range = this.#range;
    const to = this.rows.length - 1 + this.#room;
    if (range && this.rows.length) this.#setRange({ from: to - (range.to - range.from), to });
  }
}
