// Puts the builder on a page that includes templates/strategies/_rules_builder.html.

import { pageData } from "../elements.js";
import { blank } from "./document.js";
import { RuleBuilder } from "./builder.js";

/** The builder of the page, or null where there is none. A form around it sends the document as the field `document`. */
export function startRules(root = document.querySelector("[data-rule-builder]")) {
  if (!root) return null;
  const given = pageData("rule-document");
  const builder = new RuleBuilder(root, {
    vocabulary: pageData("rule-vocabulary"),
    document: given && "version" in given ? given : blank(root.dataset.newName ?? ""),
  });
  const field = root.querySelector("[data-rule-field]");
  const write = () => {
    if (field) field.value = JSON.stringify(builder.document);
  };
  write();
  root.addEventListener("change", write);
  for (const button of document.querySelectorAll("[data-rule-example]")) {
    button.addEventListener("click", () => {
      const example = pageData("rule-gallery").find((one) => one.slug === button.dataset.ruleExample);
      // One step to undo: what was there before comes back.
      if (example) builder.replace(structuredClone(example.document));
      root.scrollIntoView({ block: "start" });
    });
  }
  return builder;
}
