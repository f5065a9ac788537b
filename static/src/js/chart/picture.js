// A small chart to look at: the newest candles of one instrument, moving. Nothing in it can be dragged.

import { CandlestickSeries, createChart } from "lightweight-charts";
import { onThemeChange } from "../theme.js";
import { axis, priceFormat } from "./axis.js";
import { candle } from "./bars.js";
import { candleColours, chartColours, colourOf } from "./colours.js";
import { BarFeed } from "./feed.js";

const BARS = 120; // as many as a wide screen shows
const FEWEST = 40; // below it a picture says nothing
const BAR_WIDTH = 8; // pixels

export class LivePicture {
  /** Resolves to a chart in `container`, or to null where there are too few bars. `moved(row)` hears every change. */
  static async of(container, instrument, stream, moved) {
    const feed = new BarFeed(instrument.ref, instrument.base_timeframe, stream, {
      reset: () => picture?.draw(),
      prepended: () => {},
      bar: (row, how) => picture?.update(row, how),
      closed: () => {},
    });
    let picture = null;
    await feed.load(0, BARS);
    if (feed.rows.length < FEWEST) {
      feed.close();
      return null;
    }
    picture = new LivePicture(container, instrument, feed, moved);
    picture.draw();
    return picture;
  }

  constructor(container, instrument, feed, moved) {
    this.feed = feed;
    this.moved = moved;
    this.container = container;
    const { timeScale, localization } = axis(instrument.base_timeframe);
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      localization,
      timeScale: { ...timeScale, borderVisible: false, rightOffset: 2 },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      grid: { vertLines: { visible: false }, horzLines: { color: colourOf("--grid") } },
      crosshair: { vertLine: { visible: false, labelVisible: false }, horzLine: { visible: false, labelVisible: false } },
      handleScroll: false,
      handleScale: false,
    });
    this.candles = this.chart.addSeries(CandlestickSeries, {
      ...candleColours(),
      priceFormat: priceFormat(instrument.price_decimals, 10 ** -instrument.price_decimals),
    });
    onThemeChange(() => {
      this.chart.applyOptions({ layout: chartColours().layout, grid: { horzLines: { color: colourOf("--grid") } } });
      this.candles.applyOptions(candleColours());
    });
  }

  draw() {
    const { rows } = this.feed;
    this.candles.setData(rows.map(candle));
    const shown = Math.max(FEWEST, Math.floor(this.container.clientWidth / BAR_WIDTH));
    this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, rows.length - shown), to: rows.length + 1 });
    this.moved(rows.at(-1));
  }

  update(row, how) {
    if (how === "insert") this.draw();
    else this.candles.update(candle(row), how === "amend");
    this.moved(this.feed.rows.at(-1));
  }
}
