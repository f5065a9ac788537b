// Vertical lines on a chart where windows begin, each with its number.

import { colourOf } from "../chart/colours.js";

export class Bounds {
  #chart = null;

  /** `times` are epoch seconds of bars that the series has, or lies between. */
  constructor(times) {
    this.times = times;
  }

  attached({ chart }) {
    this.#chart = chart;
  }

  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => target.useBitmapCoordinateSpace((space) => this.#draw(space)) }) }];
  }

  #draw({ context, bitmapSize, horizontalPixelRatio: wide, verticalPixelRatio: high }) {
    const scale = this.#chart.timeScale();
    context.save();
    context.strokeStyle = colourOf("--border-strong");
    context.fillStyle = colourOf("--text-muted");
    context.font = `${Math.round(11 * high)}px ${colourOf("--font")}`;
    context.setLineDash([4 * high, 4 * high]);
    context.lineWidth = Math.max(1, Math.floor(wide));
    let free = 0; // where the last number ends: numbers that would touch are left out
    for (const [place, time] of this.times.entries()) {
      const index = scale.timeToIndex(time, true);
      const at = index === null ? null : scale.logicalToCoordinate(index);
      if (at === null) continue;
      const x = Math.round(at * wide);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, bitmapSize.height);
      context.stroke();
      if (x < free) continue;
      context.fillText(String(place + 1), x + 4 * wide, 14 * high);
      free = x + 24 * wide;
    }
    context.restore();
  }
}
