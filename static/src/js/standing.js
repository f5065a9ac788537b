// The banner that says why an account does not trade: asked for again when something about that happened.

import htmx from "htmx.org";

const ABOUT = /^(account\.state-changed|account\.risk-changed|breaker\.|panic\.)/;

/** Look again if `event`, as the account's stream tells it, is about whether the account trades. */
export function followStanding(event) {
  const banner = document.getElementById("standing");
  if (banner && ABOUT.test(event.type)) htmx.trigger(banner, "news");
}
