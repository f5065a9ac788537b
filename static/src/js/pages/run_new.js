// The form that asks for a run: what belongs to a choice shows with it, timeframes follow the instrument.

import "../shell.js";
import { pageData } from "../elements.js";
import { compact, quantity } from "../numbers.js";

const data = pageData();
for (const form of document.querySelectorAll("[data-submits]")) form.addEventListener("change", () => form.requestSubmit());
const form = document.getElementById("run-form");

function show() {
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, value] = part.dataset.when.split("=");
    part.hidden = form.elements[name].value !== value;
  }
  const offered = data.instruments[form.elements.instrument?.value] ?? {};
  const timeframe = form.elements.timeframe;
  for (const option of timeframe.options) option.disabled = !(option.value in offered);
  if (timeframe.selectedOptions[0]?.disabled) timeframe.value = Object.keys(offered).includes("1h") ? "1h" : (Object.keys(offered)[0] ?? timeframe.value);
  count(offered[timeframe.value] ?? 0);
}

/** About how many bars the run will have. */
function count(days) {
  const node = document.getElementById("how-many");
  const span = form.elements.span.value;
  let asked = span === "all" ? days : Math.min(days, data.days[span] ?? days);
  if (span === "dates") asked = Math.min(days, (Date.parse(form.elements.end.value) - Date.parse(form.elements.start.value)) / 86_400_000 + 1);
  const bars = Math.round((asked * 86_400) / data.seconds[form.elements.timeframe.value]);
  node.hidden = !(bars > 0);
  node.textContent = node.dataset.words.replace("%(count)s", bars < 10_000 ? quantity(bars) : compact(bars));
}

if (form) {
  form.addEventListener("change", show);
  form.addEventListener("input", show);
  show();
}
