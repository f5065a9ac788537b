// The editor of a strategy in Python: check while typing, save as versions, run.

import "../shell.js";
import { element, pageData } from "../elements.js";
import { toast } from "../toast.js";
import { post } from "../lab/asking.js";
import { Saved } from "../lab/saved.js";
import { TryOut } from "../lab/tryout.js";
import { say } from "../lab/words.js";

const CHECK_AFTER = 700; // milliseconds after the last key
const data = pageData();
const state = document.getElementById("editor-state");
const problem = document.getElementById("problem");
const declared = document.getElementById("declared");
const place = document.getElementById("editor");
const nameField = document.getElementById("strategy-name");
const notes = document.getElementById("notes");
let addresses = { save: data.save, try: data.try };
let kept = data.saved ? data.source : null; // what the newest version holds
let number = state.dataset.number;
let busy = false;
const saidOf = new Saved();

const { CodeEditor } = await import("../lab/code.js");
place.replaceChildren();
const editor = new CodeEditor(place, { source: data.source, completions: data.completions, label: say("code"), keys: { "Mod-s": save, "Mod-Enter": backtest } });
const tryout = new TryOut({ instruments: data.instruments, failed: (run) => run.line && showProblem(run) });
Object.assign(window, { clusterx: { editor } }); // for tests in a browser and for the curious

// -- checking ---------------------------------------------------------------------------------------------------------
let due = 0;
let asked = null;

function showProblem(one) {
  editor.mark(one);
  problem.className = "editor-foot bad";
  const where = one.line ? `${say("line", { line: one.line })} ` : "";
  const go = one.line ? element("button", { class: "link-button", type: "button", onclick: () => editor.goTo(one.line) }, where.trim()) : null;
  problem.replaceChildren(...[go, element("span", {}, one.message)].filter(Boolean));
}

async function check() {
  asked?.abort();
  asked = new AbortController();
  try {
    const { ok, data: answer } = await post(data.lint, { source: editor.source }, { signal: asked.signal });
    if (!ok) throw new Error("not checked");
    if (answer.later) {
      problem.className = "editor-foot";
      problem.replaceChildren(element("span", { class: "muted small" }, answer.message));
      due = setTimeout(check, 4000);
      return;
    }
    if (!answer.ok) return showProblem(answer);
    editor.mark(null);
    problem.className = "editor-foot good";
    problem.replaceChildren(element("span", {}, say("reads-well")));
    showDeclared(answer.declaration);
  } catch (error) {
    if (error.name === "AbortError") return;
    problem.className = "editor-foot";
    problem.replaceChildren(element("span", { class: "muted small" }, say("no-lint")));
  }
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

editor.onChange(() => {
  clearTimeout(due);
  due = setTimeout(check, CHECK_AFTER);
  tellState();
});

function tellState() {
  const same = kept !== null && editor.source === kept;
  state.textContent = same ? say("version", { number }) : say("unsaved");
  saidOf.place.hidden = !same; // it is said of the version, not of what was typed since
}

// -- saving -----------------------------------------------------------------------------------------------------------

/** Whether what is in the editor is saved now. */
async function save() {
  if (busy) return false;
  busy = true;
  state.textContent = say("saving");
  const source = editor.source;
  try {
    const { ok, data: answer } = await post(addresses.save, { source, notes: notes.value, name: nameField?.value ?? "" });
    if (!ok) {
      toast(answer.message ?? say("save-failed"), "bad");
      if (answer.field === "name") nameField?.focus();
      return false;
    }
    const same = String(answer.number) === String(number);
    toast(say(same ? "same" : "saved", { number: answer.number }), same ? "info" : "good");
    kept = source;
    number = answer.number;
    saidOf.show(answer);
    notes.value = "";
    addresses = { save: answer.save, try: answer.try };
    if (nameField?.isConnected) {
      history.replaceState(null, "", answer.edit);
      nameField.replaceWith(answer.name);
      document.title = `${answer.name} · ClusterX`;
    }
    return true;
  } catch {
    toast(say("save-failed"), "bad");
    return false;
  } finally {
    busy = false;
    tellState();
  }
}

async function backtest() {
  if ((kept === null || editor.source !== kept) && !(await save())) return;
  document.getElementById("try-card").scrollIntoView({ block: "nearest" });
  await tryout.run(addresses.try).catch(() => toast(say("run-failed"), "bad"));
}

document.getElementById("save").addEventListener("click", save);
document.getElementById("try").addEventListener("click", backtest);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  if (event.key === "s") {
    event.preventDefault();
    save();
  } else if (event.key === "Enter") {
    event.preventDefault();
    backtest();
  }
});
addEventListener("beforeunload", (event) => {
  const untouched = kept === null ? editor.source === data.source : editor.source === kept;
  if (!untouched) event.preventDefault();
});

if (data.line) editor.goTo(data.line);
check();
