// Which bars a result is of, in words.

import { moment, utcDate } from "../time.js";
import { say } from "./words.js";

/** "1,000 bars of 1h, 26 Jul 2024, 12:00 – 6 Sep 2024, 04:00"; `start` and `end` in seconds. */
export function barsShown({ count, timeframe, start, end }) {
  const at = timeframe === "1d" ? utcDate : moment;
  return say("bars-shown", { count: new Intl.NumberFormat(document.documentElement.lang || "en").format(count), timeframe, start: at(start), end: at(end) });
}
