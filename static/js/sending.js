/* Sending prompts exactly once. A prompt waits here from the moment it is sent until Loom has confirmed it; its key makes
   Loom take it once, however often it has to be said. It outlives a lost connection and a reload of the tab. */

import { isBlocked } from "./connection.js";

/**
 * @typedef {{prompt?: string, payload?: string, mode?: string, again?: string, request_key: string}} Fields
 * @typedef {{fields: Fields, isSent: boolean}} Pending
 */

const conversation = document.getElementById("conversation");
const STORE = `loom.pending.${conversation.dataset.session}`;

/** @type {WebSocket | null} */
let socket = null;
let pending = restore();

/** @returns {Pending | null} */
function restore() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE));
  } catch {
    return null; // Storage is closed to us: a pending prompt then lasts as long as the page.
  }
}

function store() {
  try {
    if (pending) sessionStorage.setItem(STORE, JSON.stringify(pending));
    else sessionStorage.removeItem(STORE);
  } catch {
    /* As above. */
  }
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isOpen() {
  return socket !== null && socket.readyState === WebSocket.OPEN;
}

/* --- what the page shows of it --- */

/** @returns {string} */
function describe() {
  if (pending.isSent) return "Sent, but the connection broke before Loom confirmed it. Loom is asked as soon as it is back; nothing is sent twice.";
  return isBlocked ? "Not sent: there is no live connection." : "Will be sent when the connection is back:";
}

/** The turn of the pending prompt may have come by another way than its confirmation. */
function settleWhatIsShown() {
  const key = pending?.fields.request_key;
  if (key && document.querySelector(`#transcript > [data-key="${CSS.escape(key)}"]`)) settle(key, true);
}

export function showPending() {
  const box = document.getElementById("pending");
  if (!box) return;
  settleWhatIsShown();
  const isLocked = pending !== null;
  for (const control of document.querySelectorAll("#composer-form textarea")) control.readOnly = isLocked;
  for (const button of document.querySelectorAll("form[data-sends] button:not([form])")) button.disabled = isLocked;
  box.hidden = !isLocked || isOpen();
  if (box.hidden) return;
  box.querySelector("b").textContent = describe();
  box.querySelector(".prompt").textContent = pending.fields.prompt || pending.fields.payload || "";
  // What may have arrived cannot be taken back.
  box.querySelector("[data-pending=cancel]").hidden = pending.isSent;
}

/* --- sending --- */

function send() {
  if (pending && isOpen()) {
    socket.send(JSON.stringify({ action: "invoke", ...pending.fields }));
    pending.isSent = true;
    store();
  }
  showPending();
}

/** @param {WebSocket} current */
export function connected(current) {
  socket = current;
  settleWhatIsShown();
  send();
}

/** Loom has taken it, or has refused it and said why; either way it is not said again.
 * @param {string} key @param {boolean} isAccepted */
export function settle(key, isAccepted) {
  if (!pending || pending.fields.request_key !== key) return;
  if (isAccepted) forgetProblems();
  pending = null;
  store();
  const form = document.getElementById("composer-form");
  if (form?.elements.request_key.value === key) {
    form.elements.prompt.value = form.elements.payload.value = "";
    form.elements.request_key.value = newKey();
  }
  showPending();
}

/** What was wrong with an earlier prompt is not wrong with the one that was taken. */
function forgetProblems() {
  document.getElementById("composer-problems")?.replaceChildren();
  for (const field of document.querySelectorAll("#composer-form [aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** @param {Fields} fields @returns {boolean} */
function isEmpty(fields) {
  return !fields.again && (fields.mode === "json" ? fields.payload : fields.prompt).trim() === "";
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-sends]") || !window.htmx) return; // without htmx nothing shows the answer: sent plainly
  event.preventDefault();
  const { csrfmiddlewaretoken: _, ...fields } = Object.fromEntries(new FormData(form));
  if (pending || isEmpty(fields)) return;
  if (fields.again) fields.request_key = newKey();
  pending = { fields, isSent: false };
  store();
  send();
});

function sendPlainly() {
  const form = Object.assign(document.createElement("form"), { method: "post", action: document.getElementById("composer-form").action });
  const { "X-CSRFToken": csrfmiddlewaretoken } = JSON.parse(document.body.getAttribute("hx-headers"));
  for (const [name, value] of Object.entries({ ...pending.fields, csrfmiddlewaretoken })) {
    form.append(Object.assign(document.createElement("textarea"), { name, value }));
  }
  form.hidden = true;
  document.body.append(form);
  pending.isSent = true;
  store();
  form.submit();
}

document.addEventListener("click", (event) => {
  const action = event.target.closest("[data-pending]")?.dataset.pending;
  if (!action || !pending) return;
  if (action === "plain") {
    sendPlainly();
  } else if (!pending.isSent) {
    pending = null;
    store();
    showPending();
    document.getElementById("composer-prompt")?.focus();
  }
});

/* --- drafts --- */

/** @type {{prompt: string, payload: string, mode: string} | null} */
let draft = null;

/** Before a new composer takes the place of this one: what is being typed, unless it is on its way. */
export function keepDraft() {
  const form = document.getElementById("composer-form");
  if (!form || (pending && pending.fields.request_key === form.elements.request_key.value)) {
    draft = null;
    return;
  }
  draft = { prompt: form.elements.prompt.value, payload: form.elements.payload.value, mode: form.elements.mode.value };
}

export function restoreDraft() {
  const form = document.getElementById("composer-form");
  if (form && draft && form.elements.prompt.value === "" && form.elements.payload.value === "") {
    Object.assign(form.elements.prompt, { value: draft.prompt });
    Object.assign(form.elements.payload, { value: draft.payload });
    form.elements.mode.value = draft.mode;
  }
  showPending();
}

showPending();
