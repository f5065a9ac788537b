// The series of one indicator on the chart: which kind draws an output, in which pane, in which colour.

import { HistogramSeries, LineSeries, LineStyle } from "lightweight-charts";
import { priceFormat } from "./axis.js";
import { SECONDS } from "./bars.js";
import { colourOf, faded, lineColour } from "./colours.js";
import { Fill } from "./fills.js";
import { ahead, decimalsFor, shifted } from "./points.js";
import { ZoneBoxes } from "./zones.js";

const OWN_PANE = 120;
const DRAWN = new Set(["line", "histogram", "band", "markers", "dots"]);

export class Lines {
  #view;
  #place;
  #series = new Map(); // output → series
  #drawn = new Map(); // output → points where they are drawn
  #outputs = new Map(); // output → how the API describes it
  #fill = null; // {primitive, upper, lower}
  #zones = null;

  constructor(view, place) {
    this.#view = view;
    this.#place = place;
  }

  /** Outputs that are drawn, as the API describes them. */
  get outputs() {
    return [...this.#outputs.values()];
  }

  colour(name) {
    return this.#series.get(name)?.options().color;
  }

  /** Draw everything anew: `answer` of the API, `points` by output. */
  draw(answer, points) {
    for (const output of answer.outputs) {
      if (!DRAWN.has(output.style)) continue;
      this.#outputs.set(output.name, output);
      if (!this.#series.has(output.name)) this.#series.set(output.name, this.#make(output, answer));
      this.#drawLine(output, points.get(output.name));
    }
    this.#fillBands();
    this.drawZones(answer);
  }

  #drawLine(output, points) {
    const { rows, timeframe } = this.#view;
    const drawn = shifted(points, output.shift, rows, SECONDS[timeframe]).map((one) => coloured(one, output));
    this.#drawn.set(output.name, drawn);
    this.#view.keepingRange(() => this.#series.get(output.name).setData(drawn));
  }

  /** One output has one value more, or another one: `points` with it, `changed` that point. */
  update(name, points, changed) {
    const output = this.#outputs.get(name);
    const drawn = this.#drawn.get(name);
    if (!output || !drawn) return;
    const { rows, timeframe } = this.#view;
    const time = output.shift ? ahead(rows, changed.time, output.shift, SECONDS[timeframe]) : changed.time;
    const last = drawn.at(-1)?.time ?? -Infinity;
    // What is drawn ahead was put at times that were guessed: with each bar that is there, they are known.
    if (output.shift && time > last) this.#drawLine(output, points);
    else {
      const point = coloured({ ...changed, time }, output);
      if (time > last) drawn.push(point);
      else {
        const index = drawn.findLastIndex((one) => one.time === time);
        if (index < 0) return this.#drawLine(output, points);
        drawn[index] = point;
      }
      this.#series.get(name).update(point, time < last);
    }
  }

  /** After the outputs of a bar have been updated. */
  updated() {
    if (this.#fill) this.#fill.primitive.show(this.#drawn.get(this.#fill.upper), this.#drawn.get(this.#fill.lower));
  }

  clear() {
    for (const [name, series] of this.#series) {
      series.setData([]);
      this.#drawn.set(name, []);
    }
    this.updated();
    this.#zones?.show([]);
  }

  remove() {
    this.#view.keepingRange(() => {
      for (const series of this.#series.values()) this.#view.chart.removeSeries(series);
    });
    if (this.#zones) this.#view.candles.detachPrimitive(this.#zones);
  }

  recolour() {
    for (const output of this.outputs) {
      const series = this.#series.get(output.name);
      series.applyOptions({ color: lineColour(output.tone, this.#place) });
      if (output.style !== "histogram") continue;
      this.#drawn.set(output.name, this.#drawn.get(output.name).map((one) => coloured(one, output)));
      series.setData(this.#drawn.get(output.name));
    }
    this.updated();
    this.#zones?.refresh();
  }

  drawZones(answer) {
    if (!answer.zones?.length && !this.#zones) return;
    if (!this.#zones) {
      this.#zones = new ZoneBoxes();
      this.#view.candles.attachPrimitive(this.#zones);
    }
    this.#zones.show(answer.zones ?? []);
  }

  /** Two outputs of the style "band" enclose something. */
  #fillBands() {
    const bands = this.outputs.filter((output) => output.style === "band");
    if (!this.#fill && bands.length === 2) {
      const [upper, lower] = bands;
      const primitive = new Fill([upper.tone, lower.tone], this.#place);
      this.#series.get(upper.name).attachPrimitive(primitive);
      this.#fill = { primitive, upper: upper.name, lower: lower.name };
    }
    this.updated();
  }

  #make(output, answer) {
    const { chart, instrument } = this.#view;
    const own = (output.pane ?? answer.pane) === "own";
    // A pane goes with its last series, and those below it move up: ask the first series of this indicator where it is.
    const sibling = [...this.#series.values()].find((series) => series.getPane().paneIndex() > 0);
    const pane = own ? (sibling?.getPane().paneIndex() ?? chart.panes().length) : 0;
    const precise = output.unit === "price" && !own ? priceFormat(instrument.price_decimals, instrument.tick_size) : null;
    const common = {
      color: lineColour(output.tone, this.#place),
      title: "",
      lastValueVisible: own,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
      priceFormat: output.unit === "volume" ? { type: "volume" } : (precise ?? { type: "price", ...decimalsFor(output.values) }),
    };
    let series;
    if (output.style === "histogram") series = chart.addSeries(HistogramSeries, common, pane);
    else if (output.style === "dots" || output.style === "markers") {
      series = chart.addSeries(LineSeries, { ...common, lineVisible: false, pointMarkersVisible: true, pointMarkersRadius: 2 }, pane);
    } else series = chart.addSeries(LineSeries, { ...common, lineWidth: output.style === "band" ? 1 : 2, lineStyle: LineStyle.Solid }, pane);
    if (own && !sibling) {
      series.getPane().setStretchFactor(OWN_PANE);
      for (const level of answer.levels ?? []) {
        series.createPriceLine({ price: level, color: faded(colourOf("--text-muted"), 0.5), lineWidth: 1, lineStyle: LineStyle.Dashed, axisLabelVisible: false, title: "" });
      }
    }
    return series;
  }
}

/** A bar of a histogram by its sign. */
function coloured(one, output) {
  if (output.style !== "histogram" || one.value === undefined) return one;
  return { ...one, color: faded(colourOf(one.value >= 0 ? "--up" : "--down"), 0.6) };
}
