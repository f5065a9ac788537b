// Live prices in the list of markets.

import "../shell.js";
import { colour, percent, price, show } from "../numbers.js";
import { followReferences } from "../references.js";
import { stream } from "../stream.js";
import { setTime } from "../time.js";

const AT_MOST = 60; // quotes at once; a connection has 100 channels
const watched = new Map(); // row → end of its subscription

function follow(row) {
  const { ref, decimals } = row.dataset;
  return stream.subscribe(`quotes/${ref}`, ({ type, data }) => {
    if (type === "error" || !data || data.price === null || data.price === undefined) return;
    show(row.querySelector("[data-price]"), price(data.price, Number(decimals)), { value: data.price, flash: type === "update" });
    const age = row.querySelector(".age-cell time");
    if (age) setTime(age, Date.now());
    if (!row.dataset.reference) return;
    const change = data.price / Number(row.dataset.reference) - 1;
    for (const node of row.querySelectorAll("[data-change]")) {
      show(node, percent(change));
      colour(node, change);
    }
  });
}

// Only rows on the screen are followed, so that a long list costs what is looked at.
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !watched.has(target) && watched.size < AT_MOST) watched.set(target, follow(target));
    if (!isIntersecting && watched.has(target)) {
      watched.get(target)();
      watched.delete(target);
    }
  }
});

function start() {
  for (const [row, end] of watched) {
    if (row.isConnected) continue;
    end();
    watched.delete(row);
  }
  for (const row of document.querySelectorAll("tr[data-quoted]")) seen.observe(row);
}

// One page of the API holds every instrument of a small site; rows beyond it keep what they came with.
followReferences("/api/v1/instruments/?page_size=200", (instruments) => {
  for (const { ref, reference } of instruments) {
    for (const row of document.querySelectorAll(`tr[data-ref="${CSS.escape(ref)}"]`)) if (reference) row.dataset.reference = reference;
  }
});

document.body.addEventListener("htmx:afterSettle", start);
start();
