// What an editor says of the version it saved.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { querySelectorAll: () => [], querySelector: () => null, addEventListener() {}, body: { dataset: {} }, documentElement: { dataset: {}, lang: "en" } };
globalThis.addEventListener = () => {};
globalThis.location = { protocol: "http:", host: "here" };
const { verdictOf } = await import("../src/js/lab/saved.js");

test("a version is read, then proved, then it may be deployed or not", () => {
  assert.deepEqual(verdictOf({ status: "waiting", proved: null, final: false }), ["being-read", "info"]);
  assert.deepEqual(verdictOf({ status: "passed", proved: null, final: false }), ["being-proved", "info"]);
  assert.deepEqual(verdictOf({ status: "passed", proved: false, final: false }), ["being-proved", "info"]); // another proof is under way
  assert.deepEqual(verdictOf({ status: "passed", proved: true, final: true }), ["no-look-ahead", "good"]);
  assert.deepEqual(verdictOf({ status: "passed", proved: false, final: true, failed: "history" }), ["refused", "bad"]);
  assert.deepEqual(verdictOf({ status: "passed", proved: false, final: true, failed: "prefix" }), ["looks-ahead", "bad"]);
  assert.deepEqual(verdictOf({ status: "failed", proved: null, final: true }), ["does-not-run", "bad"]);
});
