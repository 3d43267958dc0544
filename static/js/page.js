/* What every page does in the browser: copy buttons, local times, dialogs, toasts, keys. */
const TOAST_MS = 6000;
const COPIED_MS = 1500;

/* --- copying ---------------------------------------------------------------------------------------------------- */

function copyByHand(text) {
  const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

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

function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

/* --- times ------------------------------------------------------------------------------------------------------ */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const precise = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
const preciseClock = new Intl.DateTimeFormat(undefined, precise);
const preciseDay = new Intl.DateTimeFormat(undefined, { ...precise, day: "numeric", month: "short" });
const older = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

function localTime(at) {
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return at.getFullYear() === now.getFullYear() ? day.format(at) : older.format(at);
}

function preciseTime(at) {
  return (at.toDateString() === new Date().toDateString() ? preciseClock : preciseDay).format(at);
}

function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.title = `${full.format(at)} (${element.dateTime})`;
    if ("precise" in element.dataset) element.textContent = preciseTime(at);
    else element.textContent = localTime(at);
  }
}

/* --- dialogs ---------------------------------------------------------------------------------------------------- */

function openDialog(opener) {
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog) return;
  const { dialogAction, dialogName, dialogDetail, dialogValue } = opener.dataset;
  if (dialogAction) dialog.querySelector("form[data-action]").action = dialogAction;
  for (const place of dialog.querySelectorAll("[data-name]")) place.textContent = dialogName;
  for (const place of dialog.querySelectorAll("[data-detail]")) place.textContent = dialogDetail ?? place.textContent;
  for (const field of dialog.querySelectorAll("[data-value]")) field.value = dialogValue ?? field.value;
  // A filter may have changed the address since the page came.
  for (const field of dialog.querySelectorAll("[data-here]")) field.value = location.pathname + location.search;
  dialog.showModal();
  dialog.querySelector("[data-value]")?.select();
}

/* --- filters ---------------------------------------------------------------------------------------------------- */

// What is not asked for does not belong into the address.
document.addEventListener("htmx:configRequest", (event) => {
  const { elt, parameters } = event.detail;
  if (!elt.matches("form[data-filters]")) return;
  for (const [name, value] of Object.entries(parameters)) if (value === "") delete parameters[name];
});

/* --- toasts ----------------------------------------------------------------------------------------------------- */

function expireToasts(root) {
  for (const toast of root.querySelectorAll(".toast-success:not([data-expires]), .toast-info:not([data-expires])")) {
    toast.dataset.expires = "";
    setTimeout(() => toast.remove(), TOAST_MS);
  }
}

function complain(text) {
  const template = document.getElementById("toast-template");
  if (!template) return;
  const toast = template.content.cloneNode(true);
  toast.querySelector("p").textContent = text;
  document.getElementById("toasts").replaceChildren(toast);
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function moveInTable(step) {
  const links = [...document.querySelectorAll("tbody .row-link")];
  if (links.length === 0) return;
  const row = document.activeElement.closest("tr");
  const here = links.findIndex((link) => link.closest("tr") === row);
  const next = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.max(0, Math.min(next, links.length - 1))].focus();
}

const KEYS = {
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => document.getElementById("keys-dialog")?.showModal(),
  j: () => moveInTable(1),
  k: () => moveInTable(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const act = KEYS[event.key];
  if (!act || isTyping(event.target)) return;
  event.preventDefault();
  act();
});

/* --- wiring ----------------------------------------------------------------------------------------------------- */

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-dialog], [data-close]");
  if (!target) return;
  if ("copy" in target.dataset) copy(target);
  else if ("dialog" in target.dataset) openDialog(target);
  else target.closest(target.dataset.close)?.[target.dataset.close === "dialog" ? "close" : "remove"]();
});

// A fragment asked for after the web session ended is answered with the sign-in page: show that page, not a piece of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  const { loginUrl } = document.body.dataset;
  if (!xhr?.responseURL || !loginUrl || new URL(xhr.responseURL).pathname !== loginUrl) return;
  event.detail.shouldSwap = false;
  location.reload();
});
document.addEventListener("htmx:responseError", (event) => {
  complain(`The server answered ${event.detail.xhr.status}. Nothing was changed on this page; reload it to see how things stand.`);
});
document.addEventListener("htmx:sendError", () => {
  complain("Loom could not be reached. Check that it is still running, then try again.");
});
document.addEventListener("htmx:load", (event) => {
  localise(event.detail.elt.parentElement ?? document);
  expireToasts(document);
});
localise(document);
expireToasts(document);
