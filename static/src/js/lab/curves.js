// Growth of several runs over one another.

import { LineSeries, createChart } from "lightweight-charts";
import { axis } from "../chart/axis.js";
import { chartColours, colourOf } from "../chart/colours.js";
import { percent } from "../numbers.js";
import { onThemeChange } from "../theme.js";
import { moment } from "../time.js";

const COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5", "--text-muted"];

export class Curves {
  constructor(container, curves, legend) {
    this.chart = createChart(container, {
      autoSize: true,
      ...chartColours(),
      ...axis(curves[0]?.timeframe ?? "1h"),
      handleScroll: { vertTouchDrag: false },
    });
    this.chart.applyOptions({ timeScale: { borderColor: colourOf("--border"), minBarSpacing: 0.001 } });
    const priceFormat = { type: "custom", minMove: 0.0001, formatter: percent };
    this.series = curves.map(({ time, growth }) => {
      const series = this.chart.addSeries(LineSeries, { lineWidth: 2, priceLineVisible: false, lastValueVisible: true, priceFormat });
      series.setData(time.map((at, index) => ({ time: at, value: growth[index] })));
      return series;
    });
    this.chart.timeScale().fitContent();
    this.chart.subscribeCrosshairMove((event) => {
      const said = event.time === undefined ? [] : curves.map(({ label }, index) => [label, event.seriesData.get(this.series[index])?.value]).filter(([, value]) => value !== undefined);
      legend.textContent = said.length ? [moment(event.time), ...said.map(([label, value]) => `${label} ${percent(value)}`)].join("  ·  ") : "\u00a0";
    });
    this.#colour();
    onThemeChange(() => {
      this.chart.applyOptions(chartColours());
      this.#colour();
    });
  }

  #colour() {
    for (const [index, series] of this.series.entries()) series.applyOptions({ color: colourOf(COLOURS[index]) });
  }
}
