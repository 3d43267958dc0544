/* Lists and their filters: walking through rows, how old they are, what a filter found, ranges in the reader's zone. */
import { addKeys } from "./page.js";
import { announce } from "./telling.js";
import { clockText, minutes } from "./times.js";

const TICK_MS = 30_000;
const MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86_400, WEEK_S = 7 * DAY_S;

/* --- rows --- */

/** @param {1 | -1} step */
function moveInTable(step) {
  const links = [...document.querySelectorAll("tbody .row-link")];
  if (links.length === 0) return;
  const row = document.activeElement.closest("tr");
  const here = links.findIndex((link) => link.closest("tr") === row);
  const next = here === -1 ? (step > 0 ? 0 : links.length - 1) : here + step;
  links[Math.max(0, Math.min(next, links.length - 1))].focus();
}

addKeys({
  "/": () => document.querySelector("[data-search]")?.focus(),
  j: () => moveInTable(1),
  k: () => moveInTable(-1),
});

/* --- ages --- */

/** How long ago, up to a week; else, and for what a fast clock put into the future, the instant itself.
 * @param {Date} at @returns {string} */
function agoText(at) {
  const past = (Date.now() - at.getTime()) / 1000;
  if (past < -MINUTE_S || past >= WEEK_S) return clockText(at, minutes);
  if (past < MINUTE_S) return "just now";
  if (past < HOUR_S) return `${Math.floor(past / MINUTE_S)} min ago`;
  return past < DAY_S ? `${Math.floor(past / HOUR_S)} h ago` : `${Math.floor(past / DAY_S)} d ago`;
}

function writeAges() {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    element.textContent = agoText(new Date(element.dateTime));
  }
}

setInterval(writeAges, TICK_MS);

/* --- filters --- */

// What is not asked for does not belong into the address.
document.addEventListener("htmx:configRequest", ({ detail: { elt, parameters } }) => {
  if (!elt.matches("form[data-filters]")) return;
  for (const [name, value] of Object.entries(parameters)) if (value === "") delete parameters[name];
});

/** @param {Element} region @param {string} noun @returns {string} */
function resultOf(region, noun) {
  const told = region.querySelector(".pager > span, .empty h3, .subtitle");
  return told?.textContent ?? `${region.querySelectorAll("tbody tr, ol > li").length} ${noun}`;
}

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const form = detail.requestConfig?.elt;
  const region = form?.matches("form[data-filters]") && document.getElementById(detail.target.id);
  if (region) announce(resultOf(region, form.dataset.noun ?? "rows"));
});

/* --- ranges of time --- */

/** The wall clock of an instant as a `datetime-local` field holds it.
 * @param {Date} at @returns {string} */
function wallClock(at) {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Turn fields that hold UTC into the reader's zone, and name that.
 * @param {ParentNode} root */
function localiseFields(root) {
  for (const field of root.querySelectorAll("input[data-utc]:not([data-local])")) {
    field.dataset.local = "";
    if (field.value) field.value = wallClock(new Date(`${field.value}Z`));
  }
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  for (const place of root.querySelectorAll("[data-zone]")) place.textContent = timeZone;
}

// What was typed in the reader's zone leaves as UTC, with a script of htmx as without.
document.addEventListener("formdata", ({ target, formData }) => {
  for (const { name, value } of target.querySelectorAll("input[data-local]")) {
    if (value && formData.has(name)) formData.set(name, new Date(value).toISOString().slice(0, 16));
  }
});

document.addEventListener("htmx:load", (event) => {
  writeAges();
  localiseFields(event.detail.elt.parentElement ?? document);
});
writeAges();
localiseFields(document);
