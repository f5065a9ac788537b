// Time and sales: the newest trade on top. Side is the aggressor's, told by colour and by word to screen readers.

import { element } from "./elements.js";
import { compact, price } from "./numbers.js";
import { exactTime } from "./time.js";
import { say } from "./words.js";

const AT_MOST = 40;

export class Tape {
  #newest = -Infinity;
  #list = null;

  constructor(node, instrument, stream, { onTrade } = {}) {
    this.node = node;
    this.instrument = instrument;
    stream.subscribe(`trades/${instrument.ref}`, ({ type, data }) => {
      if (type === "error" || !data?.trades) return;
      // After a reconnection the snapshot repeats what is here already.
      const fresh = data.trades.filter((trade) => trade[4] > this.#newest);
      if (!fresh.length) {
        if (!this.#list) this.node.replaceChildren(element("p", { class: "empty" }, say("no-trades")));
        return;
      }
      this.#newest = fresh.at(-1)[4];
      this.#draw(fresh);
      onTrade?.(fresh.at(-1));
    });
  }

  #draw(trades) {
    if (!this.#list) {
      this.#list = element("div", { class: "tape-list" });
      this.node.replaceChildren(this.#list);
    }
    const rows = trades.slice(-AT_MOST).reverse().map(([time, cost, size, side]) => {
      const bought = side > 0;
      return element(
        "div",
        { class: "tape-row" },
        element("span", { class: `number ${bought ? "up" : "down"}` }, element("span", { class: "visually-hidden" }, say(bought ? "buy" : "sell")), element("span", { "aria-hidden": "true" }, bought ? "▲ " : "▼ "), price(cost, this.instrument.price_decimals)),
        element("span", { class: "number" }, compact(size)),
        element("span", { class: "number muted" }, exactTime(time)),
      );
    });
    this.#list.prepend(...rows);
    while (this.#list.children.length > AT_MOST) this.#list.lastElementChild.remove();
  }
}
