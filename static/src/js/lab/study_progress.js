// A study that is not over yet: trials, their rate, the time that is left, and the best so far.

import { compact, percent, price } from "../numbers.js";
import { stream } from "../stream.js";
import { say } from "./words.js";

const FINAL = new Set(["done", "failed", "cancelled"]);
const LOOK_BACK = 20_000; // milliseconds that the rate is told of

/** How fast trials come: from what was told lately, so that a pause is forgotten. */
export class Rate {
  #seen = [];

  /** Note that `done` trials were done at `at` (milliseconds); trials a second, or 0 where it is not known. */
  note(done, at) {
    if (this.#seen.at(-1)?.done !== done) this.#seen.push({ done, at });
    while (this.#seen.length > 2 && at - this.#seen[1].at > LOOK_BACK) this.#seen.shift();
    const [first, last] = [this.#seen[0], this.#seen.at(-1)];
    return last.at > first.at ? ((last.done - first.done) * 1000) / (last.at - first.at) : 0;
  }

  clear() {
    this.#seen = [];
  }
}

/** What is left of `todo` trials at `rate` a second, in words; empty where it is not known. */
export function leftOf(todo, rate) {
  if (!(rate > 0) || todo <= 0) return "";
  const seconds = Math.ceil(todo / rate);
  return seconds < 100 ? say("left", { seconds }) : say("minutes-left", { minutes: Math.round(seconds / 60) });
}

/** A score as the server writes it. */
export function scoreText(objective, score) {
  return objective === "return" ? percent(score) : price(score, 2);
}

/** Show how far the study of `live` is; `changed` hears when the page has to be another: begun, paused, going on, over. */
export function follow(live, changed) {
  const rate = new Rate();
  let status = live.status;
  const end = stream.subscribe(`studies/${live.id}`, ({ type, data }) => {
    if (type === "error" || !data?.study) return;
    const { study } = data;
    const turned = status !== study.status;
    status = study.status;
    if (FINAL.has(status)) queueMicrotask(end);
    if (turned || FINAL.has(status)) {
      rate.clear();
      changed();
      return;
    }
    const node = document.getElementById("study-progress");
    if (node) show(node, study, rate, live);
  });
}

function show(node, study, rate, live) {
  const find = (name) => node.querySelector(`[data-${name}]`);
  const write = (name, text) => {
    const place = find(name);
    if (place.textContent !== text) place.textContent = text;
  };
  const { trials_done: done, trials_total: total, best } = study;
  write("stage", say(`study-${study.status}`));
  node.querySelector("progress").value = study.progress;
  if (total) write("trials", say("trials-of", { done: price(done, 0), total: price(total, 0) }));
  const speed = study.status === "running" ? rate.note(done, performance.now()) : 0;
  write("rate", speed > 0 ? say("trials-a-second", { count: compact(speed < 10 ? Math.round(speed * 10) / 10 : Math.round(speed)) }) : "");
  write("left", leftOf(total - done, speed));
  if (!best?.values) return;
  document.getElementById("best-so-far").hidden = false;
  write("score", scoreText(live.objective, best.score));
  write("gain", percent(best.final_equity / live.cash - 1));
  write("drawdown", percent(best.max_drawdown));
  write("values", live.searched.map((name) => `${live.labels[name] ?? name} ${best.values[name]}`).join(" · "));
}
