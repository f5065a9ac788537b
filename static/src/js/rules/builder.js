// The rule builder: rows of conditions in groups, on a document that can be undone. Its state is the document alone; after
// a change of structure everything is drawn anew and the focus goes back to where it was.
//
//   const builder = new RuleBuilder(root, { vocabulary, document });
//   root.addEventListener("change", (event) => event.detail?.document …);   the document after each change
//   builder.show(problems);                                                 what the server finds wrong with it

import { element, icon } from "../elements.js";
import * as rules from "./document.js";
import { choice, distance, line, number, size } from "./fields.js";
import { say } from "./sentence.js";

const OPS = ["above", "below", "crosses_above", "crosses_below", "within", "between", "rising", "falling"];
const QUIET = 600; // milliseconds without a change before the sentence is read out

export class RuleBuilder {
  #history;
  #words;
  #kept; // the newest document of both directions, so that a side that was taken away can come back
  #timer;
  #problems = [];

  constructor(root, { vocabulary, document: rule }) {
    this.root = root;
    this.vocabulary = vocabulary;
    this.#words = new Map([...(root.querySelector("template[data-words]")?.content.querySelectorAll("data") ?? [])].map((one) => [one.value, one.textContent]));
    this.#history = new rules.History(rule);
    this.#kept = rule;
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("submit", (event) => event.preventDefault());
    // Changes of single fields stay inside; the page hears of the document.
    root.addEventListener("change", (event) => event.target !== root && event.stopImmediatePropagation());
    root.querySelector("[data-undo]")?.addEventListener("click", () => this.undo());
    root.querySelector("[data-redo]")?.addEventListener("click", () => this.redo());
    this.#draw();
  }

  get document() {
    return this.#history.now;
  }

  /** The sentence that says the rule; a number that its field does not take is left out of it. */
  get sentence() {
    const wrong = this.root.querySelectorAll('input[type="number"][data-path]:invalid');
    return say([...wrong].reduce((rule, field) => rules.emptied(rule, field.dataset.path), this.document), this.vocabulary);
  }

  at(path) {
    return rules.at(this.document, path);
  }

  word(key, values = {}) {
    return (this.#words.get(key) ?? key).replace(/%\((\w+)\)s/g, (_, name) => values[name] ?? "");
  }

  /** Put `value` at `path`. Typing into one field is one step to undo. */
  set(path, value, { redraw = false } = {}) {
    this.replace(rules.put(this.document, path, value), redraw ? null : rules.pointer(path), redraw);
  }

  /** Go on with another document; `key` as of History.change. */
  replace(rule, key = null, redraw = key === null) {
    if (rule === this.document) return;
    this.#history.change(rule, key);
    this.#changed(redraw);
  }

  undo() {
    this.#history.undo();
    this.#changed(true);
  }

  redo() {
    this.#history.redo();
    this.#changed(true);
  }

  /** Mark what is wrong: [{path, found, expected}] as the server gives it; an empty list takes the marks away. */
  show(problems) {
    this.#problems = problems;
    for (const old of this.root.querySelectorAll(".rule-problem")) old.remove();
    for (const field of this.root.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
    const rest = [];
    problems.forEach((problem, index) => {
      const text = this.word("problem", problem);
      const field = this.root.querySelector(`[data-path="${CSS.escape(problem.path)}"]`);
      if (!field) return rest.push(text);
      const id = `${this.root.id || "rule"}-problem-${index}`;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", id);
      field.closest(".rule-tuning, .rule-field, .rule-node, .rule-section")?.append(element("span", { class: "rule-problem", id }, icon("circle-alert", "small"), text));
    });
    const place = this.root.querySelector("[data-problems]");
    place?.replaceChildren(...rest.map((text) => element("p", { class: "rule-problem" }, icon("circle-alert", "small"), text)));
  }

  #changed(redraw) {
    const both = this.document.direction === "both" ? this.document : this.#kept;
    this.#kept = { ...this.#kept, entry: { ...both.entry, ...this.document.entry }, exit: { ...both.exit, ...this.document.exit } };
    if (redraw) this.#draw();
    else this.#say();
    this.root.dispatchEvent(new CustomEvent("change", { bubbles: true, detail: { document: this.document, sentence: this.sentence } }));
  }

  #key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      return event.shiftKey ? this.redo() : this.undo();
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "y") {
      event.preventDefault();
      return this.redo();
    }
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const row = event.target.closest?.("[data-node]");
    if (!event.altKey || !by || !row) return;
    const path = JSON.parse(row.dataset.node);
    if (typeof path.at(-1) !== "number") return;
    event.preventDefault();
    this.#move(path, by, event.target);
  }

  #move(path, by, focused) {
    const key = focused.dataset?.key?.replace(rules.pointer(path), rules.pointer([...path.slice(0, -1), path.at(-1) + by]));
    this.replace(rules.move(this.document, path, by));
    if (key) this.root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  #say() {
    const { root } = this;
    const sentence = this.sentence;
    root.querySelector("[data-sentence]")?.replaceChildren(sentence);
    const set = (name, on) => {
      const button = root.querySelector(`[data-${name}]`);
      if (button) button.disabled = !on;
    };
    set("undo", this.#history.canUndo);
    set("redo", this.#history.canRedo);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => root.querySelector("[data-spoken]")?.replaceChildren(sentence), QUIET);
  }

  #draw() {
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const general = this.root.querySelector("[data-general]");
    general.replaceChildren(...this.#general());
    this.root.querySelector("[data-sections]").replaceChildren(...rules.sections(this.document).map(([path, node]) => this.#section(path, node)));
    this.root.querySelector("[data-protection]").replaceChildren(...this.#protection());
    this.#say();
    if (this.#problems.length) this.show([]);
    if (focused) this.root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #general() {
    const { document: rule } = this;
    const name = element("input", { type: "text", maxlength: 80, required: true, value: rule.name, "data-path": "/name", "data-key": "/name#", oninput: () => this.set(["name"], name.value) });
    const frames = this.vocabulary.timeframes.map((one) => [one.name, one.name]);
    const directions = ["long", "short", "both"].map((one) => [one, this.word(`direction-${one}`)]);
    return [
      element("label", { class: "rule-field grow" }, element("span", { class: "rule-label" }, this.word("name")), name),
      choice(this, ["timeframe"], this.word("timeframe"), rule.timeframe, frames, (wanted) => this.set(["timeframe"], wanted, { redraw: true })),
      choice(this, ["direction"], this.word("direction"), rule.direction, directions, (wanted) => this.replace(rules.withDirection(rule, wanted, this.#kept))),
    ];
  }

  #section(path, node) {
    const title = this.word(path.join("-"));
    const id = `rule-${path.join("-")}`;
    const needed = path[0] === "entry";
    const body = node ? this.#node(path, node) : element("p", { class: "muted" }, this.word(`${path[0]}-empty`));
    const add = element("button", { type: "button", class: "button", "data-key": `${rules.pointer(path)}#start`, onclick: () => this.set(path, { all: [rules.newCondition()] }, { redraw: true }) }, icon("plus", "small"), this.word("add-condition"));
    const parts = [element("h3", { id }, title), body];
    if (!node) parts.push(add);
    return element("section", { class: "rule-section", "aria-labelledby": id, "data-path": rules.pointer(path), "data-needed": needed }, ...parts);
  }

  #node(path, node) {
    const { negated, inner, path: place } = rules.bare(node, path);
    return rules.kindOf(inner) ? this.#group(path, negated, inner, place) : this.#condition(path, negated, inner, place);
  }

  #group(path, negated, group, place) {
    const kind = rules.kindOf(group);
    const parts = [...place, kind];
    const kinds = ["all", "any"].map((one) => [one, this.word(one)]);
    const full = rules.countConditions(this.document) >= rules.MOST_CONDITIONS;
    const add = (value) => () => this.replace(rules.insert(this.document, parts, group[kind].length, value()));
    const head = element("div", { class: "rule-group-head" }, this.#not(path, negated), choice(this, place, this.word("group"), kind, kinds, (wanted) => this.replace(rules.regroup(this.document, place, wanted)), { hidden: true, key: "kind" }), this.#tools(path));
    const rows = group[kind].map((part, index) => element("li", {}, this.#node([...parts, index], part)));
    const foot = element(
      "div", { class: "rule-group-foot" },
      element("button", { type: "button", class: "button quiet", disabled: full, "data-key": `${rules.pointer(place)}#add`, onclick: add(rules.newCondition) }, icon("plus", "small"), this.word("add-condition")),
      rules.depthAt(parts) < rules.DEEPEST ? element("button", { type: "button", class: "button quiet", disabled: full, "data-key": `${rules.pointer(place)}#nest`, onclick: add(() => ({ [kind === "all" ? "any" : "all"]: [rules.newCondition()] })) }, icon("list-plus", "small"), this.word("add-group")) : null,
    );
    return element("fieldset", { class: `rule-node rule-group rule-${kind}`, "data-node": JSON.stringify(path), "data-path": rules.pointer(path) }, element("legend", { class: "visually-hidden" }, this.word(kind)), head, element("ol", { class: "rule-parts" }, ...rows), foot);
  }

  #condition(path, negated, condition, place) {
    const ops = OPS.map((op) => [op, this.word(`op-${op}`)]);
    const parts = [
      this.#not(path, negated),
      line(this, [...place, "left"], this.word("left"), condition.left),
      choice(this, [...place, "op"], this.word("comparison"), condition.op, ops, (op) => this.set(place, rules.withOp(condition, op), { redraw: true }), { hidden: true }),
    ];
    const limits = { minimum: 1, maximum: 100, whole: true, name: "bars" };
    if (condition.op === "rising" || condition.op === "falling") parts.push(number(this, [...place, "bars"], this.word("for"), condition.bars, limits, { unit: this.word("bars"), hidden: true }));
    if (condition.op === "within") parts.push(number(this, [...place, "percent"], this.word("percent"), condition.percent, { minimum: 0.01, maximum: 100, name: "percent" }, { unit: "%", hidden: true }));
    for (const side of ["right", "low", "high"]) {
      if (condition[side] !== undefined) parts.push(line(this, [...place, side], this.word(side), condition[side]));
    }
    return element("div", { class: "rule-node rule-condition", role: "group", "aria-label": this.word("condition"), "data-node": JSON.stringify(path), "data-path": rules.pointer(place) }, element("div", { class: "rule-row" }, ...parts), this.#tools(path));
  }

  #not(path, negated) {
    const possible = negated || rules.canWrap(this.document, path);
    return element("button", { type: "button", class: "segment rule-not", "aria-pressed": String(negated), disabled: !possible, title: this.word("not-title"), "data-key": `${rules.pointer(path)}#not`, onclick: () => this.replace(rules.negate(this.document, path)) }, this.word("not"));
  }

  #tools(path) {
    const listed = typeof path.at(-1) === "number";
    const button = (word, name, run, disabled = false) => element("button", { type: "button", class: "button quiet icon-only rule-small", "aria-label": this.word(word), title: this.word(word), disabled, "data-key": `${rules.pointer(path)}#${word}`, onclick: run }, name);
    const holder = listed ? this.at(path.slice(0, -1)) : [];
    const tools = listed
      ? [
          button("up", icon("arrow-up", "small"), (event) => this.#move(path, -1, event.currentTarget), path.at(-1) === 0),
          button("down", icon("arrow-down", "small"), (event) => this.#move(path, 1, event.currentTarget), path.at(-1) === holder.length - 1),
          button("duplicate", icon("copy", "small"), () => this.replace(rules.duplicate(this.document, path)), rules.countConditions(this.document) >= rules.MOST_CONDITIONS),
        ]
      : [];
    return element("span", { class: "rule-tools" }, ...tools, button("remove", icon("trash-2", "small"), () => this.#remove(path)));
  }

  /** Take a node away; the focus goes to the section's button for another one. */
  #remove(path) {
    this.replace(rules.remove(this.document, path));
    const section = this.root.querySelector(`.rule-section[data-path="${CSS.escape(rules.pointer(path[0] === "filters" ? ["filters"] : path.slice(0, 2)))}"]`);
    section?.querySelector('[data-key$="#add"], [data-key$="#start"]')?.focus();
  }

  #protection() {
    const { document: rule, vocabulary } = this;
    return [
      ...["stop", "trail", "profit"].map((name) => distance(this, name)),
      element("div", { class: "rule-setting" }, number(this, ["hold"], this.word("hold"), rule.hold, { minimum: 1, maximum: vocabulary.limits.hold, whole: true, name: "hold" }, { unit: this.word("bars") })),
      element("div", { class: "rule-setting" }, number(this, ["cooldown"], this.word("cooldown"), rule.cooldown ?? 0, { minimum: 0, maximum: 1000, whole: true, name: "cooldown" }, { unit: this.word("bars") })),
      size(this),
    ];
  }
}
