// The price that an instrument's change is told against moves with the clock: it is asked for again while a page is open.

const EVERY = 20_000; // milliseconds; the clock of a recording may run 60 times as fast as ours

/** Ask `address` of the API every now and then; `heard` gets the instruments it answers. */
export function followReferences(address, heard) {
  const ask = async () => {
    if (document.hidden) return;
    try {
      const response = await fetch(address);
      if (!response.ok) return;
      const body = await response.json();
      heard(body.results ?? [body]);
    } catch {
      // The next time will do.
    }
  };
  setInterval(ask, EVERY);
  document.addEventListener("visibilitychange", ask);
}
