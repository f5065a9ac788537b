// What a page shows of the age of its numbers: in the badge, and by dimming them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const node = () => ({ dataset: {}, textContent: "", hidden: true, querySelector: () => node() });
const found = { "[data-feed]": node(), "[data-feed-text]": node(), "[data-banner]": node() };
const body = node();
globalThis.document = { body, getElementById: () => null, querySelector: (selector) => found[selector] ?? null, addEventListener: () => {} };
globalThis.location = { protocol: "http:", host: "localhost" };
globalThis.addEventListener = () => {};
globalThis.WebSocket = class {};
const { stream } = await import("../src/js/stream.js");
const { startFeed } = await import("../src/js/feed.js");

test("numbers are dimmed while they are delayed, and no longer", (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout", "Date"], now: 1e12 });
  let tell;
  stream.onState = (listener) => listener("open");
  stream.subscribe = (_channel, listener) => (tell = (age_ms, connected = true) => listener({ type: "update", data: { venues: [{ name: "a", mode: "live", connected, age_ms }] } }));
  startFeed();
  tell(500);
  assert.equal(body.dataset.numbers, "live");
  tell(15_000);
  assert.deepEqual([body.dataset.numbers, found["[data-feed]"].dataset.state], ["delayed", "delayed"]);
  tell(500);
  assert.equal(body.dataset.numbers, "live");
  t.mock.timers.tick(14_000); // nobody says a word
  assert.equal(body.dataset.numbers, "delayed");
  tell(null, false);
  assert.equal(body.dataset.numbers, "unknown");
  const css = readFileSync(new URL("../src/css/components.css", import.meta.url), "utf8");
  assert.match(css, /body:is\(\[data-stream="offline"\], \[data-numbers="delayed"\]\) \[data-live\]:not\(\[data-live\] \*\) \{ opacity: 0\.6; \}/);
});
