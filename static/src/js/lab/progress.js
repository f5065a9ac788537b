// A run that is not over yet: its stage, its rate, and when it may be done.

import { compact } from "../numbers.js";
import { stream } from "../stream.js";
import { say } from "./words.js";

const FINAL = new Set(["done", "failed", "cancelled"]);

/** Follow run `id`; `told(run)` hears each change, the promise is kept when the run is over. */
export function follow(id, told) {
  return new Promise((resolve) => {
    const end = stream.subscribe(`runs/${id}`, ({ type, data }) => {
      if (type === "error" || !data?.run) return;
      told(data.run);
      if (!FINAL.has(data.run.status)) return;
      queueMicrotask(() => end());
      resolve(data.run);
    });
  });
}

/** Show in `node` (templates/strategies/_run_state.html) how far it is. */
export function shower(node) {
  const began = performance.now();
  const find = (name) => node.querySelector(`[data-${name}]`);
  const bar = node.querySelector("progress");
  let progress = Number(bar?.value ?? 0);
  let seconds = 0;
  const clock = setInterval(() => {
    if (!node.isConnected) return clearInterval(clock);
    const passed = seconds || (performance.now() - began) / 1000;
    find("seconds").textContent = passed >= 1 ? say("so-far", { seconds: Math.round(passed) }) : "";
    find("left").textContent = passed >= 2 && progress > 0.05 && progress < 1 ? say("left", { seconds: Math.max(1, Math.round((passed / progress) * (1 - progress))) }) : "";
    if (seconds) seconds += 0.5;
  }, 500);
  return (run) => {
    progress = run.progress ?? progress;
    seconds = run.seconds ?? seconds;
    bar.value = progress;
    const words = say(run.stage);
    const stage = find("stage");
    if (stage.textContent !== words) stage.textContent = words;
    find("rate").textContent = run.bars_per_second ? say("bars-a-second", { count: compact(run.bars_per_second) }) : "";
  };
}
