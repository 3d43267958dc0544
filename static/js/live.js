/* The live part of a session page: its socket, the waiting counter, following the answer, sending with Enter. */
const NEAR_END_PX = 96;
const LONGEST_RECONNECT_MS = 8000;

/* Runs between the htmx script and its start: both are deferred, and htmx starts on DOMContentLoaded. */
window.htmx.config.wsReconnectDelay = (tries) => {
  const longest = Math.min(LONGEST_RECONNECT_MS, 500 * 2 ** tries);
  return longest / 2 + (Math.random() * longest) / 2;
};

/* --- connection ------------------------------------------------------------------------------------------------- */

const RECONNECTED_BY_HTMX = [1006, 1011, 1012, 1013];

function showConnection(text) {
  const banner = document.getElementById("connection");
  if (!banner) return;
  banner.hidden = text === "";
  banner.querySelector("span").textContent = text;
}

let isConnected = false;

document.addEventListener("htmx:wsOpen", () => {
  isConnected = true;
  showConnection("");
});
document.addEventListener("htmx:wsClose", (event) => {
  isConnected = false;
  const willRetry = RECONNECTED_BY_HTMX.includes(event.detail.event.code);
  showConnection(
    willRetry
      ? "Connection lost, reconnecting… The agent goes on; you will see all of its answer."
      : "This page is no longer connected. Reload it to go on.",
  );
});

// A form that came over the socket has no CSRF field; the page's own value is still good.
function sendPlainly(form) {
  if (!form.elements.csrfmiddlewaretoken) {
    const { "X-CSRFToken": value } = JSON.parse(document.body.getAttribute("hx-headers"));
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "csrfmiddlewaretoken", value }));
  }
  form.submit();
}

// A prompt must not wait in a queue and be sent a minute later: without a socket the plain form goes at once.
document.addEventListener("htmx:wsConfigSend", (event) => {
  const form = event.target.closest("form");
  if (isConnected || !form?.getAttribute("action")) return;
  event.preventDefault();
  sendPlainly(form);
});

// Sent once: the server answers with a new composer, in which the next prompt can be typed.
document.addEventListener("htmx:wsAfterSend", (event) => {
  for (const control of event.target.querySelectorAll("button, textarea")) {
    if (control.tagName === "BUTTON") control.disabled = true;
    else control.readOnly = true;
  }
  toEnd();
});

/* --- following the answer --------------------------------------------------------------------------------------- */

const conversation = document.getElementById("conversation");
let wasAtEnd = true;
let lastSignal = document.getElementById("signals");

function isAtEnd() {
  return conversation.getBoundingClientRect().bottom <= window.innerHeight + NEAR_END_PX;
}

// On a phone other cards stand below the conversation: whoever reads those is not pulled back up.
function toEnd() {
  if (conversation.getBoundingClientRect().bottom > window.innerHeight) {
    conversation.scrollIntoView({ block: "end", behavior: "instant" });
  }
}

function passSignalOn() {
  const signal = document.getElementById("signals");
  if (!signal || signal === lastSignal) return;
  lastSignal = signal;
  const { kind, number } = signal.dataset;
  if (kind) document.body.dispatchEvent(new CustomEvent(`loom:${kind}`, { detail: { number } }));
}

let composer = document.getElementById("composer");

// A new composer takes the place of the one that had the focus; who was typing goes on typing.
function keepFocus() {
  const current = document.getElementById("composer");
  if (current === composer) return;
  composer = current;
  if (document.activeElement === document.body) current?.querySelector("textarea:not(:disabled)")?.focus({ preventScroll: true });
}

// A turn that this page does not hold yet gets a place at the end, which the message then replaces like any other turn.
function makePlace(message) {
  const id = /^\s*<article [^>]*\bid="(invocation-\d+)"/.exec(message)?.[1];
  if (!id || document.getElementById(id)) return;
  const place = document.createElement("article");
  place.id = id;
  document.getElementById("transcript").append(place);
}

document.addEventListener("htmx:wsBeforeMessage", (event) => {
  wasAtEnd = isAtEnd();
  makePlace(event.detail.message);
});
document.addEventListener("htmx:wsAfterMessage", () => {
  passSignalOn();
  keepFocus();
  countSeconds();
  if (wasAtEnd) toEnd();
});

/* --- waiting ---------------------------------------------------------------------------------------------------- */

function countSeconds() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const seconds = Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000);
    element.textContent = `${Math.max(0, seconds)} s`;
  }
}

setInterval(countSeconds, 1000);
countSeconds();

/* --- sending with Enter ----------------------------------------------------------------------------------------- */

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  // Enter that ends a composition (Japanese, Chinese, Korean) confirms a word; Safari reports it as key code 229.
  if (event.isComposing || event.keyCode === 229) return;
  if (!event.target.matches("textarea[data-enter-sends]")) return;
  event.preventDefault();
  if (event.target.value.trim() !== "" && !event.target.readOnly) event.target.form.requestSubmit();
});

if (!location.hash) toEnd();
