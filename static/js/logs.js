/* The log pages, and the fold beside a conversation: the download follows the filters, the marked line is shown, lines
   that are added move nothing, and the newest stay in view of whoever reads the end. */
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
    element.addEventListener("htmx:beforeRequest", (event) => {
      if (document.hidden || element.closest("details:not([open])")) event.preventDefault();
    });
    // Who follows is asked again in five seconds anyway: no complaint each time.
    for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
      element.addEventListener(name, (event) => event.stopPropagation());
    }
  },
});

/** @param {Element} line @returns {string} */
const nameOf = (line) => line.querySelector("time").dateTime + line.querySelector("summary").textContent;

/** How the lines before these were looked at, where these are what a follower brought.
 * @type {{top: number, isAtEnd: boolean, open: Map<string, boolean>, hasFocus: boolean} | null} */
let before = null;

/** @param {Element} list */
function stateOf(list) {
  return {
    top: list.scrollTop,
    isAtEnd: list.scrollTop + list.clientHeight >= list.scrollHeight - NEAR_END_PX,
    open: new Map([...list.querySelectorAll("details")].map((details) => [nameOf(details.parentElement), details.open])),
    hasFocus: document.activeElement === list,
  };
}

/** @param {HTMLElement} list */
function restore(list) {
  for (const details of list.querySelectorAll("details")) {
    details.open = before.open.get(nameOf(details.parentElement)) ?? details.open;
  }
  list.scrollTop = before.isAtEnd ? list.scrollHeight : before.top;
  if (before.hasFocus) list.focus({ preventScroll: true });
}

/** Lead to an element and into it, so that who does not see the page is there too.
 * @param {HTMLElement | null | undefined} element */
function leadTo(element) {
  element?.scrollIntoView({ block: "center" });
  element?.focus({ preventScroll: true });
}

/** @param {Element} line @returns {string} */
function textOf(line) {
  const level = line.querySelector(".log-level").textContent.replace("·", "");
  const printed = [...line.querySelectorAll("pre")].map((pre) => `\n${pre.textContent}`).join("");
  const said = line.querySelector(".log-text, summary").textContent;
  return [line.querySelector("time").dateTime, level, said].filter(Boolean).join(" ") + printed;
}

define("log", {
  mount(log, { signal }) {
    const list = log.querySelector(".log-list");
    const marked = list?.querySelector(".is-marked");
    if ("jump" in log.dataset) leadTo(marked ?? log.querySelector(".log-notice"));
    else if (list && before) restore(list);
    else if (list && "newest" in log.dataset) list.scrollTop = list.scrollHeight;
    else marked?.scrollIntoView({ block: "center" });
    // Before the page's own listener copies what the button holds.
    log.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-copy-lines]");
      if (button) button.dataset.copy = [...list.querySelectorAll(".log-line")].map(textOf).join("\n");
    }, { signal });
    document.addEventListener("htmx:beforeSwap", ({ detail }) => {
      if (detail.target !== log) return;
      before = list && detail.requestConfig?.elt.matches("[data-widget~=follower]") ? stateOf(list) : null;
    }, { signal });
  },
});
