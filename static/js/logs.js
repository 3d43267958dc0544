/* The log pages: the download follows the filters, the marked line is shown, and lines that are added move nothing. */
import { define } from "./kit.js";

const NEAR_END_PX = 24;

define("download", {
  mount(link, { signal }) {
    const { download } = link.dataset;
    document.addEventListener("htmx:pushedIntoHistory", () => (link.href = download + location.search), { signal });
  },
});

define("follower", {
  mount(element) {
    element.addEventListener("htmx:beforeRequest", (event) => document.hidden && event.preventDefault());
    // Who follows is asked again in five seconds anyway: no complaint each time.
    for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
      element.addEventListener(name, (event) => event.stopPropagation());
    }
  },
});

/** @param {Element} line @returns {string} */
const nameOf = (line) => line.querySelector("time").dateTime + line.querySelector("summary").textContent;

/** How the lines before these were looked at, where these are what a follower brought.
 * @type {{top: number, isAtEnd: boolean, open: Set<string>, hasFocus: boolean} | null} */
let before = null;

/** @param {Element} list */
function stateOf(list) {
  return {
    top: list.scrollTop,
    isAtEnd: list.scrollTop + list.clientHeight >= list.scrollHeight - NEAR_END_PX,
    open: new Set([...list.querySelectorAll("details[open]")].map((details) => nameOf(details.parentElement))),
    hasFocus: document.activeElement === list,
  };
}

/** @param {HTMLElement} list */
function restore(list) {
  for (const details of list.querySelectorAll("details")) details.open = before.open.has(nameOf(details.parentElement));
  list.scrollTop = before.isAtEnd ? list.scrollHeight : before.top;
  if (before.hasFocus) list.focus({ preventScroll: true });
}

define("log", {
  mount(log, { signal }) {
    const list = log.querySelector(".log-list");
    if (list && before) restore(list);
    else list?.querySelector(".is-marked")?.scrollIntoView({ block: "center" });
    document.addEventListener("htmx:beforeSwap", ({ detail }) => {
      if (detail.target !== log) return;
      before = list && detail.requestConfig?.elt.matches("[data-widget~=follower]") ? stateOf(list) : null;
    }, { signal });
  },
});
