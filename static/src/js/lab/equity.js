// Equity, benchmark and drawdown over time, on one axis: the drawdown in a pane of its own below.

import { AreaSeries, LineSeries, PriceScaleMode, createChart } from "lightweight-charts";
import { axis } from "../chart/axis.js";
import { indexOf } from "../chart/bars.js";
import { chartColours, colourOf, faded } from "../chart/colours.js";
import { money, percent, price } from "../numbers.js";
import { onThemeChange } from "../theme.js";
import { moment, utcDate } from "../time.js";
import { say } from "./words.js";

export class EquityChart {
  /** `data` is what the server put into #report-data; `legend` is told what stands under the crosshair. */
  constructor(container, data, legend) {
    const { points } = data;
    this.points = points;
    this.data = data;
    this.legend = legend;
    const { timeScale, localization } = axis(data.timeframe);
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      localization,
      timeScale: { ...timeScale, borderColor: colourOf("--border"), fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01 },
      handleScroll: { vertTouchDrag: false },
    });
    const of = (column) => points.time.map((time, index) => ({ time, value: column[index] }));
    const priceFormat = { type: "custom", minMove: 0.01, formatter: (value) => (Math.abs(value) >= 1000 ? price(value, 0) : money(value)) };
    this.equity = this.chart.addSeries(AreaSeries, { priceFormat, lineWidth: 2, priceLineVisible: false, lastValueVisible: false });
    this.equity.setData(of(points.equity));
    this.base = this.equity.createPriceLine({ price: data.cash, lineWidth: 1, lineStyle: 2, axisLabelVisible: false, title: "" });
    if (points.benchmark.length) {
      this.benchmark = this.chart.addSeries(LineSeries, { priceFormat, lineWidth: 1, priceLineVisible: false, lastValueVisible: false });
      this.benchmark.setData(of(points.benchmark));
    }
    const below = { type: "custom", minMove: 0.0001, formatter: (value) => percent(value) };
    this.drawdown = this.chart.addSeries(AreaSeries, { invertFilledArea: true, lineWidth: 1, priceLineVisible: false, lastValueVisible: false, priceFormat: below }, 1);
    this.drawdown.setData(of(points.drawdown));
    this.chart.panes()[0].setStretchFactor(3);
    this.chart.panes()[1].setStretchFactor(1);
    this.chart.timeScale().fitContent();
    const places = points.time.map((time) => [time]);
    this.chart.subscribeCrosshairMove((event) => this.#tell(event.time === undefined ? places.length - 1 : indexOf(places, event.time)));
    this.#colour();
    this.#tell(points.time.length - 1);
    onThemeChange(() => {
      this.chart.applyOptions(chartColours());
      this.#colour();
    });
  }

  logarithmic(on) {
    this.chart.priceScale("right", 0).applyOptions({ mode: on ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal });
  }

  #colour() {
    const accent = colourOf("--accent");
    const muted = colourOf("--text-muted");
    const down = colourOf("--down");
    this.equity.applyOptions({ lineColor: accent, topColor: faded(accent, 0.22), bottomColor: faded(accent, 0.02) });
    this.base.applyOptions({ color: faded(muted, 0.5) });
    this.benchmark?.applyOptions({ color: colourOf("--line-2") });
    this.drawdown.applyOptions({ lineColor: down, topColor: faded(down, 0.02), bottomColor: faded(down, 0.25) });
  }

  #tell(index) {
    const { points, data } = this;
    const time = points.time[index];
    if (time === undefined) return;
    const parts = [data.timeframe === "1d" ? utcDate(time) : moment(time), `${say("equity")} ${money(points.equity[index], data.currency)}`];
    if (points.benchmark.length) parts.push(`${say("benchmark")} ${money(points.benchmark[index], data.currency)}`);
    parts.push(`${say("drawdown")} ${percent(points.drawdown[index])}`);
    this.legend.textContent = parts.join("  ·  ");
  }
}
