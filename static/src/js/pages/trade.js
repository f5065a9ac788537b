// An account, live: figures and positions from its stream; lists are asked for again when something happened.

import "../shell.js";
import htmx from "htmx.org";
import { AreaChart } from "../chart/area.js";
import { element, pageData } from "../elements.js";
import { colour, money, percent, price, show, signedMoney } from "../numbers.js";
import { followPanic, followStanding } from "../standing.js";
import { stream } from "../stream.js";
import { timeElement } from "../time.js";
import { toast } from "../toast.js";

const SETTLE = 400; // one event comes as several messages
const ACTIVITY_AT_MOST = 50;
const data = pageData();
const { currency } = data;
const lists = document.getElementById("lists");
const container = document.getElementById("equity-chart");
const chart = container && new AreaChart(container, data.equity, { currency, base: data.starting_balance });

// -- lists --------------------------------------------------------------------------------------------------------------
let due = 0;

function refresh() {
  clearTimeout(due);
  due = setTimeout(() => {
    // Whoever is being asked something is not interrupted.
    if (lists.querySelector("dialog[open], details[open]")) return refresh();
    htmx.trigger(lists, "news");
  }, SETTLE);
}

// -- figures --------------------------------------------------------------------------------------------------------------
function figure(name, value, { signed = false, share } = {}) {
  const node = document.querySelector(`[data-live="${name}"]`);
  if (!node) return;
  show(node, (signed ? signedMoney : money)(value, currency), { value: Number(value), flash: true });
  if (signed) colour(node, Number(value));
  if (share !== undefined) show(document.querySelector(`[data-live="${name}-note"]`), percent(share));
}

function showAccount(account) {
  figure("equity", account.equity);
  figure("day_pnl", account.day_pnl, { signed: true, share: account.day_pnl / (account.equity - account.day_pnl) });
  figure("total_pnl", account.total_pnl, { signed: true, share: account.total_pnl / data.starting_balance });
  figure("unrealised_pnl", account.unrealised_pnl, { signed: true });
  figure("cash", account.cash);
  figure("fees", account.fees);
  chart?.add(Math.floor(Date.now() / 1000), Number(account.equity));
  for (const position of account.positions ?? []) showPosition(position);
}

/** What the deployment that this page is about holds. */
function showHolding(position, cost) {
  if (position.deployment !== data.deployment) return;
  figure("holding", position.unrealised_pnl, { signed: true, share: cost ? position.unrealised_pnl / cost : null });
}

function showPosition(position) {
  const cost = Math.abs(position.average_price * position.quantity);
  showHolding(position, cost);
  const row = document.querySelector(`[data-position="${position.deployment ?? position.instrument}"]`);
  if (!row) return;
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  show(cell("price"), price(position.price, Number(row.dataset.decimals)), { value: Number(position.price), flash: true });
  show(cell("value"), money(position.value, currency));
  show(cell("pnl"), signedMoney(position.unrealised_pnl, currency), { value: Number(position.unrealised_pnl) });
  colour(cell("pnl"), position.unrealised_pnl);
  show(cell("share"), percent(cost ? position.unrealised_pnl / cost : null));
}

// -- bars that were looked at -------------------------------------------------------------------------------------------------
function showLook(look) {
  if (look.deployment === data.deployment) refresh(); // its page lists what it thought
  const cell = document.querySelector(`[data-look="${look.deployment}"]`);
  if (!cell) return;
  const told = element("span", { title: look.reason }, timeElement(look.evaluated_at), element("span", { class: "sub" }, look.text));
  cell.replaceChildren(told);
}

// -- what happened ----------------------------------------------------------------------------------------------------------
const activity = document.getElementById("activity");
let newest = Number(activity?.dataset.newest ?? 0);

function tell(event) {
  if (event.sequence <= newest) return;
  newest = event.sequence;
  if (!document.hidden && ["bad", "warn"].includes(event.tone)) toast(event.text, event.tone);
  if (!activity) return;
  activity.querySelector("[data-empty]")?.remove();
  activity.prepend(element("li", { class: `activity-item ${event.tone}`, "data-sequence": event.sequence }, element("p", {}, event.text), element("span", { class: "small muted" }, timeElement(event.at))));
  while (activity.children.length > ACTIVITY_AT_MOST) activity.lastElementChild.remove();
}

let connected = false;
stream.subscribe(`account/${data.account}`, ({ type, data: news }) => {
  if (type === "error") {
    if (connected) location.reload(); // signed out elsewhere: the socket was closed, and came back as nobody
    return;
  }
  if (type === "snapshot") {
    showAccount(news);
    if (connected) refresh(); // news may have passed while the connection was away
    connected = true;
    return;
  }
  if (news.equity) showAccount(news.equity);
  if (news.event) {
    tell(news.event);
    followStanding(news.event);
  }
  if (news.look) showLook(news.look);
  if (news.position) followPanic();
  if (news.order || news.fill || news.position || news.deployment) refresh();
});
