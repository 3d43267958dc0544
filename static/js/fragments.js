/* Parts of the page that are fetched: one that fails, or does not come in time, says so in its place and can be asked
   for again. */
import { complain } from "./telling.js";

const AWS_TIMES = 4;

/** @param {string} words @param {() => void} again @returns {Element} */
function notice(words, again) {
  const element = document.getElementById("failed-template").content.firstElementChild.cloneNode(true);
  element.querySelector("span").textContent = words;
  element.querySelector("button").addEventListener("click", ({ currentTarget }) => {
    currentTarget.disabled = true;
    again();
  });
  return element;
}

/** Put a notice where the part would be: instead of what waits for it, above what is there already.
 * @param {Element} place @param {Element} element */
function put(place, element) {
  place.querySelector(":scope > .failed")?.remove();
  if (place.childElementCount === 0 || place.querySelector(".skeleton")) place.replaceChildren(element);
  else place.prepend(element);
}

/** @param {{elt: Element, target: Element, requestConfig: {verb: string, path: string}}} request @param {string} words */
function report({ elt, target, requestConfig }, words) {
  const swap = elt.closest("[hx-swap]")?.getAttribute("hx-swap");
  if (requestConfig.verb !== "get") complain(`${words} Reload the page to see how things stand.`);
  else if (swap === "none" || !target?.isConnected || target.hidden) complain(`${words} Nothing was changed on this page.`);
  else {
    const again = () => window.htmx.ajax("get", requestConfig.path, { source: elt.isConnected ? elt : target, target, swap });
    put(target, notice(words, again));
  }
}

document.addEventListener("htmx:responseError", ({ detail }) => report(detail, `The server answered ${detail.xhr.status}.`));
document.addEventListener("htmx:sendError", ({ detail }) => report(detail, "Loom could not be reached."));
document.addEventListener("htmx:timeout", ({ detail }) => report(detail, "No answer came in time."));

document.addEventListener("htmx:configRequest", ({ detail }) => {
  // What changes something is waited for: given up, nobody would know whether it was done.
  if (detail.verb !== "get") detail.timeout = 0;
  else if (detail.elt.closest("[data-patient]")) detail.timeout *= AWS_TIMES; // AWS is asked
});

// What was opened before htmx listened is fetched all the same.
document.addEventListener("htmx:load", ({ detail }) => {
  for (const part of detail.elt.querySelectorAll("details[open] [hx-trigger^=toggle]")) {
    part.closest("details").dispatchEvent(new Event("toggle"));
  }
});

// A part asked for after the web session ended is answered with the sign-in page: show that page, not a piece of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  const { loginUrl } = document.body.dataset;
  if (!xhr?.responseURL || !loginUrl || new URL(xhr.responseURL).pathname !== loginUrl) return;
  event.detail.shouldSwap = false;
  location.reload();
});

if (!window.htmx) {
  for (const part of document.querySelectorAll(".skeleton")) {
    put(part.parentElement, notice("A script of this page did not load.", () => location.reload()));
  }
}
