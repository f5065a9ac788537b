// Colours of the page as the chart's canvas needs them.

/** The value of a CSS variable, as in colourOf("--up"). */
export const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `colour` (#rrggbb) with an opacity of 0..1. */
export function faded(colour, opacity) {
  return `${colour}${Math.round(opacity * 255).toString(16).padStart(2, "0")}`;
}

const LINES = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5"];

/** The colour of an indicator's output: by its tone where that says something, else by its place on the chart. */
export function lineColour(tone, place) {
  if (tone === "positive") return colourOf("--up");
  if (tone === "negative") return colourOf("--down");
  if (tone === "muted") return faded(colourOf(LINES[place % LINES.length]), 0.6);
  const shift = { primary: 0, secondary: 1, tertiary: 2 }[tone] ?? 0;
  return colourOf(LINES[(place + shift) % LINES.length]);
}

/** Options of a chart in the colours of the page. */
export function chartColours() {
  return {
    layout: {
      background: { type: "solid", color: "transparent" },
      textColor: colourOf("--text-muted"),
      fontFamily: colourOf("--font"),
      fontSize: 12,
      attributionLogo: false, // injects a style that the CSP blocks; our own link stands under the chart
      panes: { separatorColor: colourOf("--border"), separatorHoverColor: faded(colourOf("--accent"), 0.25), enableResize: true },
    },
    grid: { vertLines: { color: colourOf("--grid") }, horzLines: { color: colourOf("--grid") } },
    crosshair: {
      mode: 0,
      vertLine: { color: colourOf("--border-strong"), labelBackgroundColor: colourOf("--surface-3") },
      horzLine: { color: colourOf("--border-strong"), labelBackgroundColor: colourOf("--surface-3") },
    },
    rightPriceScale: { borderColor: colourOf("--border") },
    timeScale: { borderColor: colourOf("--border") },
  };
}

export function candleColours() {
  const up = colourOf("--up");
  const down = colourOf("--down");
  // Hollow and filled candles tell up from down without colour.
  return { upColor: faded(up, 0.12), borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down };
}
