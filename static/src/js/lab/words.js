// Words of the lab that the server has translated; see templates/strategies/_words.html.

const found = document.querySelectorAll("#lab-words, #editor-words, #study-words");
const words = new Map([...found].flatMap((one) => [...one.content.querySelectorAll("data")].map((word) => [word.value, word.textContent])));

/** The text called `key`, with %(name)s replaced from `values`. */
export function say(key, values = {}) {
  return (words.get(key) ?? key).replace(/%\((\w+)\)s/g, (_, name) => values[name] ?? "");
}
