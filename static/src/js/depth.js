// The order book as a ladder: asks above, bids below, cumulative sizes as bars.

import { element } from "./elements.js";
import { compact, percent, price, show } from "./numbers.js";
import { say } from "./words.js";

const LEVELS = 10;

export class Depth {
  #rows = null;

  constructor(node, spread, instrument, stream) {
    this.node = node;
    this.spread = spread;
    this.instrument = instrument;
    stream.subscribe(`book/${instrument.ref}`, ({ type, data }) => {
      if (type !== "error" && data?.bids) this.#draw(data);
    });
  }

  #build() {
    const row = (side) => {
      const cells = { price: element("span", { class: `number ${side}` }), size: element("span", { class: "number" }), total: element("span", { class: "number muted" }) };
      const bar = element("span", { class: `depth-bar ${side}` });
      return { ...cells, bar, line: element("div", { class: "depth-row", role: "row" }, bar, cells.price, cells.size, cells.total) };
    };
    this.#rows = { asks: Array.from({ length: LEVELS }, () => row("down")), bids: Array.from({ length: LEVELS }, () => row("up")) };
    this.middle = element("div", { class: "depth-middle number" });
    const head = element("div", { class: "depth-row depth-head muted small" }, element("span", {}, this.instrument.quote), element("span", { class: "number" }, this.instrument.base), element("span", { class: "number" }, "Σ"));
    this.node.replaceChildren(head, ...[...this.#rows.asks].reverse().map((one) => one.line), this.middle, ...this.#rows.bids.map((one) => one.line));
  }

  #draw({ bids, asks }) {
    if (!bids.length && !asks.length) return;
    if (!this.#rows) this.#build();
    const sums = [bids, asks].map((side) => side.slice(0, LEVELS).reduce((sum, [, size]) => sum + size, 0));
    const widest = Math.max(...sums) || 1;
    for (const [name, levels] of Object.entries({ bids, asks })) {
      let total = 0;
      this.#rows[name].forEach((row, index) => {
        const level = levels[index];
        total += level?.[1] ?? 0;
        show(row.price, level ? price(level[0], this.instrument.price_decimals) : "");
        show(row.size, level ? compact(level[1]) : "");
        show(row.total, level ? compact(total) : "");
        row.bar.style.width = `${level ? (total / widest) * 100 : 0}%`;
      });
    }
    if (!bids.length || !asks.length) return;
    const middle = (bids[0][0] + asks[0][0]) / 2;
    show(this.middle, price(middle, this.instrument.price_decimals)); // as prices are quoted: half a tick is nothing to trade at
    const gap = asks[0][0] - bids[0][0];
    show(this.spread, `${say("spread")} ${price(gap, this.instrument.price_decimals)} (${percent(gap / middle).replace("+", "")})`);
  }
}
