// What the editors send and ask for.

const token = () => JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";

/** POST `body` as JSON; {ok, status, data}. Throws where the server cannot be reached. */
export async function post(url, body, { signal } = {}) {
  const response = await fetch(url, { method: "POST", signal, headers: { "Content-Type": "application/json", "X-CSRFToken": token() }, body: JSON.stringify(body) });
  const data = await response.json().catch(() => ({}));
  return { ok: response.ok, status: response.status, data };
}
