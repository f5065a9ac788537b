// The builder of rules: preview while somebody builds, save as versions, run.

import "../shell.js";
import { pageData } from "../elements.js";
import { percent } from "../numbers.js";
import { get, patiently, post } from "../lab/asking.js";
import { barsShown } from "../lab/bars_shown.js";
import { Checking } from "../lab/checking.js";
import { Editing } from "../lab/editing.js";
import { TryOut } from "../lab/tryout.js";
import { say } from "../lab/words.js";
import { startRules } from "../rules/start.js";

const PREVIEW_AFTER = 400;
const data = pageData();
const said = document.getElementById("preview-said");
const shown = document.getElementById("preview-bars");
const sentence = document.querySelector("[data-sentence]");

/** What rules are made of, which a server that has just begun loads for some seconds. */
async function loaded() {
  const { ok, data: answer } = await patiently(() => get(data.vocabulary), { waiting: (message) => sentence.replaceChildren(message) });
  if (!ok) throw new Error("no vocabulary");
  return answer;
}

const [{ vocabulary, gallery }, { Preview }] = await Promise.all([loaded(), import("../lab/preview.js")]).catch((error) => {
  sentence.replaceChildren(say("builder-failed"));
  throw error;
});
const builder = startRules({ vocabulary, gallery });
const tryout = new TryOut({ instruments: data.instruments, remembered: "lab.try.rules" });
const place = document.getElementById("preview-chart");
place.replaceChildren();
const preview = new Preview(place);
Object.assign(window, { clusterx: { builder, preview } }); // for tests in a browser and for the curious

const editing = new Editing({
  data,
  tryout,
  text: () => JSON.stringify(builder.document),
  content: () => ({ rules: builder.document, name: builder.document.name ?? "" }),
  prepare: () => {
    const { timeframe } = tryout.form.elements;
    const wanted = builder.document.timeframe;
    if (wanted && [...timeframe.options].some((option) => option.value === wanted && !option.disabled)) timeframe.value = wanted;
  },
});

const checking = new Checking({
  ask: (signal) => post(data.preview, { document: builder.document, instrument: tryout.form.elements.instrument.value }, { signal }),
  after: PREVIEW_AFTER,
  changed: () => said.classList.add("stale"),
  waiting: (message) => tell(message),
  show: (answer) => {
    builder.show(answer.problems ?? []);
    if (!answer.ok) return tell(answer.message ?? say("unfinished"));
    preview.show(answer);
    shown.textContent = barsShown({ count: answer.rows.length, ...answer });
    tell(say("previewed", { count: answer.trades.side.length, total: percent(answer.total_return) }));
  },
  failed: () => tell(say("preview-failed")),
});

function tell(text) {
  said.classList.remove("stale");
  said.textContent = text;
}

function changed() {
  checking.soon();
  editing.tell();
}

builder.root.addEventListener("change", changed);
tryout.form.addEventListener("change", changed);
checking.now();
