// A band behind the candles that says what kind of market each bar lay in: a tint over the whole height, and a strip at the
// foot with a sign in each stretch, so that colour is not all there is.

import { colourOf, faded } from "./colours.js";

const STRIP = 14; // pixels
const SIGN_ROOM = 18;
const TINT = 0.09;

/** Colours and signs by label; 0 is not known yet and stays empty. */
export const KINDS = { 1: ["--up", "▲"], 2: ["--down", "▼"], 3: ["--info", "↔"], 4: ["--warn", "≈"] };

/** [{from, to, label}] of neighbours with the same label; indices, both ends belong to it. */
export function stretches(labels) {
  const found = [];
  for (const [index, label] of labels.entries()) {
    const last = found.at(-1);
    if (last && last.label === label) last.to = index;
    else found.push({ from: index, to: index, label });
  }
  return found.filter((one) => KINDS[one.label]);
}

class Renderer {
  constructor(parts) {
    this.parts = parts;
  }

  draw(target) {
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: across, verticalPixelRatio: down }) => {
      const strip = Math.round(STRIP * down);
      context.font = `${Math.round(10 * down)}px ${colourOf("--font")}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (const { left, right, colour, sign } of this.parts) {
        const x = Math.round(left * across);
        const width = Math.max(1, Math.round(right * across) - x);
        context.fillStyle = faded(colour, TINT);
        context.fillRect(x, 0, width, bitmapSize.height - strip);
        context.fillStyle = faded(colour, 0.3);
        context.fillRect(x, bitmapSize.height - strip, width, strip);
        context.fillStyle = colour;
        context.fillRect(x, bitmapSize.height - strip, width, Math.max(2, Math.round(2 * down)));
        if (right - left >= SIGN_ROOM) context.fillText(sign, x + width / 2, bitmapSize.height - strip / 2 + down);
      }
    });
  }
}

/** A primitive of the candle series; `show` is given the label of each bar that is drawn. */
export class RegimeBand {
  #stretches = [];
  #attached = null;
  #parts = [];

  attached(parameters) {
    this.#attached = parameters;
  }

  detached() {
    this.#attached = null;
  }

  /** Stretches that are drawn: for tests and legends. */
  get shown() {
    return this.#stretches;
  }

  show(labels) {
    this.#stretches = stretches(labels);
    this.refresh();
  }

  refresh() {
    this.#attached?.requestUpdate();
  }

  updateAllViews() {
    if (!this.#attached) return;
    const scale = this.#attached.chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    this.#parts = [];
    if (!range) return;
    const half = scale.options().barSpacing / 2;
    for (const { from, to, label } of this.#stretches) {
      if (from > range.to || to < range.from) continue;
      const [start, end] = [from, to].map((index) => scale.logicalToCoordinate(index));
      if (start === null || end === null) continue;
      const [name, sign] = KINDS[label];
      this.#parts.push({ left: Math.max(0, start - half), right: Math.min(scale.width(), end + half), colour: colourOf(name), sign });
    }
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => new Renderer(this.#parts) }];
  }
}
