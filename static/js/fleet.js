/* Rows of the list of agents that unfold to their last runs; without it the same link leads to all of them. */
import { define } from "./kit.js";

/** @param {HTMLAnchorElement} link @param {boolean} isOpen */
function show(link, isOpen) {
  link.setAttribute("aria-expanded", String(isOpen));
  const more = link.closest("tr")?.nextElementSibling;
  if (more instanceof HTMLElement && more.matches(".row-more")) more.hidden = !isOpen;
}

define("unfold", {
  selector: "[data-unfold]",
  mount(link, { signal }) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (!window.htmx || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const row = link.closest("tr");
      const isOpen = link.getAttribute("aria-expanded") !== "true";
      if (isOpen && !row.nextElementSibling?.matches(".row-more")) {
        window.htmx.ajax("get", new URL("../recent/", link.href).pathname, { source: link, target: row, swap: "afterend" });
      }
      show(link, isOpen);
    }, { signal });
    // A button is pressed by the space bar as well.
    link.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      link.click();
    }, { signal });
  },
});
