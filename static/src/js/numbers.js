// How numbers read, as clusterx/templatetags/figures.py writes them on the server. A missing value is "–", never 0.

const language = document.documentElement.lang || "en";
const MISSING = "–";
const formats = new Map();

function format(decimals, options = {}) {
  const key = `${decimals}${JSON.stringify(options)}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.NumberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, ...options }));
  }
  return formats.get(key);
}

function write(value, decimals, options) {
  if (value === null || value === undefined || value === "") return MISSING;
  const number = Number(value);
  return Number.isFinite(number) ? format(decimals, options).format(number).replace("-", "−") : MISSING;
}

export const price = (value, decimals) => write(value, decimals);
export const money = (value, currency = "") => join(write(value, 2), currency);
export const signedMoney = (value, currency = "") => join(write(value, 2, { signDisplay: "exceptZero" }), currency);
export const quantity = (value) => write(value, 0, { maximumFractionDigits: 8 });

/** A fraction as a signed percentage: 0.012 → "+1.20 %". */
export function percent(value) {
  const text = write(value === null || value === undefined ? null : value * 100, 2, { signDisplay: "exceptZero" });
  return text === MISSING ? text : `${text}\u00a0%`;
}

/** A large number shortened: 12345 → "12.3k". */
export function compact(value) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return MISSING;
  const number = Number(value);
  for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(number) >= size) return `${write(number / size, 1)}${letter}`;
  }
  return write(number, 0, { maximumFractionDigits: Math.abs(number) < 1 ? 6 : 3 });
}

/** The class that colours a number. */
export const tone = (value) => (Number(value) > 0 ? "up" : Number(value) < 0 ? "down" : "");

function join(text, currency) {
  return text === MISSING || !currency ? text : `${text}\u00a0${currency}`;
}

/** Show `text` in `node`, and flash once if the value behind it changed. */
export function show(node, text, { value, flash = false } = {}) {
  if (!node || node.textContent === text) return;
  const before = Number(node.dataset.value);
  node.textContent = text;
  if (value === undefined) return;
  node.dataset.value = value;
  if (!flash || Number.isNaN(before) || before === Number(value)) return;
  node.classList.remove("flash-up", "flash-down");
  void node.offsetWidth; // restarts the animation
  node.classList.add(Number(value) > before ? "flash-up" : "flash-down");
}

/** Colour `node` by the sign of `value`. */
export function colour(node, value) {
  if (!node) return;
  node.classList.remove("up", "down");
  const name = tone(value);
  if (name) node.classList.add(name);
}
