/* Runs before the first paint, so that a chosen theme never flashes. Plain script: a module would come too late. */
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("loom.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    /* Storage is closed to us: the system's theme it is. */
  }
})();
