// Strips of tabs that are wider than the screen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { centred } from "../src/js/tabs.js";

test("the tab that one is on stands in the middle of its strip, and a strip does not begin before its first tab", () => {
  assert.equal(centred(400, 100, 300), 300);
  assert.equal(centred(0, 100, 300), 0);
});
