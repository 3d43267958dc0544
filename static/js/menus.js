/* Menus: the arrow keys walk through what can be done, Escape and a click elsewhere leave. */
import { define } from "./kit.js";

const GAP_PX = 4;

/** Below its button, or above where there is more room; within the window.
 * @param {Element} menu @param {HTMLElement} list */
export function place(menu, list) {
  const button = menu.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const isAbove = button.bottom + GAP_PX + height > innerHeight && button.top > innerHeight / 2;
  const top = isAbove ? button.top - GAP_PX - height : button.bottom + GAP_PX;
  const start = getComputedStyle(menu).direction === "rtl" ? button.right - width : button.left;
  const left = Math.max(GAP_PX, Math.min(start, document.documentElement.clientWidth - width - GAP_PX));
  Object.assign(list.style, { inset: "auto", top: `${Math.max(GAP_PX, top)}px`, left: `${left}px` });
}

/** Which entry a key leads to, of as many; none for other keys.
 * @param {string} key @param {number} here @param {number} count @returns {number | undefined} */
function placeAfter(key, here, count) {
  if (key === "ArrowDown") return (here + 1) % count;
  if (key === "ArrowUp") return (Math.max(here, 0) - 1 + count) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : undefined;
}

/** @param {HTMLDetailsElement} menu @param {{signal: AbortSignal}} mounting */
function mount(menu, { signal }) {
  const list = menu.querySelector(".menu-list");
  const entries = () => [...list.querySelectorAll("a[href], button:not(:disabled)")];
  const close = () => (menu.open = false);
  let placedAt = 0;

  const begin = () => {
    place(menu, list);
    placedAt = menu.getBoundingClientRect().top;
    if (!list.contains(document.activeElement)) entries()[0]?.focus(); // who walks through it already goes on
  };
  const toggled = () => {
    if (!menu.open) {
      list.popover = null;
      return;
    }
    list.popover = "manual"; // in the top layer no card cuts it off
    list.showPopover?.();
    begin();
  };
  list.addEventListener("htmx:afterSettle", () => list.popover && begin(), { signal }); // what was fetched for it
  menu.addEventListener("toggle", toggled, { signal });
  if (menu.open) toggled(); // by who was faster than this script

  menu.addEventListener("keydown", (event) => {
    if (!menu.open) return;
    const all = entries();
    const next = placeAfter(event.key, all.indexOf(event.target), all.length);
    if (event.key === "Escape") {
      close();
      menu.querySelector("summary").focus();
    } else if (next !== undefined) all[next]?.focus();
    else return;
    event.preventDefault();
  }, { signal });

  menu.addEventListener("click", ({ target }) => target.closest(".menu-list :is(a, button)") && close(), { signal });
  // Who leaves by Tab leaves it closed, and so does who presses elsewhere.
  menu.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !menu.contains(relatedTarget) && close(), { signal });
  document.addEventListener("pointerdown", ({ target }) => menu.contains(target) || close(), { signal });
  // What moves below an open menu would leave it behind. Late news of a page that moved before it was placed is none.
  const scrolled = () => list.popover && Math.abs(menu.getBoundingClientRect().top - placedAt) > GAP_PX && close();
  document.addEventListener("scroll", scrolled, { signal, capture: true });
}

define("menu", { mount });
