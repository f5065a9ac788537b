// Price zones of smart-money indicators (order blocks, fair value gaps) as boxes behind the candles.

import { colourOf, faded } from "./colours.js";

class Renderer {
  constructor(boxes) {
    this.boxes = boxes;
  }

  draw(target) {
    target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio: across, verticalPixelRatio: down }) => {
      for (const { left, right, top, bottom, colour, open } of this.boxes) {
        const x = Math.round(left * across);
        const y = Math.round(top * down);
        const width = Math.max(1, Math.round((right - left) * across));
        const height = Math.max(1, Math.round((bottom - top) * down));
        context.fillStyle = faded(colour, open ? 0.16 : 0.07);
        context.fillRect(x, y, width, height);
        if (!open) continue;
        context.fillStyle = faded(colour, 0.7);
        context.fillRect(x, y, width, 1);
        context.fillRect(x, y + height, width, 1);
      }
    });
  }
}

/** A primitive of the candle series; give it the API's zones. */
export class ZoneBoxes {
  #zones = [];
  #attached = null;
  #boxes = [];

  attached(parameters) {
    this.#attached = parameters;
  }

  detached() {
    this.#attached = null;
  }

  show(zones) {
    this.#zones = zones;
    this.refresh();
  }

  refresh() {
    this.#attached?.requestUpdate();
  }

  updateAllViews() {
    if (!this.#attached) return;
    const { chart, series } = this.#attached;
    const scale = chart.timeScale();
    const range = scale.getVisibleRange();
    this.#boxes = [];
    if (!range) return;
    const colours = { up: colourOf("--up"), down: colourOf("--down") };
    for (const zone of this.#zones) {
      const end = zone.end ?? Infinity;
      if (zone.start > range.to || end < range.from) continue;
      const left = scale.timeToCoordinate(zone.start) ?? (zone.start < range.from ? 0 : null);
      const right = zone.end === null ? scale.width() : (scale.timeToCoordinate(zone.end) ?? scale.width());
      const top = series.priceToCoordinate(zone.top);
      const bottom = series.priceToCoordinate(zone.bottom);
      if (left === null || top === null || bottom === null) continue;
      this.#boxes.push({ left, right, top: Math.min(top, bottom), bottom: Math.max(top, bottom), open: zone.end === null, colour: colours[zone.direction] ?? colourOf("--accent") });
    }
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => new Renderer(this.#boxes) }];
  }
}
