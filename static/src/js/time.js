// Moments in the person's time zone, and ages that stay fresh. Data stay in UTC; only what is written is shifted.

import { say } from "./words.js";

const language = document.documentElement.lang || "en";
export const zone = document.documentElement.dataset.timeZone || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const formats = new Map();

function format(name, options) {
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: "h23", ...options }));
  return formats.get(name);
}

const clock = { hour: "2-digit", minute: "2-digit" };
const day = { day: "numeric", month: "short" };

/** 14:05 */
export const clockTime = (seconds) => format("clock", clock).format(seconds * 1000);
/** 14:05:09 */
export const exactTime = (milliseconds) => format("exact", { ...clock, second: "2-digit" }).format(milliseconds);
/** 9 Aug */
export const shortDate = (seconds) => format("date", day).format(seconds * 1000);
/** Aug 2024 */
export const month = (seconds) => format("month", { month: "short", year: "numeric" }).format(seconds * 1000);
/** 2024 */
export const year = (seconds) => format("year", { year: "numeric" }).format(seconds * 1000);
/** 9 Aug 2024, 14:05 */
export const moment = (seconds) => format("moment", { ...day, year: "numeric", ...clock }).format(seconds * 1000);
/** Fri 9 Aug 2024: daily bars are dated in UTC, whatever the zone. */
export const utcDate = (seconds) =>
  new Intl.DateTimeFormat(language, { timeZone: "UTC", weekday: "short", ...day, year: "numeric" }).format(seconds * 1000);

/** "2 s ago" */
export function ago(milliseconds, now = Date.now()) {
  const seconds = Math.floor((now - milliseconds) / 1000);
  if (seconds < 1) return say("just-now");
  if (seconds < 60) return say("seconds-ago", { count: seconds });
  if (seconds < 3600) return say("minutes-ago", { count: Math.floor(seconds / 60) });
  if (seconds < 86400) return say("hours-ago", { count: Math.floor(seconds / 3600) });
  return say("days-ago", { count: Math.floor(seconds / 86400) });
}

/** A <time> that says how long ago, with the exact moment on hover. */
export function timeElement(iso) {
  const node = document.createElement("time");
  setTime(node, iso);
  return node;
}

export function setTime(node, iso) {
  const at = new Date(iso);
  node.dateTime = at.toISOString();
  node.dataset.ago = "";
  node.title = `${moment(at / 1000)} ${zone}`;
  node.textContent = ago(+at);
}

/** Keep every <time data-ago> of the page fresh. */
export function keepTimesFresh() {
  const refresh = () => {
    for (const node of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(node.dateTime));
      if (node.textContent !== text) node.textContent = text;
    }
  };
  setInterval(() => document.hidden || refresh(), 1000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  refresh();
}
