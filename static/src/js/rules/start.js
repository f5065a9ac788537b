// Puts the builder on a page that includes templates/strategies/_rules_builder.html.

import { element, pageData } from "../elements.js";
import { blank } from "./document.js";
import { RuleBuilder } from "./builder.js";

/**
 * The builder of the page, or null where there is none, with what the server says rules are made of and, where the page has a place for
 * them, rules to begin from. A form around it sends the document as the field `document`.
 */
export function startRules({ vocabulary, gallery = [] }, root = document.querySelector("[data-rule-builder]")) {
  if (!root) return null;
  const given = pageData("rule-document");
  const builder = new RuleBuilder(root, {
    vocabulary,
    document: given && "version" in given ? given : blank(root.dataset.newName ?? ""),
  });
  const field = root.querySelector("[data-rule-field]");
  const write = () => {
    if (field) field.value = JSON.stringify(builder.document);
  };
  write();
  root.addEventListener("change", write);
  const begin = ({ document: example }) => {
    // One step to undo: what was there before comes back.
    builder.replace(structuredClone(example));
    root.scrollIntoView({ block: "start" });
  };
  const offer = (one) => element("li", {}, element("button", { type: "button", class: "card card-body", "data-rule-example": one.slug, onclick: () => begin(one) }, element("strong", {}, one.name), element("span", { class: "muted small" }, one.sentence)));
  document.querySelector("[data-rule-gallery]")?.replaceChildren(...gallery.map(offer));
  return builder;
}
