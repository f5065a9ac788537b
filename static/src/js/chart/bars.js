// Rows of bars, [opening time, open, high, low, close, volume], ascending and without doubles. Nothing here draws.

/** Index of the first row whose time is not before `time`. */
export function indexOf(rows, time) {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][0] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both in one ascending list; where both have a time, `newer` wins. */
export function merge(older, newer) {
  if (!older.length) return [...newer];
  if (!newer.length) return older;
  if (newer[0][0] > older.at(-1)[0]) return [...older, ...newer];
  if (newer.at(-1)[0] < older[0][0]) return [...newer, ...older];
  const merged = [];
  let i = 0;
  let j = 0;
  while (i < older.length || j < newer.length) {
    if (j >= newer.length || (i < older.length && older[i][0] < newer[j][0])) merged.push(older[i++]);
    else {
      if (i < older.length && older[i][0] === newer[j][0]) i++;
      merged.push(newer[j++]);
    }
  }
  return merged;
}

/** Put one bar where it belongs, in place; returns "append", "replace" (of the last one) or "amend" (of an older one). */
export function put(rows, row) {
  const last = rows.at(-1);
  if (!last || row[0] > last[0]) {
    rows.push(row);
    return "append";
  }
  const index = indexOf(rows, row[0]);
  if (rows[index]?.[0] === row[0]) {
    rows[index] = row;
    return index === rows.length - 1 ? "replace" : "amend";
  }
  rows.splice(index, 0, row);
  return "insert";
}

/** The opening time of the bar of `rows` that holds `time`, or null if it lies before them all. */
export function barAt(rows, time) {
  const index = indexOf(rows, time);
  if (rows[index]?.[0] === time) return time;
  return index > 0 ? rows[index - 1][0] : null;
}

export const candle = ([time, open, high, low, close]) => ({ time, open, high, low, close });

export const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400 };
