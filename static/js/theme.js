/* The theme switch: light, dark, or what the system says. The choice is kept in this browser only. */
const KEY = "loom.theme";

/** @returns {string} */
function stored() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system";
  }
}

/** @param {string} theme */
function keep(theme) {
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    /* Storage is closed to us: the choice lasts as long as the page. */
  }
}

/** @param {string} theme */
function show(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
  }
}

/** @param {string} theme */
export function choose(theme) {
  keep(theme);
  show(theme);
}

window.addEventListener("storage", (event) => {
  if (event.key === KEY) show(stored());
});
show(stored());
