// Values of indicators: joined, drawn ahead, enclosed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ahead, joined, placeOf, pointsOf, shifted, stretches } from "../src/js/chart/points.js";

const rows = [100, 160, 220, 400].map((time) => [time, 1, 1, 1, 1, 1]);
const at = (...values) => values.map((value, index) => (value === null ? { time: index } : { time: index, value }));

test("a missing value is a point without one", () => {
  assert.deepEqual(pointsOf([1, 2], [null, 3]), [{ time: 1 }, { time: 2, value: 3 }]);
});

test("a line drawn ahead stands on bars where they are and goes on in equal steps", () => {
  assert.equal(ahead(rows, 100, 2, 60), 220);
  assert.equal(ahead(rows, 220, 1, 60), 400); // over a hole in the bars
  assert.equal(ahead(rows, 220, 3, 60), 520);
  assert.deepEqual(shifted(pointsOf([160, 400], [1, 2]), 1, rows, 60).map((one) => one.time), [220, 460]);
});

test("newer values replace those they cover and leave the rest", () => {
  const older = pointsOf([1, 2, 3, 4], [1, 1, 1, 1]);
  assert.deepEqual(joined(older, pointsOf([2, 3], [5, 6])).map((one) => one.value), [1, 5, 6, 1]);
  assert.deepEqual(joined(older, pointsOf([0], [5])).map((one) => one.time), [0, 1, 2, 3, 4]);
  assert.equal(joined(older, []), older);
  assert.equal(placeOf(older, 9), 4);
});

test("a fill is split where its lines cross and where a value is missing", () => {
  assert.deepEqual(stretches(at(3, 3, 1, 1), at(2, 2, 2, 2)), [
    { first: 0, last: 2, above: true },
    { first: 1, last: 3, above: false },
  ]);
  assert.deepEqual(stretches(at(3, null, 3, 3), at(2, 2, 2, 2)), [{ first: 2, last: 3, above: true }]);
  assert.deepEqual(stretches(at(2, 3), at(2, 2)), [{ first: 0, last: 1, above: true }]);
});
