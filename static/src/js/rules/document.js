// A rule document (docs/rules.md) as the builder changes it: pure functions that give a new document and share what stayed.
// A path is a list of keys, as in ["entry", "long", "all", 0].

export const DEEPEST = 4;
export const MOST_CONDITIONS = 40;
export const SIDES = ["long", "short"];
const REMEMBERED = 200; // steps that can be undone

/** What stands at `path`, or undefined. */
export function at(document, path) {
  return path.reduce((value, key) => value?.[key], document);
}

/** `document` with `value` at `path`; undefined takes it out. Objects on the way are made where there are none. */
export function put(document, path, value) {
  if (!path.length) return value;
  const [key, ...rest] = path;
  const copy = Array.isArray(document) ? [...document] : { ...document };
  const inner = rest.length ? put(copy[key] ?? {}, rest, value) : value;
  if (inner !== undefined) copy[key] = inner;
  else if (Array.isArray(copy)) copy.splice(key, 1);
  else delete copy[key];
  return copy;
}

/** `document` with `value` before `index` of the list at `path`. */
export function insert(document, path, index, value) {
  const list = [...(at(document, path) ?? [])];
  list.splice(index, 0, value);
  return put(document, path, list);
}

/** Without the entry at `path`; a group left empty goes with it, and so on upward to the section. */
export function remove(document, path) {
  let changed = put(document, path, undefined);
  for (let end = path.length - 1; end > 0; end -= 1) {
    const holder = at(changed, path.slice(0, end));
    const empty = Array.isArray(holder) ? holder.length === 0 : holder !== undefined && Object.keys(holder).length === 0;
    if (!empty || (path[0] === "entry" && end === 1)) break;
    changed = put(changed, path.slice(0, end), undefined);
  }
  return changed;
}

/** With a copy of the entry at `path` behind it. */
export function duplicate(document, path) {
  const index = path.at(-1);
  return insert(document, path.slice(0, -1), index + 1, structuredClone(at(document, path)));
}

/** With the entry at `path` `by` places further on in its list; the same document where there is no such place. */
export function move(document, path, by) {
  const holder = path.slice(0, -1);
  const list = [...at(document, holder)];
  const [from, to] = [path.at(-1), path.at(-1) + by];
  if (to < 0 || to >= list.length) return document;
  list.splice(to, 0, ...list.splice(from, 1));
  return put(document, holder, list);
}

/** What a node is without its negation: `{ negated, inner, path }`, the path being that of `inner`. */
export function bare(node, path = []) {
  let negated = false;
  while (node && "not" in node) {
    negated = !negated;
    node = node.not;
    path = [...path, "not"];
  }
  return { negated, inner: node, path };
}

/** "all" or "any" for a group, undefined for a condition. */
export function kindOf(node) {
  return ["all", "any"].find((kind) => node && kind in node);
}

/** With the node at `path` turned into its opposite. */
export function negate(document, path) {
  const { negated, inner } = bare(at(document, path));
  return put(document, path, negated ? inner : { not: inner });
}

/** With the group at `path` asking for all or any of its parts. */
export function regroup(document, path, kind) {
  const group = at(document, path);
  return put(document, path, { [kind]: group[kindOf(group)] });
}

/** The conditions under a node, in their order. */
export function conditionsOf(node) {
  if (!node) return [];
  const { inner } = bare(node);
  const kind = kindOf(inner);
  return kind ? inner[kind].flatMap(conditionsOf) : [inner];
}

/** Sections of a document that hold conditions: [path, node]. */
export function sections(document) {
  const sides = document.direction === "both" ? SIDES : [document.direction];
  const paths = [...sides.map((side) => ["entry", side]), ["filters"], ...sides.map((side) => ["exit", side])];
  return paths.map((path) => [path, at(document, path)]);
}

export function countConditions(document) {
  return sections(document).reduce((sum, [, node]) => sum + conditionsOf(node).length, 0);
}

/** How many groups and negations stand around what is at `path`. */
export function depthAt(path) {
  return path.filter((key) => ["all", "any", "not"].includes(key)).length;
}

/** How many levels of groups and negations a node has itself. */
export function height(node) {
  if (!node) return 0;
  if ("not" in node) return 1 + height(node.not);
  const kind = kindOf(node);
  return kind ? 1 + Math.max(0, ...node[kind].map(height)) : 0;
}

/** Whether a further level fits around what is at `path`. */
export function canWrap(document, path) {
  return depthAt(path) + height(at(document, path)) < DEEPEST;
}

export function newCondition() {
  return { op: "above", left: { price: "close" }, right: { indicator: "sma", params: { window: 50 } } };
}

/** A rule to begin with. */
export function blank(name, timeframe = "1h") {
  return {
    version: 1, name, timeframe, direction: "long",
    entry: { long: { all: [newCondition()] } },
    stop: { kind: "percent", value: 5 }, hold: 200,
  };
}

/** A condition with another comparison, its lines kept where they fit. */
export function withOp(condition, op) {
  const right = condition.right ?? condition.low ?? { constant: 0 };
  const changed = { op, left: condition.left };
  if (op === "rising" || op === "falling") return { ...changed, bars: condition.bars ?? 3 };
  if (op === "between") return { ...changed, low: right, high: condition.high ?? right };
  return op === "within" ? { ...changed, right, percent: condition.percent ?? 1 } : { ...changed, right };
}

/** A document for another direction. Sides that go are left out; `kept` (an earlier document) gives back those that come. */
export function withDirection(document, direction, kept = {}) {
  const sides = direction === "both" ? SIDES : [direction];
  const entry = {};
  const exit = {};
  for (const side of sides) {
    entry[side] = document.entry?.[side] ?? kept.entry?.[side] ?? { all: [newCondition()] };
    const leave = document.exit?.[side] ?? kept.exit?.[side];
    if (leave) exit[side] = leave;
  }
  const { exit: _, ...rest } = document;
  return Object.keys(exit).length ? { ...rest, direction, entry, exit } : { ...rest, direction, entry };
}

/** The plain value of a number, tuned or not. */
export function valueOf(number) {
  return number !== null && typeof number === "object" ? number.value : number;
}

/** The tuned numbers anywhere in a document, by name. */
export function tunedIn(value, found = new Map()) {
  if (Array.isArray(value)) value.forEach((one) => tunedIn(one, found));
  else if (value !== null && typeof value === "object") {
    if ("tune" in value) found.set(value.tune, value);
    else Object.values(value).forEach((one) => tunedIn(one, found));
  }
  return found;
}

/** With `tuned` wherever its name is tuned: the same name means the same number. */
export function retune(value, tuned) {
  if (Array.isArray(value)) return value.map((one) => retune(one, tuned));
  if (value === null || typeof value !== "object") return value;
  if ("tune" in value) return value.tune === tuned.tune ? { ...tuned } : value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, retune(one, tuned)]));
}

/** A name for a number that is going to be tuned: `wanted`, or that with a count behind it. */
export function freeName(document, wanted) {
  const taken = tunedIn(document);
  const stem = wanted.toLowerCase().replace(/[^a-z0-9_]+/g, "_").replace(/^[^a-z]+/, "").slice(0, 28) || "number";
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? stem : `${stem}_${count}`;
    if (!taken.has(name)) return name;
  }
}

/** A range around `value` to tune it in, within what the number may be. */
export function tuning(name, value, { minimum, maximum, whole }) {
  const round = (number) => (whole ? Math.round(number) : Number(number.toPrecision(3)));
  const reach = Math.max(Math.abs(value), whole ? 2 : 0.1);
  const low = Math.max(minimum, round(value - reach / 2));
  const high = Math.min(maximum, round(value + reach));
  return { tune: name, value, minimum: low, maximum: high, step: whole ? 1 : round((high - low) / 10) };
}

/** ["entry", "long"] as "/entry/long" (RFC 6901), which is how problems name their place. */
export function pointer(path) {
  return path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** `document` with no number where `place`, a pointer, has one. */
export function emptied(document, place) {
  const path = place.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const keys = path.reduce((found, key) => [...found, Array.isArray(at(document, found)) ? Number(key) : key], []);
  return typeof at(document, keys) === "number" ? put(document, keys, null) : document;
}

/** Documents as they were and will be again; changes with the same `key` one after another are one step. */
export class History {
  #past = [];
  #future = [];
  #key = null;

  constructor(document) {
    this.now = document;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  change(document, key = null) {
    if (document === this.now) return;
    if (key === null || key !== this.#key) this.#past = [...this.#past, this.now].slice(-REMEMBERED);
    this.#key = key;
    this.#future = [];
    this.now = document;
  }

  undo() {
    this.#step(this.#past, this.#future);
  }

  redo() {
    this.#step(this.#future, this.#past);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.now);
    this.now = from.pop();
    this.#key = null;
  }
}
