// The banner that says why an account does not trade, and what panic would do: asked for again when that changed.

import htmx from "htmx.org";

/** Say again what panic would do: what is held has changed, and whoever has its button open reads that. */
export function followPanic() {
  const will = document.getElementById("panic-will");
  if (will?.closest("details").open) htmx.trigger(will, "news");
}

const ABOUT = /^(account\.state-changed|account\.risk-changed|breaker\.|panic\.)/;

/** Look again if `event`, as the account's stream tells it, is about whether the account trades. */
export function followStanding(event) {
  const banner = document.getElementById("standing");
  if (banner && ABOUT.test(event.type)) htmx.trigger(banner, "news");
}
