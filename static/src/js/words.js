// Words that the server has translated; see templates/components/words.html.

const words = new Map(
  [...(document.getElementById("words")?.content.querySelectorAll("data") ?? [])].map((one) => [one.value, one.textContent]),
);

/** The text called `key`, with %(name)s replaced from `values`. */
export function say(key, values = {}) {
  return (words.get(key) ?? key).replace(/%\((\w+)\)s/g, (_, name) => values[name] ?? "");
}
