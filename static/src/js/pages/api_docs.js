// The page of the API's description: Swagger UI has a class for its dark colours and no theme of the device.

const root = document.documentElement;
const light = matchMedia("(prefers-color-scheme: light)");
const show = () => root.classList.toggle("dark-mode", root.dataset.theme === "dark" || (root.dataset.theme !== "light" && !light.matches));

light.addEventListener("change", show);
show();
