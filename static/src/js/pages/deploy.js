// Choosing another strategy or account shows its form at once.

import "../shell.js";

for (const form of document.querySelectorAll("[data-submits]")) form.addEventListener("change", () => form.requestSubmit());
