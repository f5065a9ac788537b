// The fields of a rule's parts: selects, numbers that may be tuned, lines, distances. Each is made from a value and a path
// and says what it became to `form.set(path, value, { redraw })`.

import { element, icon } from "../elements.js";
import { freeName, pointer, retune, tuning, valueOf } from "./document.js";

/** A labelled control; `hidden` labels are for screen readers alone. */
function labelled(label, control, hidden = false) {
  return element("label", { class: "rule-field" }, element("span", { class: hidden ? "visually-hidden" : "rule-label" }, label), control);
}

/** A select over [value, text] pairs, or {label, options} groups of them. */
export function choice(form, path, label, value, options, changed, { hidden = false, key = "" } = {}) {
  const option = ([name, text]) => element("option", { value: name, selected: String(name) === String(value) }, text);
  const entries = options.map((one) => (Array.isArray(one) ? option(one) : element("optgroup", { label: one.label }, ...one.options.map(option))));
  const select = element("select", { "data-path": pointer(path), "data-key": `${pointer(path)}#${key}`, onchange: () => changed(select.value) }, ...entries);
  return labelled(label, select, hidden);
}

/** A number, with a button that makes a parameter of it where `limits.tunable` is not false. */
export function number(form, path, label, value, limits, { unit = "", hidden = false } = {}) {
  const tuned = value !== null && typeof value === "object";
  const plain = (name, place, now, { minimum, maximum }) =>
    element("input", {
      type: "number", inputmode: "decimal", min: minimum, max: maximum, step: limits.whole ? 1 : "any", value: now ?? "", required: true,
      "data-path": pointer(place), "data-key": `${pointer(place)}#number`, "aria-label": name,
      oninput: (event) => {
        const read = event.target.value === "" ? null : Number(event.target.value);
        if (!tuned) return form.set(path, read);
        const changed = { ...form.at(path), [place.at(-1)]: read };
        form.replace(retune(form.document, changed), `${pointer(place)}#number`);
      },
    });
  const range = { minimum: limits.minimum, maximum: limits.maximum };
  const main = plain(unit ? `${label} (${unit})` : label, tuned ? [...path, "value"] : path, valueOf(value), range);
  const parts = [main];
  if (unit) parts.push(element("span", { class: "rule-unit muted", "aria-hidden": "true" }, unit));
  if (limits.tunable !== false) {
    const text = form.word(tuned ? "tune-off" : "tune-on", { name: label });
    const toggle = () => form.set(path, tuned ? value.value : tuning(freeName(form.document, limits.name ?? label), value ?? limits.minimum, limits), { redraw: true });
    parts.push(element("button", { type: "button", class: "button quiet icon-only rule-small", "aria-pressed": String(tuned), "aria-label": text, title: text, "data-key": `${pointer(path)}#tune`, onclick: toggle }, icon("sliders-horizontal", "small")));
  }
  const row = element("span", { class: "rule-number" }, ...parts);
  const holder = element("span", { class: "rule-field" }, element("span", { class: hidden ? "visually-hidden" : "rule-label", "aria-hidden": "true" }, label), row);
  if (!tuned) return holder;
  // A sibling, so that the range gets a row of its own and the fields beside the number stay beside it.
  const both = document.createDocumentFragment();
  both.append(holder, tuningRow(form, path, label, value, plain, range));
  return both;
}

/** The name and range of a tuned number. */
function tuningRow(form, path, title, value, plain, range) {
  const name = element("input", {
    type: "text", value: value.tune, maxlength: 32, pattern: "[a-z][a-z0-9_]*", required: true, autocomplete: "off", spellcheck: "false",
    "data-path": pointer([...path, "tune"]), "data-key": `${pointer(path)}#name`, "aria-label": form.word("tune-name"),
    onchange: () => form.set([...path, "tune"], name.value.trim()),
  });
  const part = (word, key, limits) => element("label", {}, element("span", {}, form.word(word)), plain(form.word(word), [...path, key], value[key], limits));
  return element("span", { class: "rule-tuning", role: "group", "aria-label": title }, element("label", {}, element("span", {}, form.word("tune-name")), name), part("tune-from", "minimum", range), part("tune-to", "maximum", range), part("tune-step", "step", { minimum: 0 }));
}

const CONSTANT = { minimum: -1e9, maximum: 1e9 };
const DEFAULT_CONSTANT = 50;

/** A line: a price, an indicator with its settings, or a number. */
export function line(form, path, label, value) {
  const { indicators, prices, timeframes, words } = form.vocabulary;
  const groups = Map.groupBy ? Map.groupBy(indicators, (one) => one.group) : grouped(indicators);
  const options = [
    { label: form.word("prices"), options: prices.map((one) => [`price:${one}`, words.price[one]]) },
    { label: form.word("numbers"), options: [["constant", form.word("number")]] },
    ...[...groups].map(([group, list]) => ({ label: group, options: list.map((one) => [`indicator:${one.name}`, one.label]) })),
  ];
  const given = value ?? { constant: DEFAULT_CONSTANT };
  const now = "indicator" in given ? `indicator:${given.indicator}` : "price" in given ? `price:${given.price}` : "constant";
  const entry = indicators.find((one) => one.name === given.indicator);
  const parts = [choice(form, path, label, now, options, (wanted) => form.set(path, another(given, wanted), { redraw: true }), { hidden: true, key: "line" })];
  if ("constant" in given) parts.push(number(form, [...path, "constant"], form.word("number"), given.constant, { ...CONSTANT, name: "level" }, { hidden: true }));
  if (entry?.outputs.length > 1) {
    const outputs = entry.outputs.map((one) => [one.name, one.label]);
    parts.push(choice(form, [...path, "output"], form.word("output"), given.output ?? entry.outputs[0].name, outputs, (wanted) => form.set([...path, "output"], wanted)));
  }
  for (const one of entry?.parameters ?? []) {
    const place = [...path, "params", one.name];
    const set = given.params?.[one.name] ?? one.default;
    if (one.kind === "choice") parts.push(choice(form, place, one.label, set, one.choices, (wanted) => form.set(place, wanted)));
    else parts.push(number(form, place, one.label, set, { minimum: one.minimum, maximum: one.maximum, whole: one.kind === "int", name: `${entry.name}_${one.name}` }));
  }
  if (!("constant" in given)) {
    const own = timeframes.find((one) => one.name === form.document.timeframe)?.seconds ?? 0;
    const higher = timeframes.filter((one) => one.seconds > own || one.name === given.timeframe).map((one) => [one.name, one.name]);
    const frame = [...path, "timeframe"];
    if (higher.length) parts.push(choice(form, frame, form.word("on"), given.timeframe ?? "", [["", form.document.timeframe], ...higher.filter(([name]) => name !== form.document.timeframe)], (wanted) => form.set(frame, wanted || undefined)));
    parts.push(number(form, [...path, "ago"], form.word("ago"), given.ago ?? 0, { minimum: 0, maximum: 100, whole: true, tunable: false }));
  }
  return element("span", { class: "rule-line", role: "group", "aria-label": label }, ...parts);
}

function another(given, wanted) {
  if (wanted === "constant") return { constant: DEFAULT_CONSTANT };
  const [kind, name] = wanted.split(":");
  const place = given.timeframe ? { timeframe: given.timeframe } : {};
  return kind === "price" ? { price: name, ...place } : { indicator: name, params: {}, ...place };
}

function grouped(list) {
  const found = new Map();
  for (const one of list) found.set(one.group, [...(found.get(one.group) ?? []), one]);
  return found;
}

const DISTANCES = { percent: { minimum: 0.01, maximum: 90 }, atr: { minimum: 0.1, maximum: 50 } };

/** A distance that may be left out: none, a per cent, or a multiple of the average true range. */
export function distance(form, name) {
  const value = form.document[name];
  const kinds = [["", form.word("none")], ["percent", form.word("percent-away")], ["atr", form.word("atr-away")]];
  const change = (kind) => form.set([name], kind === "percent" ? { kind, value: 5 } : kind ? { kind, value: 2, window: 14 } : undefined, { redraw: true });
  const parts = [choice(form, [name], form.word(name), value?.kind ?? "", kinds, change, { key: "kind" })];
  if (value) parts.push(number(form, [name, "value"], form.word("value"), value.value, { ...DISTANCES[value.kind], name }, { unit: value.kind === "percent" ? "%" : "× ATR" }));
  if (value?.kind === "atr") parts.push(number(form, [name, "window"], form.word("atr-window"), value.window ?? 14, { minimum: 2, maximum: 500, whole: true, name: "atr_window" }, { unit: form.word("bars") }));
  return element("div", { class: "rule-setting" }, ...parts);
}

const SIZES = {
  fixed: { start: { value: 100 }, limits: { minimum: 1, maximum: 100 } },
  volatility: { start: { value: 20, window: 50, most: 100 }, limits: { minimum: 1, maximum: 500 } },
  risk: { start: { value: 1, most: 100 }, limits: { minimum: 0.05, maximum: 20 } },
};

/** How large a position is. */
export function size(form) {
  const value = form.document.size ?? { kind: "fixed", value: 100 };
  const kinds = Object.keys(SIZES).map((kind) => [kind, form.word(`size-${kind}`)]);
  const change = (kind) => form.set(["size"], { kind, ...SIZES[kind].start }, { redraw: true });
  const parts = [choice(form, ["size"], form.word("size"), value.kind, kinds, change, { key: "kind" })];
  // A document without a size has the default; it is written out once somebody changes it.
  if (!form.document.size) return element("div", { class: "rule-setting" }, ...parts);
  parts.push(number(form, ["size", "value"], form.word("value"), value.value, { ...SIZES[value.kind].limits, name: "size" }, { unit: "%" }));
  if (value.kind === "volatility") parts.push(number(form, ["size", "window"], form.word("window"), value.window ?? 50, { minimum: 5, maximum: 500, whole: true, name: "volatility_window" }, { unit: form.word("bars") }));
  if (value.kind !== "fixed") parts.push(number(form, ["size", "most"], form.word("most"), value.most ?? 100, { minimum: 1, maximum: 100, name: "most" }, { unit: "%" }));
  return element("div", { class: "rule-setting" }, ...parts);
}
