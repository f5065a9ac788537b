// The form that asks for a study: what the run form does, and how many combinations the ranges have, live.

import "./run_new.js";

const WAIT = 250; // milliseconds after the last key
const form = document.getElementById("run-form");

function hideOthers() {
  for (const part of form.querySelectorAll("[data-unless]")) {
    const [name, value] = part.dataset.unless.split("=");
    part.hidden = form.elements[name].value === value;
  }
}

let due = 0;
let asked = null;

async function count() {
  asked?.abort();
  asked = new AbortController();
  const node = document.getElementById("range-count");
  try {
    const response = await fetch(form.dataset.counts, { method: "POST", body: new FormData(form), signal: asked.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const { said, wrong } = await response.json();
    node.querySelector("[data-said]").textContent = said;
    node.querySelector("[data-wrong]").textContent = wrong.join(" ");
  } catch (error) {
    if (error.name !== "AbortError") node.querySelector("[data-said]").textContent = "";
  }
}

if (form) {
  hideOthers();
  form.addEventListener("change", hideOthers);
  form.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(count, WAIT);
  });
}
