/* Telling: aloud to who does not see the page, and in a toast what went wrong. */

/** @param {string} text */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text)); // said again also where it is the same
}

/** @param {string} text */
export function complain(text) {
  const template = document.getElementById("toast-template");
  if (!template) return;
  const toast = template.content.cloneNode(true);
  toast.querySelector("p").textContent = text;
  document.getElementById("toasts").replaceChildren(toast);
}
