/* The live part of a session page: its socket, the waiting counter, following the answer, keys and earlier turns. */
import { connected, keepDraft, restoreDraft, settle, showPending } from "./sending.js";

const NEAR_END_PX = 96;
const LONGEST_RECONNECT_MS = 8000;
const BACK_SHOWN_MS = 4000;
const RECONNECTED_BY_HTMX = [1006, 1011, 1012, 1013];
const FINAL_CLOSES = {
  4401: "You are signed out. Reload the page to sign in again.",
  4404: "This session is not there any more.",
};

const transcript = document.getElementById("transcript");
const conversation = document.getElementById("conversation");

/* --- connection ------------------------------------------------------------------------------------------------- */

/* Runs between the htmx script and its start: both are deferred, and htmx starts on DOMContentLoaded. */
function reconnectDelay(tries) {
  const longest = Math.min(LONGEST_RECONNECT_MS, 500 * 2 ** tries);
  return longest / 2 + (Math.random() * longest) / 2;
}
window.htmx.config.wsReconnectDelay = reconnectDelay;

/** What this page shows, so that the server sends what is missing and nothing else. */
function shown() {
  const turns = [...transcript.querySelectorAll(":scope > article")];
  const numbers = turns.map((turn) => Number(turn.id.replace("invocation-", "")));
  const query = new URLSearchParams({ last: Math.max(0, ...numbers) });
  for (const turn of turns) if (turn.classList.contains("is-running")) query.append("at", turn.dataset.at);
  query.set("environment", document.getElementById("environment").dataset.state);
  return query;
}

let socket = null;
window.htmx.createWebSocket = (url) => {
  socket = new WebSocket(`${url}?${shown()}`);
  return socket;
};

let banner = 0;
function showConnection(text, hideAfterMs = 0) {
  const element = document.getElementById("connection");
  clearTimeout(banner);
  element.hidden = text === "";
  element.classList.toggle("is-back", hideAfterMs > 0);
  element.querySelector("span").textContent = text;
  if (hideAfterMs) banner = setTimeout(() => showConnection(""), hideAfterMs);
}

let wasLost = false;
document.addEventListener("htmx:wsOpen", () => {
  if (wasLost) showConnection("Connected again. Nothing is missing on this page.", BACK_SHOWN_MS);
  wasLost = false;
  connected(socket);
});

let tries = 0;
document.addEventListener("htmx:wsClose", ({ detail }) => {
  const final = FINAL_CLOSES[detail.event.code];
  wasLost = !final;
  showConnection(final ?? "Connection lost, reconnecting… The agent goes on; you will see all of its answer.");
  showPending();
  if (final || RECONNECTED_BY_HTMX.includes(detail.event.code)) return;
  setTimeout(detail.socketWrapper.reconnect, reconnectDelay(tries++));
});

/* --- messages --------------------------------------------------------------------------------------------------- */

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
  const { kind, number, key } = signal.dataset;
  if (kind === "accepted" || kind === "refused") settle(key, kind === "accepted");
  else if (kind) document.body.dispatchEvent(new CustomEvent(`loom:${kind}`, { detail: { number } }));
}

let composer = document.getElementById("composer");

// A new composer takes the place of the one that had the focus; who was typing goes on typing.
function keepFocus() {
  const current = document.getElementById("composer");
  if (current === composer) return;
  composer = current;
  restoreDraft();
  if (document.activeElement === document.body) focusField();
}

// A turn that this page does not hold yet gets a place at the end, which the message then replaces like any other turn.
function makePlace(message) {
  const id = /^\s*<article [^>]*\bid="(invocation-\d+)"/.exec(message)?.[1];
  if (!id || document.getElementById(id)) return;
  const place = document.createElement("article");
  place.id = id;
  transcript.append(place);
}

// The composer follows the transcript: Send where nothing runs, Stop where something does.
function followTranscript() {
  const composer = document.getElementById("composer");
  if (!composer) return;
  const running = transcript.querySelector(":scope > article.is-running")?.id.replace("invocation-", "") ?? "0";
  if (composer.dataset.running === running) return;
  const isOnButton = document.activeElement?.matches("#composer .composer-fields button");
  composer.dataset.running = running;
  const prompt = composer.querySelector("#composer-prompt");
  prompt.placeholder = JSON.parse(prompt.dataset.placeholders)[running === "0" ? 0 : 1];
  document.getElementById("stop-form").elements.invocation.value = running;
  showNote("");
  // The button that was pressed is gone, or was disabled meanwhile, which took the focus: who was typing goes on typing.
  if (isOnButton || document.activeElement === document.body) focusField();
}

function showNote(text) {
  const hint = document.getElementById("composer-hint");
  let note = hint?.querySelector(".note");
  if (!hint || (!note && !text)) return;
  note ??= hint.appendChild(Object.assign(document.createElement("span"), { className: "note" }));
  note.textContent = text ? ` ${text}` : "";
}

function focusField() {
  const isJson = composer?.querySelector(".modes input[value=json]:checked");
  composer?.querySelector(isJson ? "#composer-payload" : "#composer-prompt")?.focus({ preventScroll: true });
}

// The place in the stream that the page shows now stands in the first tag of a message.
function keepPlace(message) {
  const place = /^\s*<[a-z]+ [^>]*\bdata-at="((\d+):[0-9a-f]*:\d+)"/.exec(message);
  const turn = place && document.getElementById(`invocation-${place[2]}`);
  if (turn?.classList.contains("is-running")) turn.dataset.at = place[1];
}

document.addEventListener("htmx:wsBeforeMessage", (event) => {
  wasAtEnd = isAtEnd();
  makePlace(event.detail.message);
  if (/^\s*<div id="composer"/.test(event.detail.message)) keepDraft();
});
document.addEventListener("htmx:wsAfterMessage", (event) => {
  tries = 0;
  keepPlace(event.detail.message);
  followTranscript();
  passSignalOn();
  keepFocus();
  countSeconds();
  showPendingOf(event.detail.message);
  if (wasAtEnd) toEnd();
});

// A new turn has a Resend button of its own, which waits while another prompt is on its way.
function showPendingOf(message) {
  if (/^\s*<article /.test(message)) showPending();
}

// A step that was opened stays open when it is replaced.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const open = detail.target.matches("details[open]") ? [detail.target] : detail.target.querySelectorAll("details[open]");
  for (const step of open) {
    const next = step.id && detail.fragment.querySelector(`#${CSS.escape(step.id)}`);
    if (next) next.open = true;
  }
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

/* --- keys and buttons ------------------------------------------------------------------------------------------- */

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey) return;
  // Enter that ends a composition (Japanese, Chinese, Korean) confirms a word; Safari reports it as key code 229.
  if (event.isComposing || event.keyCode === 229) return;
  if (!event.target.matches("textarea[data-enter-sends]")) return;
  event.preventDefault();
  const isAnswering = event.target.closest("#composer").dataset.running !== "0";
  if (!isAnswering && !event.target.readOnly) event.target.form.requestSubmit();
});

document.addEventListener("loom:over", () => {
  showNote("The answer was complete before it could be stopped.");
});

document.body.addEventListener("loom:held", () => {
  showNote("The answer is over, but the database does not take its end yet. Loom keeps trying.");
});

document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-once]")) event.submitter.disabled = true;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-answer]");
  if (!button || "copy" in button.dataset) return;
  const response = await fetch(button.dataset.copyAnswer);
  if (!response.ok) return;
  button.dataset.copyLabel = "Answer";
  button.dataset.copy = await response.text();
  button.click(); // now there is a text, which every page knows how to copy
});

/* --- earlier turns ---------------------------------------------------------------------------------------------- */

// A link may lead to a turn that is not loaded yet: load what is before until it is there.
function findTarget() {
  if (!/^#invocation-\d+$/.test(location.hash)) return;
  const target = document.querySelector(location.hash);
  if (target) target.scrollIntoView({ block: "start" });
  else transcript.querySelector(".earlier a")?.click();
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.requestConfig?.path?.includes("/turns/")) findTarget();
});
window.addEventListener("hashchange", findTarget);
document.addEventListener("DOMContentLoaded", findTarget);
if (!location.hash) toEnd();
