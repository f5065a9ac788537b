// Scores over two parameters: a grid that keys, mouse and finger read cell by cell, and the same as a table.

import { element } from "../elements.js";
import { tone } from "../numbers.js";
import { scoreText } from "./study_progress.js";
import { say } from "./words.js";

const ROOM = 34; // pixels that a number in a cell needs
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export class HeatMap {
  /** `data` is what the server put into #study-data: maps, best, plateau, objective. */
  constructor(container, data) {
    this.container = container;
    this.data = data;
    this.said = document.getElementById("heat-said");
    this.shows = "mean";
    for (const button of document.querySelectorAll("[data-map], [data-shows]")) button.addEventListener("click", () => this.#choose(button));
    const table = document.getElementById("heat-table");
    table.addEventListener("toggle", () => table.open && this.#table());
    new ResizeObserver(() => this.#fit()).observe(container);
    this.show(0);
  }

  show(index) {
    this.map = this.data.maps[index];
    const { x, y } = this.map;
    const place = (axis, point) => axis.values.findIndex((value, at) => near(axis.values, at, point?.[axis.name]));
    this.winner = [place(x, this.data.best), place(y, this.data.best)];
    this.plateau = [place(x, this.data.plateau), place(y, this.data.plateau)];
    this.at = this.winner[0] < 0 || this.winner[1] < 0 ? [0, 0] : [...this.winner];
    this.#draw();
  }

  /** The number that the cell in column `column` and line `line` shows; null where nothing was tried. */
  value(column, line) {
    return this.map[this.shows][line][column];
  }

  #choose(button) {
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    if (button.dataset.shows) {
      this.shows = button.dataset.shows;
      this.#draw();
    } else this.show(Number(button.dataset.map));
    const table = document.getElementById("heat-table");
    if (table.open) this.#table();
  }

  #draw() {
    const { x, y } = this.map;
    const values = this.map[this.shows].flat().filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const shade = shades(values);
    this.cells = new Map();
    const lines = y.values.map((_, line) => {
      const cells = x.values.map((_, column) => this.#cell(column, line, shade));
      return element("div", { role: "row", class: "heat-line" }, element("span", { class: "heat-axis", role: "rowheader" }, y.texts[line]), ...cells);
    });
    const foot = element("div", { class: "heat-line heat-foot", "aria-hidden": "true" }, element("span", { class: "heat-axis" }), ...x.texts.map((text) => element("span", { class: "heat-tick" }, text)));
    this.grid = element("div", { class: "heat-grid", role: "grid", tabindex: "0", "aria-label": this.container.dataset.label }, ...lines.reverse(), foot);
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    // A finger that slides over the map reads it; one that scrolls the page still scrolls it.
    for (const name of ["pointerdown", "pointermove"]) this.grid.addEventListener(name, (event) => this.#point(event));
    const title = element("p", { class: "heat-title small muted" }, y.label ? `${y.label} ↑  ${x.label} →` : `${x.label} →`);
    this.container.replaceChildren(title, this.grid);
    for (const [name, value] of [["low", low], ["high", high]]) {
      const node = document.querySelector(`.heat-scale [data-${name}]`);
      if (node) node.textContent = scoreText(this.data.objective, value);
    }
    document.querySelector(".heat-scale")?.setAttribute("data-of", low >= 0 ? "gains" : high <= 0 ? "losses" : "both");
    this.#fit();
    this.#select(...this.at);
  }

  #cell(column, line, shade) {
    const value = this.value(column, line);
    const is = (point) => point[0] === column && point[1] === line;
    const marks = [is(this.winner) && "winner", is(this.plateau) && "plateau"].filter(Boolean);
    const node = element("div", { role: "gridcell", id: `heat-${column}-${line}`, class: ["heat-cell", value === null ? "none" : tone(value), ...marks].join(" "), "aria-label": this.words(column, line) });
    if (value !== null) {
      node.style.setProperty("--share", `${shade(value)}%`);
      node.append(element("span", {}, scoreText(this.data.objective, value)));
    }
    node.dataset.place = `${column},${line}`;
    this.cells.set(`${column},${line}`, node);
    return node;
  }

  /** What a cell says: "Fast 10, slow 50: 1.23 · best 1.50 of 4 trials · the best". */
  words(column, line) {
    const { x, y, best, count } = this.map;
    const names = { x: `${x.label} ${x.texts[column]}`, y: `${y.label} ${y.texts[line]}` };
    const value = this.value(column, line);
    if (value === null) return say("cell-empty", names);
    const parts = [say(y.label ? "cell" : "cell-one", { ...names, score: scoreText(this.data.objective, value) })];
    if (count[line][column] > 1) parts.push(say("cell-more", { best: scoreText(this.data.objective, best[line][column]), count: count[line][column] }));
    if (this.winner[0] === column && this.winner[1] === line) parts.push(say("cell-winner"));
    if (this.plateau[0] === column && this.plateau[1] === line) parts.push(say("cell-plateau"));
    return parts.join(" · ");
  }

  #select(column, line) {
    this.cells.get(this.at.join(","))?.classList.remove("here");
    this.at = [column, line];
    const node = this.cells.get(this.at.join(","));
    node.classList.add("here");
    this.grid.setAttribute("aria-activedescendant", node.id);
    const link = element("a", { href: this.#address(column, line), class: "small" }, say("backtest-here"));
    this.said.replaceChildren(this.words(column, line), " ", this.value(column, line) === null ? "" : link);
  }

  #address(column, line) {
    const { x, y } = this.map;
    const values = { ...this.data.best, [x.name]: x.values[column], ...(y.name && { [y.name]: y.values[line] }) };
    const query = new URLSearchParams(Object.entries(values).map(([name, value]) => [`p-${name}`, value]));
    return `${this.data.backtest}&${query}`;
  }

  #key(event) {
    const { x, y } = this.map;
    const [column, line] = this.at;
    const step = KEYS[event.key];
    if (step) this.#select(clamp(column + step[0], x.values.length), clamp(line + step[1], y.values.length));
    else if (event.key === "Home") this.#select(0, line);
    else if (event.key === "End") this.#select(x.values.length - 1, line);
    else if (event.key === "Enter" && this.value(column, line) !== null) location.assign(this.#address(column, line));
    else return;
    event.preventDefault();
  }

  #point(event) {
    if (event.type === "pointermove" && event.pointerType === "mouse" && !event.buttons) return;
    const place = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-place]")?.dataset.place;
    if (place && place !== this.at.join(",")) this.#select(...place.split(",").map(Number));
  }

  /** Numbers stand in the cells where they fit; axis labels that would touch are left out. */
  #fit() {
    const first = this.cells?.values().next().value;
    if (!first) return;
    const { width } = first.getBoundingClientRect();
    this.grid.classList.toggle("numbers", width >= ROOM);
    const every = Math.max(1, Math.ceil((8 * Math.max(...this.map.x.texts.map((text) => text.length))) / Math.max(width, 1)));
    for (const [place, tick] of [...this.grid.querySelectorAll(".heat-tick")].entries()) tick.classList.toggle("left-out", place % every > 0);
    const tall = this.map.y.values.length;
    const lines = [...this.grid.querySelectorAll(".heat-axis[role=rowheader]")].reverse();
    for (const [place, label] of lines.entries()) label.classList.toggle("left-out", tall > 24 && place % Math.ceil(tall / 16) > 0);
  }

  #table() {
    const { x, y } = this.map;
    const head = element("tr", {}, element("th", { scope: "col" }, y.label ? `${y.label} \\ ${x.label}` : x.label), ...x.texts.map((text) => element("th", { scope: "col", class: "number" }, text)));
    const rows = y.values.map((_, line) => element("tr", {}, element("th", { scope: "row" }, y.texts[line]), ...x.values.map((_, column) => element("td", { class: `number ${tone(this.value(column, line))}` }, scoreText(this.data.objective, this.value(column, line))))));
    document.querySelector("#heat-table .table-scroll").replaceChildren(element("table", { class: "table heat-numbers" }, element("thead", {}, head), element("tbody", {}, ...rows)));
  }
}

/** How strong the colour of a value is, in percent: gains and losses each from their least to their most. */
export function shades(values) {
  const ends = [values.filter((value) => value > 0), values.filter((value) => value < 0).map((value) => -value)].map((of) => [Math.min(...of), Math.max(...of)]);
  return (value) => {
    const [least, most] = ends[value < 0 ? 1 : 0];
    if (!value) return 0;
    return Math.round(most > least ? 12 + (78 * (Math.abs(value) - least)) / (most - least) : 50);
  };
}

const clamp = (place, count) => Math.min(Math.max(place, 0), count - 1);

/** Whether `values[at]` is the one that stands for `wanted`: the same word, or the nearest number. */
function near(values, at, wanted) {
  if (wanted === undefined) return false;
  if (typeof wanted === "string") return values[at] === wanted;
  const far = Math.abs(values[at] - wanted);
  return values.every((other) => Math.abs(other - wanted) >= far);
}
