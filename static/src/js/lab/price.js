// The bars of a run with its entries and exits. Bars come in windows, from the snapshot that the run kept.

import { CandlestickSeries, LineSeries, createChart, createSeriesMarkers } from "lightweight-charts";
import { axis, priceFormat } from "../chart/axis.js";
import { RegimeBand } from "../chart/band.js";
import { barAt, candle, indexOf } from "../chart/bars.js";
import { candleColours, chartColours, colourOf } from "../chart/colours.js";
import { compact, price, signedMoney } from "../numbers.js";
import { onThemeChange } from "../theme.js";
import { moment, utcDate } from "../time.js";
import { say } from "./words.js";

const WINDOW = 2000; // bars asked for at once
const EDGE = 80; // bars from the edge of what is there at which more is asked for
const MOST = 12_000; // bars held; a jump further away begins anew
const AROUND = 0.6; // bars shown on each side of a trade, as a share of its length
const LEAST = 40;
const REGIME = 6; // where a row of bars has its market regime

export class PriceChart {
  #rows = [];
  #start = 0; // index of the first row among the run's bars
  #total = 0;
  #asking = null;
  #chosen = -1;

  constructor(container, data, legend) {
    this.data = data;
    this.legend = legend;
    this.leg = 0;
    this.container = container;
    const { timeScale, localization } = axis(data.timeframe);
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      localization,
      timeScale: { ...timeScale, borderColor: colourOf("--border"), rightOffset: 4, minBarSpacing: 0.3 },
      handleScroll: { vertTouchDrag: false },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, candleColours());
    this.line = this.chart.addSeries(LineSeries, { lineWidth: 2, lineStyle: 2, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false, pointMarkersVisible: true });
    this.marks = createSeriesMarkers(this.candles, []);
    this.band = new RegimeBand();
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.#wantMore(range));
    this.chart.subscribeCrosshairMove((event) => this.#tell(event.time));
    onThemeChange(() => {
      this.chart.applyOptions(chartColours());
      this.candles.applyOptions(candleColours());
      this.#draw();
    });
  }

  get trades() {
    return this.data.trades;
  }

  /** Indices of the trades of the leg that is shown. */
  get own() {
    return this.trades.instrument.flatMap((leg, index) => (leg === this.leg ? [index] : []));
  }

  /** How many marks lie on bars that are drawn, and how many on bars that are not. */
  get placed() {
    return { drawn: this.marks.markers().length, rows: this.#rows.length };
  }

  /** Show the market regimes behind the candles, or not. */
  regimes(on) {
    if (on) {
      this.candles.attachPrimitive(this.band);
      this.band.show(this.#rows.map((row) => row[REGIME]));
    } else this.candles.detachPrimitive(this.band);
  }

  async show(leg = this.leg) {
    this.leg = leg;
    this.#rows = [];
    this.#chosen = -1;
    this.line.setData([]);
    const { price_decimals: decimals, tick_size: tick } = this.data.legs[leg];
    this.candles.applyOptions({ priceFormat: priceFormat(decimals, tick) });
    await this.#load(Math.max(0, this.data.bars - WINDOW), WINDOW);
    const end = this.#rows.length;
    this.chart.timeScale().setVisibleLogicalRange({ from: end - Math.max(LEAST, this.container.clientWidth / 7), to: end + 3 });
  }

  /** Bring trade `index` into view, with its way from entry to exit. */
  async jump(index) {
    const { trades } = this;
    if (trades.instrument[index] !== this.leg) await this.show(trades.instrument[index]);
    this.#chosen = index;
    const first = trades.entry_bar[index];
    const last = trades.exit_bar[index];
    const room = Math.max(LEAST, Math.ceil((last - first) * AROUND));
    const from = Math.max(0, first - room);
    const to = Math.min(this.data.bars, last + room);
    if (from < this.#start || to > this.#start + this.#rows.length) {
      const wide = Math.min(MOST, Math.max(WINDOW, to - from + 2 * EDGE));
      this.#rows = [];
      await this.#load(Math.max(0, Math.floor((from + to - wide) / 2)), wide);
    }
    this.#draw();
    this.chart.timeScale().setVisibleLogicalRange({ from: from - this.#start, to: to - this.#start });
  }

  async #load(start, count) {
    for (let begin = start, left = count; left > 0; ) {
      const answer = await this.#ask(begin, left);
      if (!this.#rows.length) this.#start = answer.start;
      this.#total = answer.total;
      this.#rows = [...this.#rows, ...answer.rows];
      begin += answer.rows.length;
      left -= answer.rows.length;
      if (!answer.rows.length || begin >= answer.total) break;
    }
    this.#draw();
  }

  async #ask(start, count) {
    const response = await fetch(`${this.data.bars_url}?leg=${this.leg}&start=${start}&count=${count}`);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.json();
  }

  #wantMore(range) {
    if (!range || this.#asking || !this.#rows.length) return;
    const left = range.from < EDGE && this.#start > 0;
    const right = range.to > this.#rows.length - EDGE && this.#start + this.#rows.length < this.#total;
    if (!left && !right) return;
    this.#asking = (left ? this.#before() : this.#after()).catch((error) => console.warn("bars could not be fetched", error)).finally(() => (this.#asking = null));
  }

  async #before() {
    const start = Math.max(0, this.#start - WINDOW);
    const answer = await this.#ask(start, this.#start - start);
    const range = this.chart.timeScale().getVisibleLogicalRange();
    this.#rows = [...answer.rows, ...this.#rows];
    this.#start = answer.start;
    this.#draw();
    if (range) this.chart.timeScale().setVisibleLogicalRange({ from: range.from + answer.rows.length, to: range.to + answer.rows.length });
  }

  async #after() {
    const answer = await this.#ask(this.#start + this.#rows.length, WINDOW);
    const range = this.chart.timeScale().getVisibleLogicalRange();
    this.#rows = [...this.#rows, ...answer.rows];
    this.#draw();
    if (range) this.chart.timeScale().setVisibleLogicalRange(range);
  }

  #draw() {
    this.candles.setData(this.#rows.map((row) => (row[1] === null ? { time: row[0] } : candle(row))));
    this.band.show(this.#rows.map((row) => row[REGIME]));
    const first = this.#rows[0]?.[0] ?? Infinity;
    const last = this.#rows.at(-1)?.[0] ?? -Infinity;
    const { trades } = this;
    const up = colourOf("--up");
    const down = colourOf("--down");
    const marks = [];
    const mark = (time, bought, index, leaving) => {
      if (time < first || time > last) return;
      const at = barAt(this.#rows, time); // a mark vanishes unless it stands on a bar's time
      if (at === null) return;
      const chosen = index === this.#chosen;
      marks.push({ time: at, position: bought ? "belowBar" : "aboveBar", shape: leaving ? "circle" : bought ? "arrowUp" : "arrowDown", color: bought ? up : down, size: chosen ? 1.6 : leaving ? 0.7 : 1, text: chosen ? String(index + 1) : "", id: `${leaving ? "exit" : "entry"}-${index}` });
    };
    for (const index of this.own) {
      const long = trades.side[index] > 0;
      mark(trades.entry_time[index], long, index, false);
      if (!trades.open[index]) mark(trades.exit_time[index], !long, index, true);
    }
    marks.sort((a, b) => a.time - b.time);
    this.marks.setMarkers(marks);
    this.#way(first, last);
  }

  /** The chosen trade as a line from entry to exit. */
  #way(first, last) {
    const index = this.#chosen;
    const { trades } = this;
    if (index < 0 || trades.entry_time[index] < first || trades.exit_time[index] > last) return this.line.setData([]);
    const [from, to] = [trades.entry_time[index], trades.exit_time[index]].map((time) => barAt(this.#rows, time));
    this.line.applyOptions({ color: trades.pnl[index] >= 0 ? colourOf("--up") : colourOf("--down") });
    const points = [{ time: from, value: trades.entry_price[index] }];
    if (to > from) points.push({ time: to, value: trades.exit_price[index] });
    this.line.setData(points);
  }

  #tell(time) {
    const place = time === undefined ? this.#rows.length - 1 : indexOf(this.#rows, time);
    const row = this.#rows[place];
    if (!row || row[1] === null) return;
    const decimals = this.data.legs[this.leg].price_decimals;
    const { trades } = this;
    const here = this.own.flatMap((index) => {
      const said = [];
      if (barAt(this.#rows, trades.entry_time[index]) === row[0]) said.push(say(trades.side[index] > 0 ? "bought" : "sold", { price: price(trades.entry_price[index], decimals) }));
      if (!trades.open[index] && barAt(this.#rows, trades.exit_time[index]) === row[0]) said.push(`${say(trades.side[index] > 0 ? "sold" : "bought", { price: price(trades.exit_price[index], decimals) })} (${signedMoney(trades.pnl[index], this.data.currency)})`);
      return said;
    });
    const regime = this.data.regimes?.[row[REGIME]] ? [this.data.regimes[row[REGIME]]] : [];
    const values = row.slice(1, 5).map((value) => price(value, decimals));
    this.legend.textContent = [this.data.timeframe === "1d" ? utcDate(row[0]) : moment(row[0]), `O ${values[0]} H ${values[1]} L ${values[2]} C ${values[3]}`, compact(row[5]), ...regime, ...here].join("  ·  ");
  }
}
