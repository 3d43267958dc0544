/* What every page does: copy buttons, local times, dialogs, toasts; keys are fetched once it is there. */
import "./fragments.js";
import { define } from "./kit.js";
import { announce } from "./telling.js";
import "./times.js";

const TOAST_MS = 6000;
const COPIED_MS = 1500;

/* --- copying --- */

/** @param {string} text @returns {boolean} */
function copyByHand(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard API outside a secure context, or no permission.
    if (!copyByHand(text)) return;
  }
  button.classList.add("is-copied");
  announce(`${button.dataset.copyLabel} copied`);
  setTimeout(() => button.classList.remove("is-copied"), COPIED_MS);
}

/* --- dialogs --- */

/** A script of its own, which is fetched where it is first needed.
 * @param {HTMLElement} opener */
const openDialog = async (opener) => (await import("./dialogs.js")).open(opener);

/* --- toasts --- */

define("toast", {
  selector: ":is(.toast-success, .toast-info):not([data-stays])",
  mount(toast) {
    setTimeout(() => toast.remove(), TOAST_MS);
  },
});

/* --- keys --- */

import("./keys.js"); // a page is shown without

/** Whether Enter confirms a word of an input method (Japanese, Chinese, Korean); Safari tells it as key code 229.
 * @param {KeyboardEvent} event @returns {boolean} */
const isComposing = (event) => event.isComposing || event.keyCode === 229;

// Enter sends a prompt, Ctrl or Cmd with it sends from any text field; who cannot send now cancels `loom:send`.
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (key !== "Enter" || event.shiftKey || event.altKey || isComposing(event) || !target.matches("textarea")) return;
  if (!event.ctrlKey && !event.metaKey && !("enterSends" in target.dataset)) return;
  event.preventDefault();
  if (event.repeat || !target.form) return;
  const isWanted = target.dispatchEvent(new CustomEvent("loom:send", { bubbles: true, cancelable: true }));
  if (isWanted) target.form.requestSubmit();
});

/* --- narrow screens --- */

const narrow = matchMedia("(max-width: 767.98px)");
const foldCards = () => narrow.matches && import("./folds.js");
narrow.addEventListener("change", foldCards);
foldCards();

/* --- wiring --- */

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-dialog], [data-close]");
  if (!target) return;
  if ("copy" in target.dataset) copy(target);
  else if ("dialog" in target.dataset) openDialog(target);
  else target.closest(target.dataset.close)?.[target.dataset.close === "dialog" ? "close" : "remove"]();
});
