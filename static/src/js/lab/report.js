// The report of a run: charts, trades on the price, jumping from trade to trade.

import { element, pageData } from "../elements.js";
import { onKey } from "../shortcuts.js";
import { zone } from "../time.js";
import { toast } from "../toast.js";
import { say } from "./words.js";

const REGIMES_SHOWN = "lab.regimes";

/** Draw what is in #report, once it is on the page. The chart library comes when there is something to draw. */
export async function startReport() {
  const report = document.getElementById("report");
  if (!report || report.dataset.started) return;
  report.dataset.started = "yes";
  const data = pageData("report-data");
  for (const node of report.querySelectorAll("[data-zone]")) node.textContent = zone;
  labelCells(report);
  const [{ EquityChart }, { PriceChart }] = await Promise.all([import("./equity.js"), import("./price.js")]);
  const equityNode = clean("equity-chart");
  const equity = new EquityChart(equityNode, data, document.getElementById("equity-legend"));
  document.getElementById("log-scale").addEventListener("change", (event) => equity.logarithmic(event.target.checked));

  const priceNode = clean("price-chart");
  const chart = new PriceChart(priceNode, data, document.getElementById("price-legend"));
  Object.assign(window, { clusterx: { equity, price: chart } }); // for tests in a browser and for the curious
  startRegimes(chart);
  const steps = new Steps(chart, data);
  await chart.show(0).catch(() => failed(priceNode, () => chart.show(0)));
  for (const button of document.querySelectorAll("[data-leg]")) {
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("[data-leg]")) other.setAttribute("aria-pressed", String(other === button));
      chart.show(Number(button.dataset.leg)).then(() => steps.tell());
    });
  }
  report.addEventListener("click", (event) => {
    const row = event.target.closest("[data-jump]") ?? event.target.closest("tr[data-trade]");
    if (!row) return;
    steps.go(Number(row.dataset.jump ?? row.dataset.trade));
    if (event.target.closest("[data-jump]") || innerWidth >= 860) document.getElementById("price-card").scrollIntoView({ block: "start", behavior: "smooth" });
  });
}

/** The band of market regimes: on a switch that this device remembers. */
function startRegimes(chart) {
  const box = document.getElementById("show-regimes");
  if (!box) return;
  const keys = document.getElementById("regime-keys");
  try {
    box.checked = localStorage.getItem(REGIMES_SHOWN) !== "no";
  } catch {
    // Storage is off: they are shown.
  }
  const show = () => {
    chart.regimes(box.checked);
    keys.hidden = !box.checked;
  };
  box.addEventListener("change", () => {
    show();
    try {
      localStorage.setItem(REGIMES_SHOWN, box.checked ? "yes" : "no");
    } catch {
      // It holds for this page.
    }
  });
  show();
}

class Steps {
  #at = -1;

  constructor(chart, data) {
    this.chart = chart;
    this.data = data;
    this.label = document.getElementById("trade-now");
    this.before = document.getElementById("trade-before");
    this.after = document.getElementById("trade-after");
    this.before.addEventListener("click", () => this.#step(-1));
    this.after.addEventListener("click", () => this.#step(1));
    onKey("k", () => this.#step(-1));
    onKey("j", () => this.#step(1));
    this.tell();
  }

  #step(by) {
    const own = this.chart.own;
    if (!own.length) return;
    const place = own.indexOf(this.#at);
    const next = place < 0 ? (by > 0 ? 0 : own.length - 1) : place + by;
    if (own[next] !== undefined) this.go(own[next]);
  }

  async go(index) {
    this.#at = index;
    try {
      await this.chart.jump(index);
    } catch {
      toast(say("bars-failed"), "bad");
    }
    for (const row of document.querySelectorAll("tr[data-trade]")) row.classList.toggle("chosen", Number(row.dataset.trade) === index);
    for (const button of document.querySelectorAll("[data-leg]")) button.setAttribute("aria-pressed", String(Number(button.dataset.leg) === this.chart.leg));
    this.tell();
  }

  tell() {
    const own = this.chart.own;
    const place = own.indexOf(this.#at);
    this.label.textContent = !own.length ? say("no-trades") : say("trade-of", { number: place < 0 ? "–" : place + 1, count: own.length });
    this.before.disabled = !own.length || place === 0;
    this.after.disabled = !own.length || place === own.length - 1;
  }
}

function clean(id) {
  const node = document.getElementById(id);
  node.replaceChildren();
  return node;
}

function failed(node, again) {
  const retry = element("button", { class: "button", type: "button", onclick: () => { state.remove(); again().catch(() => failed(node, again)); } }, say("retry"));
  const state = element("div", { class: "chart-state" }, element("div", { class: "empty", role: "status" }, element("p", {}, say("bars-failed")), retry));
  node.append(state);
}

/** On a phone a row becomes a card, where each cell says its column's name. */
export function labelCells(root) {
  for (const table of root.querySelectorAll("table.cards")) {
    const names = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent.trim());
    for (const row of table.tBodies[0]?.rows ?? []) {
      for (const [place, cell] of [...row.cells].entries()) {
        if (place && !cell.dataset.label && !cell.matches(".beside, .actions")) cell.dataset.label = names[place];
      }
    }
  }
}
