// Tabs that do not fit: the one that one is on is scrolled into view, and the page stays where it is.

/** How far a strip that is `width` wide must be scrolled so that a tab at `start` of `size` stands in its middle. */
export const centred = (start, size, width) => Math.max(0, start + size / 2 - width / 2);

export function startTabs() {
  for (const strip of document.querySelectorAll(".tabs, .segments")) {
    const current = strip.querySelector("[aria-current], [aria-selected='true']");
    if (current && strip.scrollWidth > strip.clientWidth) {
      const [tab, box] = [current, strip].map((node) => node.getBoundingClientRect());
      strip.scrollLeft = centred(tab.left - box.left + strip.scrollLeft, tab.width, strip.clientWidth);
    }
  }
}
