// The editor of a strategy in Python: check while typing, save as versions, run.

import "../shell.js";
import { element, pageData } from "../elements.js";
import { get, patiently, post } from "../lab/asking.js";
import { Checking } from "../lab/checking.js";
import { Editing } from "../lab/editing.js";
import { TryOut } from "../lab/tryout.js";
import { say } from "../lab/words.js";

const CHECK_AFTER = 700; // milliseconds after the last key
const data = pageData();
const problem = document.getElementById("problem");
const declared = document.getElementById("declared");
const place = document.getElementById("editor");
const nameField = document.getElementById("strategy-name");

const { CodeEditor } = await import("../lab/code.js");
place.replaceChildren();
const editor = new CodeEditor(place, { source: data.source, label: say("code"), keys: { "Mod-s": () => editing.save(), "Mod-Enter": () => editing.backtest() } });
const tryout = new TryOut({ instruments: data.instruments, failed: (run) => run.line && showProblem(run) });
const editing = new Editing({
  data,
  tryout,
  text: () => editor.source,
  content: () => ({ source: editor.source, name: nameField?.value ?? "" }),
  refused: (answer) => answer.field === "name" && nameField?.focus(),
});
Object.assign(window, { clusterx: { editor } }); // for tests in a browser and for the curious

function foot(kind, ...parts) {
  problem.className = `editor-foot ${kind}`.trim();
  problem.replaceChildren(...parts);
}

function showProblem(one) {
  editor.mark(one);
  const where = one.line ? say("line", { line: one.line }) : "";
  const go = one.line ? [element("button", { class: "link-button", type: "button", onclick: () => editor.goTo(one.line) }, where)] : [];
  foot("bad", ...go, element("span", {}, one.message));
}

function showDeclared(one) {
  editor.parameters = one.parameters.map(({ name, label }) => ({ label: name, type: "property", detail: label }));
  tryout.legs = one.style === "PortfolioStrategy" ? 2 : 1;
  const rows = one.parameters.flatMap(({ label, name, minimum, maximum, default: value, choices }) => {
    const range = choices.length ? choices.map(([, words]) => words).join(", ") : minimum !== null && maximum !== null ? `${minimum} … ${maximum}` : "";
    return [element("dt", {}, label, " ", element("code", {}, name)), element("dd", { class: "number" }, `${value}`, element("span", { class: "stat-note" }, range))];
  });
  declared.replaceChildren(element("p", {}, element("strong", {}, one.label)), element("p", { class: "muted" }, one.summary), rows.length ? element("dl", { class: "pairs" }, ...rows) : element("p", { class: "muted" }, say("no-parameters")));
}

const checking = new Checking({
  ask: (signal) => post(data.lint, { source: editor.source }, { signal }),
  after: CHECK_AFTER,
  changed: () => problem.classList.add("stale"),
  waiting: (message) => foot("", element("span", { class: "muted small" }, message)),
  show: (answer) => {
    if (!answer.ok) return showProblem(answer);
    editor.mark(null);
    foot("good", element("span", {}, say("reads-well")));
    showDeclared(answer.declaration);
  },
  failed: () => foot("", element("span", { class: "muted small" }, say("no-lint"))),
});

editor.onChange(() => {
  checking.soon();
  editing.tell();
});
if (data.line) editor.goTo(data.line);
checking.now();
// What is offered while one types comes when it comes: the code can be read and written before.
patiently(() => get(data.names)).then(({ data: answer }) => (editor.completions = answer.completions ?? {}), () => {});
