/* The command palette and the sheet of keys: fetched where one of them is wanted first. */
import { combobox } from "./combobox.js";
import "./dialogs.js";
import { areOn, run, switchKeys } from "./keys.js";

const PAUSE_MS = 150; // after the last key, before Loom is asked
const NOT_FOUND = "Nothing is found.";

/** @typedef {{dialog: HTMLDialogElement, sheet: HTMLDialogElement}} Dialogs */

/** @type {Promise<Dialogs> | undefined} */
let fetched;

/** @param {HTMLLinkElement} sheet @returns {Promise<void>} */
const loaded = (sheet) => new Promise((resolve) => {
  sheet.addEventListener("load", () => resolve());
  sheet.addEventListener("error", () => resolve()); // plain, and usable
});

/** @param {string} address @param {AbortSignal} [signal] @returns {Promise<string>} */
async function fragment(address, signal) {
  const response = await fetch(address, { signal, headers: { "HX-Request": "true" } });
  if (response.redirected) location.reload(); // to the sign-in
  if (!response.ok || response.redirected) throw new Error(`The server answered ${response.status}.`);
  return await response.text();
}

/** @param {string} address @returns {Promise<Dialogs>} */
async function fetchDialogs(address) {
  const parts = new DOMParser().parseFromString(await fragment(address), "text/html");
  const [style, dialog, sheet] = ["link", "#palette", "#keys-dialog"].map((one) => parts.querySelector(one));
  const styled = loaded(style);
  document.head.append(style);
  document.body.append(dialog, sheet);
  await styled;
  watchPalette(dialog);
  watchSheet(sheet);
  return { dialog, sheet };
}

/** @param {string} address */
function dialogs(address) {
  fetched ??= fetchDialogs(address);
  fetched.catch(() => (fetched = undefined));
  return fetched;
}

/** @param {HTMLDialogElement} dialog */
function show(dialog) {
  for (const other of document.querySelectorAll("dialog[open]")) if (other !== dialog) return;
  document.querySelector(":popover-open")?.hidePopover();
  if (!dialog.open) dialog.showModal();
}

/** @param {string} address @param {() => boolean} isWanted still, when it is there
 * @param {{typed: string}} meanwhile what was meant for the field before it was there */
export async function openPalette(address, isWanted, meanwhile) {
  const { dialog } = await dialogs(address);
  if (!isWanted()) return;
  show(dialog);
  dialog.dispatchEvent(new CustomEvent("loom:open", { detail: meanwhile.typed }));
}

/** @param {string} address @param {() => boolean} isWanted */
export async function openSheet(address, isWanted) {
  const { sheet } = await dialogs(address);
  if (isWanted()) show(sheet);
}

/** @param {HTMLDialogElement} sheet */
function watchSheet(sheet) {
  const choice = sheet.querySelector("[data-part=keys-on]");
  choice.checked = areOn();
  choice.addEventListener("change", () => switchKeys(choice.checked));
}

/** @param {string[]} words @param {HTMLElement} option */
const says = (words, option) => words.every((word) => option.textContent.toLowerCase().includes(word));

/** What can be done on this page, as its own buttons say: an option presses its button.
 * @param {HTMLElement} group */
function offerHere(group) {
  for (const option of group.querySelectorAll("[role=option]")) option.remove();
  for (const button of document.querySelectorAll("[data-on-page]:not(:disabled)")) {
    const option = Object.assign(document.createElement("button"), { type: "button", tabIndex: -1 });
    option.setAttribute("role", "option");
    const name = Object.assign(document.createElement("b"), { textContent: button.textContent.trim() });
    option.append(...[...button.querySelectorAll("svg")].map((icon) => icon.cloneNode(true)), name);
    option.addEventListener("click", () => setTimeout(() => button.click())); // once the palette is closed
    group.append(option);
  }
  group.hidden = !group.querySelector("[role=option]");
}

/** @param {HTMLDialogElement} dialog */
function watchPalette(dialog) {
  /** @type {HTMLInputElement} */
  const field = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  const found = dialog.querySelector("[data-part=found]");
  const told = dialog.querySelector("[role=status]");
  const box = combobox(field, list);
  let timer = 0;
  let asking = new AbortController();

  /** Pages and actions stand in the dialog already; of what was found before, nothing may be chosen that does not fit. */
  function filter() {
    const words = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    for (const option of list.querySelectorAll("[role=option]")) option.hidden = !says(words, option);
    for (const group of list.querySelectorAll("[role=group]")) {
      group.hidden = !group.querySelector("[role=option]:not([hidden])");
    }
  }

  /** @param {string} [failure] */
  function tell(failure) {
    const count = box.refresh().length;
    told.textContent = failure ?? (count ? `${count} to choose from` : NOT_FOUND);
  }

  /** @param {string} text */
  async function ask(text) {
    const { signal } = asking;
    try {
      const html = await fragment(`${dialog.dataset.results}?q=${encodeURIComponent(text)}`, signal);
      if (signal.aborted) return;
      found.innerHTML = html;
      tell();
    } catch (/** @type {any} */ error) {
      if (signal.aborted) return;
      found.replaceChildren();
      tell(`Agents, sessions and runs could not be searched. ${error instanceof TypeError ? "Loom could not be reached." : error.message}`);
    }
  }

  /** What was asked before is not waited for any more. */
  function type() {
    clearTimeout(timer);
    asking.abort();
    asking = new AbortController();
    filter();
    const text = field.value.trim();
    if (text) timer = setTimeout(() => ask(text), PAUSE_MS);
    else found.replaceChildren();
    tell(text ? "Searching…" : undefined);
  }

  field.addEventListener("input", type);
  dialog.addEventListener("loom:open", ({ detail }) => {
    offerHere(dialog.querySelector("[data-part=here]"));
    if (detail) field.value = detail;
    else field.select();
    type();
  });
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    asking.abort();
  });
  list.addEventListener("click", ({ target }) => {
    const option = target.closest("[role=option]");
    if (!option) return;
    dialog.close();
    if (option.dataset.command) run(option.dataset.command);
  });
}
