// My runs: choosing up to six of them to compare, and runs that are not over yet.

import "../shell.js";
import htmx from "htmx.org";
import { say } from "../lab/words.js";
import { toast } from "../toast.js";

const MOST = 6;

document.addEventListener("change", (event) => {
  if (event.target.name !== "run") return;
  const chosen = document.querySelectorAll("#chooser [name=run]:checked");
  if (chosen.length <= MOST) return;
  event.target.checked = false;
  toast(say("at-most"), "warn");
});

// What still runs is looked at again by and by, and at once when somebody comes back to the page.
const results = document.getElementById("results");
const again = () => results.querySelector(".badge.info") && !results.querySelector("input:checked") && !document.hidden && htmx.ajax("GET", location.href, { target: "#results", swap: "innerHTML" });
setInterval(again, 4000);
document.addEventListener("visibilitychange", again);
