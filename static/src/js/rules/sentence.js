// Says a rule in words while it is being built: what strategies/rules/sentence.py says, from the same templates.
// tests/strategies/rules/sentences.json holds the two equal. `vocabulary` comes from the server.

import { SIDES, kindOf, valueOf } from "./document.js";

/** `template` with {name} replaced from `facts`. */
function fill(template, facts) {
  return template.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
}

/** A label within a sentence: Upper becomes upper; SMA and %K stay. */
function inside(label) {
  const [first, rest] = [label.slice(0, 1), label.slice(1)];
  const isLower = rest !== rest.toUpperCase() && rest === rest.toLowerCase();
  return first !== first.toLowerCase() && isLower ? label.toLowerCase() : label;
}

/** The rule as one sentence; "…" stands for what has not been filled in yet. */
export function say(rule, vocabulary) {
  return new Speaker(vocabulary).rule(rule);
}

class Speaker {
  constructor({ words, indicators }) {
    this.words = words;
    this.indicators = new Map(indicators.map((one) => [one.name, one]));
  }

  rule(rule) {
    const words = this.words;
    const parts = [];
    const each = (name) => SIDES.forEach((side) => rule[name]?.[side] && parts.push(fill(words[name][side], { text: this.node(rule[name][side], rule.timeframe) })));
    each("entry");
    if (rule.filters) parts.push(fill(words.filters, { text: this.node(rule.filters, rule.timeframe) }));
    each("exit");
    for (const name of ["stop", "trail", "profit"]) {
      if (rule[name]) parts.push(fill(words[name], { distance: this.distance(rule[name]) }));
    }
    parts.push(this.counted(words.hold, rule.hold));
    if (valueOf(rule.cooldown) || valueOf(rule.cooldown) === null) parts.push(this.counted(words.cooldown, rule.cooldown));
    const size = { window: 50, most: 100, ...(rule.size ?? { kind: "fixed", value: 100 }) };
    parts.push(fill(words.size[size.kind], { value: this.number(size.value), window: this.number(size.window), most: this.number(size.most) }));
    parts.push(words.direction[rule.direction], fill(words.timeframe, { timeframe: rule.timeframe }));
    const text = parts.filter(Boolean).join(words.joint);
    return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
  }

  node(node) {
    const words = this.words;
    if ("not" in node) return fill(words.not, { text: this.node(node.not) });
    const kind = kindOf(node);
    if (!kind) return this.condition(node);
    const parts = node[kind];
    if (parts.length === 1) return this.node(parts[0]);
    const part = (one) => (kindOf(one) && one[kindOf(one)].length > 1 ? fill(words.group, { text: this.node(one) }) : this.node(one));
    return parts.map(part).join(words[kind]);
  }

  condition(condition) {
    const words = this.words;
    const lines = [condition.left, condition.right, condition.low, condition.high].filter(Boolean);
    const frames = new Set(lines.filter((line) => !("constant" in line)).map((line) => line.timeframe ?? null));
    const shared = frames.size === 1 ? [...frames][0] : null;
    const [left, right, low, high] = ["left", "right", "low", "high"].map((name) => (condition[name] ? this.line(condition[name], shared) : words.missing));
    const text =
      condition.op === "rising" || condition.op === "falling"
        ? this.counted(words[condition.op], condition.bars, { left })
        : fill(words.op[condition.op], { left, right, low, high, number: this.number(condition.percent) });
    return shared ? fill(words.on, { text, timeframe: shared }) : text;
  }

  line(line, shared) {
    const words = this.words;
    if ("constant" in line) return this.number(line.constant);
    let text = "price" in line ? words.price[line.price] : this.indicator(line);
    if (line.ago || line.ago === null) text = this.counted(words.ago, line.ago, { line: text });
    return line.timeframe && line.timeframe !== shared ? fill(words.on, { text, timeframe: line.timeframe }) : text;
  }

  indicator(line) {
    const entry = this.indicators.get(line.indicator);
    if (!entry) return this.words.missing;
    const output = entry.outputs.find((one) => one.name === line.output) ?? entry.outputs[0];
    const single = entry.outputs.length === 1 || output.name === entry.name;
    const params = entry.parameters.map((one) => {
      const given = line.params?.[one.name] ?? one.default;
      return one.kind === "choice" ? (new Map(one.choices).get(given) ?? given) : this.number(given);
    });
    const name = single ? output.label : entry.label;
    const text = params.length ? `${name}(${params.join(this.words.separator)})` : name;
    return single ? text : fill(this.words.output, { indicator: text, output: inside(output.label) });
  }

  distance(distance) {
    return fill(this.words.distance[distance.kind], { value: this.number(distance.value), window: this.number(distance.window ?? 14) });
  }

  number(number) {
    const value = valueOf(number);
    return typeof value === "number" && Number.isFinite(value) ? String(value).replace(".", this.words.decimal) : this.words.missing;
  }

  counted(forms, number, facts = {}) {
    return fill(valueOf(number) === 1 ? forms.one : forms.many, { count: this.number(number), ...facts });
  }
}
