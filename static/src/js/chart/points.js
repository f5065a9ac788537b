// Values of an indicator's output by time, [{time, value}], ascending. Nothing here draws.

import { indexOf } from "./bars.js";

/** A value that is missing is a point without one, so that the line breaks instead of bridging it. */
export function point(time, value) {
  return value === null || value === undefined ? { time } : { time, value };
}

export const pointsOf = (times, values) => times.map((time, index) => point(time, values[index]));

/** Index of the first point whose time is not before `time`. */
export function placeOf(points, time) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both in one ascending list; where both have a time, `newer` wins. `newer` is without a hole. */
export function joined(older, newer) {
  if (!newer.length) return older;
  const before = older.slice(0, placeOf(older, newer[0].time));
  const after = older.slice(placeOf(older, newer.at(-1).time + 1));
  return [...before, ...newer, ...after];
}

/** The time `bars` bars after `time`; beyond the newest of `rows` in steps of `seconds`, because those bars are not there yet. */
export function ahead(rows, time, bars, seconds) {
  const index = indexOf(rows, time) + bars;
  const last = rows.length - 1;
  return index <= last ? rows[index][0] : rows[last][0] + (index - last) * seconds;
}

/** Where `points` are drawn: `bars` bars later. */
export function shifted(points, bars, rows, seconds) {
  if (!bars || !rows.length) return points;
  return points.map((one) => ({ ...one, time: ahead(rows, one.time, bars, seconds) }));
}

/** Decimals with which an indicator's value is written among words: four significant digits. */
export const digits = (value) => Math.max(0, Math.min(8, 4 - Math.floor(Math.log10(Math.abs(value) || 1))) - 1);

/** Four significant digits of the largest value. */
export function decimalsFor(values) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value ?? 0)), 1e-9);
  const precision = Math.max(0, Math.min(8, 3 - Math.floor(Math.log10(largest))));
  return { precision, minMove: 10 ** -precision };
}

/** Stretches between two lines, for a fill: [{first, last, above}], split where the lines cross; a missing value ends one.

  `above` says whether `upper` is the higher one. Two that meet at a crossing both hold the points on either side of it.
*/
export function stretches(upper, lower) {
  const found = [];
  let open = null;
  for (let index = 0; index < Math.min(upper.length, lower.length); index += 1) {
    const [a, b] = [upper[index].value, lower[index].value];
    if (a === undefined || b === undefined) {
      open = null;
      continue;
    }
    if (open && (a === b || a > b === open.above)) open.last = index;
    else {
      if (open) open.last = index;
      open = { first: open ? index - 1 : index, last: index, above: a >= b };
      found.push(open);
    }
  }
  return found.filter(({ first, last }) => last > first);
}
