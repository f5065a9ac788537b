// The landing page: a market that moves, once the page itself is there. Without one the drawing stays.

import "../shell.js";
import { price, show } from "../numbers.js";
import { stream } from "../stream.js";
import { say } from "../words.js";

const TRIED = 4; // instruments that may have too few bars

const figure = document.getElementById("live-picture");
const find = (name) => figure.querySelector(`[data-${name}]`);

/** Whether a market could be shown. */
async function start() {
  const response = await fetch("/api/v1/instruments/");
  if (!response.ok) return false;
  const { results } = await response.json();
  const moving = results.filter((one) => one.venue.connected && one.price !== null && one.base_timeframe !== "1d");
  // What is live before what is not; of the rest, the clock that runs fastest has the candles that move most.
  const rank = ({ venue }) => (venue.mode === "live" ? Infinity : venue.clock_rate);
  moving.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)));
  if (!moving.length) return false;
  const { LivePicture } = await import("../chart/picture.js");
  const frame = find("picture");
  const drawing = frame.firstElementChild;
  for (const instrument of moving.slice(0, TRIED)) {
    const moved = ([, , , , close]) => show(find("price"), price(close, instrument.price_decimals), { value: close, flash: true });
    const picture = await LivePicture.of(frame, instrument, stream, moved);
    if (!picture) continue;
    drawing.remove();
    const name = find("name");
    name.textContent = `${instrument.symbol} · ${instrument.base_timeframe}`;
    name.href = `/markets/${instrument.ref}/`;
    const mode = find("mode");
    mode.textContent = say(instrument.venue.mode);
    mode.classList.add(instrument.venue.mode);
    mode.hidden = false;
    find("source").textContent = instrument.venue.name;
    find("credit").hidden = false;
    return true;
  }
  return false;
}

const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
whenIdle(async () => {
  await start().catch((error) => console.info("the picture stays a drawing:", error.message));
  find("source").hidden = false; // what it says from the start: that this is a drawing
});
