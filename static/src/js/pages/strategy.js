// The page of a library strategy: its chart comes after the page.

import "../shell.js";
import { element } from "../elements.js";
import { say } from "../lab/words.js";

const AGAIN = 1500; // milliseconds until the server is asked again while it computes
const card = document.getElementById("how-it-trades");
const place = document.getElementById("demonstration-chart");
const legend = document.getElementById("demonstration-legend");
const shownOn = document.getElementById("shown-on");
const legs = document.getElementById("demonstration-legs");
const views = card.querySelectorAll("[data-view]");
let chart = null;
let asked = null;

async function show(instrument) {
  asked?.abort();
  asked = new AbortController();
  card.setAttribute("aria-busy", "true");
  try {
    const query = instrument ? `?instrument=${encodeURIComponent(instrument)}` : "";
    const response = await fetch(card.dataset.url + query, { signal: asked.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const answer = await response.json();
    if (answer.choices) offer(answer);
    if (answer.later) return later(instrument, answer.message);
    card.removeAttribute("aria-busy");
    if (answer.empty) return empty();
    if (!answer.ok) return failed(answer.message, instrument);
    await draw(answer);
  } catch (error) {
    if (error.name === "AbortError") return;
    card.removeAttribute("aria-busy");
    failed(say("chart-failed"), instrument);
  }
}

function later(instrument, message) {
  if (!chart) place.querySelector("[data-waiting]")?.replaceChildren(message);
  const { signal } = asked;
  setTimeout(() => signal.aborted || show(instrument), AGAIN);
}

/** The markets that it can be shown on. */
function offer({ choices, chosen }) {
  shownOn.replaceChildren(...choices.map(({ ref, label }) => element("option", { value: ref, selected: ref === chosen }, label)));
  shownOn.disabled = choices.length < 2;
  card.removeAttribute("data-off");
}

async function draw(answer) {
  const { Demonstration } = await import("../lab/demonstration.js");
  chart?.remove();
  place.replaceChildren();
  chart = new Demonstration(place, answer.chart, legend);
  Object.assign(window, { clusterx: { demonstration: chart } }); // for tests in a browser and for the curious
  place.setAttribute("aria-label", answer.told);
  for (const [name, { value, note, tone }] of Object.entries(answer.figures)) {
    const stat = card.querySelector(`[data-figure="${name}"]`);
    const text = stat.querySelector(".stat-value");
    text.textContent = value;
    text.classList.remove("up", "down");
    if (tone) text.classList.add(tone);
    stat.querySelector(".stat-note").textContent = note || "\u00a0";
  }
  const badge = document.getElementById("demonstration-badge");
  badge.className = `badge ${answer.badge.kind}`;
  badge.textContent = answer.badge.text;
  document.getElementById("demonstration-note").textContent = answer.note;
  const run = document.getElementById("demonstration-run");
  run.href = answer.run;
  run.hidden = false;
  for (const button of views) button.disabled = false;
  press(views, views[0]);
  offerLegs(answer.chart.legs);
}

function offerLegs(offered) {
  if (!legs) return;
  const buttons = offered.map(({ symbol }, index) => element("button", { class: "segment", type: "button", "aria-pressed": String(index === 0), onclick: () => { press(buttons, buttons[index]); chart.showLeg(index); } }, symbol));
  legs.replaceChildren(...buttons);
}

function press(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen));
}

function empty() {
  clear();
  card.setAttribute("data-off", "");
  place.replaceChildren(document.getElementById("demonstration-empty").content.cloneNode(true));
}

function failed(message, instrument) {
  clear();
  if (!shownOn.value) card.setAttribute("data-off", "");
  const again = element("button", { class: "button", type: "button", onclick: () => show(instrument) }, say("retry"));
  place.replaceChildren(element("div", { class: "chart-state" }, element("div", { class: "empty", role: "status" }, element("p", {}, message), again)));
}

function clear() {
  chart?.remove();
  chart = null;
  legend.textContent = "\u00a0";
  for (const button of views) button.disabled = true;
  for (const stat of card.querySelectorAll("[data-figure] .stat-value")) stat.textContent = "–";
}

for (const button of views) {
  button.addEventListener("click", () => {
    press(views, button);
    if (button.dataset.view === "all") chart.showAll();
    else chart.showLatest();
  });
}
shownOn.addEventListener("change", () => show(shownOn.value));
show(new URLSearchParams(location.search).get("instrument"));
