// Indicators on the chart: computed on the server, so that a chart, a backtest and a deployment see the same numbers.

import { HistogramSeries, LineSeries, LineStyle } from "lightweight-charts";
import { indexOf } from "./bars.js";
import { colourOf, faded, lineColour } from "./colours.js";
import { ZoneBoxes } from "./zones.js";

const PRICE_PANE = 500;
const OWN_PANE = 120;
const DRAWN = new Set(["line", "histogram", "band", "markers", "dots"]);

/** One indicator: its series, its values by time, its place. */
class Shown {
  series = new Map(); // output → series
  values = new Map(); // output → [{time, value}], ascending
  zones = null;
  label = "";

  constructor(spec, place) {
    this.spec = spec;
    this.place = place;
  }
}

export class Indicators {
  #shown = new Map(); // spec → Shown
  #changed;
  #failed;

  /** `changed(list)` after every change; `failed(spec, detail)` when one cannot be had. */
  constructor(view, { changed, failed }) {
    this.view = view;
    this.#changed = changed;
    this.#failed = failed;
    view.on("reset", () => this.refresh());
    view.on("prepended", (count) => this.#prepend(count));
    view.on("closed", () => this.#newest());
    view.on("recolour", () => this.#recolour());
  }

  get list() {
    return [...this.#shown.values()];
  }

  async add(spec) {
    if (this.#shown.has(spec)) return;
    const places = new Set(this.list.map((one) => one.place));
    let place = 0;
    while (places.has(place)) place += 1;
    this.#shown.set(spec, new Shown(spec, place));
    await this.refresh([spec]);
  }

  remove(spec) {
    const one = this.#shown.get(spec);
    if (!one) return;
    this.#shown.delete(spec);
    for (const series of one.series.values()) this.view.chart.removeSeries(series);
    if (one.zones) this.view.candles.detachPrimitive(one.zones);
    this.#fit();
    this.#changed(this.list);
  }

  /** Values at the bar that opened at `time`: [{label, value, unit, colour}] for each indicator. */
  at(time) {
    return this.list.map((one) => ({
      spec: one.spec,
      label: one.label,
      values: [...one.values].map(([name, points]) => {
        const point = points[indexOfTime(points, time)];
        return { name, value: point?.time === time ? point.value : undefined, colour: one.series.get(name)?.options().color };
      }),
    }));
  }

  /** Fetch all values again, over the bars that are drawn. */
  async refresh(specs = [...this.#shown.keys()]) {
    const { rows } = this.view;
    if (!specs.length || !rows.length) return;
    await this.#ask(specs, { limit: Math.min(rows.length, 5000) }, (one, times, answer) => this.#replace(one, times, answer));
  }

  async #newest() {
    if (this.#shown.size) await this.#ask([...this.#shown.keys()], { limit: 3 }, (one, times, answer) => this.#update(one, times, answer));
  }

  async #prepend(count) {
    const specs = [...this.#shown.keys()];
    const next = this.view.rows[count];
    if (!specs.length || !next) return;
    const range = () => this.view.chart.timeScale().getVisibleLogicalRange();
    await this.#ask(specs, { limit: Math.min(count, 5000), before: next[0] }, (one, times, answer) => {
      const before = range();
      for (const output of answer.outputs) {
        const older = pointsOf(times, output.values);
        const known = one.values.get(output.name) ?? [];
        const points = [...older.filter((point) => point.time < (known[0]?.time ?? Infinity)), ...known];
        one.values.set(output.name, points);
        one.series.get(output.name)?.setData(points);
      }
      if (before) this.view.chart.timeScale().setVisibleLogicalRange(before);
    });
  }

  async #ask(specs, parameters, use) {
    const { signal, instrument, timeframe } = this.view;
    // One at a time where several fail together, so that one bad indicator does not take the others with it.
    const query = new URLSearchParams({ timeframe, ...parameters });
    for (const spec of specs) query.append("spec", spec);
    try {
      const response = await fetch(`/api/v1/instruments/${instrument.ref}/indicators/?${query}`, { signal });
      const body = await response.json();
      if (!response.ok) throw new Error(body.errors?.[0]?.detail ?? body.detail ?? `HTTP ${response.status}`);
      if (signal !== this.view.signal) return;
      for (const [index, answer] of body.indicators.entries()) {
        const one = this.#shown.get(specs[index]);
        if (one) use(one, body.time, answer);
      }
      this.#changed(this.list);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (specs.length > 1) {
        for (const spec of specs) await this.#ask([spec], parameters, use);
        return;
      }
      this.remove(specs[0]);
      this.#failed(specs[0], error.message);
    }
  }

  #replace(one, times, answer) {
    one.label = answer.label;
    one.answer = answer;
    for (const output of answer.outputs) {
      if (!DRAWN.has(output.style)) continue;
      const points = pointsOf(times, output.values);
      one.values.set(output.name, points);
      if (!one.series.has(output.name)) one.series.set(output.name, this.#make(one, output, answer));
      one.series.get(output.name).setData(coloured(points, output));
    }
    this.#drawZones(one, answer);
    this.#fit();
  }

  /** The chart grows with its panes, so that the price keeps its height. */
  #fit() {
    const { chart, container } = this.view;
    chart.panes()[0].setStretchFactor(PRICE_PANE);
    container.style.setProperty("--panes", chart.panes().length - 1);
  }

  #update(one, times, answer) {
    for (const output of answer.outputs) {
      const series = one.series.get(output.name);
      const points = one.values.get(output.name);
      if (!series || !points) continue;
      for (const point of coloured(pointsOf(times, output.values), output)) {
        const last = points.at(-1);
        if (last && point.time < last.time) continue;
        if (last?.time === point.time) points[points.length - 1] = point;
        else points.push(point);
        series.update(point);
      }
    }
    this.#drawZones(one, answer);
  }

  #make(one, output, answer) {
    const { chart, instrument } = this.view;
    const own = (output.pane ?? answer.pane) === "own";
    // A pane goes with its last series, and those below it move up: ask the first series of this indicator where it is.
    const sibling = [...one.series.values()].find((series) => series.getPane().paneIndex() > 0);
    const pane = own ? (sibling?.getPane().paneIndex() ?? chart.panes().length) : 0;
    const color = lineColour(output.tone, one.place);
    const precise = output.unit === "price" && !own ? { precision: instrument.price_decimals, minMove: instrument.tick_size } : null;
    const common = {
      color,
      title: "",
      lastValueVisible: own,
      priceLineVisible: false,
      crosshairMarkerVisible: false,
      priceFormat: output.unit === "volume" ? { type: "volume" } : { type: "price", ...(precise ?? decimalsFor(output.values)) },
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

  #drawZones(one, answer) {
    if (!answer.zones?.length && !one.zones) return;
    if (!one.zones) {
      one.zones = new ZoneBoxes();
      this.view.candles.attachPrimitive(one.zones);
    }
    one.zones.show(answer.zones ?? []);
  }

  #recolour() {
    for (const one of this.list) {
      for (const output of one.answer?.outputs ?? []) one.series.get(output.name)?.applyOptions({ color: lineColour(output.tone, one.place) });
      one.zones?.refresh();
      for (const output of one.answer?.outputs ?? []) {
        if (output.style === "histogram") one.series.get(output.name)?.setData(coloured(one.values.get(output.name), output));
      }
    }
    this.#changed(this.list);
  }
}

/** A value that is missing is a point without one, so that the line breaks instead of bridging it. */
function pointsOf(times, values) {
  return times.map((time, index) => (values[index] === null || values[index] === undefined ? { time } : { time, value: values[index] }));
}

/** Bars of a histogram by their sign. */
function coloured(points, output) {
  if (output.style !== "histogram") return points;
  const up = faded(colourOf("--up"), 0.6);
  const down = faded(colourOf("--down"), 0.6);
  return points.map((point) => (point.value === undefined ? point : { ...point, color: point.value >= 0 ? up : down }));
}

function indexOfTime(points, time) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Four significant digits of the largest value. */
function decimalsFor(values) {
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-9);
  const precision = Math.max(0, Math.min(8, 3 - Math.floor(Math.log10(largest))));
  return { precision, minMove: 10 ** -precision };
}
