// The band of market regimes behind the candles.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stretches } from "../src/js/chart/band.js";

test("neighbours with one label are one stretch, and what is not known is none", () => {
  assert.deepEqual(stretches([0, 0, 1, 1, 3, 1]), [{ from: 2, to: 3, label: 1 }, { from: 4, to: 4, label: 3 }, { from: 5, to: 5, label: 1 }]);
  assert.deepEqual(stretches([0, undefined]), []);
  assert.deepEqual(stretches([]), []);
});
