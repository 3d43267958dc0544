/* A search, a choice and a press count that were made while the page came or a part of it came anew. Fetched with the
   keys, once the page is shown. */

/* --- while a part comes anew --- */

/** @type {Node | null} */
let pressed = null;

addEventListener("pointerdown", ({ target }) => (pressed = /** @type {Node} */ (target)), true);
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => setTimeout(() => (pressed = null)), true); // after the click
}

// What is pressed stays until it is let go: a part that comes again by itself would take it away, and with it the click.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { target, requestConfig } = detail;
  const comesAgain = /\bevery\b/.test(requestConfig?.elt.getAttribute("hx-trigger") ?? "");
  if (comesAgain && pressed && target.contains(pressed)) detail.shouldSwap = false;
});

// A search is asked for as it is typed. Asked again where its field is left, it would take away the row that is pressed.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-widget~=filters] [type=search]")) event.stopPropagation();
}, true);

/* --- before htmx listened --- */

/** @param {any} field @returns {boolean} whether it is not as the page came */
function isChanged(field) {
  if (!field.options) return field.value !== field.defaultValue;
  const all = [...field.options];
  return field.selectedOptions[0] !== (all.findLast((option) => option.defaultSelected) ?? all[0]);
}

function catchUp() {
  for (const asking of document.querySelectorAll("[hx-trigger]")) {
    const fields = [...asking.querySelectorAll("[type=search], select:not([multiple])")];
    if (!fields.some(isChanged)) continue;
    // Where both are listened for, a change is often that of a select alone.
    const heard = /\bsubmit\b|\bchange\b(?!.*\bsubmit\b)/.exec(asking.getAttribute("hx-trigger"));
    if (heard) window.htmx?.trigger(asking, heard[0]);
  }
}

if (document.readyState === "complete") catchUp();
else addEventListener("load", catchUp);
