// What the axes and the crosshair write; times in the person's time zone. Daily bars are dated in UTC.

import { price } from "../numbers.js";
import { clockTime, exactTime, moment, month, shortDate, utcDate, year } from "../time.js";

/** How a price axis writes: grouped, in the page's language. */
export const priceFormat = (decimals, minMove) => ({ type: "custom", minMove, formatter: (value) => price(value, decimals) });

/** Options for a chart whose bars are `timeframe` long. */
export function axis(timeframe) {
  const daily = timeframe === "1d";
  return {
    localization: { locale: document.documentElement.lang || "en", timeFormatter: (seconds) => (daily ? utcDate(seconds) : moment(seconds)) },
    timeScale: {
      timeVisible: !daily,
      secondsVisible: false,
      // kinds of tick: 0 year, 1 month, 2 day, 3 time, 4 time with seconds
      tickMarkFormatter: (seconds, kind) => [year, month, shortDate, clockTime, (at) => exactTime(at * 1000)][kind](seconds),
    },
  };
}
