// A run: progress until it is over, then its report without a reload; or the report that is there.

import "../shell.js";
import htmx from "htmx.org";
import { pageData } from "../elements.js";
import { toast } from "../toast.js";
import { follow, shower } from "../lab/progress.js";
import { labelCells, startReport } from "../lab/report.js";
import { say } from "../lab/words.js";

const live = pageData();

async function showState() {
  const response = await fetch(`${location.pathname}?part=state`, { headers: { "X-Requested-With": "fetch" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const place = document.getElementById("run-state");
  place.innerHTML = await response.text();
  htmx.process(place);
  await startReport();
  place.querySelector("h1")?.setAttribute("tabindex", "-1");
}

const progress = document.getElementById("progress");
if (progress && live.id) {
  follow(live.id, shower(progress)).then(() => showState().catch(() => toast(say("report-failed"), "bad")));
}

document.addEventListener("click", async (event) => {
  const source = event.target.closest?.("[data-copies]")?.dataset.copies;
  if (!source) return;
  const field = document.getElementById(source);
  field.select();
  await navigator.clipboard?.writeText(field.value).catch(() => document.execCommand("copy"));
  toast(say("copied"), "good");
});
document.body.addEventListener("htmx:afterSettle", (event) => labelCells(event.target));
if (location.hash === "#share") document.getElementById("share")?.showModal();
await startReport();
