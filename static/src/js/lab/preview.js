// The newest bars with the trades that a rule would have made.

import { CandlestickSeries, createChart, createSeriesMarkers } from "lightweight-charts";
import { axis, priceFormat } from "../chart/axis.js";
import { barAt, candle } from "../chart/bars.js";
import { candleColours, chartColours, colourOf } from "../chart/colours.js";
import { onThemeChange } from "../theme.js";

const SHOWN = 180; // bars in view at first

export class Preview {
  #answer = null;

  constructor(container) {
    this.chart = createChart(container, { autoSize: true, ...chartColours(), handleScroll: { vertTouchDrag: false } });
    this.chart.applyOptions({ timeScale: { minBarSpacing: 0.3, rightOffset: 3 } });
    this.candles = this.chart.addSeries(CandlestickSeries, { ...candleColours(), priceLineVisible: false });
    this.marks = createSeriesMarkers(this.candles, []);
    onThemeChange(() => {
      this.chart.applyOptions(chartColours());
      this.candles.applyOptions(candleColours());
      this.#mark();
    });
  }

  show(answer) {
    const before = this.#answer;
    const same = before && before.timeframe === answer.timeframe && before.rows[0][0] === answer.rows[0][0];
    const range = same ? this.chart.timeScale().getVisibleLogicalRange() : null;
    this.#answer = answer;
    const { localization, timeScale } = axis(answer.timeframe);
    this.chart.applyOptions({ localization, timeScale });
    this.candles.applyOptions({ priceFormat: priceFormat(answer.price_decimals, answer.tick_size) });
    this.candles.setData(answer.rows.map(candle));
    const end = answer.rows.length;
    this.chart.timeScale().setVisibleLogicalRange(range ?? { from: end - SHOWN, to: end + 3 });
    this.#mark();
  }

  #mark() {
    if (!this.#answer) return;
    const { rows, trades } = this.#answer;
    const marks = [];
    for (const [index, side] of trades.side.entries()) {
      const put = (time, bought, leaving) => marks.push({ time: barAt(rows, time), position: bought ? "belowBar" : "aboveBar", shape: leaving ? "circle" : bought ? "arrowUp" : "arrowDown", color: colourOf(bought ? "--up" : "--down"), size: leaving ? 0.7 : 1 });
      put(trades.entry_time[index], side > 0, false);
      if (!trades.open[index]) put(trades.exit_time[index], side < 0, true);
    }
    this.marks.setMarkers(marks.filter((mark) => mark.time !== null).sort((a, b) => a.time - b.time));
  }
}
