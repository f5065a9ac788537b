// A version: how far its proof is, and what came of it, without a reload.

import "../shell.js";
import htmx from "htmx.org";
import { pageData } from "../elements.js";
import { stream } from "../stream.js";
import { Proving } from "../lab/proving.js";

const data = pageData();
const place = document.getElementById("version-state");
let shown = data.final; // whether the page says what is known now
let proving = null;
let asking = null;

async function showState() {
  const response = await fetch(`${location.pathname}?part=state`, { headers: { "X-Requested-With": "fetch" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  place.innerHTML = await response.text();
  htmx.process(place);
  proving = null;
}

// The result comes once; a socket that was away says it again in its next snapshot.
stream.subscribe(`versions/${data.id}`, ({ type, data: told }) => {
  if (type === "error" || !told?.version) return;
  const { final, progress } = told.version;
  if (final && !shown && !asking) {
    asking = showState().then(() => (shown = true)).catch((error) => console.warn("the proof could not be loaded", error)).finally(() => (asking = null));
    return;
  }
  if (final) return;
  if (shown && !asking) {
    shown = false; // somebody asked for another proof, on another page maybe
    asking = showState().catch((error) => console.warn("the proof could not be loaded", error)).finally(() => (asking = null));
    return;
  }
  const node = document.getElementById("proving");
  if (!node) return;
  proving ??= new Proving(node, data.markets);
  proving.tell(told.version.status, progress);
});
