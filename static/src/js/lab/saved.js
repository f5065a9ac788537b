// What became of a version that was saved: where its page is, and what its proof says, as soon as it is known.

import { element } from "../elements.js";
import { stream } from "../stream.js";
import { say } from "./words.js";

const AHEAD = new Set(["prefix", "poison", "last-bar"]); // checks that catch a look into the future

/** The word for what is known of a version, and the badge it is shown with. */
export function verdictOf({ status, proved, final, failed }) {
  if (status === "waiting") return ["being-read", "info"];
  if (status === "failed") return ["does-not-run", "bad"];
  if (!final || proved === null) return ["being-proved", "info"];
  if (proved) return ["no-look-ahead", "good"];
  return [AHEAD.has(failed) ? "looks-ahead" : "refused", "bad"];
}

export class Saved {
  #end = () => {};

  constructor() {
    this.place = document.getElementById("editor-verdict");
    this.crumb = document.querySelector(".breadcrumb [aria-current]");
    const { version, page } = this.place.dataset;
    if (version) this.#follow(version, page);
  }

  /** `answer` of the save; the strategy has a page now, and so has the version. */
  show(answer) {
    this.crumb?.replaceWith(element("a", { href: answer.home }, answer.name));
    this.crumb = null;
    this.#follow(answer.version, answer.page);
  }

  #follow(version, page) {
    this.#end();
    this.#end = stream.subscribe(`versions/${version}`, ({ type, data }) => {
      if (type === "error" || !data?.version) return;
      const [word, kind] = verdictOf(data.version);
      this.place.replaceChildren(element("a", { class: `badge ${kind}`, href: page, title: say("see-proof") }, say(word)));
    });
  }
}
