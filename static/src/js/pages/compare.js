// Runs side by side.

import "../shell.js";
import { pageData } from "../elements.js";

const node = document.getElementById("compare-chart");
if (node) {
  const { Curves } = await import("../lab/curves.js");
  node.replaceChildren();
  new Curves(node, pageData().curves, document.getElementById("compare-legend"));
}
