// Before the first paint: the theme and palette chosen on this device win over the account's.
const root = document.documentElement;
for (const name of ["theme", "palette"]) {
  try {
    const chosen = localStorage.getItem(name);
    if (chosen) root.dataset[name] = chosen;
  } catch {
    // Storage is off: the account's choice stays.
  }
}
