// Risk and panic, live: what the account's stream tells is asked for again as the server writes it.

import "../shell.js";
import htmx from "htmx.org";
import { pageData } from "../elements.js";
import { followPanic, followStanding } from "../standing.js";
import { stream } from "../stream.js";
import { toast } from "../toast.js";

const SETTLE = 300; // one event comes as several messages
const VALUED_EVERY = 15_000; // gauges move with the account's worth, which is recorded that often
const live = document.getElementById("live");
let due = 0;
let valuedAt = Date.now();

function refresh() {
  clearTimeout(due);
  due = setTimeout(() => {
    // Whoever is typing a reason is not interrupted.
    if (live.querySelector("details[open]") || (live.contains(document.activeElement) && document.activeElement.matches("input, select"))) return refresh();
    htmx.trigger(live, "news");
  }, SETTLE);
}

let connected = false;
stream.subscribe(`account/${pageData().account}`, ({ type, data: news }) => {
  if (type === "error") {
    if (connected) location.reload(); // signed out elsewhere: the socket was closed, and came back as nobody
    return;
  }
  if (type === "snapshot") {
    refresh(); // news may have passed before this, or while the connection was away
    connected = true;
    return;
  }
  if (news.event) {
    followStanding(news.event);
    if (!document.hidden && ["bad", "warn"].includes(news.event.tone)) toast(news.event.text, news.event.tone);
  }
  if (news.position) followPanic();
  if (news.event || news.order || news.fill || news.position || news.deployment) refresh();
  else if (news.equity && Date.now() - valuedAt > VALUED_EVERY) {
    valuedAt = Date.now();
    refresh();
  }
});

const appetite = document.getElementById("appetite");
appetite?.addEventListener("input", () => {
  document.getElementById("appetite-value").textContent = appetite.value;
});
