// The builder of rules: preview while somebody builds, save as versions, run.

import "../shell.js";
import { pageData } from "../elements.js";
import { percent } from "../numbers.js";
import { toast } from "../toast.js";
import { post } from "../lab/asking.js";
import { Saved } from "../lab/saved.js";
import { TryOut } from "../lab/tryout.js";
import { say } from "../lab/words.js";
import { startRules } from "../rules/start.js";

const PREVIEW_AFTER = 400;
const data = pageData();
const builder = startRules();
const state = document.getElementById("editor-state");
const said = document.getElementById("preview-said");
const notes = document.getElementById("notes");
const tryout = new TryOut({ instruments: data.instruments });
const { Preview } = await import("../lab/preview.js");
const place = document.getElementById("preview-chart");
place.replaceChildren();
const preview = new Preview(place);
Object.assign(window, { clusterx: { builder, preview } }); // for tests in a browser and for the curious

const text = () => JSON.stringify(builder.document);
let addresses = { save: data.save, try: data.try };
let kept = data.saved ? text() : null;
const first = text();
let number = state.dataset.number;
let saved = data.saved;
let busy = false;
const saidOf = new Saved();
let due = 0;
let asked = null;

async function show() {
  asked?.abort();
  asked = new AbortController();
  try {
    const { ok, data: answer } = await post(data.preview, { document: builder.document, instrument: tryout.form.elements.instrument.value }, { signal: asked.signal });
    if (!ok) throw new Error("no preview");
    builder.show(answer.problems ?? []);
    if (!answer.ok) {
      said.textContent = answer.message ?? say("unfinished");
      if (answer.later) due = setTimeout(show, 4000);
      return;
    }
    preview.show(answer);
    said.textContent = say("previewed", { count: answer.trades.side.length, total: percent(answer.total_return) });
  } catch (error) {
    if (error.name !== "AbortError") said.textContent = say("preview-failed");
  }
}

function tellState() {
  const same = kept !== null && text() === kept;
  state.textContent = same ? say("version", { number }) : say("unsaved");
  saidOf.place.hidden = !same; // it is said of the version, not of what was changed since
}

function later() {
  clearTimeout(due);
  due = setTimeout(show, PREVIEW_AFTER);
  tellState();
}

builder.root.addEventListener("change", later);
tryout.form.addEventListener("change", later);

async function save() {
  if (busy) return false;
  busy = true;
  state.textContent = say("saving");
  const rules = builder.document;
  try {
    const { ok, data: answer } = await post(addresses.save, { rules, notes: notes.value, name: rules.name ?? "" });
    if (!ok) {
      toast(answer.message ?? say("save-failed"), "bad");
      return false;
    }
    const same = String(answer.number) === String(number);
    toast(say(same ? "same" : "saved", { number: answer.number }), same ? "info" : "good");
    kept = JSON.stringify(rules);
    number = answer.number;
    saidOf.show(answer);
    notes.value = "";
    addresses = { save: answer.save, try: answer.try };
    if (!saved) {
      saved = true;
      history.replaceState(null, "", answer.edit);
      document.getElementById("rules-title").textContent = answer.name;
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
  if ((kept === null || text() !== kept) && !(await save())) return;
  const { timeframe } = tryout.form.elements;
  const wanted = builder.document.timeframe;
  if (wanted && [...timeframe.options].some((option) => option.value === wanted && !option.disabled)) timeframe.value = wanted;
  document.getElementById("try-card").scrollIntoView({ block: "nearest" });
  await tryout.run(addresses.try).catch(() => toast(say("run-failed"), "bad"));
}

document.getElementById("save").addEventListener("click", save);
document.getElementById("try").addEventListener("click", backtest);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  if (event.key === "s" || event.key === "Enter") {
    event.preventDefault();
    (event.key === "s" ? save : backtest)();
  }
});
addEventListener("beforeunload", (event) => {
  if (text() !== (kept ?? first)) event.preventDefault();
});
show();
