/* Instants on the page: one clock of 24 hours in the reader's own zone, which the title of each names. */
import { define } from "./kit.js";

/** @param {Intl.DateTimeFormatOptions} options */
const format = (options) => new Intl.DateTimeFormat(undefined, options);
/** @type {Intl.DateTimeFormatOptions} */
const toMinute = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export const minutes = format(toMinute);
export const days = format({ day: "numeric", month: "short" });
const seconds = format({ ...toMinute, second: "2-digit" });
const milliseconds = format({ ...toMinute, second: "2-digit", fractionalSecondDigits: 3 });
const dates = format({ dateStyle: "medium" });
const whole = format({ dateStyle: "medium", timeStyle: "long", hourCycle: "h23" });

/** @param {Date} at @param {Intl.DateTimeFormat} clock @returns {string} */
export function clockText(at, clock) {
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return at.getFullYear() === now.getFullYear() ? `${days.format(at)} ${clock.format(at)}` : dates.format(at);
}

/** @param {HTMLTimeElement} element */
function write(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  element.title = `${whole.format(at)} (${element.dateTime})`;
  element.textContent = clockText(at, "precise" in element.dataset ? milliseconds : seconds);
}

define("times", { selector: "time[datetime]", mount: write });
