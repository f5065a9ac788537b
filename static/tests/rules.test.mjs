// Rule documents as the builder changes them, and the sentence that says them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as rules from "../src/js/rules/document.js";
import { say } from "../src/js/rules/sentence.js";

const golden = JSON.parse(readFileSync(new URL("../../tests/strategies/rules/sentences.json", import.meta.url), "utf8"));
const condition = (constant) => ({ op: "above", left: { price: "close" }, right: { constant } });
const rule = (...parts) => ({ version: 1, name: "x", timeframe: "1h", direction: "long", entry: { long: { all: parts } }, hold: 9 });
const ENTRY = ["entry", "long", "all"];
const numbers = (document) => document.entry.long.all.map((one) => one.right.constant);

/** The same object, which throws when something writes into it. */
function frozen(value) {
  if (value !== null && typeof value === "object") Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

test("the sentence is the server's, in both languages", () => {
  for (const language of ["en", "fr"]) {
    const vocabulary = { words: golden.words[language], indicators: golden.indicators };
    for (const one of golden.cases) assert.equal(say(one.document, vocabulary), one[language]);
  }
});

test("a choice is said in the reader's words, and stays what it is", () => {
  const anchor = { name: "anchor", kind: "choice", default: "day", choices: [["day", "jour"], ["week", "semaine"]] };
  const indicator = { name: "vwap", label: "VWAP", outputs: [{ name: "vwap", label: "VWAP" }], parameters: [anchor] };
  const vocabulary = { words: golden.words.fr, indicators: [indicator] };
  const weekly = { op: "above", left: { price: "close" }, right: { indicator: "vwap", params: { anchor: "week" } } };
  assert.match(say(rule(weekly), vocabulary), /VWAP\(semaine\)/);
  delete weekly.right.params;
  assert.match(say(rule(weekly), vocabulary), /VWAP\(jour\)/);
});

test("a rule that is being filled in is said as far as it goes", () => {
  const vocabulary = { words: golden.words.en, indicators: golden.indicators };
  const half = rule({ op: "above", left: { price: "close" } }, { op: "rising", left: { indicator: "nonsense" }, bars: null });
  assert.match(say(half, vocabulary), /^Buy when the close is above … and … has been rising for … bars; leave/);
});

test("changes leave the document that they were made from as it was", () => {
  const before = frozen(rule(condition(1), condition(2)));
  assert.deepEqual(numbers(rules.put(before, [...ENTRY, 0, "right", "constant"], 5)), [5, 2]);
  assert.deepEqual(numbers(rules.insert(before, ENTRY, 1, condition(9))), [1, 9, 2]);
  assert.deepEqual(numbers(rules.duplicate(before, [...ENTRY, 1])), [1, 2, 2]);
  assert.deepEqual(numbers(rules.move(before, [...ENTRY, 0], 1)), [2, 1]);
  assert.equal(rules.move(before, [...ENTRY, 0], -1), before);
  assert.equal(rules.put(before, ["entry"], before.entry).entry.long.all[0], before.entry.long.all[0]);
});

test("a copy is a copy", () => {
  const twice = rules.duplicate(rule(condition(1)), [...ENTRY, 0]);
  twice.entry.long.all[1].right.constant = 7;
  assert.deepEqual(numbers(twice), [1, 7]);
});

test("a group left empty goes with its last condition, the entry itself stays a place", () => {
  const nested = rule(condition(1), { not: { any: [condition(2)] } });
  assert.deepEqual(rules.remove(nested, [...ENTRY, 1, "not", "any", 0]).entry.long, { all: [condition(1)] });
  assert.deepEqual(rules.remove(rule(condition(1)), [...ENTRY, 0]).entry, {});
  const filtered = { ...rule(condition(1)), filters: { all: [condition(2)] } };
  assert.equal("filters" in rules.remove(filtered, ["filters", "all", 0]), false);
});

test("negating twice is what it was", () => {
  const document = rule(condition(1));
  const once = rules.negate(document, [...ENTRY, 0]);
  assert.deepEqual(once.entry.long.all[0], { not: condition(1) });
  assert.deepEqual(rules.negate(once, [...ENTRY, 0]), document);
  const { negated, inner, path } = rules.bare({ not: { not: { not: condition(3) } } }, ["a"]);
  assert.deepEqual([negated, inner, path], [true, condition(3), ["a", "not", "not", "not"]]);
});

test("groups nest as deep as the server takes them", () => {
  const document = rule({ any: [{ not: condition(1) }] });
  assert.equal(rules.height(document.entry.long), 3);
  assert.equal(rules.depthAt([...ENTRY, 0, "any", 0, "not"]), 3);
  assert.equal(rules.canWrap(document, [...ENTRY, 0]), true);
  assert.equal(rules.canWrap(rule({ any: [{ not: { all: [condition(1)] } }] }), [...ENTRY, 0]), false);
  assert.equal(rules.countConditions({ ...document, filters: condition(2) }), 2);
});

test("another comparison keeps the lines that fit it", () => {
  const between = rules.withOp(condition(5), "between");
  assert.deepEqual(between, { op: "between", left: { price: "close" }, low: { constant: 5 }, high: { constant: 5 } });
  assert.deepEqual(rules.withOp(between, "below"), { op: "below", left: { price: "close" }, right: { constant: 5 } });
  assert.deepEqual(rules.withOp(condition(5), "rising"), { op: "rising", left: { price: "close" }, bars: 3 });
  assert.deepEqual(rules.withOp(rules.withOp(condition(5), "rising"), "within").right, { constant: 0 });
});

test("another direction takes sides away and gives them back", () => {
  const both = rules.withDirection({ ...rule(condition(1)), exit: { long: condition(2) } }, "both");
  assert.deepEqual(Object.keys(both.entry), ["long", "short"]);
  const short = rules.withDirection(both, "short");
  assert.deepEqual([Object.keys(short.entry), "exit" in short], [["short"], false]);
  const again = rules.withDirection(short, "long", both);
  assert.deepEqual([again.entry.long, again.exit.long], [both.entry.long, condition(2)]);
});

test("a number that is tuned twice under one name stays one number", () => {
  const tuned = rules.tuning("fast", 20, { minimum: 2, maximum: 500, whole: true });
  assert.deepEqual(tuned, { tune: "fast", value: 20, minimum: 10, maximum: 40, step: 1 });
  const document = rule(condition(tuned), condition(tuned));
  const changed = rules.retune(document, { ...tuned, value: 30 });
  assert.deepEqual([...rules.tunedIn(changed).values()].map((one) => one.value), [30]);
  assert.deepEqual(numbers(changed).map(rules.valueOf), [30, 30]);
  assert.equal(rules.freeName(document, "Fast"), "fast_2");
  assert.equal(rules.freeName(document, "%K smoothing"), "k_smoothing");
});

test("a range to tune in holds the value and stays within what the number may be", () => {
  for (const [value, minimum, maximum, whole] of [[2, 2, 500, true], [500, 2, 500, true], [0.1, 0.1, 10, false], [0, 0, 100, false], [-30, -1e9, 1e9, false], [0, 0, 1000, true]]) {
    const range = rules.tuning("x", value, { minimum, maximum, whole });
    assert.ok(minimum <= range.minimum && range.minimum <= value && value <= range.maximum && range.maximum <= maximum, JSON.stringify(range));
    assert.ok(range.minimum < range.maximum && range.step > 0, JSON.stringify(range));
  }
});

test("steps are undone and done again; typing into one field is one step", () => {
  const history = new rules.History("a");
  history.change("b", "field");
  history.change("c", "field");
  history.change("d");
  history.undo();
  assert.equal(history.now, "c");
  history.undo();
  assert.deepEqual([history.now, history.canUndo], ["a", false]);
  history.undo();
  history.redo();
  assert.equal(history.now, "c");
  history.change("e", "field");
  assert.deepEqual([history.canRedo, history.now], [false, "e"]);
  history.undo();
  assert.equal(history.now, "c");
});

test("places are named as the server names them", () => {
  assert.equal(rules.pointer(["entry", "long", "all", 0, "a/b~c"]), "/entry/long/all/0/a~1b~0c");
});

test("a number that its field does not take is not repeated by the sentence", () => {
  const before = { ...rules.blank("One"), hold: -3, cooldown: { tune: "wait", value: 5000, minimum: 1, maximum: 9, step: 1 } };
  const line = ["entry", "long", "all", 0, "right"];
  const given = rules.put(before, [...line, "ago"], -5);
  const wrong = [rules.pointer([...line, "ago"]), "/hold", "/cooldown/value", "/direction", "/nowhere/0"];
  const rule = wrong.reduce((made, place) => rules.emptied(made, place), given);
  const told = say(rule, { words: golden.words.en, indicators: golden.indicators });
  assert.match(told, /SMA\(50\) … bars ago/);
  assert.doesNotMatch(told, /-5|-3|5000/);
  assert.equal(rule.direction, "long");
  assert.equal(given.hold, -3);
});
