// The area between two lines of an indicator: bands, and the cloud of Ichimoku.

import { colourOf, faded, lineColour } from "./colours.js";
import { placeOf, stretches } from "./points.js";

class Renderer {
  constructor(areas) {
    this.areas = areas;
  }

  draw(target) {
    target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio: across, verticalPixelRatio: down }) => {
      for (const { top, bottom, colour } of this.areas) {
        context.beginPath();
        for (const [x, y] of top) context.lineTo(x * across, y * down);
        for (const [x, y] of bottom.toReversed()) context.lineTo(x * across, y * down);
        context.closePath();
        context.fillStyle = colour;
        context.fill();
      }
    });
  }
}

/** A primitive of the upper line's series. */
export class Fill {
  #attached = null;
  #areas = [];
  #upper = [];
  #lower = [];
  #tones;
  #place;

  /** `tones` are those of the two outputs: a pair that says up and down is coloured by which of them is above. */
  constructor(tones, place) {
    this.#tones = tones;
    this.#place = place;
  }

  attached(parameters) {
    this.#attached = parameters;
  }

  detached() {
    this.#attached = null;
  }

  /** Both lines as they are drawn, point for point. */
  show(upper, lower) {
    this.#upper = upper;
    this.#lower = lower;
    this.#attached?.requestUpdate();
  }

  #colours() {
    const [above, below] = this.#tones;
    if (above === "positive" && below === "negative") return [faded(colourOf("--up"), 0.14), faded(colourOf("--down"), 0.14)];
    const one = faded(lineColour("primary", this.#place), 0.07);
    return [one, one];
  }

  updateAllViews() {
    this.#areas = [];
    if (!this.#attached) return;
    const { chart, series } = this.#attached;
    const scale = chart.timeScale();
    const range = scale.getVisibleRange();
    if (!range) return;
    const from = Math.max(0, placeOf(this.#upper, range.from) - 1);
    const to = placeOf(this.#upper, range.to) + 2;
    const upper = this.#upper.slice(from, to);
    const lower = this.#lower.slice(from, to);
    const colours = this.#colours();
    const at = (one) => [scale.timeToCoordinate(one.time), one.value === undefined ? null : series.priceToCoordinate(one.value)];
    const [tops, bottoms] = [upper.map(at), lower.map(at)];
    for (const { first, last, above } of stretches(upper, lower)) {
      const [top, bottom] = [tops.slice(first, last + 1), bottoms.slice(first, last + 1)];
      if ([...top, ...bottom].some(([x, y]) => x === null || y === null)) continue;
      for (const [index, end] of [[first, 0], [last, -1]]) {
        if (upper[index].value !== lower[index].value && upper[index].value > lower[index].value !== above) crop(top, bottom, end);
      }
      this.#areas.push({ top, bottom, colour: colours[above ? 0 : 1] });
    }
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => new Renderer(this.#areas) }];
  }
}

/** Begin (`end` 0) or finish (`end` −1) where the two lines cross, not at the point beyond. */
function crop(top, bottom, end) {
  const [outer, inner] = end === 0 ? [0, 1] : [top.length - 1, top.length - 2];
  const [beyond, within] = [top[outer][1] - bottom[outer][1], top[inner][1] - bottom[inner][1]];
  const share = beyond === within ? 0 : beyond / (beyond - within);
  const between = (axis) => top[outer][axis] + (top[inner][axis] - top[outer][axis]) * share;
  top[outer] = bottom[outer] = [between(0), between(1)];
}
