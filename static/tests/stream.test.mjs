// The client of the stream, on a socket that the test works by hand.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

globalThis.location = { protocol: "https:", host: "x.example" };
globalThis.document = { addEventListener() {}, hidden: false };
globalThis.addEventListener = () => {};
globalThis.WebSocket = class {
  static OPEN = 1;
};
mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
const { Stream } = await import("../src/js/stream.js");

function connected() {
  const sockets = [];
  const stream = new Stream("wss://x.example/", {
    make: () => {
      const socket = { readyState: 0, sent: [], send: (text) => socket.sent.push(JSON.parse(text)), close() {} };
      sockets.push(socket);
      return socket;
    },
  });
  const open = (socket = sockets.at(-1)) => {
    socket.readyState = 1;
    socket.onopen();
  };
  const hear = (...messages) => sockets.at(-1).onmessage({ data: JSON.stringify({ m: messages }) });
  return { stream, sockets, open, hear };
}
const tick = () => Promise.resolve();
const pass = (seconds) => { for (let second = 0; second < seconds; second++) mock.timers.tick(1000); };
const ops = (socket, op) => socket.sent.filter((one) => one.op === op).flatMap((one) => one.channels);

test("two listeners of a channel are one subscription, which ends with the second", async () => {
  const { stream, sockets, open } = connected();
  const first = stream.subscribe("quotes/a", () => {});
  const second = stream.subscribe("quotes/a", () => {});
  open();
  await tick();
  assert.deepEqual(ops(sockets[0], "subscribe"), ["quotes/a"]);
  first();
  await tick();
  assert.deepEqual(ops(sockets[0], "unsubscribe"), []);
  second();
  await tick();
  assert.deepEqual(ops(sockets[0], "unsubscribe"), ["quotes/a"]);
});

test("a channel left and taken again at once says nothing", async () => {
  const { stream, sockets, open } = connected();
  const end = stream.subscribe("quotes/a", () => {});
  open();
  await tick();
  end();
  stream.subscribe("quotes/a", () => {});
  await tick();
  assert.equal(sockets[0].sent.length, 1);
});

test("who comes later gets the last snapshot", async () => {
  const { stream, open, hear } = connected();
  stream.subscribe("quotes/a", () => {});
  open();
  hear({ t: "snapshot", ch: "quotes/a", seq: null, d: { price: 1 } });
  const got = [];
  stream.subscribe("quotes/a", (message) => got.push(message.data.price));
  await tick();
  assert.deepEqual(got, [1]);
});

test("after a lost connection every channel is asked for again, not at once", async () => {
  const { stream, sockets, open } = connected();
  const states = [];
  stream.onState((state) => states.push(state));
  stream.subscribe("quotes/a", () => {});
  stream.subscribe("book/a", () => {});
  open();
  sockets[0].onclose({ code: 1006 });
  assert.equal(sockets.length, 1);
  mock.timers.tick(1000);
  assert.equal(sockets.length, 2);
  open();
  assert.deepEqual(ops(sockets[1], "subscribe").sort(), ["book/a", "quotes/a"]);
  assert.deepEqual(states, ["connecting", "open", "offline", "open"]);
});

test("a connection refused for being one too many is not tried again soon", () => {
  const { stream, sockets } = connected();
  stream.subscribe("quotes/a", () => {});
  sockets[0].onclose({ code: 4429 });
  mock.timers.tick(7000);
  assert.equal(sockets.length, 1);
  mock.timers.tick(24_000);
  assert.equal(sockets.length, 2);
});

test("a silent connection is given up", () => {
  const { stream, open } = connected();
  stream.subscribe("quotes/a", () => {});
  open();
  pass(21);
  assert.notEqual(stream.state, "open");
});

test("a resync asks for a new snapshot", async () => {
  const { stream, sockets, open, hear } = connected();
  stream.subscribe("account/1", () => {});
  open();
  await tick();
  hear({ t: "resync", ch: "account/1" });
  assert.deepEqual(sockets[0].sent.slice(1).map((one) => one.op), ["unsubscribe", "subscribe"]);
});

test("silence is asked about, shown before ten seconds are over, and forgotten with the next word", async () => {
  const { stream, sockets, open, hear } = connected();
  const states = [];
  stream.onState((state) => states.push(state));
  stream.subscribe("quotes/a", () => {});
  open();
  await tick();
  for (let second = 0; second < 30; second++) {
    mock.timers.tick(1000);
    if (sockets[0].sent.at(-1).op === "ping") hear({ t: "pong", id: 1, time: 1 });
  }
  assert.deepEqual(states, ["connecting", "open"]); // nothing new was said, and the server answers
  pass(10);
  assert.equal(states.at(-1), "silent");
  assert.equal(sockets.length, 1);
  hear({ t: "update", ch: "quotes/a", d: {} });
  assert.equal(states.at(-1), "open");
  pass(21);
  assert.deepEqual(states.slice(-2), ["silent", "offline"]);
});

test("a network that is gone is doubted, and believed only when the server does not answer", async () => {
  const { stream, open, hear } = connected();
  stream.subscribe("quotes/a", () => {});
  open();
  await tick();
  stream.doubt();
  hear({ t: "pong", id: 1, time: 1 }); // a server on this machine
  mock.timers.tick(3500);
  assert.equal(stream.state, "open");
  stream.doubt();
  mock.timers.tick(3500);
  assert.equal(stream.state, "silent");
});

test("a page that was asleep does not take its own sleep for silence", async () => {
  const { stream, sockets, open } = connected();
  stream.subscribe("quotes/a", () => {});
  const [setting, clock] = [globalThis.setInterval, Date.now];
  let look;
  globalThis.setInterval = (work) => ((look = work), 1);
  open();
  globalThis.setInterval = setting;
  const now = Date.now();
  Date.now = () => now + 60_000;
  look();
  Date.now = clock;
  assert.equal(stream.state, "open");
  assert.equal(sockets[0].sent.at(-1).op, "ping");
});
