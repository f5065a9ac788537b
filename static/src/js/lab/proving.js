// A proof that is under way: which checks were made, on which bars (templates/strategies/_version_state.html).

const filled = (words, values) => words.replace(/%\((\w+)\)s/g, (_, name) => values[name] ?? "");

export class Proving {
  /** `markets` are the names of invented bars as people read them. */
  constructor(node, markets) {
    this.node = node;
    this.markets = markets;
    this.bar = node.querySelector("progress");
    this.stage = node.querySelector("[data-stage]");
    this.part = node.querySelector("[data-part]");
  }

  tell(status, progress) {
    if (status === "waiting") return this.#say(this.stage.dataset.reading);
    if (!progress) return;
    const { share, on, place, places, values, checks } = progress;
    this.bar.value = share;
    const said = filled(this.stage.dataset.asking, { on: this.markets[on] ?? on });
    const also = Object.entries(values).map(([name, value]) => `${name} ${value}`).join(", ");
    this.#say(also ? `${said}, ${filled(this.stage.dataset.also, { values: also })}` : said);
    this.part.textContent = places > 1 ? filled(this.part.dataset.words, { place, places }) : "";
    for (const step of this.node.querySelectorAll("[data-check]")) {
      const result = checks[step.dataset.check];
      step.dataset.state = result === undefined ? "" : result ? "passed" : "failed";
    }
  }

  #say(words) {
    if (this.stage.textContent !== words) this.stage.textContent = words;
  }
}
