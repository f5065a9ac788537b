// How a strategy trades: bars with its entries and exits and the lines it looks at, what it watches or holds below them, and
// the course of its equity. One time axis for all three.

import { AreaSeries, CandlestickSeries, LineSeries, LineStyle, LineType, createChart, createSeriesMarkers } from "lightweight-charts";
import { axis, priceFormat } from "../chart/axis.js";
import { RegimeBand } from "../chart/band.js";
import { barAt, candle, indexOf } from "../chart/bars.js";
import { candleColours, chartColours, colourOf, faded } from "../chart/colours.js";
import { decimalsFor, pointsOf } from "../chart/points.js";
import { element } from "../elements.js";
import { percent, price } from "../numbers.js";
import { onThemeChange } from "../theme.js";
import { moment, utcDate } from "../time.js";
import { say } from "./words.js";

const [PRICE, WATCHED, EQUITY] = [0, 1, 2];
const HEIGHTS = [6, 2.4, 2.6];
const BAR = 6; // pixels of a bar at first
const NARROW = 600; // pixels
const LEAST = 60; // bars in view at first
const TRADES = 3; // that are in view at first, where there are as many
const LINES = ["--line-1", "--line-2", "--line-3"];
const quiet = { priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };
const shares = { type: "custom", minMove: 0.0001, formatter: percent };

export class Demonstration {
  #coloured = []; // what takes new colours with the theme
  #leg = 0;
  #removed = false;

  constructor(container, data, legend) {
    this.container = container;
    this.data = data;
    this.legend = legend;
    this.times = data.rows[0].map(([time]) => time);
    const { timeScale, localization } = axis(data.timeframe);
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      localization,
      timeScale: { ...timeScale, borderColor: colourOf("--border"), rightOffset: 2, minBarSpacing: 0.1, fixLeftEdge: true },
      // The page scrolls through it: the wheel and a finger that moves up or down belong to the page.
      handleScroll: { vertTouchDrag: false, mouseWheel: false },
      handleScale: { mouseWheel: false },
    });
    this.chart.applyOptions({ layout: { panes: { enableResize: false } } });
    this.#drawPrice();
    this.#drawWatched();
    this.#drawEquity();
    for (const [index, pane] of this.chart.panes().entries()) pane.setStretchFactor(HEIGHTS[index]);
    // Room above the lines for what names them.
    for (const pane of [PRICE, WATCHED, EQUITY]) this.chart.priceScale("right", pane).applyOptions({ scaleMargins: { top: pane === PRICE ? 0.14 : 0.26, bottom: 0.07 } });
    this.#colour();
    this.#drawKeys();
    this.showLeg(0);
    this.showLatest();
    this.chart.subscribeCrosshairMove((event) => this.#tell(event.time));
    onThemeChange(() => {
      if (this.#removed) return;
      this.chart.applyOptions(chartColours());
      this.#colour();
      this.#mark();
    });
  }

  remove() {
    this.#removed = true;
    this.chart.remove();
    this.container.replaceChildren();
  }

  /** How many marks are drawn: for tests and the curious. */
  get marked() {
    return this.marks.markers().length;
  }

  /** The price and the trades of another instrument. */
  showLeg(leg) {
    this.#leg = leg;
    const { price_decimals: decimals, tick_size: tick } = this.data.legs[leg];
    this.candles.applyOptions({ priceFormat: priceFormat(decimals, tick) });
    this.candles.setData(this.#rows.map((row) => (row[1] === null ? { time: row[0] } : candle(row))));
    this.band.show(this.data.regimes);
    this.#mark();
    this.#tell();
  }

  /** The newest bars, and as many more as the last trades need. */
  showLatest() {
    const end = this.times.length;
    const { entry_time: entries } = this.data.trades;
    const early = entries.at(-Math.min(TRADES, entries.length));
    const needed = early === undefined ? 0 : end - indexOf(this.times.map((time) => [time]), early) + 8;
    const room = Math.max(LEAST, this.container.clientWidth / BAR);
    this.#view(Math.max(0, end - Math.max(room, Math.min(needed, 3 * room))), end + 2);
  }

  showAll() {
    this.#view(0, this.times.length);
  }

  get #rows() {
    return this.data.rows[this.#leg];
  }

  #view(from, to) {
    this.chart.timeScale().setVisibleLogicalRange({ from, to });
  }

  #add(kind, options, pane, values, colour) {
    const series = this.chart.addSeries(kind, { ...quiet, ...options }, pane);
    series.setData(pointsOf(this.times, values));
    this.#coloured.push(() => series.applyOptions(colour()));
    return series;
  }

  #drawPrice() {
    const { data } = this;
    this.candles = this.chart.addSeries(CandlestickSeries, { priceLineVisible: false, lastValueVisible: false }, PRICE);
    this.#coloured.push(() => this.candles.applyOptions(candleColours()));
    this.band = new RegimeBand();
    if (data.regimes.length) this.candles.attachPrimitive(this.band);
    this.marks = createSeriesMarkers(this.candles, [], { autoScale: false });
    this.#drawLines(false, PRICE, {});
    const dots = { lineVisible: false, pointMarkersVisible: true, pointMarkersRadius: 1 };
    if (data.stops.length) this.#add(LineSeries, dots, PRICE, data.stops, () => ({ color: colourOf("--down") }));
    if (data.goals.length) this.#add(LineSeries, dots, PRICE, data.goals, () => ({ color: colourOf("--up") }));
  }

  /** What the strategy looks at where that is no price; else what it holds. */
  #drawWatched() {
    const own = this.data.lines.filter((line) => line.own);
    if (!own.length) {
      const step = { lineType: LineType.WithSteps, lineWidth: 1, priceFormat: shares };
      this.#add(AreaSeries, step, WATCHED, this.data.exposure, () => {
        const colour = colourOf("--info");
        return { lineColor: colour, topColor: faded(colour, 0.2), bottomColor: faded(colour, 0.04) };
      });
      return;
    }
    const { precision, minMove } = decimalsFor(own.flatMap((line) => line.values));
    const format = priceFormat(precision, minMove);
    const [first] = this.#drawLines(true, WATCHED, { priceFormat: format });
    for (const level of this.data.levels) this.#level(first, level);
  }

  #drawLines(own, pane, options) {
    const labels = this.#labels(own);
    return this.data.lines.filter((line) => line.own === own).map((line) => {
      const width = line.kind === "edge" ? 1 : 2;
      return this.#add(LineSeries, { lineWidth: width, ...options }, pane, line.values, () => ({ color: colourOf(LINES[labels.indexOf(line.label)]) }));
    });
  }

  #drawEquity() {
    const equity = this.#add(AreaSeries, { lineWidth: 2, priceFormat: shares }, EQUITY, this.data.equity, () => {
      const accent = colourOf("--accent");
      return { lineColor: accent, topColor: faded(accent, 0.22), bottomColor: faded(accent, 0.02) };
    });
    this.#add(LineSeries, { lineWidth: 1, priceFormat: shares }, EQUITY, this.data.benchmark, () => ({ color: colourOf("--line-2") }));
    this.#level(equity, 0);
  }

  #level(series, value) {
    const line = series.createPriceLine({ price: value, lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: false, title: "" });
    this.#coloured.push(() => line.applyOptions({ color: faded(colourOf("--text-muted"), 0.6) }));
  }

  #labels(own) {
    return [...new Set(this.data.lines.filter((line) => line.own === own).map((line) => line.label))];
  }

  #colour() {
    for (const take of this.#coloured) take();
  }

  /** In each pane, what its lines are. */
  #drawKeys() {
    const { data } = this;
    const key = (name, text) => element("span", { class: `key ${name}` }, text);
    const named = (own) => this.#labels(own).map((label, index) => key(`line-${index + 1}`, label));
    const protection = [data.stops.length ? key("key-stop", say("stop")) : null, data.goals.length ? key("key-goal", say("goal")) : null];
    const watched = named(true);
    const regimes = Object.entries(data.regime_names).map(([kind, name]) => element("span", { class: `regime-key regime-${kind}` }, name));
    const keys = [
      [...named(false), ...protection, ...regimes],
      watched.length ? watched : [key("key-held", say("held"))],
      [key("key-equity", say("equity")), key("key-benchmark", say("benchmark"))],
    ].map((spans) => element("div", { class: "pane-keys small", "aria-hidden": "true" }, ...spans));
    this.container.append(...keys);
    const place = () => {
      let top = 0;
      for (const [index, pane] of this.chart.panes().entries()) {
        keys[index].style.top = `${top + 4}px`;
        top += pane.getHeight() + 1;
      }
    };
    this.chart.timeScale().subscribeSizeChange(place);
    requestAnimationFrame(place);
  }

  #mark() {
    const { trades } = this.data;
    const [up, down] = [colourOf("--up"), colourOf("--down")];
    const marks = [];
    const put = (time, bought, leaving) => {
      const at = barAt(this.#rows, time); // a mark vanishes unless it stands on a bar's time
      if (at !== null) marks.push({ time: at, position: bought ? "belowBar" : "aboveBar", shape: leaving ? "circle" : bought ? "arrowUp" : "arrowDown", color: bought ? up : down, size: leaving ? 0.7 : 1 });
    };
    for (const [index, side] of trades.side.entries()) {
      if (trades.instrument[index] !== this.#leg) continue;
      put(trades.entry_time[index], side > 0, false);
      if (!trades.open[index]) put(trades.exit_time[index], side < 0, true);
    }
    this.marks.setMarkers(marks.sort((a, b) => a.time - b.time));
  }

  #tell(time) {
    const { data } = this;
    const rows = this.#rows;
    const index = time === undefined ? rows.length - 1 : indexOf(rows, time);
    const row = rows[index];
    if (!row) return;
    const decimals = data.legs[this.#leg].price_decimals;
    const said = [data.timeframe === "1d" ? utcDate(row[0]) : moment(row[0])];
    const named = this.container.clientWidth < NARROW ? [["C", row[4]]] : [["O", row[1]], ["H", row[2]], ["L", row[3]], ["C", row[4]]];
    if (row[1] !== null) said.push(named.map(([name, value]) => `${name} ${price(value, decimals)}`).join(" "));
    const { trades } = data;
    for (const [place, side] of trades.side.entries()) {
      if (trades.instrument[place] !== this.#leg) continue;
      if (barAt(rows, trades.entry_time[place]) === row[0]) said.push(say(side > 0 ? "bought" : "sold", { price: price(trades.entry_price[place], decimals) }));
      if (!trades.open[place] && barAt(rows, trades.exit_time[place]) === row[0]) said.push(say(side > 0 ? "sold" : "bought", { price: price(trades.exit_price[place], decimals) }));
    }
    if (data.regime_names[data.regimes[index]]) said.push(data.regime_names[data.regimes[index]]);
    said.push(`${say("equity")} ${percent(data.equity[index])}`, `${say("benchmark")} ${percent(data.benchmark[index])}`);
    this.legend.textContent = said.join("  ·  ");
  }
}
