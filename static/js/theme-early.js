/* Runs before the first paint, so that a chosen theme never flashes. Plain script: a module would come too late. */
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("loom.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* Storage is closed to us: the system's theme it is. */
  }
  // The switch is looked after once the page is there, or somebody was faster.
  const theme = () => import("./theme.js");
  addEventListener("load", theme);
  document.addEventListener("click", async ({ target }) => {
    const { themeChoice } = target.closest("[data-theme-choice]")?.dataset ?? {};
    if (themeChoice) (await theme()).choose(themeChoice);
  });
})();
