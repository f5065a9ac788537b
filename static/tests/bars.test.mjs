// Rows of bars, and the feed that keeps them without a hole.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
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
  assert.equal(one.asked[1].start, "60"); // the newest two may have been amended
});

const same = (feed, one) => assert.deepEqual(feed.rows, one.forming ? [...one.candles, one.forming] : one.candles);

test("a bar that stayed unfinished because the stream died is no closed one: it and those that are missing come from REST", async () => {
  const one = server(60, 120, 180);
  const { feed, say } = await feedOf(one);
  say(forming(240, 5)); // and the stream dies
  one.candles.push(bar(240, 6), bar(300, 7), bar(360, 8));
  one.forming = bar(420, 9);
  say(closed(360, 6));
  say(forming(420, 9));
  await settle();
  assert.equal(one.asked[1].start, "60");
  one.candles[5] = bar(360); // as the stream said it
  same(feed, one);
  assert.equal(feed.formingTime, 420);
});

test("an unfinished bar that leaves some out is a hole before any bar closes, looked into once", async () => {
  const one = server(60, 120, 180);
  const { feed, say } = await feedOf(one);
  say(forming(240, 5));
  say(forming(300, 5)); // the last word on 240 may still come
  assert.equal(one.asked.length, 1);
  one.forming = bar(420, 9);
  say(forming(420, 9));
  say(forming(420, 9));
  await settle();
  assert.deepEqual(times(feed.rows), [60, 120, 180, 420]); // the server has none of them yet: no half bar stands for a whole one
  say(forming(420, 9));
  await settle();
  assert.equal(one.asked.length, 2);
  one.candles.push(bar(240, 6), bar(300, 7), bar(360, 8));
  say({ type: "update", seq: 4, data: { closed: bar(240, 6), revision: 0 } });
  say({ type: "update", seq: 5, data: { closed: bar(300, 7), revision: 0 } });
  say({ type: "update", seq: 6, data: { closed: bar(360, 8), revision: 0 } });
  await settle();
  same(feed, one);
});

test("what REST could not answer yet is asked for again when a snapshot follows", async () => {
  const one = server(60, 120, 180, 240);
  const { feed, say } = await feedOf(one);
  say({ type: "snapshot", seq: 4, data: { closed: bar(240), forming: null } });
  say(closed(540));
  await settle();
  say(closed(600));
  assert.deepEqual(times(feed.rows), [60, 120, 180, 240, 540, 600]);
  assert.equal(one.asked.length, 2);
  one.candles.push(...[300, 360, 420, 480, 540, 600].map((time) => bar(time)));
  say({ type: "snapshot", seq: 10, data: { closed: bar(600), forming: null } });
  await settle();
  assert.equal(one.asked.length, 3);
  same(feed, one);
});

test("bars that the server sends late are put in their places, with one question for them all", async () => {
  const one = server(60, 120, 180, 420);
  const { feed, say } = await feedOf(one);
  one.candles.splice(3, 0, bar(240, 5), bar(300, 6), bar(360, 7));
  for (const [index, time] of [240, 300, 360].entries()) say({ type: "update", seq: time / 60, data: { closed: bar(time, 5 + index), revision: 0 } });
  await settle();
  assert.equal(one.asked.length, 2);
  same(feed, one);
});

test("a server that fails is asked again, and what came meanwhile is replayed", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(console, "warn", () => {});
  const turn = () => new Promise(setImmediate);
  const one = server(60, 120);
  const { feed, say } = await feedOf(one);
  const answering = globalThis.fetch;
  globalThis.fetch = async () => ({ ok: false, status: 502, json: async () => ({}) });
  one.candles.push(bar(180), bar(240), bar(300));
  say(closed(240));
  say(closed(300));
  await turn();
  assert.deepEqual(times(feed.rows), [60, 120]);
  globalThis.fetch = answering;
  mock.timers.tick(2000);
  await turn();
  same(feed, one);
  mock.reset();
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
