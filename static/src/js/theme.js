// Theme and palette of this device: a cookie, so that the server writes the page in the right colours at once.

const root = document.documentElement;

function mark() {
  for (const name of ["theme", "palette"]) {
    for (const button of document.querySelectorAll(`[data-set-${name}]`)) {
      button.setAttribute("aria-pressed", String(button.getAttribute(`data-set-${name}`) === root.dataset[name]));
    }
  }
}

export function startTheme() {
  document.addEventListener("click", (event) => {
    for (const name of ["theme", "palette"]) {
      const chosen = event.target.closest?.(`[data-set-${name}]`)?.getAttribute(`data-set-${name}`);
      if (!chosen) continue;
      root.dataset[name] = chosen;
      document.cookie = `${name}=${chosen}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
      mark();
    }
  });
  mark();
}

/** Call `listener` whenever the colours change. */
export function onThemeChange(listener) {
  new MutationObserver(listener).observe(root, { attributes: true, attributeFilter: ["data-theme", "data-palette"] });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", listener);
}
