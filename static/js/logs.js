/* The log pages: the download follows the filters, the marked line is shown, and lines that are added move nothing. */
const NEAR_END_PX = 24;

document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const link of document.querySelectorAll("[data-download]")) link.href = link.dataset.download + location.search;
});

/** @param {Element} element @returns {boolean} */
const isFollowing = (element) => element?.matches?.("[data-follows]") ?? false;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && isFollowing(event.detail.elt)) event.preventDefault();
});

// Who follows is asked again in five seconds anyway: no complaint each time.
for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => isFollowing(event.detail.elt) && event.stopImmediatePropagation(), true);
}

/** @param {Element} line @returns {string} */
const nameOf = (line) => line.querySelector("time").dateTime + line.querySelector("summary").textContent;
let before = null;

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const list = document.querySelector(".log-list");
  before = null;
  if (detail.target.id !== "log-lines" || !list || !isFollowing(detail.requestConfig?.elt)) return;
  before = {
    top: list.scrollTop,
    isAtEnd: list.scrollTop + list.clientHeight >= list.scrollHeight - NEAR_END_PX,
    open: new Set([...list.querySelectorAll("details[open]")].map((details) => nameOf(details.parentElement))),
    hasFocus: document.activeElement === list,
  };
});

document.addEventListener("htmx:afterSwap", () => {
  const list = document.querySelector(".log-list");
  if (!list) return;
  if (!before) {
    document.getElementById("marked")?.scrollIntoView({ block: "center" });
    return;
  }
  for (const details of list.querySelectorAll("details")) details.open = before.open.has(nameOf(details.parentElement));
  list.scrollTop = before.isAtEnd ? list.scrollHeight : before.top;
  if (before.hasFocus) list.focus({ preventScroll: true });
});
