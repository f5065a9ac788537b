// Choosing another strategy or account shows its form at once; what the instrument has not is not offered.

import "../shell.js";
import { pageData } from "../elements.js";

for (const form of document.querySelectorAll("[data-submits]")) form.addEventListener("change", () => form.requestSubmit());

const { instruments = {} } = pageData();
const [instrument, timeframe, direction] = ["instrument", "timeframe", "p-direction"].map((name) => document.getElementById(`id_${name}`));

function offer(select, has) {
  if (!select) return;
  for (const option of select.options) option.hidden = option.disabled = !has(option.value);
  if (select.selectedOptions[0]?.disabled) select.value = [...select.options].find((option) => !option.disabled)?.value ?? "";
}

function fit() {
  const one = instruments[instrument?.value];
  if (!one) return;
  offer(timeframe, (name) => one.timeframes.includes(name));
  offer(direction, (name) => one.short || name !== "long-short");
}

instrument?.addEventListener("change", fit);
fit();
