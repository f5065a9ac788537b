// One account at a broker: how its test goes is asked for again and again. What stands beside it follows when the test is over.

import "../shell.js";
import "htmx.org";

const isTesting = () => document.querySelector("#connection .test-steps") !== null;
let tested = isTesting();

document.addEventListener("htmx:afterSettle", () => {
  const still = isTesting();
  // State, buttons, differences and what is held beside are other parts of the page.
  if (tested && !still && !document.querySelector("dialog[open]")) location.reload();
  tested = still;
});
