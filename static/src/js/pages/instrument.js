// One instrument: chart, indicators, order book, trades, and the price in the head.

import "../shell.js";
import { Legend } from "../chart/legend.js";
import { Markers } from "../chart/markers.js";
import { IndicatorMenu } from "../chart/menu.js";
import { BarTable } from "../chart/table.js";
import { ChartView } from "../chart/view.js";
import { Depth } from "../depth.js";
import { element, pageData } from "../elements.js";
import { colour, percent, price, show } from "../numbers.js";
import { followReferences } from "../references.js";
import { onKey } from "../shortcuts.js";
import { stream } from "../stream.js";
import { Tape } from "../tape.js";
import { moment, setTime, utcDate, zone } from "../time.js";
import { say } from "../words.js";

const data = pageData();
const { instrument } = data;
const container = document.getElementById("chart");
const state = document.getElementById("chart-state");
const view = new ChartView(container, { instrument, stream });
const signedIn = "signedIn" in document.body.dataset;
const narrowed = data.deployment ? `&deployment=${encodeURIComponent(data.deployment)}` : "";
const markers = new Markers(view, { stream, fills: signedIn ? narrowed : null });
new Legend(document.getElementById("legend"), view, { extra: (row) => markers.on(row) });
const menu = new IndicatorMenu(view);
new BarTable(document.getElementById("chart-table"), document.getElementById("show-table"), view, menu.indicators);
document.getElementById("chart-zone").textContent = zone;
Object.assign(window, { clusterx: { view, markers, menu } }); // for tests in a browser and for the curious

// -- timeframes: in the address, by click and by the keys 1 to 7 ----------------------------------------------------
const buttons = [...document.querySelectorAll("[data-timeframe]")];

function choose(timeframe, { remember = true } = {}) {
  for (const button of buttons) button.toggleAttribute("aria-current", button.dataset.timeframe === timeframe);
  if (remember) {
    const address = new URL(location.href);
    address.searchParams.set("timeframe", timeframe);
    history.pushState(null, "", address);
  }
  return view.show(timeframe);
}

for (const [index, button] of buttons.entries()) {
  button.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(button.dataset.timeframe);
  });
  onKey(String(index + 1), () => choose(button.dataset.timeframe));
}
addEventListener("popstate", () => choose(new URL(location.href).searchParams.get("timeframe") ?? data.timeframe, { remember: false }));
onKey("i", () => menu.open());

// -- states of the chart ----------------------------------------------------------------------------------------------
view.on("state", (name, detail) => {
  if (name === "ready") {
    state.hidden = true;
    return;
  }
  if (name === "loading") {
    state.hidden = view.candles.data().length > 0;
    return;
  }
  state.hidden = false;
  const retry = element("button", { class: "button", type: "button", onclick: () => view.show(view.timeframe) }, say("retry"));
  const words = name === "empty" ? [element("p", {}, say("chart-empty"))] : [element("p", {}, say("chart-failed")), element("p", { class: "small muted" }, detail ?? ""), retry];
  state.replaceChildren(element("div", { class: "empty", role: "status" }, ...words));
});

// -- keyboard on the chart --------------------------------------------------------------------------------------------
const spoken = document.getElementById("chart-spoken");
container.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
  if (step) {
    event.preventDefault();
    const row = view.moveCursor(step);
    if (!row) return;
    const [open, high, low, close] = row.slice(1, 5).map((value) => price(value, instrument.price_decimals));
    spoken.textContent = say("bar-at", { time: view.timeframe === "1d" ? utcDate(row[0]) : moment(row[0]), open, high, low, close });
  } else if (event.key === "End") {
    event.preventDefault();
    view.leaveCursor();
    view.toNewest();
  } else if (event.key === "Escape") view.leaveCursor();
});
container.addEventListener("blur", () => view.leaveCursor());

for (const name of ["signals", "fills"]) {
  document.getElementById(`show-${name}`)?.addEventListener("change", (event) => markers.toggle(name, event.target.checked));
}

const card = document.getElementById("chart-card");
document.getElementById("full-screen").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : card.requestFullscreen?.()));

// -- the price in the head --------------------------------------------------------------------------------------------
const head = document.querySelector("[data-price]");
const change = document.querySelector("[data-change]");
const age = document.querySelector("[data-age] time");
let received = 0;

function showPrice(value, flash) {
  show(head, price(value, instrument.price_decimals), { value, flash });
  received = Date.now();
  document.title = `${price(value, instrument.price_decimals)} ${instrument.symbol} · ClusterX`;
  if (data.reference) {
    show(change, percent(value / data.reference - 1));
    colour(change, value / data.reference - 1);
  }
}
setInterval(() => received && age && setTime(age, received), 1000);

stream.subscribe(`quotes/${instrument.ref}`, ({ type, data: quote }) => {
  if (type !== "error" && quote?.price) showPrice(quote.price, type === "update");
});
if (instrument.connected) followReferences(`/api/v1/instruments/${instrument.ref}/`, ([one]) => (data.reference = one.reference));
const depth = document.getElementById("depth"); // is not there where the venue publishes bars alone
if (depth) {
  new Depth(depth, document.getElementById("spread"), instrument, stream);
  new Tape(document.getElementById("tape"), instrument, stream);
}

await choose(data.timeframe, { remember: false });
await menu.restore();
