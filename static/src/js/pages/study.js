// A study: progress until it is over, then its result without a reload; or the result that is there.

import "../shell.js";
import htmx from "htmx.org";
import { pageData } from "../elements.js";
import { toast } from "../toast.js";
import { labelCells } from "../lab/report.js";
import { follow } from "../lab/study_progress.js";
import { startStudy } from "../lab/study_report.js";
import { say } from "../lab/words.js";

const live = pageData();

async function showState() {
  const response = await fetch(`${location.pathname}?part=state`, { headers: { "X-Requested-With": "fetch" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const place = document.getElementById("study-state");
  place.innerHTML = await response.text();
  htmx.process(place);
  labelCells(place);
  place.querySelector("h1")?.setAttribute("tabindex", "-1");
  await startStudy();
}

if (document.getElementById("study-progress")) {
  follow(live, () => showState().catch(() => toast(say("report-failed"), "bad")));
}
await startStudy();
