// My studies: those that are not over are looked at again by and by, and at once when somebody comes back to the page.

import "../shell.js";
import htmx from "htmx.org";

const results = document.getElementById("results");
const again = () => results.querySelector(".badge.info") && !results.contains(document.activeElement) && !document.hidden && htmx.ajax("GET", location.href, { target: "#results", swap: "innerHTML" });
setInterval(again, 4000);
document.addEventListener("visibilitychange", again);
