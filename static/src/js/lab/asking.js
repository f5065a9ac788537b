// What the editors send and ask for.

const AGAIN = 700; // milliseconds; the server holds each question for about as long itself
const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";

async function answered(response) {
  const data = await response.json().catch(() => ({}));
  return { ok: response.ok, status: response.status, data };
}

/** POST `body` as JSON; {ok, status, data}. Throws where the server cannot be reached. */
export async function post(url, body, { signal } = {}) {
  return answered(await fetch(url, { method: "POST", signal, headers: { "Content-Type": "application/json", "X-CSRFToken": token() }, body: JSON.stringify(body) }));
}

/** GET; as `post`. */
export async function get(url, { signal } = {}) {
  return answered(await fetch(url, { signal, headers: { Accept: "application/json" } }));
}

/** What `ask()` gives, asked again for as long as the answer is that it comes later; `waiting(message)` hears of that. */
export async function patiently(ask, { signal, waiting = () => {} } = {}) {
  for (;;) {
    const answer = await ask();
    signal?.throwIfAborted();
    if (!answer.data.later) return answer;
    waiting(answer.data.message);
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
    signal?.throwIfAborted();
  }
}
