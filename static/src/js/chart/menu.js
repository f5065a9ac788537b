// The indicator menu: find one, set its parameters, see what is on the chart, take it off.

import { element, icon } from "../elements.js";
import { price } from "../numbers.js";
import { toast } from "../toast.js";
import { say } from "../words.js";
import { Indicators } from "./indicators.js";
import { digits } from "./points.js";

const REMEMBERED = "chart.indicators";

export class IndicatorMenu {
  #registry = null;
  #editing = null;
  #hovered = null; // opening time of the bar under the crosshair

  constructor(view) {
    this.view = view;
    this.dialog = document.getElementById("indicators");
    this.settings = document.getElementById("indicator-settings");
    this.chosen = document.getElementById("chosen");
    this.indicators = new Indicators(view, {
      changed: () => this.#show(),
      moved: () => this.#values(),
      failed: (spec, detail) => {
        this.#remember();
        toast(say("indicator-failed", { detail: detail || spec }), "bad");
      },
    });
    document.getElementById("add-indicator").addEventListener("click", () => this.#load());
    const search = document.getElementById("indicator-search");
    search.addEventListener("input", () => this.#registry && this.#list(search.value));
    document.getElementById("indicator-form").addEventListener("submit", () => this.#apply());
    view.on("hover", (row) => {
      this.#hovered = row?.[0] ?? null;
      this.#values();
    });
    for (const event of ["bar", "reset"]) view.on(event, () => this.#values());
  }

  open() {
    this.dialog.showModal();
    this.#load();
  }

  /** Put on what was on the chart when this device last showed one. */
  async restore() {
    let specs = [];
    try {
      specs = JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");
    } catch {
      // Nothing usable was stored.
    }
    for (const spec of specs.filter((one) => typeof one === "string").slice(0, 12)) await this.indicators.add(spec);
  }

  #remember() {
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify(this.indicators.list.map((one) => one.spec)));
    } catch {
      // Storage is off: they hold for this page.
    }
  }

  async #load() {
    if (this.#registry) return this.#list(document.getElementById("indicator-search").value);
    const list = document.getElementById("indicator-list");
    try {
      const response = await fetch("/api/v1/indicators/");
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const body = await response.json();
      this.#registry = body.indicators ?? body.results;
      this.#list(document.getElementById("indicator-search").value); // what was typed meanwhile holds
    } catch {
      const again = element("button", { class: "button", type: "button", onclick: () => this.#load() }, say("retry"));
      list.replaceChildren(element("p", {}, say("indicators-failed")), again);
    }
  }

  #list(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const groups = new Map();
    for (const entry of this.#registry ?? []) {
      const haystack = `${entry.name} ${entry.label} ${entry.summary} ${entry.group}`.toLowerCase();
      if (words.every((word) => haystack.includes(word))) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
    }
    const list = document.getElementById("indicator-list");
    list.replaceChildren(
      ...[...groups].flatMap(([group, entries]) => [
        element("h3", { class: "menu-head" }, group),
        ...entries.map((entry) =>
          element("button", { class: "menu-item indicator-item", type: "button", onclick: () => this.#edit(entry) }, element("span", { class: "grow" }, element("strong", {}, entry.label), element("span", { class: "sub muted small" }, entry.summary)), icon("plus", "small")),
        ),
      ]),
    );
    if (!groups.size) list.replaceChildren(element("p", { class: "muted" }, say("no-matches")));
  }

  #edit(entry, spec = null) {
    this.#editing = { entry, spec };
    this.dialog.close();
    document.getElementById("indicator-settings-title").textContent = entry.label;
    document.getElementById("indicator-summary").textContent = entry.summary;
    const now = spec ? values(spec) : [];
    document.getElementById("indicator-fields").replaceChildren(...entry.parameters.map((parameter, index) => field(parameter, now[index])));
    if (!entry.parameters.length && !spec) return this.#apply();
    this.settings.showModal();
  }

  async #apply() {
    const { entry, spec } = this.#editing;
    const given = entry.parameters.map((parameter) => document.getElementById(`p-${parameter.name}`).value);
    const wanted = given.length ? `${entry.name}(${given.join(",")})` : entry.name;
    if (spec === wanted) return;
    if (spec) this.indicators.remove(spec);
    await this.indicators.add(wanted);
    this.#remember();
  }

  #show() {
    this.chosen.replaceChildren(
      ...this.indicators.list.map((one) => {
        const name = one.label || one.spec;
        const edit = element("button", { class: "link-button", type: "button", title: say("settings", { name }), onclick: () => this.#reopen(one.spec) }, name);
        const remove = element("button", { class: "chip-close", type: "button", "aria-label": say("remove", { name }), onclick: () => this.#take(one.spec) }, icon("x", "small"));
        return element("span", { class: "chip", role: "listitem", "data-spec": one.spec }, edit, element("span", { class: "chip-values number" }), remove);
      }),
    );
    this.#values();
  }

  #take(spec) {
    this.indicators.remove(spec);
    this.#remember();
  }

  async #reopen(spec) {
    if (!this.#registry) await this.#load();
    const entry = this.#registry?.find((one) => one.name === spec.split("(")[0]);
    if (entry?.parameters.length) this.#edit(entry, spec);
  }

  #values() {
    const time = this.#hovered ?? this.view.rows.at(-1)?.[0];
    if (time === undefined) return;
    let shown = this.indicators.at(time);
    if (this.#hovered === null && shown.some((one) => one.values.every((value) => value.value === undefined))) {
      shown = this.indicators.at(this.view.rows.at(-2)?.[0]); // until the stream has said those of the forming bar
    }
    for (const { spec, values: list } of shown) {
      const node = this.chosen.querySelector(`[data-spec="${CSS.escape(spec)}"] .chip-values`);
      node?.replaceChildren(
        ...list.slice(0, 4).map(({ value, colour }) => {
          const span = element("span", {}, value === undefined ? "–" : price(value, digits(value)));
          if (colour) span.style.color = colour.slice(0, 7);
          return span;
        }),
      );
    }
  }
}

function field(parameter, now) {
  const id = `p-${parameter.name}`;
  const value = now ?? parameter.default;
  const input =
    parameter.kind === "choice"
      ? element("select", { id }, ...parameter.choices.map((choice) => element("option", { value: choice, selected: String(choice) === String(value) }, parameter.choice_labels?.[choice] ?? choice)))
      : element("input", { id, type: "number", min: parameter.minimum, max: parameter.maximum, step: parameter.kind === "int" ? 1 : (parameter.step ?? "any"), value, required: true, inputmode: "decimal" });
  const range = parameter.kind === "choice" ? null : element("span", { class: "hint" }, `${parameter.minimum} … ${parameter.maximum}`);
  return element("div", { class: "field" }, element("label", { for: id }, parameter.label), input, range);
}

/** The values in "macd(12,26,9)". */
function values(spec) {
  const inside = spec.slice(spec.indexOf("(") + 1, -1);
  return spec.includes("(") ? inside.split(",").map((one) => one.split("=").pop().trim()) : [];
}
