// The tray of long work: what runs, how far it is, and a word when it is over while the person is elsewhere.

import htmx from "htmx.org";
import { toast } from "./toast.js";

const AGAIN = 3000; // milliseconds, while something runs
const SEEN = "clusterx.work.seen";
const RUNNING = "clusterx.work.running";
const KEPT = 60;

const place = document.getElementById("work");
const running = new Set(kept(storage("session"), RUNNING)); // also what ran on the page before
let timer;
let shown = "";

/** Keep the tray of a person who is signed in up to date; a hidden page does not ask. */
export function startWork() {
  if (!place) return;
  place.addEventListener("toggle", (event) => event.target.open && remember(), true);
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  ask();
}

async function ask() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const answer = await fetch(place.dataset.url, { headers: { "X-Requested-With": "fetch" } });
    if (answer.ok) show(await answer.text());
  } catch {
    // The network is away; the next page or the next look asks again.
  }
  if (running.size) timer = setTimeout(ask, AGAIN);
}

function show(html) {
  if (html !== shown) {
    const open = place.querySelector("details")?.open ?? false;
    const focused = place.contains(document.activeElement) ? (document.activeElement.dataset.key ?? "") : null;
    htmx.swap(place, html, { swapStyle: "innerHTML" });
    shown = html;
    const tray = place.querySelector("details");
    if (tray && open) tray.open = true;
    if (focused !== null) (focused ? place.querySelector(`[data-key="${CSS.escape(focused)}"]`) : place.querySelector("summary"))?.focus();
  }
  const seen = new Set(kept(storage("local"), SEEN));
  for (const one of place.querySelectorAll("[data-key]")) {
    const { key, state, said } = one.dataset;
    if (state === "running") {
      running.add(key);
    } else if (running.delete(key) && new URL(one.href).pathname !== location.pathname) {
      toast(said, state === "failed" ? "bad" : "good");
    }
  }
  const present = new Set([...place.querySelectorAll("[data-key]")].map((one) => one.dataset.key));
  for (const key of running) if (!present.has(key)) running.delete(key);
  keep(storage("session"), RUNNING, [...running]);
  place.hidden = !running.size && ![...present].some((key) => !seen.has(key));
}

/** What the person has looked at needs no button any more. */
function remember() {
  const over = [...place.querySelectorAll("[data-key]")].filter((one) => one.dataset.state !== "running").map((one) => one.dataset.key);
  keep(storage("local"), SEEN, [...new Set([...over, ...kept(storage("local"), SEEN)])].slice(0, KEPT));
}

// -- what a browser keeps, where it lets us -----------------------------------------------------------------------------

function storage(kind) {
  try {
    return kind === "local" ? localStorage : sessionStorage;
  } catch {
    return null;
  }
}

function kept(store, name) {
  try {
    const found = JSON.parse(store?.getItem(name) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function keep(store, name, keys) {
  try {
    store?.setItem(name, JSON.stringify(keys));
  } catch {
    // Full, or forbidden: then the button stays for the hour.
  }
}
