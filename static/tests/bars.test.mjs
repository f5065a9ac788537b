// Rows of bars, and the feed that keeps them without a hole.

import assert from "node:assert/strict";
import { test } from "node:test";
import { barAt, indexOf, merge, put } from "../src/js/chart/bars.js";
import { BarFeed } from "../src/js/chart/feed.js";

const bar = (time, close = 1) => [time, 1, 2, 0.5, close, 10];
const times = (rows) => rows.map((row) => row[0]);

test("merging keeps one bar a time, and the newer one", () => {
  const merged = merge([bar(60), bar(120, 1)], [bar(120, 2), bar(180)]);
  assert.deepEqual(times(merged), [60, 120, 180]);
  assert.equal(merged[1][4], 2);
  assert.deepEqual(times(merge([bar(180)], [bar(60)])), [60, 180]);
  assert.deepEqual(times(merge([], [bar(60)])), [60]);
});

test("merging spans that interleave gives one ascending list", () => {
  for (let round = 0; round < 200; round++) {
    const some = () => [...new Set(Array.from({ length: 12 }, () => Math.floor(Math.random() * 30) * 60))].sort((a, b) => a - b).map((time) => bar(time));
    const [older, newer] = [some(), some()];
    const merged = times(merge(older, newer));
    assert.deepEqual(merged, [...new Set([...times(older), ...times(newer)])].sort((a, b) => a - b));
  }
});

test("a bar is appended, replaced, amended or inserted where it belongs", () => {
  const rows = [bar(60), bar(180)];
  assert.equal(put(rows, bar(240)), "append");
  assert.equal(put(rows, bar(240, 3)), "replace");
  assert.equal(put(rows, bar(60, 4)), "amend");
  assert.equal(put(rows, bar(120)), "insert");
  assert.deepEqual(times(rows), [60, 120, 180, 240]);
});

test("a mark stands on the bar that holds its time, and on none before the first", () => {
  const rows = [bar(60), bar(120)];
  assert.equal(barAt(rows, 119), 60);
  assert.equal(barAt(rows, 120), 120);
  assert.equal(barAt(rows, 59), null);
  assert.equal(indexOf(rows, 61), 1);
});

/** A feed on a server that holds `server.candles`, with `say` in place of the stream. */
async function feedOf(server) {
  globalThis.fetch = async (url) => {
    const query = new URL(url, "http://x").searchParams;
    server.asked.push(Object.fromEntries(query));
    await server.gate;
    const start = Number(query.get("start") ?? 0);
    const before = Number(query.get("before") ?? Infinity);
    const candles = server.candles.filter((row) => row[0] >= start && row[0] < before).slice(-Number(query.get("limit")));
    return { ok: true, json: async () => ({ candles, forming: server.forming, sequence: candles.at(-1)?.[0] / 60, before: server.before }) };
  };
  let say;
  const stream = { subscribe: (channel, listener) => ((say = listener), () => {}) };
  const seen = { closed: [], resets: 0, bars: [] };
  const feed = new BarFeed("v:A-B", "1m", stream, {
    reset: () => (seen.resets += 1),
    bar: (row, how) => seen.bars.push([row[0], how]),
    closed: (row) => seen.closed.push(row[0]),
    prepended: (count) => (seen.prepended = count),
  });
  await feed.load();
  return { feed, seen, say: (message) => say(message) };
}

const server = (...at) => ({ candles: at.map((time) => bar(time)), forming: null, before: null, asked: [], gate: undefined });
const settle = () => new Promise((done) => setTimeout(done, 5));
const closed = (time, seq = time / 60) => ({ type: "update", seq, data: { closed: bar(time), revision: 0 } });
const forming = (time, close) => ({ type: "update", seq: time / 60 - 1, data: { forming: bar(time, close) } });

test("bars that close one after another are appended, the forming one replaced", async () => {
  const { feed, seen, say } = await feedOf(server(60, 120));
  say(forming(180, 5));
  say(forming(180, 6));
  say(closed(180));
  say(forming(240, 7));
  assert.deepEqual(times(feed.rows), [60, 120, 180, 240]);
  assert.deepEqual(seen.closed, [180]);
});

test("a forming bar that comes after its close changes nothing", async () => {
  const { feed, seen, say } = await feedOf(server(60, 120));
  say(closed(180));
  say(forming(180, 99));
  assert.equal(feed.rows.at(-1)[4], 1);
  assert.equal(seen.bars.length, 1);
});

test("a hole in the sequence is filled by REST before the bar is shown", async () => {
  const one = server(60, 120);
  const { feed, say } = await feedOf(one);
  one.candles.push(bar(180), bar(240));
  say(closed(300));
  say(closed(360));
  await settle();
  assert.deepEqual(times(feed.rows), [60, 120, 180, 240, 300, 360]);
  assert.equal(one.asked.length, 2);
  assert.equal(one.asked[1].start, "120");
});

test("after a reconnection the snapshot asks for what was missed", async () => {
  const one = server(60, 120);
  const { feed, say } = await feedOf(one);
  say({ type: "snapshot", seq: 2, data: { closed: bar(120), forming: null } });
  await settle();
  assert.equal(one.asked.length, 1);
  one.candles.push(bar(180), bar(240));
  one.forming = bar(300, 8);
  say({ type: "snapshot", seq: 4, data: { closed: bar(240), forming: bar(300, 8) } });
  await settle();
  assert.deepEqual(times(feed.rows), [60, 120, 180, 240, 300]);
});

test("an amendment of an older bar replaces it and asks for nothing", async () => {
  const one = server(60, 120, 180);
  const { feed, seen, say } = await feedOf(one);
  say({ type: "update", seq: 2, data: { closed: bar(120, 9), revision: 1 } });
  assert.equal(feed.rows[1][4], 9);
  assert.deepEqual(seen.bars, [[120, "amend"]]);
  assert.equal(one.asked.length, 1);
});

test("older bars come in once, however often the window asks", async () => {
  const one = server(600, 660);
  one.before = 600;
  const { feed, seen } = await feedOf(one);
  one.candles = [bar(480), bar(540), bar(600), bar(660)];
  one.before = null;
  await Promise.all([feed.loadOlder(), feed.loadOlder()]);
  assert.deepEqual(times(feed.rows), [480, 540, 600, 660]);
  assert.equal(seen.prepended, 2);
  assert.equal(one.asked.length, 2);
  assert.equal(feed.loadOlder(), null);
});
