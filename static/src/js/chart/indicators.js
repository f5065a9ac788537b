// Indicators on the chart: computed on the server, so that a chart, a backtest and a deployment see the same numbers.
//
// REST gives the values over the bars that are drawn, once and again after scrolling back; from there on the stream says
// what each change of the forming bar makes of them. Where something is missing between the two, REST is asked again.

import { indexOf } from "./bars.js";
import { Lines } from "./lines.js";
import { joined, placeOf, point, pointsOf } from "./points.js";

const PRICE_PANE = 500;
const AT_MOST = 5000; // bars that REST gives at once
const ASK_AGAIN = 2000; // milliseconds: the stream tells of a bar before it is stored

/** One indicator: its lines, its values by time, its place. */
class Shown {
  values = new Map(); // output → [{time, value}] at their own bars, ascending
  label = "";
  answer = null;
  channel = null;
  settled = null; // opening time of the newest bar whose values are final
  waiting = null; // what the stream said of a bar that is not drawn yet
  asking = false;
  #end = null;

  constructor(view, spec, place) {
    this.spec = spec;
    this.place = place;
    this.lines = new Lines(view, place);
  }

  settle(time) {
    this.settled = Math.max(this.settled ?? time, time);
  }

  listen(stream, channel, listener) {
    if (this.channel === channel) return;
    this.silence();
    this.channel = channel;
    this.#end = stream.subscribe(channel, listener);
  }

  silence() {
    this.#end?.();
    this.#end = this.channel = this.waiting = null;
  }
}

export class Indicators {
  #shown = new Map(); // spec → Shown
  #changed;
  #moved;
  #failed;

  /** `changed(list)` when the list did; `moved()` when values did; `failed(spec, detail)` when one cannot be had. */
  constructor(view, { changed, moved, failed }) {
    this.view = view;
    this.#changed = changed;
    this.#moved = moved;
    this.#failed = failed;
    view.on("state", (name) => name === "loading" && this.#silence());
    view.on("clear", () => this.#clear());
    view.on("reset", () => this.refresh());
    view.on("prepended", (count) => this.#older([...this.#shown.keys()], count));
    view.on("bar", (row, how) => this.#barChanged(how));
    view.on("closed", () => this.#newZones());
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
    this.#shown.set(spec, new Shown(this.view, spec, place));
    this.#changed(this.list);
    await this.refresh([spec]);
  }

  remove(spec) {
    const one = this.#shown.get(spec);
    if (!one) return;
    this.#shown.delete(spec);
    one.silence();
    one.lines.remove();
    this.#fit();
    this.#changed(this.list);
  }

  /** What is drawn over the bar that opened at `time`: [{spec, label, values: [{name, label, unit, value, colour}]}]. */
  at(time) {
    const { rows } = this.view;
    return this.list.map((one) => ({
      spec: one.spec,
      label: one.label,
      values: one.lines.outputs.map(({ name, label, unit, shift }) => {
        const from = shift ? rows[indexOf(rows, time) - shift]?.[0] : time;
        const points = one.values.get(name) ?? [];
        const found = from === undefined ? undefined : points[placeOf(points, from)];
        return { name, label, unit, value: found?.time === from ? found?.value : undefined, colour: one.lines.colour(name) };
      }),
    }));
  }

  /** Fetch all values again, over the bars that are drawn. */
  async refresh(specs = [...this.#shown.keys()]) {
    const { rows } = this.view;
    const count = rows.length;
    if (!specs.length || !count) return;
    // From the first bar, not so many of them: a value before it would be a point in time without a bar.
    await this.#ask(specs, { start: rows[Math.max(0, count - AT_MOST)][0], limit: AT_MOST }, (one, times, answer) => this.#replace(one, times, answer));
    const older = count - AT_MOST;
    if (older > 0) await this.#older(specs.filter((spec) => this.#shown.has(spec)), older);
  }

  /** Fetch the values of the first `count` bars. */
  async #older(specs, count) {
    for (let end = count; end > 0 && specs.length; end -= AT_MOST) {
      const next = this.view.rows[end];
      if (!next) return;
      await this.#ask(specs, { limit: Math.min(end, AT_MOST), before: next[0] }, (one, times, answer) => this.#join(one, times, answer));
    }
  }

  async #ask(specs, parameters, use) {
    const { signal, instrument, timeframe } = this.view;
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
        // One at a time where several fail together, so that one bad indicator does not take the others with it.
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
    one.values = new Map(answer.outputs.map((output) => [output.name, pointsOf(times, output.values)]));
    one.settled = times.at(-1);
    this.#draw(one);
    const { instrument, timeframe, stream } = this.view;
    one.listen(stream, `indicators/${instrument.ref}/${timeframe}/${answer.spec}`, (message) => this.#hear(one, message));
  }

  #join(one, times, answer) {
    if (!one.answer) return;
    one.answer = { ...answer, zones: one.answer.zones };
    for (const output of answer.outputs) one.values.set(output.name, joined(one.values.get(output.name) ?? [], pointsOf(times, output.values)));
    if (times.length) one.settle(times.at(-1));
    this.#draw(one);
  }

  #draw(one) {
    one.lines.draw(one.answer, one.values);
    this.#fit();
  }

  /** The chart grows with its panes, so that the price keeps its height; it leaves room for what is drawn ahead. */
  #fit() {
    const { chart, container } = this.view;
    chart.panes()[0].setStretchFactor(PRICE_PANE);
    container.style.setProperty("--panes", chart.panes().length - 1);
    this.view.reserve(Math.max(0, ...this.list.flatMap((one) => one.lines.outputs.map((output) => output.shift))));
  }

  // -- the stream -----------------------------------------------------------------------------------------------------

  #hear(one, { type, data }) {
    if (type === "error" || !data || data.time === null || data.time === undefined) return;
    const newest = this.view.rows.at(-1)?.[0];
    if (newest === undefined || one.settled === null) return;
    if (data.time > newest) {
      one.waiting = data; // its bar comes any moment
      return;
    }
    one.waiting = null;
    const closed = data.closed ? data : data.before;
    if (closed && !this.#follows(one, closed.time)) {
      this.#catchUp(one);
      return;
    }
    for (const said of [data.before, data]) if (said) this.#put(one, said);
    if (closed) one.settle(closed.time);
    one.lines.updated();
    this.#moved();
  }

  /** Whether every bar before the one that opened at `time` has its final values. */
  #follows(one, time) {
    const { rows } = this.view;
    return time <= one.settled || (rows[indexOf(rows, one.settled + 1)]?.[0] ?? time) >= time;
  }

  #put(one, { time, values }) {
    for (const [name, points] of one.values) {
      const index = placeOf(points, time);
      const changed = point(time, values[name]);
      if (index < points.length && points[index].time !== time) continue; // older than what is drawn
      if (index < points.length && points[index].value === changed.value) continue;
      points[index] = changed;
      one.lines.update(name, points, changed);
    }
  }

  /** Bars closed unheard (a lost connection, a resync): ask for what lies between. */
  async #catchUp(one) {
    if (one.asking) return;
    one.asking = true;
    try {
      await this.#ask([one.spec], { start: one.settled, limit: AT_MOST }, (shown, times, answer) => {
        this.#join(shown, times, answer);
        shown.lines.drawZones(answer);
      });
    } finally {
      setTimeout(() => (one.asking = false), ASK_AGAIN);
    }
  }

  #barChanged(how) {
    if (how === "amend") this.refresh(); // an older bar was another one: so is all that follows from it
    else if (how === "append") {
      for (const one of this.list) if (one.waiting) this.#hear(one, { type: "update", data: one.waiting });
    }
  }

  /** Zones are no values: REST says what a closed bar made of them. */
  #newZones() {
    const specs = this.list.filter((one) => one.answer?.has_zones).map((one) => one.spec);
    if (specs.length) this.#ask(specs, { limit: 2 }, (one, times, answer) => one.lines.drawZones(answer));
  }

  #silence() {
    for (const one of this.list) one.silence();
  }

  #clear() {
    for (const one of this.list) {
      one.values = new Map();
      one.settled = null;
      one.lines.clear();
    }
  }

  #recolour() {
    for (const one of this.list) one.lines.recolour();
    this.#changed(this.list);
  }
}
