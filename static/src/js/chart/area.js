// A single line over time, filled below: equity.

import { AreaSeries, createChart } from "lightweight-charts";
import { money } from "../numbers.js";
import { onThemeChange } from "../theme.js";
import { axis } from "./axis.js";
import { chartColours, colourOf, faded } from "./colours.js";

export class AreaChart {
  #last = -Infinity;

  /** `points` are [seconds, value], ascending. */
  constructor(container, points, { currency, base }) {
    const { timeScale, localization } = axis("1m");
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      localization: { ...localization, priceFormatter: (value) => money(value) },
      timeScale: { ...timeScale, secondsVisible: true, borderColor: colourOf("--border"), fixLeftEdge: true, fixRightEdge: true, minBarSpacing: 0.01 },
      handleScroll: { vertTouchDrag: false },
    });
    this.series = this.chart.addSeries(AreaSeries, { ...colours(), lineWidth: 2, priceLineVisible: false });
    this.series.createPriceLine({ price: Number(base), color: faded(colourOf("--text-muted"), 0.5), lineWidth: 1, lineStyle: 2, axisLabelVisible: false, title: "" });
    this.currency = currency;
    const rows = points.filter(([time], index) => index === 0 || time > points[index - 1][0]);
    this.series.setData(rows.map(([time, value]) => ({ time, value })));
    this.#last = rows.at(-1)?.[0] ?? -Infinity;
    this.chart.timeScale().fitContent();
    onThemeChange(() => {
      this.chart.applyOptions(chartColours());
      this.series.applyOptions(colours());
    });
  }

  add(seconds, value) {
    const time = Math.max(seconds, this.#last);
    this.#last = time;
    this.series.update({ time, value });
    this.chart.timeScale().fitContent();
  }
}

function colours() {
  const accent = colourOf("--accent");
  return { lineColor: accent, topColor: faded(accent, 0.25), bottomColor: faded(accent, 0.02) };
}
