// Messages in the corner. Errors stay until they are dismissed; others go after a while.

import { element, icon } from "./elements.js";
import { say } from "./words.js";

const LINGER = 6000;
const AT_MOST = 4;
const list = document.getElementById("toasts");

/** Say `text`; `kind` is good, warn, bad or info. */
export function toast(text, kind = "info") {
  const close = element("button", { class: "button quiet icon-only", type: "button", "data-dismiss": true, "aria-label": say("dismiss") }, icon("x", "small"));
  const made = element("div", { class: `toast ${kind}` }, element("p", {}, text), close);
  list?.append(made);
  while (list && list.children.length > AT_MOST) list.firstElementChild.remove();
  linger(made);
}

function linger(made) {
  if (made.classList.contains("bad") || made.classList.contains("error")) return;
  const leave = () => (made.matches(":hover, :focus-within") ? setTimeout(leave, 1000) : made.remove());
  setTimeout(leave, LINGER);
}

export function startToasts() {
  list?.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast")?.remove());
  list?.querySelectorAll(".toast").forEach(linger);
}
