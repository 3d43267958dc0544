/* Times in the zone that a page names: below `data-clock` they are written in that one instead of the reader's own. */
import { define } from "./kit.js";

/** @typedef {Record<"minutes" | "days" | "date" | "clock" | "whole", Intl.DateTimeFormat>} Clocks */

/** @type {Intl.DateTimeFormatOptions} */
const toMinute = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
/** @type {Map<string, Clocks>} */
const known = new Map();

/** @param {string} zone @returns {Clocks} */
function clocksOf(zone) {
  /** @param {Intl.DateTimeFormatOptions} options */
  const format = (options) => new Intl.DateTimeFormat(undefined, { ...options, timeZone: zone || undefined });
  return {
    minutes: format(toMinute),
    days: format({ day: "numeric", month: "short" }),
    date: format({ dateStyle: "short" }),
    clock: format({ day: "numeric", month: "short", ...toMinute, second: "2-digit" }),
    whole: format({ dateStyle: "medium", timeStyle: "long", hourCycle: "h23" }),
  };
}

/** @param {Element} element @returns {string} the zone that it is shown in; empty for the reader's own */
const zoneOf = (element) => /** @type {HTMLElement | null} */ (element.closest("[data-clock]"))?.dataset.clock ?? "";

/** The clocks of the zone that an element is shown in.
 * @param {Element} element @returns {Clocks} */
export function clocksFor(element) {
  const zone = zoneOf(element);
  if (!known.has(zone)) known.set(zone, clocksOf(zone));
  return known.get(zone);
}

define("zone-times", {
  selector: "[data-clock] time[datetime]:not([data-ago])",
  mount(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const { clock, whole } = clocksFor(element);
    element.title = `${whole.format(at)} (${element.dateTime})`;
    element.textContent = clock.format(at);
  },
});

// What is typed is UTC there, as the address has it.
define("zone-fields", {
  selector: "[data-clock] input[data-utc]",
  mount(field) {
    delete field.dataset.local;
    field.value = field.defaultValue;
  },
});

define("zone-names", {
  selector: "[data-clock] [data-zone]",
  mount(place) {
    place.textContent = "UTC";
  },
});

// What is drawn by the hour of the day is asked for in the reader's zone, where the page names none.
define("zoned", {
  mount(element) {
    element.addEventListener("htmx:configRequest", ({ detail: { parameters } }) => {
      parameters.local = Intl.DateTimeFormat().resolvedOptions().timeZone;
    });
  },
});
