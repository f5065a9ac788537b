// Elements made in scripts. Text is always set as text, never as HTML.

/** `<tag class=… …attributes>` with children, which are elements or strings. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
const sprite = document.querySelector("use")?.getAttribute("href")?.split("#")[0] ?? "/static/dist/icons.svg";

/** An icon of the sprite; the name is literal, because the build looks for it. */
export function icon(name, size = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${size}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** The object that the server left in <script type="application/json" id=…>, or {}. */
export function pageData(id = "page-data") {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}");
}
