// Keys: "/" searches, "g" and a letter goes to a place, "?" lists them. Nothing happens while somebody types.

const PLACES = { m: "/markets/", s: "/strategies/", t: "/trade/" };
const CHORD = 1200;
const own = new Map();

/** Let `listener` run on `key` on this page. */
export function onKey(key, listener) {
  own.set(key, listener);
}

function typing(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, [contenteditable]");
}

export function startShortcuts() {
  let chord = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "k") {
      event.preventDefault();
      search();
      return;
    }
    if (typing(event) || document.querySelector("dialog[open]")) return;
    if (Date.now() - chord < CHORD && PLACES[event.key]) {
      location.assign(PLACES[event.key]);
      return;
    }
    chord = event.key === "g" ? Date.now() : 0;
    if (event.key === "/") search();
    else if (event.key === "?") document.getElementById("shortcuts")?.showModal();
    else if (own.has(event.key)) own.get(event.key)(event);
    else return;
    event.preventDefault();
  });
}

function search() {
  const fields = [document.querySelector("[data-search]"), document.getElementById("site-search")];
  fields.find((field) => field?.offsetParent)?.focus();
}
