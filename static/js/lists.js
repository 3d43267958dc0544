/* Lists and their filters: walking through rows, how old they are, what a filter found, ranges in the reader's zone. */
import { define } from "./kit.js";
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

import("./keys.js").then(({ addKeys }) => addKeys({ j: () => moveInTable(1), k: () => moveInTable(-1) }));

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

/** @param {HTMLTimeElement} element */
function writeAge(element) {
  element.textContent = agoText(new Date(element.dateTime));
}

/** @type {Set<HTMLTimeElement>} */
const ages = new Set();
setInterval(() => ages.forEach(writeAge), TICK_MS);

define("age", {
  selector: "time[data-ago]",
  mount(element) {
    ages.add(element);
    writeAge(element);
  },
  unmount: (element) => ages.delete(element),
});

/* --- filters --- */

/** @param {Element} region @param {string} noun @returns {string} */
function resultOf(region, noun) {
  const told = region.querySelector(".pager > span, .empty h3, .subtitle");
  return told?.textContent ?? `${region.querySelectorAll("tbody tr, ol > li").length} ${noun}`;
}

define("filters", {
  mount(form) {
    // What is not asked for does not belong into the address.
    form.addEventListener("htmx:configRequest", ({ target, detail: { parameters } }) => {
      if (target !== form) return;
      for (const [name, value] of Object.entries(parameters)) if (value === "") delete parameters[name];
    });
  },
});

// The form itself may have been replaced with what it filters.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const form = detail.requestConfig?.elt;
  const region = form?.matches("[data-widget~=filters]") && document.getElementById(detail.target.id);
  if (region) announce(resultOf(region, form.dataset.noun ?? "rows"));
});

/* --- ranges of time --- */

/** The wall clock of an instant as a `datetime-local` field holds it.
 * @param {Date} at @returns {string} */
function wallClock(at) {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

// Fields that hold UTC are turned into the reader's zone, which is named beside them.
define("utc", {
  selector: "input[data-utc]",
  mount(field) {
    field.dataset.local = "";
    if (field.value) field.value = wallClock(new Date(`${field.value}Z`));
  },
});

define("zone", {
  selector: "[data-zone]",
  mount(place) {
    place.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
  },
});

// What was typed in the reader's zone leaves as UTC, with a script of htmx as without.
document.addEventListener("formdata", ({ target, formData }) => {
  for (const { name, value } of target.querySelectorAll("input[data-local]")) {
    if (value && formData.has(name)) formData.set(name, new Date(value).toISOString().slice(0, 16));
  }
});
