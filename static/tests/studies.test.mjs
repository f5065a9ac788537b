// Studies in the browser: how fast trials come, what is left, and how strong a cell's colour is.

import assert from "node:assert/strict";
import { test } from "node:test";

const words = { left: "about %(seconds)s s left", "minutes-left": "about %(minutes)s min left" };
globalThis.document = {
  documentElement: { lang: "en", dataset: {} },
  getElementById: () => null,
  querySelector: () => null,
  querySelectorAll: () => [{ content: { querySelectorAll: () => Object.entries(words).map(([value, textContent]) => ({ value, textContent })) } }],
  addEventListener: () => {},
};
globalThis.location = { protocol: "http:", host: "localhost" };
globalThis.addEventListener = () => {};
const { Rate, leftOf } = await import("../src/js/lab/study_progress.js");
const { shades } = await import("../src/js/lab/heat.js");

test("the rate is that of the last seconds, and forgets what was before a pause", () => {
  const rate = new Rate();
  assert.equal(rate.note(0, 0), 0);
  assert.equal(rate.note(10, 1000), 10);
  assert.equal(rate.note(20, 2000), 10);
  assert.equal(rate.note(20, 2500), 10); // nothing new was told
  assert.equal(rate.note(24, 62_000) < 1, true);
  rate.clear();
  assert.equal(rate.note(24, 100_000), 0);
  assert.equal(rate.note(34, 101_000), 10);
});

test("the time left is told in seconds, then in minutes, and not where it is not known", () => {
  assert.equal(leftOf(30, 10), "about 3 s left");
  assert.equal(leftOf(6000, 10), "about 10 min left");
  assert.equal(leftOf(30, 0), "");
  assert.equal(leftOf(0, 10), "");
});

test("gains and losses are shaded each from their least to their most", () => {
  const shade = shades([-2, -1, 0, 0.5, 1, 2]);
  assert.equal(shade(0), 0);
  assert.equal(shade(2), 90);
  assert.equal(shade(0.5), 12);
  assert.equal(shade(-2), 90);
  assert.ok(shade(1) > shade(0.5) && shade(1) < shade(2));
  assert.equal(shades([1, 1])(1), 50);
});
