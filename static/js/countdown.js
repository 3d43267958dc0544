/* How long it is until an instant, written anew each second. */
import { define } from "./kit.js";

const SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 3600;

/** @param {number} left of seconds @returns {string} */
function leftText(left) {
  if (left <= 0) return "over";
  if (left < MINUTE_S) return `${left} s`;
  if (left < HOUR_S) return `${Math.floor(left / MINUTE_S)} min ${left % MINUTE_S} s`;
  return `${Math.floor(left / HOUR_S)} h ${Math.floor((left % HOUR_S) / MINUTE_S)} min`;
}

/** @param {HTMLTimeElement} element */
function write(element) {
  element.textContent = leftText(Math.ceil((new Date(element.dateTime).getTime() - Date.now()) / SECOND_MS));
}

/** @type {Set<HTMLTimeElement>} */
const shown = new Set();
setInterval(() => shown.forEach(write), SECOND_MS);

define("countdown", {
  selector: "time[data-left]",
  mount(element) {
    shown.add(element);
    write(element);
  },
  unmount: (element) => shown.delete(element),
});
