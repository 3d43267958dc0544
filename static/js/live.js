/* A session page, live: its messages, the waiting counter, following the answer, and earlier turns. */
import { addCopyButtons } from "./code.js";
import { showConnection, stayConnected } from "./connection.js";
import { follow, tell } from "./reading.js";
import { connected, keepDraft, restoreDraft, settle, showPending } from "./sending.js";

const NEAR_END_PX = 96;

const transcript = document.getElementById("transcript");
const conversation = document.getElementById("conversation");
const { socket: socketPath } = document.querySelector("[data-socket]")?.dataset ?? {};

/** @returns {HTMLElement | null} */
const runningTurn = () => transcript.querySelector(":scope > article.is-running");

/* --- messages --- */

/** Where the socket is, and what this page shows, so that the server sends only what is missing.
 * @returns {string} */
function address() {
  const url = new URL(socketPath, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const turns = [...transcript.querySelectorAll(":scope > article")];
  const numbers = turns.map((turn) => Number(turn.id.replace("invocation-", "")));
  url.searchParams.set("last", String(Math.max(0, ...numbers)));
  for (const turn of turns) if (turn.classList.contains("is-running")) url.searchParams.append("at", turn.dataset.at);
  url.searchParams.set("environment", document.getElementById("environment").dataset.state);
  return url.href;
}

let wasAtEnd = true;
let lastSignal = document.getElementById("signals");

function isAtEnd() {
  return conversation.getBoundingClientRect().bottom <= window.innerHeight + NEAR_END_PX;
}

// On a phone other cards stand below: whoever reads those is not pulled back up.
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

// A new composer takes the place of the one with the focus; who was typing goes on.
function keepFocus() {
  const current = document.getElementById("composer");
  if (current === composer) return;
  composer = current;
  restoreDraft();
  if (document.activeElement === document.body) focusField();
}

/** A turn that is new here gets a place at the end, which the message then replaces.
 * @param {string} message */
function makePlace(message) {
  const id = /^\s*<article [^>]*\bid="(invocation-\d+)"/.exec(message)?.[1];
  if (!id || document.getElementById(id)) return;
  transcript.append(Object.assign(document.createElement("article"), { id }));
}

// The composer follows the transcript: Send where nothing runs, else Stop.
function followTranscript() {
  const composer = document.getElementById("composer");
  if (!composer) return;
  const running = runningTurn()?.id.replace("invocation-", "") ?? "0";
  if (composer.dataset.running === running) return;
  const isOnButton = document.activeElement?.matches("#composer .composer-fields button");
  composer.dataset.running = running;
  const prompt = composer.querySelector("#composer-prompt");
  prompt.placeholder = JSON.parse(prompt.dataset.placeholders)[running === "0" ? 0 : 1];
  document.getElementById("stop-form").elements.invocation.value = running;
  showNote("");
  // The pressed button is gone or disabled, and with it the focus.
  if (isOnButton || document.activeElement === document.body) focusField();
}

/** @param {string} text */
function showNote(text) {
  const hint = document.getElementById("composer-hint");
  let note = hint?.querySelector(".note");
  if (!hint || (!note && !text)) return;
  note ??= hint.appendChild(Object.assign(document.createElement("span"), { className: "note" }));
  note.textContent = text ? ` ${text}` : "";
  tell(text);
}

function focusField() {
  const isJson = composer?.querySelector(".modes input[value=json]:checked");
  composer?.querySelector(isJson ? "#composer-payload" : "#composer-prompt")?.focus({ preventScroll: true });
}

/** The place in the stream that the page shows now stands in the first tag of a message.
 * @param {string} message */
function keepPlace(message) {
  const place = /^\s*<[a-z]+ [^>]*\bdata-at="((\d+):[0-9a-f]*:\d+)"/.exec(message);
  const turn = place && document.getElementById(`invocation-${place[2]}`);
  if (turn?.classList.contains("is-running")) turn.dataset.at = place[1];
}

/** @param {string} message elements that say by their ids where they belong */
function take(message) {
  const isTurn = /^\s*<article /.test(message);
  wasAtEnd = isAtEnd();
  makePlace(message);
  if (/^\s*<div id="composer"/.test(message)) keepDraft();
  window.htmx.swap(document.createElement("div"), message, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
  keepPlace(message);
  followTranscript();
  passSignalOn();
  keepFocus();
  countSeconds();
  if (isTurn) showPending(); // its Resend waits while another prompt is on its way
  addCopyButtons(isTurn ? transcript : runningTurn() ?? transcript);
  follow(runningTurn());
  if (wasAtEnd) toEnd();
}

// A step that was opened stays open when it is replaced.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const open = detail.target.matches("details[open]") ? [detail.target] : detail.target.querySelectorAll("details[open]");
  for (const step of open) {
    const next = step.id && detail.fragment.querySelector(`#${CSS.escape(step.id)}`);
    if (next) next.open = true;
  }
});

/* --- waiting --- */

function countSeconds() {
  for (const element of document.querySelectorAll("[data-since]")) {
    const seconds = Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000);
    element.textContent = `${Math.max(0, seconds)} s`;
  }
}

setInterval(countSeconds, 1000);
countSeconds();

/* --- keys and buttons --- */

document.addEventListener("loom:send", (event) => {
  if (!event.target.closest("#composer")) return;
  const isAnswering = composer.dataset.running !== "0";
  if (isAnswering) showNote("Not sent yet: the agent is still answering. What you typed stays here.");
  if (isAnswering || event.target.readOnly) event.preventDefault();
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

/* --- earlier turns --- */

// A link may lead to a turn that is not loaded yet: load until it is there.
function findTarget() {
  if (!/^#invocation-\d+$/.test(location.hash)) return;
  const target = document.querySelector(location.hash);
  if (target) target.scrollIntoView({ block: "start" });
  else transcript.querySelector(".earlier a")?.click();
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (!event.detail.requestConfig?.path?.includes("/turns/")) return;
  addCopyButtons(transcript);
  findTarget();
});
window.addEventListener("hashchange", findTarget);
document.addEventListener("DOMContentLoaded", findTarget);
if (!location.hash) toEnd();

/* --- connection --- */

addCopyButtons(transcript);
follow(runningTurn());
if (!window.htmx) {
  showConnection("A script did not load: reload the page to see what came. Prompts are sent all the same.");
} else if (socketPath) {
  stayConnected(address, { opened: connected, took: take, closed: showPending });
}
