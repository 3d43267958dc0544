/* Keys that every page has, as its search button tells them (loom/web/places.py), and those that a script of the page
   adds. Fetched once the page is shown. They are switched off in their sheet, for this browser. */
import { define } from "./kit.js";
import "./meanwhile.js";
import "./menus.js";
import { complain } from "./telling.js";

const STORE = "loom.keys";
export const LAST_SESSION = "loom.last-session";
const SEQUENCE_MS = 1500; // between two keys of one way
const WRITING = "input, textarea, select, [contenteditable]";
const ELSEWHERE = "dialog[open], .menu[open], :popover-open";
const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** @type {HTMLElement | null} */
const button = document.querySelector("[data-keys]");
/** Addresses and names of commands, by their keys.
 * @type {Record<string, string>} */
const bindings = JSON.parse(button?.dataset.keys ?? "{}");
/** @type {Record<string, () => void>} */
const added = {};
/** Keys that are pressed first of several. */
const beginnings = new Set(Object.keys(bindings).filter((keys) => keys.includes(" ")).map((keys) => keys.split(" ")[0]));
let begun = "", begunAt = 0;

/** @param {Record<string, () => void>} more */
export const addKeys = (more) => void Object.assign(added, more);

/** @returns {boolean} */
export function areOn() {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true; // storage is closed to us
  }
}

/** @param {boolean} isOn */
export function switchKeys(isOn) {
  try {
    if (isOn) localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, "off");
  } catch {
    complain("This browser lets no page keep the choice.");
  }
  showHint();
}

/* --- commands --- */

/** What is fetched and then opens, and what was typed meanwhile, which is meant for it.
 * @type {{typed: string} | null} */
let opening = null;

/** @param {"openPalette" | "openSheet"} name */
async function open(name) {
  if (opening) return;
  const own = (opening = { typed: "" });
  const isWanted = () => opening === own;
  try {
    const palette = await import("./palette.js");
    await palette[name](button.dataset.palette, isWanted, own);
  } catch {
    if (isWanted()) complain("Search could not be opened: Loom could not be reached.");
  } finally {
    if (isWanted()) opening = null;
  }
}

/** @param {KeyboardEvent} event */
function keep(event) {
  const { key } = event;
  if (key === "Escape") opening = null; // closed before it was open
  else if (key === "Backspace") opening.typed = opening.typed.slice(0, -1);
  else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) opening.typed += key;
  else return;
  event.preventDefault();
}

function search() {
  const field = [...document.querySelectorAll("[data-search]")].find((one) => one.checkVisibility());
  if (field) field.focus();
  else open("openPalette");
}

function last() {
  let address = null;
  try {
    address = localStorage.getItem(LAST_SESSION);
  } catch {
    /* Storage is closed to us: nothing is kept there. */
  }
  if (address) location.assign(address);
  else complain("No session was opened in this browser so far.");
}

/** What does not lead to an address.
 * @type {Record<string, () => void>} */
const commands = { search, last, sheet: () => void open("openSheet") };

/** @param {string} wanted an address or the name of a command */
export function run(wanted) {
  if (commands[wanted]) commands[wanted]();
  else location.assign(wanted);
}

/* --- keys --- */

/** What the keys do so far; null where there may be more of them. When they were pressed counts: a busy page hears late.
 * @param {KeyboardEvent} event @returns {(() => void) | null | undefined} */
function meaning({ key, timeStamp }) {
  const isGoingOn = begun && timeStamp - begunAt < SEQUENCE_MS;
  const keys = isGoingOn ? `${begun} ${key}` : key;
  begun = "";
  if (bindings[keys]) return () => run(bindings[keys]);
  if (isGoingOn) return undefined;
  if (!beginnings.has(key)) return added[key];
  begun = key;
  begunAt = timeStamp;
  return null;
}

/** Where a key is taken by whoever has the focus, or by what lies above the page.
 * @param {KeyboardEvent} event @param {boolean} isCombined @returns {boolean} */
function isTaken({ target, isComposing, keyCode, ctrlKey }, isCombined) {
  if (isComposing || keyCode === 229 || document.querySelector(ELSEWHERE)) return true;
  // With Ctrl K a Mac deletes to the end of the line.
  return /** @type {Element} */ (target).closest(WRITING) !== null && !(isCombined && !(IS_MAC && ctrlKey));
}

document.addEventListener("keydown", (event) => {
  if (opening) {
    keep(event);
    return;
  }
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  const isCombined = (ctrlKey || metaKey) && key.toLowerCase() === "k" && !shiftKey;
  if (event.defaultPrevented || altKey || (!isCombined && (ctrlKey || metaKey || key === "Shift"))) return;
  if (isTaken(event, isCombined) || !button || !areOn()) return;
  const act = isCombined ? () => open("openPalette") : meaning(event);
  if (act === undefined) return;
  event.preventDefault();
  if (!event.repeat || added[key]) act?.();
});

/* --- what few pages have --- */

define("picker-script", {
  selector: "[data-widget~=picker]",
  mount: () => void import("./picker.js"), // which mounts itself there
});

/* --- buttons --- */

function showHint() {
  const hint = button?.querySelector("kbd");
  if (!hint) return;
  hint.textContent = IS_MAC ? "⌘ K" : "Ctrl K";
  hint.hidden = !areOn();
}

define("palette-opener", {
  selector: "[data-palette]",
  mount(opener, { signal }) {
    opener.ariaHasPopup = "dialog";
    opener.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a link that opens elsewhere
      event.preventDefault();
      if (opener.dataset.command) run(opener.dataset.command);
      else open("openPalette");
    }, { signal });
  },
});
showHint();
