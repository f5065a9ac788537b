// The badge in the top bar: what the numbers are (live, recorded, simulated) and whether they are fresh.

import { stream } from "./stream.js";
import { say } from "./words.js";

const STALE = 10_000; // milliseconds without a message from a venue
const GRACE = 3000; // a reconnection shorter than this is not worth a banner

export function startFeed() {
  const badge = document.querySelector("[data-feed]");
  const text = document.querySelector("[data-feed-text]");
  const banner = document.querySelector("[data-banner]");
  if (!badge) return;
  let late = 0;
  let told = 0; // when the newest word on the venues came

  const show = (state, words) => {
    badge.dataset.state = state;
    document.body.dataset.numbers = state; // what is live is dimmed while it is delayed
    if (text.textContent !== words) text.textContent = words;
  };

  const delayed = (ms) => {
    const age = ms === null ? "" : ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
    show("delayed", say("delayed", { age }).trim());
  };

  const lost = () => {
    document.body.dataset.stream = "offline";
    show("offline", say("offline"));
    banner.querySelector("[data-banner-text]").textContent = say("offline-text");
    banner.hidden = false;
  };

  stream.onState((state) => {
    if (state === "open") {
      clearTimeout(late);
      late = 0;
      document.body.dataset.stream = "open";
      banner.hidden = true;
    } else if (state === "silent") lost();
    else if (state === "offline") {
      // Counted from the first failure: every attempt that fails says "offline" again.
      late ||= setTimeout(lost, GRACE);
    }
  });

  stream.subscribe("venues", ({ type, data }) => {
    if (type === "error" || !data) return;
    const connected = (data.venues ?? []).filter((venue) => venue.connected);
    told = connected.length ? Date.now() : 0;
    if (!connected.length) return show("unknown", say("no-feed"));
    // The best of them: a live venue before a recording.
    const order = ["live", "recorded", "simulated", "sample"];
    connected.sort((a, b) => order.indexOf(a.mode) - order.indexOf(b.mode) || (a.age_ms ?? 1e12) - (b.age_ms ?? 1e12));
    const venue = connected[0];
    badge.title = connected.map((one) => `${one.name}: ${say(one.mode)}${one.clock_rate !== 1 ? ` × ${one.clock_rate}` : ""}`).join("\n");
    const stale = venue.age_ms === null || venue.age_ms > STALE;
    if (stale) delayed(venue.age_ms);
    else show("live", say(venue.mode));
  });

  // The process that hears the venues tells of them every few seconds; where it says nothing, nothing is fresh.
  setInterval(() => told && document.body.dataset.stream === "open" && Date.now() - told > STALE && delayed(Date.now() - told), 2000);
}
