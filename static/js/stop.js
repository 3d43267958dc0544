/* Escape stops the answer. */
import { define } from "./kit.js";

const OPEN = "dialog[open], .menu[open], :popover-open";

define("stop", {
  mount(form, { signal }) {
    document.addEventListener("keydown", (event) => {
      const { key, target, keyCode } = event;
      if (key !== "Escape" || event.repeat || event.defaultPrevented || event.isComposing || keyCode === 229) return;
      const view = target.closest("[data-widget~=session]");
      if (view && !view.contains(form)) return;
      if (target.closest("input, select") || document.querySelector(OPEN) || form.closest("[data-running='0']")) return;
      form.requestSubmit();
    }, { signal });
  },
});
